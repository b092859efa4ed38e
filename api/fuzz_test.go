package api

import (
	"cmp"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"unicode"

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

func FuzzCreateLinkSessionResponse(f *testing.F) {
	for _, seed := range []string{
		`{"link_session_token":"live_54VxbsxTnnPDGZ7dBJGxVw"}`, "\ufeff" + `{"link_session_token":"t","more":[{}]}`,
		`{"link_session_token":null}`, `{"link_session_token":5}`, `{}`, `null`, ``, `[]`, `{"link_session_token":"t"}x`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := createLinkSession.decode(transport.TrimBOM(data))
		if (out == nil) != (err != nil) {
			t.Errorf("%v and %v", out, err)
		}
		if out != nil && out.LinkSessionToken == "" {
			t.Errorf("a success without its token: %q", data)
		}
		stable(t, data, out)
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
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := decodeLink(transport.TrimBOM(data))
		if out == nil {
			if err == nil {
				t.Error("neither a link nor an error")
			}
			return
		}
		if out.LinkID == "" || out.Link.LinkID == "" {
			t.Errorf("a success without its link: %q", data)
		}
		// The id is what encoding/json reads.
		var plain struct {
			LinkID string `json:"link_id"`
			Link   struct {
				LinkID string `json:"link_id"`
			} `json:"link"`
		}
		if json.Unmarshal(transport.TrimBOM(data), &plain) == nil && out.Link.LinkID != cmp.Or(plain.Link.LinkID, plain.LinkID) {
			t.Errorf("the link is %q, not %q, in %q", out.Link.LinkID, plain.Link.LinkID, data)
		}
		stable(t, data, out)
	})
}

// stable checks what holds for each decoder: what it has read can be written, and reads as the same.
func stable[T any](t *testing.T, data []byte, out *T) {
	t.Helper()
	if out == nil {
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
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		for op, header := range map[string]http.Header{"create_link_session": {"X-Request-Id": {string(body)}}, "exchange_token": {}} {
			e := &Error{Op: op}
			e.read(&http.Response{StatusCode: status, Header: header}, body, transport.NewRedactor(fuzzToken, fuzzExchangeable))
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
			if data, err := json.Marshal(e); err != nil || strings.Contains(string(data), fuzzToken) {
				t.Errorf("as JSON: %s, %v", data, err)
			}
		}
	})
}
