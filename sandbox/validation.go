package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox/internal/aba"
	"github.com/moneykit/moneykit-go/sandbox/internal/httpapi"
)

// validate returns what is wrong with a request: what the contract says about it, and what a schema cannot say. No
// message repeats a value. body was read from r and ended with readErr.
func (s *Sandbox) validate(r *http.Request, op contractOperation, body []byte, readErr error) []gen.ValidationError {
	var value any
	if op.Operation.RequestBody != nil {
		if readErr != nil {
			return []gen.ValidationError{invalidBody("value_error.max_length", fmt.Sprintf("must not be longer than %d bytes", maxBody))}
		}
		if len(body) == 0 {
			return []gen.ValidationError{invalidBody("value_error.missing", "field required")}
		}
		if op.Operation.RequestBody.Value.Content.Get(r.Header.Get("Content-Type")) == nil {
			return []gen.ValidationError{invalidBody("value_error.content_type", "must be sent with Content-Type: application/json")}
		}
		if err := json.Unmarshal(body, &value); err != nil {
			message := "is not valid JSON"
			if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
				message = fmt.Sprintf("is not valid JSON: see byte %d", syntax.Offset)
			}
			return []gen.ValidationError{invalidBody("value_error.json", message)}
		}
	}
	all := schemaErrors(openapi3filter.ValidateRequest(r.Context(), op.validationInput(r)), value)
	if fields, ok := value.(map[string]any); ok && op.id() == CreateLinkSession {
		all = append(all, s.sessionErrors(fields)...)
	}
	return all
}

func invalidBody(kind, message string, path ...any) gen.ValidationError {
	return gen.ValidationError{Location: append([]any{"body"}, path...), Message: message, Type: kind}
}

// schemaErrors turns the error of the contract's validation into one entry for each field.
func schemaErrors(err error, body any) []gen.ValidationError {
	switch err := err.(type) { //nolint:errorlint // the tree is walked node by node; As would stop at the first error
	case nil:
		return nil
	case openapi3.MultiError:
		var all []gen.ValidationError
		for _, err := range err {
			all = append(all, schemaErrors(err, body)...)
		}
		return all
	case *openapi3filter.RequestError:
		if p := err.Parameter; p != nil {
			return []gen.ValidationError{{Location: []any{p.In, p.Name}, Message: "is missing or invalid", Type: "value_error"}}
		}
		return schemaErrors(err.Err, body)
	case *openapi3.SchemaError:
		// The error of an allOf contains that of the schema that it refers to.
		var inner openapi3.MultiError
		if errors.As(err.Origin, &inner) {
			return schemaErrors(inner, body)
		}
		kind, message := explain(err)
		return []gen.ValidationError{invalidBody(kind, message, location(err.JSONPointer(), body)...)}
	}
	return []gen.ValidationError{invalidBody("value_error", "is not valid")}
}

// location returns pointer as a path in body, with the positions in lists as numbers.
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
	return "value_error." + err.SchemaField, err.Reason // a Reason never contains the value
}

// legacyUserID is what a customer_user.id had to match before August 2024.
var legacyUserID = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// sessionErrors returns what is wrong with a link session's request that its schema cannot say.
func (s *Sandbox) sessionErrors(body map[string]any) []gen.ValidationError {
	var all []gen.ValidationError
	if raw, ok := body["redirect_uri"].(string); ok && raw != "" {
		switch u, err := url.Parse(raw); {
		case err != nil || u.Scheme == "" || u.Host == "":
			all = append(all, invalidBody("value_error.url", "must be an absolute URL such as https://yourdomain.com/oauth.html", "redirect_uri"))
		case u.RawQuery != "" || u.ForceQuery:
			all = append(all, invalidBody("value_error.url.query", "must not have a query string", "redirect_uri"))
		case strings.Contains(raw, "#"):
			all = append(all, invalidBody("value_error.url.fragment", "must not have a fragment", "redirect_uri"))
		}
	}
	if id, ok := body["existing_link_id"].(string); ok {
		s.mu.Lock()
		known := s.state.byID[id] != nil
		s.mu.Unlock()
		if !known {
			all = append(all, invalidBody("value_error.unknown_link", "there is no link with this id", "existing_link_id"))
		}
	}
	if user, ok := body["customer_user"].(map[string]any); ok && s.legacyUserIDs {
		if id, ok := user["id"].(string); ok && !legacyUserID.MatchString(id) {
			all = append(all, invalidBody("value_error.pattern", "must match "+legacyUserID.String(), "customer_user", "id"))
		}
	}
	if data, ok := body["custom_sandbox_data"].(map[string]any); ok {
		accounts, _ := data["accounts"].([]any)
		for i, account := range accounts {
			fields, _ := account.(map[string]any)
			if number, ok := fields["routing_number"].(string); ok && !aba.Valid(number) {
				all = append(all, invalidBody("value_error.routing_number", "must be an ABA number: nine digits with a valid check digit",
					"custom_sandbox_data", "accounts", i, "routing_number"))
			}
		}
	}
	return all
}

func writeValidationErrors(w http.ResponseWriter, all []gen.ValidationError) {
	httpapi.WriteJSON(w, http.StatusUnprocessableEntity, gen.HTTPValidationError{
		ErrorCode:        "api_error.request.validation_failed",
		ErrorMessage:     "The request is invalid.",
		ValidationErrors: all,
	})
}
