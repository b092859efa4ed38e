package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	moneykit "github.com/moneykit/moneykit-go"
	"github.com/moneykit/moneykit-go/gen"
)

// contract is an OpenAPI document and its operations.
type contract struct {
	doc        *openapi3.T
	operations []contractOperation
}

// A contractOperation is an operation with its path and method, as the validation of requests takes it.
type contractOperation struct{ *routers.Route }

func (op contractOperation) id() Operation { return Operation(op.Operation.OperationID) }

// embeddedContract reads openapi.yaml once. It is part of the module, so that an error is one of this repository.
var embeddedContract = sync.OnceValue(func() *contract {
	c, err := readContract(moneykit.OpenAPI())
	if err != nil {
		panic(fmt.Sprintf("moneykit: the embedded openapi.yaml is invalid: %v", err))
	}
	return c
})

func readContract(data []byte) (*contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	c := &contract{doc: doc}
	for _, path := range doc.Paths.InMatchingOrder() {
		item := doc.Paths.Value(path)
		for method, operation := range item.Operations() {
			c.operations = append(c.operations, contractOperation{&routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: operation}})
		}
	}
	return c, nil
}

// validation are the options for the validation of requests and responses: all errors are reported, and a timestamp may
// lack its zone.
var validation = &openapi3filter.Options{
	MultiError:            true,
	IncludeResponseStatus: true,
	// The access token is checked before the request is validated.
	AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
	SchemaValidationOptions: []openapi3.SchemaValidationOption{
		openapi3.WithStringFormatValidator("date-time", openapi3.NewCallbackValidator(func(value string) error {
			return new(gen.Timestamp).UnmarshalJSON([]byte(strconv.Quote(value)))
		})),
	},
}

// validationInput returns what a request of this operation is validated with.
func (op contractOperation) validationInput(r *http.Request) *openapi3filter.RequestValidationInput {
	input := &openapi3filter.RequestValidationInput{Request: r, Route: op.Route, Options: validation, PathParams: map[string]string{}}
	for _, parameters := range []openapi3.Parameters{op.PathItem.Parameters, op.Operation.Parameters} {
		for _, p := range parameters {
			if p.Value.In == openapi3.ParameterInPath {
				input.PathParams[p.Value.Name] = r.PathValue(p.Value.Name)
			}
		}
	}
	return input
}

// publish puts a response into the form that MoneyKit publishes and validates it.
func (op contractOperation) publish(res *response, r *http.Request) error {
	var body any
	if err := json.Unmarshal(res.body.Bytes(), &body); err != nil {
		return fmt.Errorf("the response %d of %s is not JSON: %w", res.status, op.id(), err)
	}
	if declared := op.Operation.Responses.Status(res.status); declared != nil {
		if media := declared.Value.Content.Get("application/json"); media != nil {
			body = published(media.Schema.Value, body)
		}
	}
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	res.body.Reset()
	res.body.Write(data)
	err = openapi3filter.ValidateResponse(r.Context(), (&openapi3filter.ResponseValidationInput{
		RequestValidationInput: op.validationInput(r),
		Status:                 res.status,
		Header:                 res.header,
		Options:                validation,
	}).SetBodyBytes(data))
	if err != nil {
		return fmt.Errorf("openapi.yaml does not allow the response %d of %s: %w", res.status, op.id(), err)
	}
	return nil
}

// published returns value as MoneyKit sends it: with every property of its schema, and with timestamps without a zone.
// A property that is absent gets its default, an object of defaults, an empty list or null.
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
			case hasDefaults(p):
				value[name] = published(p, map[string]any{})
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

// hasDefaults reports whether schema is an object with a property that has a default, such as a product's settings.
func hasDefaults(schema *openapi3.Schema) bool {
	for _, property := range schema.Properties {
		if property.Value.Default != nil {
			return true
		}
	}
	return false
}
