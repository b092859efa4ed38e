package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/internal/transport"
)

const (
	fuzzToken        = "fuzz-access-token"
	fuzzExchangeable = "fuzz-exchangeable-token"

	linkSample = `{"link_id":"mk_eqkWN34UEoa2NxyALG8pcV","link":{"link_id":"mk_eqkWN34UEoa2NxyALG8pcV","institution_id":"chase",
"institution_name":"Chase","institution_avatar":null,"state":"connected","error_code":null,"last_synced_at":"2023-02-16T09:14:11",
"provider":"moneykit","link_tags":["smoke_test","user_type:admin"],"tags":[],"webhook":"https://yourdomain.com/moneykit_webhook",
"products":{"accounts":{"refreshed_at":"2023-02-16T09:14:11","last_attempted_at":"2023-02-16T09:14:11Z","error_code":null,
"error_message":null,"unavailable":null,"settings":{"required":true,"require_permission":false,"prefetch":true,"reason":"show balances"}},
"transactions":{"refreshed_at":null,"has_history":true}},"available_products":["accounts","identity"]}}`
)

func fuzzClient(f *testing.F) *Client {
	c, err := New(auth.StaticToken(fuzzToken))
	if err != nil {
		f.Fatal(err)
	}
	return c
}

func FuzzCreateLinkSessionResponse(f *testing.F) {
	for _, seed := range []string{
		`{"link_session_token":"live_54VxbsxTnnPDGZ7dBJGxVw"}`, "\ufeff" + `{"link_session_token":"t","more":[{}]}`,
		`{"link_session_token":null}`, `{"link_session_token":5}`, `{}`, `null`, ``, `[]`, `{"link_session_token":"t"}x`,
	} {
		f.Add([]byte(seed))
	}
	c := fuzzClient(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		out := new(gen.CreateLinkSessionResponse)
		err := c.createLinkSession.decode(data, out)
		if (err == nil) != (out.LinkSessionToken != "") && err == nil {
			t.Errorf("a success without its token: %q", data)
		}
		stable(t, data, err, out)
	})
}

func FuzzExchangeTokenResponse(f *testing.F) {
	for _, seed := range []string{
		linkSample, "\ufeff" + linkSample, linkSample + "{}", linkSample[:300], strings.ReplaceAll(linkSample, "T09", " 09"),
		`{"link_id":"mk_1"}`, `{"link":{"link_id":"mk_1"}}`, `{"link_id":1,"link":{"link_id":"mk_1","products":[]}}`,
		`{"link":{"link_id":"mk_1","state":"error","error_code":"auth_expired","provider":"sophtron"}}`, `{}`, `null`, ``, `[]`,
	} {
		f.Add([]byte(seed))
	}
	c := fuzzClient(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		out := new(gen.ExchangeTokenResponse)
		err := c.exchangeToken.decode(data, out)
		if err == nil && (out.LinkID == "" || out.Link.LinkID == "") {
			t.Errorf("a success without its link: %q", data)
		}
		// The id is what any other reader of JSON would say it is.
		var plain struct {
			Link struct {
				LinkID string `json:"link_id"`
			} `json:"link"`
		}
		if err == nil && (json.Unmarshal(transport.TrimBOM(data), &plain) != nil || out.Link.LinkID != plain.Link.LinkID) {
			t.Errorf("the link is %q, not %q, in %q", out.Link.LinkID, plain.Link.LinkID, data)
		}
		stable(t, data, err, out)
	})
}

// stable checks what holds for each decoder: what it has read can be written, and reads as the same.
func stable[T any](t *testing.T, data []byte, err error, out *T) {
	t.Helper()
	if err != nil {
		return
	}
	written, err := json.Marshal(out)
	if err != nil {
		t.Fatalf("what was read from %q cannot be written: %v", data, err)
	}
	again := new(T)
	if err := json.Unmarshal(written, again); err != nil {
		t.Fatalf("%s, from %q, cannot be read again: %v", written, data, err)
	}
	rewritten, err := json.Marshal(again)
	if err != nil || !reflect.DeepEqual(written, rewritten) {
		t.Errorf("%s became %s (%v)", written, rewritten, err)
	}
}

func FuzzErrorBody(f *testing.F) {
	for _, seed := range []struct {
		status int
		body   string
	}{
		{400, `{"error_code":"link_session_error.invalid_token_exchange","error_message":"used","documentation_url":null}`},
		{401, `{"error_code":"api_error.auth.expired_access_token","error_message":"expired","documentation_url":"https://docs.moneykit.com"}`},
		{401, `{"error_code":"api_error.auth.unauthorized","error_message":"no"}`},
		{403, `{"error_code":"link_session_error.forbidden_config","error_message":"redirect_uri"}`},
		{422, `{"error_code":"api_error.request.validation_failed","error_message":"m","validation_errors":[{"location":["body","link_tags",1],"message":"field required","type":"value_error.missing"}]}`},
		{429, `{"error_code":"api_error.rate_limit_exceeded","error_message":"slow down"}`},
		{502, "<html>Bad Gateway</html>"}, {500, ""}, {404, `{"detail":"Not Found"}`}, {303, "x"}, {204, ""}, {101, "x"}, {0, "x"},
		{400, `{"error_code":"fuzz-access-token","error_message":"fuzz-exchangeable-token\r\n","validation_errors":[{"location":[{"fuzz-access-token":null}]}]}`},
		{400, "\ufeff" + `{"error_code":7,"error_message":null,"validation_errors":"x"}`},
	} {
		f.Add(seed.status, []byte(seed.body))
	}
	c := fuzzClient(f)
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		for _, e := range []*Error{
			c.createLinkSession.refusal(&http.Response{StatusCode: status, Header: http.Header{"X-Request-Id": {string(body)}}}, body, nil, fuzzToken, ""),
			c.exchangeToken.refusal(&http.Response{StatusCode: status, Header: http.Header{}}, body, nil, fuzzToken, fuzzExchangeable),
		} {
			if e.StatusCode != status || string(e.Body) != string(body) {
				t.Errorf("status %d and body %q were not kept", e.StatusCode, e.Body)
			}
			for _, text := range []string{e.Error(), e.Code, e.Message, e.RequestID, e.DocumentationURL} {
				if len(text) > 50_000 || strings.ContainsFunc(text, unicode.IsControl) {
					t.Errorf("%d bytes, or a control character: %.1000q", len(text), text)
				}
				if strings.Contains(text, fuzzToken) || e.Op == "exchange_token" && strings.Contains(text, fuzzExchangeable) {
					t.Errorf("a secret: %q", text)
				}
			}
			if (e.fate == unknown) && (e.Op == "create_link_session" || status/100 == 4) {
				t.Errorf("the outcome of %s is said to be unknown after %d", e.Op, status)
			}
			if data, err := json.Marshal(e); err != nil || strings.Contains(string(data), fuzzToken) {
				t.Errorf("as JSON: %s, %v", data, err)
			}
		}
	})
}
