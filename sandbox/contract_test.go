package sandbox

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	moneykit "github.com/moneykit/moneykit-go"
	"github.com/moneykit/moneykit-go/sandbox/internal/httpapi"
)

// A response that the contract does not allow is a 500 that says so, and is reported.
func TestViolationsAreReported(t *testing.T) {
	t.Parallel()
	i := slices.IndexFunc(embeddedContract().operations, func(op contractOperation) bool { return op.id() == CreateLinkSession })
	for name, test := range map[string]struct {
		result any
		err    error
		want   string
	}{
		"a field is missing":  {map[string]any{}, nil, "link_session_token"},
		"a type is wrong":     {map[string]any{"link_session_token": 5}, nil, "link_session_token"},
		"the status is wrong": {nil, &httpapi.Error{Status: http.StatusTeapot, Code: "x", Message: "y"}, "418"},
	} {
		var reported []string
		s := New()
		s.violation = func(message string) { reported = append(reported, message) }
		r := httptest.NewRequest("POST", "/link-session", strings.NewReader(`{"customer_user": {"id": "user-42"}, "redirect_uri": "http://localhost"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+s.newToken(time.Now().Add(time.Minute)))
		w := httptest.NewRecorder()
		s.serveImplemented(w, r, embeddedContract().operations[i], func(*Sandbox, []byte) (any, error) { return test.result, test.err })
		if w.Code != 500 || !strings.Contains(w.Body.String(), test.want) || !strings.Contains(w.Body.String(), "create_link_session") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if len(reported) != 1 || !strings.Contains(reported[0], test.want) {
			t.Errorf("%s: reported %q", name, reported)
		}
	}
}

const getLink = `
  /links/{id}:
    get:
      operationId: get_link
      summary: /links/{id}
      parameters:
        - name: id
          in: path
          required: true
          schema:
            type: string
      responses:
        '200':
          description: The link.
          content:
            application/json:
              schema:
                $ref: '#/components/schemas/LinkCommon'
        '404':
          description: There is no such link.
components:
`

// The published form has every property at every depth, also in the items of a list.
func TestPublished(t *testing.T) {
	t.Parallel()
	var schema openapi3.Schema
	var value any
	for text, into := range map[string]any{
		`{"type": "object", "properties": {"list": {"type": "array", "items": {"type": "object", "properties": {
			"at": {"type": "string", "format": "date-time"}, "name": {"type": "string"}, "gone": {"type": "string", "nullable": true},
			"some": {"type": "array", "nullable": true}, "on": {"type": "boolean", "default": false}, "optional": {"type": "string"},
			"settings": {"type": "object", "nullable": true, "properties": {"on": {"type": "boolean", "default": true}}}}}},
			"any": {"type": "array"}, "times": {"type": "array", "items": {"type": "string", "format": "date-time"}}}}`: &schema,
		`{"list": [{"at": "2023-02-16T10:14:11.5+01:00", "name": "2023-02-16T09:14:11Z"}, {"at": "2023-02-16T09:14:11", "on": true, "settings": {}}], "any": ["x"], "times": ["2023-02-16T09:14:11Z"]}`: &value,
	} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	got, err := json.Marshal(published(&schema, value))
	want := `{"any":["x"],"list":[` +
		`{"at":"2023-02-16T09:14:11","gone":null,"name":"2023-02-16T09:14:11Z","on":false,"settings":{"on":true},"some":[]},` +
		`{"at":"2023-02-16T09:14:11","gone":null,"on":true,"settings":{"on":true},"some":[]}],"times":["2023-02-16T09:14:11"]}`
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s, want\n%s", err, got, want)
	}
}

// A further operation in the contract is listed, gets a 501, and has faults and a record, without a line of Go.
func TestFurtherOperation(t *testing.T) {
	t.Parallel()
	document := strings.Replace(string(moneykit.OpenAPI()), "\ncomponents:\n", getLink, 1)
	c, err := readContract([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	s := newSandbox(c, nil)
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1"+path, nil))
		return w
	}
	if index := get("/").Body.String(); !strings.Contains(index, "GET     /links/{id} ") || !strings.Contains(index, "operation get_link") {
		t.Errorf("the list:\n%s", index)
	}
	if got := get("/links/mk_1"); got.Code != http.StatusNotImplemented || !strings.Contains(got.Body.String(), `"error_code":"sandbox_error.not_implemented"`) ||
		!strings.Contains(got.Body.String(), `"error_message":"`) || !strings.Contains(got.Body.String(), `"documentation_url":null`) {
		t.Errorf("got %d %s", got.Code, got.Body)
	}
	if err := s.Fail("get_link", 1, Fault{Status: 200, Body: `{"link_id": "mk_1"}`}); err != nil {
		t.Fatal(err)
	}
	if got := get("/links/mk_1"); got.Code != 200 || got.Body.String() != `{"link_id": "mk_1"}` {
		t.Errorf("with a fault: %d %s", got.Code, got.Body)
	}
	all := s.Requests()
	if n := len(all); n != 3 || all[1].Operation != "get_link" || all[1].Status != 501 || all[1].Path != "/links/mk_1" || all[2].Operation != "get_link" {
		t.Errorf("requests: %+v", all)
	}
	if err := s.Fail("get_links", 1, Fault{Drop: true}); err == nil || !strings.Contains(err.Error(), "get_link") {
		t.Errorf("an unknown operation: %v", err)
	}
}

// A parameter in the path is validated like a body.
func TestPathParameters(t *testing.T) {
	t.Parallel()
	document := strings.Replace(string(moneykit.OpenAPI()), "\ncomponents:\n", strings.Replace(getLink, "type: string", "type: integer", 1), 1)
	c, err := readContract([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(c.operations, func(op contractOperation) bool { return op.id() == "get_link" })
	for id, want := range map[string]int{"1": 0, "x": 1} {
		r := httptest.NewRequest("GET", "/links/"+id, nil)
		r.SetPathValue("id", id)
		if got := New().validate(r, c.operations[i], nil, nil); len(got) != want {
			t.Errorf("%s: %+v", id, got)
		}
	}
}

// The operations that the sandbox implements are in the contract.
func TestImplementedOperations(t *testing.T) {
	t.Parallel()
	all := New().operations()
	for op := range implemented {
		if !slices.Contains(all, op) {
			t.Errorf("%s is not in the contract", op)
		}
	}
}
