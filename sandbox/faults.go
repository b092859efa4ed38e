package sandbox

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/moneykit/moneykit-go/gen"
)

// A fault422 is one entry of a 422's validation_errors. Its message never repeats the value.
type fault422 = gen.ValidationError

func bodyFault(kind, message string, path ...any) fault422 {
	return fault422{Location: append([]any{"body"}, path...), Message: message, Type: kind}
}

// schemaFaults turns what the contract's validation found in body into one entry per fault.
func schemaFaults(err error, body any) []fault422 {
	switch err := err.(type) { //nolint:errorlint // the tree is walked node by node; As would stop at the first fault
	case nil:
		return nil
	case openapi3.MultiError:
		var all []fault422
		for _, err := range err {
			all = append(all, schemaFaults(err, body)...)
		}
		return all
	case *openapi3filter.RequestError:
		return schemaFaults(err.Err, body)
	case *openapi3.SchemaError:
		// An allOf around a reference stands for what is wrong with the schema that it refers to.
		var inner openapi3.MultiError
		if errors.As(err.Origin, &inner) {
			return schemaFaults(inner, body)
		}
		kind, message := explain(err)
		return []fault422{bodyFault(kind, message, location(err.JSONPointer(), body)...)}
	}
	return []fault422{bodyFault("value_error", "is not what this operation takes")}
}

// location is the way through body that pointer names, with the positions in lists as numbers.
func location(pointer []string, body any) []any {
	path := make([]any, len(pointer))
	for i, name := range pointer {
		path[i] = name
		switch in := body.(type) {
		case map[string]any:
			body = in[name]
		case []any:
			if n, err := strconv.Atoi(name); err == nil && n >= 0 && n < len(in) {
				path[i], body = n, in[n]
			}
		}
	}
	return path
}

func explain(err *openapi3.SchemaError) (kind, message string) {
	schema := err.Schema
	switch err.SchemaField {
	case "required":
		return "value_error.missing", "field required"
	case "nullable":
		return "type_error.null", "must not be null"
	case "type":
		if types := schema.Type.Slice(); len(types) == 1 {
			return "type_error." + types[0], "must be of type " + types[0]
		}
	case "enum":
		var values []string
		for _, value := range schema.Enum {
			if value != nil {
				values = append(values, fmt.Sprint(value))
			}
		}
		return "value_error.enum", "must be one of " + strings.Join(values, ", ")
	case "minLength":
		return "value_error.min_length", fmt.Sprintf("must have at least %d characters", schema.MinLength)
	case "maxLength":
		return "value_error.max_length", fmt.Sprintf("must have at most %d characters", *schema.MaxLength)
	case "pattern":
		return "value_error.pattern", "must match " + schema.Pattern
	case "format":
		if schema.Format == "date-time" {
			return "value_error.date_time", "must be a date and time such as 2023-02-16T09:14:11Z"
		}
	}
	return "value_error." + err.SchemaField, err.Reason // a Reason never holds the value
}

// sessionFaults returns what is wrong with a session request that a schema cannot say.
func (s *Sandbox) sessionFaults(body map[string]any) []fault422 {
	var faults []fault422
	if raw, ok := body["redirect_uri"].(string); ok && raw != "" {
		switch u, err := url.Parse(raw); {
		case err != nil || u.Scheme == "" || u.Host == "":
			faults = append(faults, bodyFault("value_error.url", "must be an absolute URL such as https://yourdomain.com/oauth.html", "redirect_uri"))
		case u.RawQuery != "" || u.ForceQuery:
			faults = append(faults, bodyFault("value_error.url.query", "must not have a query string", "redirect_uri"))
		}
	}
	if id, ok := body["existing_link_id"].(string); ok {
		s.mu.Lock()
		_, known := s.state.links[id]
		s.mu.Unlock()
		if !known {
			faults = append(faults, bodyFault("value_error.unknown_link", "there is no link with this id", "existing_link_id"))
		}
	}
	return faults
}

func writeFaults(w http.ResponseWriter, faults []fault422) {
	writeJSON(w, http.StatusUnprocessableEntity, gen.HTTPValidationError{
		ErrorCode:        "api_error.request.validation_failed",
		ErrorMessage:     "The request is invalid.",
		ValidationErrors: faults,
	})
}
