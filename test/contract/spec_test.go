package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/pb33f/libopenapi"

	moneykit "github.com/moneykit/moneykit-go"
)

func load(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(moneykit.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// The examples in the contract are valid.
func TestExamples(t *testing.T) {
	t.Parallel()
	doc := load(t)
	if err := doc.Validate(t.Context(), openapi3.EnableExamplesValidation(), openapi3.EnableSchemaFormatValidation()); err != nil {
		t.Error(err)
	}
	if n := len(doc.Components.Examples); n == 0 {
		t.Error("the contract has no examples; nothing was checked")
	}
}

func TestLoadsInLibopenapi(t *testing.T) {
	t.Parallel()
	doc, err := libopenapi.NewDocument(moneykit.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	if n := model.Model.Paths.PathItems.Len(); n != 2 {
		t.Errorf("%d paths, want 2", n)
	}
	for _, e := range model.Index.GetReferenceIndexErrors() {
		t.Error(e)
	}
	for _, e := range model.Index.GetResolver().CheckForCircularReferences() {
		t.Error(e)
	}
}

// The names in other teams' code.
func TestNames(t *testing.T) {
	t.Parallel()
	doc := load(t)
	for path, id := range map[string]string{"/link-session": "create_link_session", "/link-session/exchange-token": "exchange_token"} {
		op := doc.Paths.Value(path).Post
		if op.OperationID != id || op.Summary != path || fmt.Sprint(op.Tags) != "[LinkSession]" || len(op.Parameters) != 0 {
			t.Errorf("%s: %s %q %v %v", path, op.OperationID, op.Summary, op.Tags, op.Parameters)
		}
	}
	if s := doc.Components.SecuritySchemes["OAuth2ClientCredentials"]; s == nil || s.Value.Flows.ClientCredentials == nil {
		t.Error("no security scheme OAuth2ClientCredentials")
	}
	for _, name := range []string{"CreateLinkSessionRequest", "LinkSessionCustomerUser", "CreateLinkSessionResponse",
		"ExchangeTokenRequest", "ExchangeTokenResponse", "LinkSessionSettingOverrides", "LinkSessionCustomerUserEmail",
		"LinkSessionCustomerUserPhone", "MoneyKitConnectFeatures", "ProductsSettings", "ProductSettings",
		"TransactionsProductSettings", "LinkCommon", "LinkProducts", "Provider", "Country", "Product",
		"LinkPermissions", "RequestedLinkPermission", "LinkPermissionScope", "CustomSandboxData", "CustomSandboxAccount",
		"Owner", "LinkProductResponse", "TransactionsLinkProduct", "HTTPValidationError", "ValidationError",
		"LinkStateChangedWebhook", "LinkProductRefreshWebhook", "TransactionUpdatesAvailableWebhook", "LinkProductState"} {
		if doc.Components.Schemas[name] == nil {
			t.Errorf("no schema %s", name)
		}
	}
	if doc.Components.Schemas["Error"] != nil {
		t.Error("a schema Error, which the TypeScript and Swift generators rename")
	}
	// openapi-python-client takes the class of a nullable schema from its title; without one it is LinkProductType0.
	for name, schema := range doc.Components.Schemas {
		if schema.Value.Nullable && schema.Value.Title != name {
			t.Errorf("%s is nullable and its title is %q; it must be its name", name, schema.Value.Title)
		}
	}
}

// The files that the clients' tests send and receive are valid, and have every field of the contract.
func TestWireFiles(t *testing.T) {
	t.Parallel()
	doc := load(t)
	for file, name := range map[string]string{"every-field": "CreateLinkSessionRequest", "null-link": "ExchangeTokenResponse"} {
		schema, value := doc.Components.Schemas[name].Value, readWire(t, file)
		if err := schema.VisitJSON(value); err != nil {
			t.Errorf("wire/%s.json: %v", file, err)
		}
		for _, missing := range absent(schema, value, name) {
			t.Errorf("wire/%s.json has no %s", file, missing)
		}
	}
	if err := doc.Components.Schemas["ExchangeTokenResponse"].Value.VisitJSON(readWire(t, "unknown-link")); err == nil {
		t.Error("wire/unknown-link.json is valid by the contract, so it has no unknown value")
	}
}

func readWire(t *testing.T, name string) (value any) {
	t.Helper()
	data, err := os.ReadFile("wire/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return value
}

// absent lists the properties of schema that value lacks. Nothing is expected below null, and of a schema that several
// properties have, all values together must have all properties.
func absent(schema *openapi3.Schema, value any, at string) []string {
	seen, all := map[*openapi3.Schema]map[string]bool{}, map[*openapi3.Schema]string{}
	var visit func(schema *openapi3.Schema, value any, at string)
	visit = func(schema *openapi3.Schema, value any, at string) {
		switch value := value.(type) {
		case map[string]any:
			if seen[schema] == nil {
				seen[schema], all[schema] = map[string]bool{}, at
			}
			for name, property := range schema.Properties {
				if field, ok := value[name]; ok {
					seen[schema][name] = true
					visit(property.Value, field, path.Join(at, name))
				}
			}
		case []any:
			for _, item := range value {
				visit(schema.Items.Value, item, at)
			}
		}
	}
	visit(schema, value, at)
	var missing []string
	for schema, at := range all {
		for name := range schema.Properties {
			if !seen[schema][name] {
				missing = append(missing, path.Join(at, name))
			}
		}
	}
	return missing
}
