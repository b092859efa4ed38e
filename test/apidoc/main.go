// Apidoc writes docs/LinkSessionApi.md from the contract, from gen, and from the Example functions of package api.
package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"log"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	moneykit "github.com/moneykit/moneykit-go"
	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/internal/transport"
)

func main() {
	root := flag.String("root", "..", "`folder` of the repository")
	flag.Parse()
	page, err := generate(*root)
	if err == nil {
		err = os.WriteFile(filepath.Join(*root, "docs", "LinkSessionApi.md"), page, 0o644)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// An operation of the contract, and the method of api.Client that calls it.
type operation struct {
	*openapi3.Operation
	httpMethod, path string
	method           reflect.Method
}

// input returns what the method takes besides context and options, and output what it returns besides the error.
func (o operation) input() reflect.Type  { return o.method.Type.In(2) }
func (o operation) output() reflect.Type { return o.method.Type.Out(0).Elem() }

// readOperations returns the operations in the order of their operationIds.
func readOperations(contract *openapi3.T) ([]operation, error) {
	var operations []operation
	for path, item := range contract.Paths.Map() {
		for method, op := range item.Operations() {
			name := ""
			for word := range strings.SplitSeq(op.OperationID, "_") {
				name += strings.ToUpper(word[:1]) + word[1:]
			}
			m, ok := reflect.TypeFor[*api.Client]().MethodByName(name)
			if !ok {
				return nil, fmt.Errorf("apidoc: api.Client has no method %s for %s", name, op.OperationID)
			}
			operations = append(operations, operation{op, method, path, m})
		}
	}
	slices.SortFunc(operations, func(a, b operation) int { return cmp.Compare(a.OperationID, b.OperationID) })
	return operations, nil
}

// sentinels are the errors of package api that a status can be.
var sentinels = []struct {
	name string
	err  error
}{
	{"api.ErrInvalidTokenExchange", api.ErrInvalidTokenExchange}, {"api.ErrUnauthorized", api.ErrUnauthorized},
	{"api.ErrTokenExpired", api.ErrTokenExpired}, {"api.ErrForbiddenConfig", api.ErrForbiddenConfig},
	{"api.ErrValidation", api.ErrValidation}, {"api.ErrRateLimited", api.ErrRateLimited},
}

const reference = "https://pkg.go.dev/github.com/moneykit/moneykit-go"

func generate(root string) ([]byte, error) {
	contract, err := openapi3.NewLoader().LoadFromData(moneykit.OpenAPI())
	if err != nil {
		return nil, err
	}
	operations, err := readOperations(contract)
	if err != nil {
		return nil, err
	}
	examples, err := readExamples(filepath.Join(root, "api", "example_operations_test.go"))
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	p := func(format string, args ...any) { fmt.Fprintf(&page, format+"\n", args...) }

	p("<!-- Written by make api-page from openapi.yaml and the Example functions of package api. -->\n")
	p("# LinkSessionApi\n")
	p("All paths are relative to %s. Methods are those of [api.Client](%s/api#Client).\n", contract.Servers[0].URL, reference)
	p("| Method | HTTP request | Description |\n| --- | --- | --- |")
	for _, op := range operations {
		p("| [%s](#%s) | %s %s | %s |", op.method.Name, strings.ToLower(op.method.Name), op.httpMethod, op.path, firstSentence(op.Description))
	}
	p("\nThe examples use this client, a `context.Context`, and the `exchangeableToken` of Connect's success callback. What they print is below them.\n")
	p("%s", examples["FromEnv_client"].block())
	for _, op := range operations {
		name := op.method.Name
		p("\n## %s\n", name)
		p("> `client.%s(ctx context.Context, req %s, opts ...api.CallOption) (*%s, error)`\n", name, op.input(), op.output())
		p("%s\n", strings.TrimSpace(op.Description))
		for _, e := range []struct{ heading, suffix string }{{"Example", ""}, {"With status and headers", "_withHTTPInfo"}, {"Handling errors", "_errors"}} {
			example, ok := examples["Client_"+name+e.suffix]
			if !ok {
				return nil, fmt.Errorf("apidoc: api has no ExampleClient_%s%s", name, e.suffix)
			}
			p("### %s\n\n%s", e.heading, example.block())
			if example.output != "" {
				p("\n```text\n%s```", example.output)
			}
			p("")
		}
		p("### Parameters\n")
		p("| Name | Type | Description |\n| --- | --- | --- |")
		p("| ctx | context.Context | Bounds the call with its retries. |")
		if op.RequestBody != nil {
			p("| req | [%s](%s/gen#%s) | The request body, with the fields below. |", op.input(), reference, op.input().Name())
		}
		for _, parameter := range op.Parameters {
			p("| %s | %s | %s |", parameter.Value.Name, op.input(), oneLine(parameter.Value.Description))
		}
		p("| opts | [...api.CallOption](%s/api#CallOption) | `WithHTTPInfo`, `WithRequestEditor`, `WithRetryPolicy`, `WithTimeout`. |\n", reference)
		if op.RequestBody != nil {
			rows, err := fields(op.input(), op.RequestBody.Value.Content["application/json"].Schema.Value)
			if err != nil {
				return nil, err
			}
			p("| Field of req | JSON | Type | Description | Notes |\n| --- | --- | --- | --- | --- |\n%s", rows)
		}
		p("### Return type\n\n[*%s](%s/gen#%s)\n", op.output(), reference, op.output().Name())
		p("### Authorization\n\n%s: the client gets access tokens with its credentials.\n", authorization(contract))
		p("### HTTP request headers\n\n- **Content-Type**: application/json\n- **Accept**: application/json\n- **MoneyKit-Version**: %s\n", transport.APIVersion)
		p("### Errors\n\nEvery error is an [*api.Error](%s/api#Error).\n", reference)
		p("| Status | `error_code` | `errors.Is` | Meaning |\n| --- | --- | --- | --- |")
		if err := errorRows(op.Operation, p); err != nil {
			return nil, err
		}
		if op.OperationID == "exchange_token" {
			p("| any or none | | `api.ErrOutcomeUnknown` | The token may have been exchanged. |")
		}
	}
	return page.Bytes(), nil
}

// fields returns a row for each field of a request.
func fields(t reflect.Type, schema *openapi3.Schema) (string, error) {
	var rows strings.Builder
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		property := schema.Properties[name]
		if property == nil {
			return "", fmt.Errorf("apidoc: the contract has no %s.%s", t.Name(), name)
		}
		notes := "optional"
		if slices.Contains(schema.Required, name) {
			notes = "required"
		}
		fmt.Fprintf(&rows, "| %s | `%s` | %s | %s | %s |\n", f.Name, name, f.Type, oneLine(property.Value.Description), notes)
	}
	return rows.String(), nil
}

func authorization(contract *openapi3.T) string {
	for name := range contract.Security[0] {
		return name
	}
	return ""
}

// errorRows prints a row for each error_code that the examples of the contract's responses have.
func errorRows(op *openapi3.Operation, p func(string, ...any)) error {
	for _, status := range slices.Sorted(maps.Keys(op.Responses.Map())) {
		if status < "400" {
			continue
		}
		response := op.Responses.Value(status).Value
		codes := map[string]bool{}
		for _, example := range response.Content["application/json"].Examples {
			body, _ := example.Value.Value.(map[string]any)
			code, _ := body["error_code"].(string)
			codes[code] = true
		}
		for _, code := range slices.Sorted(maps.Keys(codes)) {
			is := ""
			for _, s := range sentinels {
				if errors.Is(&api.Error{Code: code}, s.err) {
					is = s.name
				}
			}
			if code == "" || is == "" {
				return fmt.Errorf("apidoc: %s of %s has the error_code %q, which is none of api's errors", status, op.OperationID, code)
			}
			p("| %s | `%s` | `%s` | %s |", status, code, is, oneLine(*response.Description))
		}
	}
	return nil
}

func oneLine(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

func firstSentence(text string) string {
	first, _, _ := strings.Cut(oneLine(text)+" ", ". ")
	return strings.TrimSuffix(strings.TrimSpace(first), ".") + "."
}

// An example is an Example function without its first paragraph, which starts a server.
type example struct{ name, code, output string }

// block returns the example in Markdown.
func (e example) block() string { return "```go\n" + e.code + "```" }

// readExamples reads the Example functions of a file by their names.
func readExamples(file string) (map[string]example, error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, file, source, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	examples := map[string]example{}
	for _, e := range doc.Examples(parsed) {
		body := e.Code.(*ast.BlockStmt)
		code := string(source[fset.Position(body.Lbrace).Offset+1 : fset.Position(body.Rbrace).Offset])
		code, _, _ = strings.Cut(code, "\t// Output:")
		_, code, ok := strings.Cut(code, "\n\n")
		if !ok { // one that the page does not show
			continue
		}
		code, _, _ = strings.Cut(code, "\n\t_, _ = ") // only the compiler needs it
		formatted, err := format.Source([]byte(code))
		if err != nil {
			return nil, fmt.Errorf("apidoc: Example%s: %w", e.Name, err)
		}
		examples[e.Name] = example{e.Name, strings.TrimRight(string(unindent(formatted)), "\n") + "\n", e.Output}
	}
	return examples, nil
}

// unindent removes one tab from each line.
func unindent(code []byte) []byte {
	return bytes.TrimPrefix(bytes.ReplaceAll(code, []byte("\n\t"), []byte("\n")), []byte("\t"))
}
