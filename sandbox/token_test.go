package sandbox_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/sandbox"
)

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

func TestToken(t *testing.T) {
	t.Parallel()
	const id, secret = "sandbox_id", "se cret+%/ü"
	srv := sandbox.Start(t, sandbox.WithCredentials(id, secret))
	form := "grant_type=client_credentials"
	inForm := form + "&" + url.Values{"client_id": {id}, "client_secret": {secret}}.Encode()
	for name, test := range map[string]struct {
		authorization, body string
		status              int
		code                string
	}{
		"form":                        {"", inForm, 201, ""},
		"form and scope":              {"", inForm + "&scope=a+b", 201, ""},
		"Basic":                       {basic(url.QueryEscape(id), url.QueryEscape(secret)), form, 201, ""},
		"empty Basic beside the form": {basic("", ""), inForm, 201, ""},
		"Bearer beside the form":      {"Bearer x", inForm, 201, ""},
		"no credentials":              {"", form, 401, "api_error.auth.unauthorized"},
		"empty Basic alone":           {basic("", ""), form, 401, "api_error.auth.unauthorized"},
		"broken Basic":                {"Basic !", form, 401, "api_error.auth.unauthorized"},
		"wrong secret":                {"", form + "&client_id=" + id + "&client_secret=wr0ng", 401, "api_error.auth.unauthorized"},
		"wrong secret as Basic":       {basic(id, "wr0ng"), form, 401, "api_error.auth.unauthorized"},
		"wrong id":                    {basic("wr0ng", url.QueryEscape(secret)), form, 401, "api_error.auth.unauthorized"},
		"both":                        {basic(id, url.QueryEscape(secret)), inForm, 400, "api_error.auth.unauthorized"},
		"no grant_type":               {"", strings.TrimPrefix(inForm, form), 400, "api_error.auth.unauthorized"},
		"another grant_type":          {"", strings.Replace(inForm, "client_credentials", "password", 1), 400, "api_error.auth.unauthorized"},
		"empty body":                  {"", "", 400, "api_error.auth.unauthorized"},
		"not a form":                  {"", "%", 400, "api_error.auth.unauthorized"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=UTF-8"}}
			if test.authorization != "" {
				header.Set("Authorization", test.authorization)
			}
			got := send(t, srv, http.MethodPost, "/auth/token", header, test.body)
			if got.status != test.status || got.errorCode() != test.code {
				t.Errorf("got %d %s", got.status, got.body)
			}
			if strings.Contains(got.body, "wr0ng") {
				t.Errorf("a value is repeated: %s", got.body)
			}
			if test.status == 201 && (!strings.Contains(got.body, `"expires_in":3600`) || !strings.Contains(got.body, `"token_type":"bearer"`)) {
				t.Errorf("got %s", got.body)
			}
		})
	}
	if got := post(t, srv, "/auth/token", "", `{"grant_type": "client_credentials"}`); got.status != 400 || !strings.Contains(got.body, "form") {
		t.Errorf("JSON: %d %s", got.status, got.body)
	}
}

func TestTokenExpires(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t, sandbox.WithTokenLifetime(90*time.Second))
	token := newToken(t, srv)
	srv.Advance(80 * time.Second)
	if got := post(t, srv, "/link-session", token, minimal); got.status != 201 {
		t.Errorf("before it expires: %d %s", got.status, got.body)
	}
	srv.Advance(10 * time.Second)
	if got := post(t, srv, "/link-session", token, minimal); got.errorCode() != "api_error.auth.expired_access_token" {
		t.Errorf("after: %d %s", got.status, got.body)
	}
	if got := post(t, srv, "/link-session", newToken(t, srv), minimal); got.status != 201 {
		t.Errorf("a new one: %d %s", got.status, got.body)
	}
	// Neither a token that was tampered with nor one of another sandbox is taken for one that has expired.
	for _, other := range []string{token[:len(token)-4] + "AAAA", strings.ToUpper(token), newToken(t, sandbox.Start(t)), "sandbox_access_", "sandbox_access_AAAA"} {
		if got := post(t, srv, "/link-session", other, minimal); got.errorCode() != "api_error.auth.unauthorized" {
			t.Errorf("%s: %d %s", other, got.status, got.body)
		}
	}
	if got := send(t, srv, "POST", "/link-session", http.Header{"Authorization": {"Basic " + newToken(t, srv)}}, minimal); got.status != 401 ||
		got.header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("token as Basic: %d %v", got.status, got.header)
	}
}

func TestTokenLifetimeOfZero(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t, sandbox.WithTokenLifetime(-time.Second))
	if got := post(t, srv, "/link-session", newToken(t, srv), minimal); got.errorCode() != "api_error.auth.expired_access_token" {
		t.Errorf("got %d %s", got.status, got.body)
	}
}
