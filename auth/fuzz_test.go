package auth

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode"
)

func FuzzTokenResponse(f *testing.F) {
	const secret = "fuzz-client-secret"
	for _, seed := range []struct {
		status int
		body   string
	}{
		{201, `{"access_token":"a1b2","token_type":"bearer","expires_in":3600}`},
		{200, `{"access_token":"a1b2","token_type":"Bearer","expires_in":"3600","scope":"x"}`},
		{201, "\ufeff" + `{"access_token":"a1b2"}`}, {201, `{"access_token":"a\r\nX: y"}`}, {201, `{"access_token":"a","token_type":"fuzz-client-secret"}`},
		{201, `{"access_token":"a","expires_in":-4294967295}`}, {201, `{"access_token":"a","expires_in":1e309}`},
		{400, `{"error_code":"api_error.auth.unsupported_grant_type","error_message":"m","documentation_url":null}`},
		{401, `{"error_code":"api_error.auth.unauthorized","error_message":"fuzz-client-secret"}`},
		{401, `{"error":"invalid_client","error_description":"fuzz-client-secret"}`}, {200, `{"error":"x"}`},
		{500, "<html>"}, {204, ""}, {101, ""}, {307, ""}, {201, "null"}, {201, "[]"},
	} {
		f.Add(seed.status, []byte(seed.body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		e := &fakeEndpoint{respond: func(*http.Request, int) (int, string, http.Header, error) {
			return status, string(body), http.Header{"Retry-After": {string(body)}}, nil
		}}
		src, err := ClientCredentials("client", secret, WithHTTPClient(&http.Client{Transport: e}))
		if err != nil {
			t.Fatal(err)
		}
		tok, err := src.Token(t.Context())
		if err == nil {
			r := &http.Request{Header: http.Header{}, URL: &url.URL{Scheme: "https", Host: "h"}, Method: http.MethodPost}
			tok.SetAuthHeader(r)
			value := r.Header.Get("Authorization")
			if tok.Value() == "" || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("status %d and body %q gave the token %q", status, body, tok.Value())
			}
			if status/100 != 2 {
				t.Errorf("a token out of status %d", status)
			}
			return
		}
		var a *Error
		if !errors.As(err, &a) || a.StatusCode != status || a.RetryAfter <= 0 || a.RetryAfter > maxRetryAfter*3/2 {
			t.Errorf("status %d and body %q gave %#v", status, body, err)
		}
		if text := err.Error(); len(text) > 10_000 || strings.ContainsFunc(text, unicode.IsControl) || strings.Contains(text, secret) {
			t.Errorf("%d bytes, a control character or a secret: %.1000q", len(text), text)
		}
	})
}
