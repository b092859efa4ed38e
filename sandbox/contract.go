package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	moneykit "github.com/moneykit/moneykit-go"
	"github.com/moneykit/moneykit-go/gen"
)

// contract is openapi.yaml, read once. It is part of the module, so that an error here is one of this repository.
var contract = sync.OnceValue(func() *openapi3.T {
	doc, err := openapi3.NewLoader().LoadFromData(moneykit.OpenAPI())
	if err == nil {
		err = doc.Validate(context.Background())
	}
	if err != nil {
		panic(fmt.Sprintf("sandbox: the embedded openapi.yaml is broken: %v", err))
	}
	return doc
})

// validation is how requests and answers are held against the contract: every fault is reported, nothing is
// filled in, and a timestamp may lack its zone.
var validation = &openapi3filter.Options{
	MultiError:            true,
	IncludeResponseStatus: true,
	SkipSettingDefaults:   true,
	KeepValidatedValue:    true,
	// The bearer token is checked before the request is validated.
	AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
	SchemaValidationOptions: []openapi3.SchemaValidationOption{
		openapi3.WithStringFormatValidator("date-time", openapi3.NewCallbackValidator(func(value string) error {
			return new(gen.Timestamp).UnmarshalJSON([]byte(strconv.Quote(value)))
		})),
	},
}

// serveOperation answers one operation of the contract: next, behind authentication, the application's rate limit
// and validation of the request, and with its answer put into its published form and validated.
func (s *Sandbox) serveOperation(target *routers.Route, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		input := &openapi3filter.RequestValidationInput{Request: r, Route: target, Options: validation}
		a := newAnswer()
		s.answerOperation(a, r, input, next)
		if err := s.publish(a, input); err != nil {
			s.reportViolation(w, err.Error())
			return
		}
		a.send(w)
	})
}

func (s *Sandbox) answerOperation(a *answer, r *http.Request, input *openapi3filter.RequestValidationInput, next http.Handler) {
	if refused, ok := s.authenticate(r); !ok {
		a.Header().Set("WWW-Authenticate", "Bearer")
		writeRefusal(a, refused)
		return
	}
	if retryAfter, ok := s.allow("app "+input.Route.Operation.OperationID, s.limits.PerApp); !ok {
		writeLimited(a, retryAfter)
		return
	}
	if faults := s.requestFaults(r, input); len(faults) > 0 {
		writeFaults(a, faults)
		return
	}
	next.ServeHTTP(a, r)
}

// requestFaults returns everything that is wrong with a request, in the contract's terms and beyond them.
func (s *Sandbox) requestFaults(r *http.Request, input *openapi3filter.RequestValidationInput) []fault422 {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return []fault422{bodyFault("value_error.max_length", fmt.Sprintf("must not be longer than %d bytes", maxBody))}
	}
	r.Body = io.NopCloser(strings.NewReader(string(data)))
	if len(data) == 0 {
		return []fault422{bodyFault("value_error.missing", "field required")}
	}
	if media := input.Route.Operation.RequestBody.Value.Content.Get(r.Header.Get("Content-Type")); media == nil {
		return []fault422{bodyFault("value_error.content_type", "must be sent with Content-Type: application/json")}
	}
	var body any
	if err := json.Unmarshal(data, &body); err != nil {
		message := "is not valid JSON"
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			message = fmt.Sprintf("is not valid JSON: see byte %d", syntax.Offset)
		}
		return []fault422{bodyFault("value_error.json", message)}
	}
	faults := schemaFaults(openapi3filter.ValidateRequest(r.Context(), input), body)
	if fields, ok := body.(map[string]any); ok && input.Route.Operation.OperationID == string(CreateLinkSession) {
		faults = append(faults, s.sessionFaults(fields)...)
	}
	return faults
}

// publish puts an answer into the form that MoneyKit publishes and validates it.
func (s *Sandbox) publish(a *answer, input *openapi3filter.RequestValidationInput) error {
	operation := input.Route.Operation
	var body any
	if err := json.Unmarshal(a.body.Bytes(), &body); err != nil {
		return fmt.Errorf("%s answered %d with a body that is not JSON: %w", operation.OperationID, a.status, err)
	}
	if response := operation.Responses.Status(a.status); response != nil {
		if media := response.Value.Content.Get("application/json"); media != nil {
			body = published(media.Schema.Value, body)
		}
	}
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	a.body.Reset()
	a.body.Write(data)
	err = openapi3filter.ValidateResponse(input.Request.Context(), (&openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 a.status,
		Header:                 a.header,
		Options:                validation,
	}).SetBodyBytes(data))
	if err != nil {
		return fmt.Errorf("%s answered %d in a way that openapi.yaml does not allow: %w", operation.OperationID, a.status, err)
	}
	return nil
}

// published returns value as MoneyKit sends it: with every property that schema has, null or an empty list where
// there is nothing, and timestamps without a zone.
func published(schema *openapi3.Schema, value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, property := range schema.Properties {
			child, ok := value[name]
			switch p := property.Value; {
			case ok:
				value[name] = published(p, child)
			case p.Default != nil:
				value[name] = p.Default
			case p.Nullable && p.Type.Is(openapi3.TypeArray):
				value[name] = []any{}
			case p.Nullable:
				value[name] = nil
			}
		}
	case []any:
		if schema.Items != nil {
			for i, item := range value {
				value[i] = published(schema.Items.Value, item)
			}
		}
	case string:
		if t, err := time.Parse(time.RFC3339Nano, value); err == nil && schema.Format == "date-time" {
			return t.UTC().Format("2006-01-02T15:04:05")
		}
	}
	return value
}

// reportViolation answers that the sandbox itself is at fault, and reports it: that is never the client's doing.
func (s *Sandbox) reportViolation(w http.ResponseWriter, message string) {
	s.violation(message)
	writeRefusal(w, refusal{http.StatusInternalServerError, "sandbox_error.contract", "A bug in the sandbox: " + message})
}
