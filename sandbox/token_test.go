package sandbox_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
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
		"escaped id as Basic":         {basic("%73andbox_id", url.QueryEscape(secret)), form, 201, ""},
		"Basic with a broken escape":  {basic(id, "%zz"), form, 401, "api_error.auth.unauthorized"},
		"Basic without a secret":      {basic(id, ""), inForm, 400, "api_error.auth.unauthorized"},
		"Basic without an id":         {basic("", url.QueryEscape(secret)), inForm, 400, "api_error.auth.unauthorized"},
		"Basic and the form's id":     {basic(id, url.QueryEscape(secret)), form + "&client_id=" + id, 400, "api_error.auth.unauthorized"},
		"Basic and the form's secret": {basic(id, url.QueryEscape(secret)), form + "&client_secret=x", 400, "api_error.auth.unauthorized"},
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

// A token response is not cached, and a 401 names the scheme, as RFC 6749 requires (5.1 and 5.2).
func TestTokenHeaders(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	got := send(t, srv, "POST", "/auth/token", form, "grant_type=client_credentials&client_id="+srv.ClientID+"&client_secret="+srv.ClientSecret)
	if got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("a token: %v", got.header)
	}
	got = send(t, srv, "POST", "/auth/token", form, "grant_type=client_credentials&client_id="+srv.ClientID+"&client_secret=wrong")
	if got.status != 401 || got.header.Get("WWW-Authenticate") != `Basic realm="moneykit"` {
		t.Errorf("wrong credentials: %d %v", got.status, got.header)
	}
}

// Every token is another one, even at the same instant.
func TestTokensDiffer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler := sandbox.New()
		seen := map[string]bool{}
		for range 10 {
			r := httptest.NewRequest("POST", "/auth/token", strings.NewReader("grant_type=client_credentials&client_id="+handler.ClientID+"&client_secret="+handler.ClientSecret))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			seen[w.Body.String()] = true
		}
		if len(seen) != 10 {
			t.Errorf("%d tokens", len(seen))
		}
	})
}

// A token whose expiry was changed is unknown.
func TestTamperedExpiry(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t, sandbox.WithTokenLifetime(0))
	prefix, encoded, _ := strings.Cut(newToken(t, srv), "access_")
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	raw[0] |= 0x40 // the year 2116
	if got := post(t, srv, "/link-session", prefix+"access_"+base64.RawURLEncoding.EncodeToString(raw), minimal); got.errorCode() != "api_error.auth.unauthorized" {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

// Spaces around a bearer token do not matter, and neither does the case of its scheme.
func TestBearer(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	token := newToken(t, srv)
	for _, value := range []string{"Bearer " + token, "bearer " + token, "Bearer   " + token + " "} {
		header := http.Header{"Content-Type": {"application/json"}, "Authorization": {value}}
		if got := send(t, srv, "POST", "/link-session", header, minimal); got.status != 201 {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
}
