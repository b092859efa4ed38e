package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	moneykit "github.com/moneykit/moneykit-go"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
)

func TestValidationErrors(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	token := newToken(t, srv)
	const create, exchange = "/link-session", "/link-session/exchange-token"
	for name, test := range map[string]struct {
		path, body string
		want       []string // location and type of each error, in any order
	}{
		"nothing":         {create, ``, []string{"body value_error.missing"}},
		"cut off":         {create, `{"customer_user": {"id": "s3cr3t`, []string{"body value_error.json"}},
		"two values":      {create, minimal + `"s3cr3t"`, []string{"body value_error.json"}},
		"null":            {create, `null`, []string{"body type_error.null"}},
		"a list":          {create, `["s3cr3t"]`, []string{"body type_error.object"}},
		"an empty object": {create, `{}`, []string{"body customer_user value_error.missing", "body redirect_uri value_error.missing"}},
		"over 1 MiB":      {create, `"` + strings.Repeat("s3cr3t", 1<<18) + `"`, []string{"body value_error.max_length"}},
		"required fields": {create, `{"customer_user": {"id": ""}, "redirect_uri": null}`, []string{
			"body customer_user id value_error.min_length", "body redirect_uri type_error.null"}},
		"every kind at once": {create, `{
			"customer_user": {"email": {"address": "s", "customer_verified_at": "s3cr3t"}, "phone": {"number": 5, "country": "s3cr3t"}},
			"redirect_uri": "https://yourdomain.com/oauth.html?s3cr3t=1",
			"settings": {"providers": ["mx", "s3cr3t"], "products": {"transactions": {"prefetch": "s3cr3t"}},
				"link_permissions": {"requested": [{"scope": "identity"}]}},
			"existing_link_id": "s3cr3t",
			"webhook": "",
			"link_tags": ["fine", "-s3cr3t", "` + strings.Repeat("s3cr3t", 20) + `"],
			"custom_sandbox_data": {"accounts": [{"account_type": "depository.checking", "name": "s3cr3t"}]}
		}`, []string{
			"body customer_user email address value_error.min_length", "body customer_user email address value_error.pattern",
			"body customer_user email customer_verified_at value_error.date_time",
			"body customer_user id value_error.missing",
			"body customer_user phone country value_error.enum",
			"body customer_user phone number type_error.string",
			"body redirect_uri value_error.url.query",
			"body settings providers #1 value_error.enum",
			"body settings products transactions prefetch type_error.boolean",
			"body settings link_permissions requested #0 reason value_error.missing",
			"body settings link_permissions requested #0 required value_error.missing",
			"body existing_link_id value_error.unknown_link",
			"body webhook value_error.min_length",
			"body link_tags #1 value_error.pattern",
			"body link_tags #2 value_error.max_length",
			"body custom_sandbox_data accounts #0 account_number value_error.missing",
		}},
		"an id that is too short":               {create, strings.Replace(minimal, "user-42", "s3c", 1), []string{"body customer_user id value_error.min_length"}},
		"an id that is too long":                {create, strings.Replace(minimal, "user-42", strings.Repeat("s3cr3t", 26), 1), []string{"body customer_user id value_error.max_length"}},
		"a redirect_uri with a fragment":        {create, strings.Replace(minimal, "oauth.html", "oauth.html#s3cr3t", 1), []string{"body redirect_uri value_error.url.fragment"}},
		"a redirect_uri with an empty fragment": {create, strings.Replace(minimal, "oauth.html", "oauth.html#", 1), []string{"body redirect_uri value_error.url.fragment"}},
		"a redirect_uri with an empty query":    {create, strings.Replace(minimal, "oauth.html", "oauth.html?", 1), []string{"body redirect_uri value_error.url.query"}},
		"a routing number": {create, strings.Replace(minimal, "}, ", `}, "custom_sandbox_data": {"accounts": [
			{"account_type": "depository.checking", "name": "n", "account_number": "1", "routing_number": "021000021"},
			{"account_type": "depository.checking", "name": "n", "account_number": "1", "routing_number": "021000022"},
			{"account_type": "depository.checking", "name": "n", "account_number": "1", "routing_number": "02100002"},
			{"account_type": "depository.checking", "name": "n", "account_number": "1", "routing_number": "02100002x"},
			{"account_type": "depository.checking", "name": "n", "account_number": "1", "routing_number": null}]}, `, 1), []string{
			"body custom_sandbox_data accounts #1 routing_number value_error.routing_number",
			"body custom_sandbox_data accounts #2 routing_number value_error.routing_number",
			"body custom_sandbox_data accounts #3 routing_number value_error.routing_number"}},
		"a path as redirect_uri": {create, strings.Replace(minimal, "https://yourdomain.com", "s3cr3t", 1), []string{"body redirect_uri value_error.url"}},
		"no token":               {exchange, `{}`, []string{"body exchangeable_token value_error.missing"}},
		"a number as token":      {exchange, `{"exchangeable_token": 5}`, []string{"body exchangeable_token type_error.string"}},
		"another case":           {exchange, `{"Exchangeable_Token": "s3cr3t"}`, []string{"body exchangeable_token value_error.missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkErrors(t, post(t, srv, test.path, token, test.body), test.want)
		})
	}
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded"} {
		header := http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {contentType}}
		checkErrors(t, send(t, srv, http.MethodPost, create, header, minimal), []string{"body value_error.content_type"})
	}
}

func checkErrors(t *testing.T, got reply, want []string) {
	t.Helper()
	var body gen.HTTPValidationError
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.status != http.StatusUnprocessableEntity {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	var found []string
	for _, e := range body.ValidationErrors {
		var words []string
		for _, item := range e.Location {
			if n, ok := item.(float64); ok {
				item = fmt.Sprintf("#%v", n)
			}
			words = append(words, item.(string))
		}
		found = append(found, strings.Join(append(words, e.Type), " "))
		if e.Message == "" {
			t.Errorf("no message: %+v", e)
		}
	}
	slices.Sort(found)
	slices.Sort(want)
	if !slices.Equal(found, want) {
		t.Errorf("found:\n%s\nwant:\n%s", strings.Join(found, "\n"), strings.Join(want, "\n"))
	}
	if strings.Contains(got.body, "s3cr3t") {
		t.Errorf("a value is repeated: %s", got.body)
	}
}

// Everything that the contract shows as a request is taken, and so is null wherever a field is optional.
func TestValidRequests(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	token := newToken(t, srv)
	doc, err := openapi3.NewLoader().LoadFromData(moneykit.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	media := doc.Paths.Value("/link-session").Post.RequestBody.Value.Content["application/json"]
	shown := media.Schema.Value.Example.(map[string]any)
	shown["custom_sandbox_data"] = doc.Components.Schemas["CustomSandboxData"].Value.Example
	body, err := json.Marshal(shown)
	if err != nil {
		t.Fatal(err)
	}
	if got := post(t, srv, "/link-session", token, string(body)); got.status != http.StatusCreated {
		t.Errorf("the example: %d %s", got.status, got.body)
	}

	nulls := 0
	everything := example(media.Schema.Value).(map[string]any)
	var eachOptional func(schema *openapi3.Schema, value any)
	eachOptional = func(schema *openapi3.Schema, value any) {
		switch value := value.(type) {
		case map[string]any:
			for name, property := range schema.Properties {
				was := value[name]
				if !slices.Contains(schema.Required, name) {
					value[name] = nil
					body, _ := json.Marshal(everything)
					if got := post(t, srv, "/link-session", token, string(body)); got.status != http.StatusCreated {
						t.Errorf("%s is null: %d %s", name, got.status, got.body)
					}
					nulls++
					value[name] = was
				}
				eachOptional(property.Value, was)
			}
		case []any:
			eachOptional(schema.Items.Value, value[0])
		}
	}
	everything["custom_sandbox_data"].(map[string]any)["accounts"].([]any)[0].(map[string]any)["routing_number"] = "021000021"
	delete(everything, "existing_link_id")
	media.Schema.Value.Properties["existing_link_id"].Value.Example = nil
	eachOptional(media.Schema.Value, everything)
	if nulls < 50 {
		t.Errorf("%d optional fields were tried; the contract has more", nulls)
	}
}

// example makes a value with every property that schema has.
func example(schema *openapi3.Schema) any {
	for _, part := range schema.AllOf {
		return example(part.Value)
	}
	switch {
	case schema.Example != nil && !schema.Type.Is("object"): // an object's example leaves fields out
		return schema.Example
	case len(schema.Enum) > 0:
		return schema.Enum[0]
	case schema.Type.Is("object"):
		object := map[string]any{}
		for name, property := range schema.Properties {
			object[name] = example(property.Value)
		}
		return object
	case schema.Type.Is("array"):
		return []any{example(schema.Items.Value)}
	case schema.Type.Is("boolean"):
		return true
	case schema.Format == "date-time":
		return "2023-02-16T09:14:11"
	}
	return "words"
}

// Before August 2024 an id had fewer characters to choose from; the option is for those who support old data.
func TestLegacyUserIDs(t *testing.T) {
	t.Parallel()
	legacy, current := sandbox.Start(t, sandbox.WithLegacyUserIDs()), sandbox.Start(t)
	legacyToken, currentToken := newToken(t, legacy), newToken(t, current)
	for id, want := range map[string]int{"user-42_A": 201, "jane@example.com": 422, "user 42": 422, "üser": 422} {
		body := strings.Replace(minimal, "user-42", id, 1)
		if got := post(t, legacy, "/link-session", legacyToken, body); got.status != want || strings.Contains(got.body, id) {
			t.Errorf("%s: %d %s, want %d", id, got.status, got.body, want)
		}
		if got := post(t, current, "/link-session", currentToken, body); got.status != 201 {
			t.Errorf("%s, by default: %d %s", id, got.status, got.body)
		}
	}
}

// An application without a registered origin gets a sentence that is complete all the same.
func TestNoRedirectOrigins(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t, sandbox.WithRedirectOrigins())
	got := post(t, srv, "/link-session", newToken(t, srv), minimal)
	if got.status != 403 || !strings.Contains(got.body, "Registered are: every loopback origin.") {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

func TestRedirectOrigins(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t, sandbox.WithRedirectOrigins("https://App.example", "myapp://callback", "http://app.example:8080/"))
	token := newToken(t, srv)
	for uri, want := range map[string]int{
		"https://app.example/oauth":       201,
		"HTTPS://APP.example:443/oauth":   201,
		"http://app.example:8080":         201,
		"myapp://callback/done":           201,
		"http://localhost:3000/oauth":     201,
		"https://127.0.0.1:1/":            201,
		"http://[::1]:3000/":              201,
		"https://app.example:8443/oauth":  403,
		"http://app.example/oauth":        403,
		"https://yourdomain.com/":         403,
		"https://app.example@evil.test/":  403,
		"https://localhost.evil.test/":    403,
		"ftp://localhost/":                403,
		"http://10.0.0.1/":                403,
		"https://app.example.evil.test/x": 403,
	} {
		body, _ := json.Marshal(gen.CreateLinkSessionRequest{CustomerUser: gen.LinkSessionCustomerUser{ID: "user-1"}, RedirectURI: uri})
		if got := post(t, srv, "/link-session", token, string(body)); got.status != want {
			t.Errorf("%s: %d %s, want %d", uri, got.status, got.body, want)
		}
	}
}

// exchanged makes a link from a JSON body and returns it as it is on the wire.
func exchanged(t *testing.T, srv *sandbox.Server, token, body string) map[string]any {
	t.Helper()
	got := post(t, srv, "/link-session/exchange-token", token, exchangeBody(completed(t, srv, token, body)))
	var result struct {
		LinkID string         `json:"link_id"`
		Link   map[string]any `json:"link"`
	}
	if err := json.Unmarshal([]byte(got.body), &result); err != nil || got.status != http.StatusCreated || result.Link["link_id"] != result.LinkID {
		t.Fatalf("exchange: %d %s", got.status, got.body)
	}
	return result.Link
}

func checkFields(t *testing.T, got map[string]any, want map[string]any) {
	t.Helper()
	for name, value := range want {
		if !reflect.DeepEqual(got[name], value) {
			t.Errorf("%s is %#v, want %#v", name, got[name], value)
		}
	}
}
