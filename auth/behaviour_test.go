package auth_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/moneykit/moneykit-go/auth"
)

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// over is a source that sends through rt.
func over(t *testing.T, rt http.RoundTripper, opts ...auth.Option) *auth.Source {
	t.Helper()
	src, err := auth.ClientCredentials(clientID, clientSecret, append([]auth.Option{auth.WithHTTPClient(&http.Client{Transport: rt})}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// with responds with a status, a body and header fields (name, value, …).
func with(status int, body string, header ...string) transportFunc {
	return func(r *http.Request) (*http.Response, error) {
		res := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}
		for i := 0; i < len(header); i += 2 {
			res.Header.Set(header[i], header[i+1])
		}
		return res, nil
	}
}

const issued = `{"access_token":"` + accessToken + `","token_type":"bearer","expires_in":3600}`

func TestTokenRequestTimesOutAfter30Seconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := over(t, transportFunc(func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }))
		start := time.Now()
		_, err := src.Token(t.Context())
		var e *auth.Error
		if took := time.Since(start); took != 30*time.Second || !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &e) || !e.Temporary() {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

func TestTokenResponseOfOneMiB(t *testing.T) {
	t.Parallel()
	for size, fits := range map[int]bool{1 << 20: true, 1<<20 + 1: false} {
		const start, end = `{"access_token":"` + accessToken + `","token_type":"bearer","future":"`, `"}`
		tok, err := over(t, with(201, start+strings.Repeat("x", size-len(start)-len(end))+end)).Token(t.Context())
		if (err == nil) != fits || fits && tok.Value() != accessToken {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// A Retry-After is heeded, up to five minutes, and spread so that many processes do not come back at once.
func TestRetryAfterOfTokenEndpoint(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"":                              500 * time.Millisecond,
		"60":                            time.Minute,
		"299":                           299 * time.Second,
		"3600":                          5 * time.Minute,
		"Fri, 31 Dec 9999 23:59:59 GMT": 5 * time.Minute,
		"Thu, 01 Jan 1970 00:00:00 GMT": 500 * time.Millisecond,
		"-1":                            500 * time.Millisecond,
	} {
		synctest.Test(t, func(t *testing.T) {
			requests := 0
			src := over(t, transportFunc(func(r *http.Request) (*http.Response, error) {
				requests++
				return with(503, "", "Retry-After", header)(r)
			}))
			_, err := src.Token(t.Context())
			var e *auth.Error
			if !errors.As(err, &e) || e.RetryAfter < want || e.RetryAfter > want+want/2 {
				t.Fatalf("%q: %+v, want %v or up to half as much more", header, e, want)
			}
			<-time.After(e.RetryAfter - time.Millisecond)
			if _, err := src.Token(t.Context()); err == nil || requests != 1 {
				t.Errorf("%q: %d requests before the time", header, requests)
			}
			<-time.After(2 * time.Millisecond)
			if _, err := src.Token(t.Context()); err == nil || requests != 2 {
				t.Errorf("%q: %d requests after the time, want 2", header, requests)
			}
		})
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	for _, scope := range []string{"", "a b", "a\tb", `a"b`, `a\b`, "a\x7f", "é", "a\n"} {
		_, err := auth.ClientCredentials(clientID, clientSecret, auth.WithScopes("fine", scope))
		if err == nil || !strings.Contains(err.Error(), "WithScopes: ") || !strings.Contains(err.Error(), "is not a scope") {
			t.Errorf("%q: %v", scope, err)
		}
	}
	scopes := []string{"!", "~", "a:b/c.d"}
	option := auth.WithScopes(scopes...)
	var sent url.Values
	src := over(t, transportFunc(func(r *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		sent, _ = url.ParseQuery(string(body))
		return with(201, issued)(r)
	}), option)
	scopes[0] = "changed"
	if _, err := src.Token(t.Context()); err != nil || sent.Get("scope") != "! ~ a:b/c.d" {
		t.Errorf("sent %q, %v", sent.Get("scope"), err)
	}
}

func TestTransportsThatAreRefused(t *testing.T) {
	t.Parallel()
	for want, rt := range map[string]http.RoundTripper{
		"MinVersion is TLS 1.0": &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS10}},
		"nil *http.Transport":   (*http.Transport)(nil),
		"nil auth_test.trans":   transportFunc(nil),
	} {
		src, err := auth.ClientCredentials(clientID, clientSecret, auth.WithHTTPClient(&http.Client{Transport: rt}))
		if src != nil || err == nil || !strings.HasPrefix(err.Error(), "moneykit: auth: WithHTTPClient: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v; want %q", src, err, want)
		}
	}
}

// Whatever form a credential is echoed in, no error shows it.
func TestEchoedCredentials(t *testing.T) {
	t.Parallel()
	const secret = `s3cret&with<html>"quotes"inside`
	encoded, _ := json.Marshal(secret)
	basic := base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(clientID) + ":" + url.QueryEscape(secret)))
	forms := []string{secret, url.QueryEscape(secret), string(encoded[1 : len(encoded)-1]), basic}
	for _, opts := range [][]auth.Option{nil, {auth.WithBasicAuth()}} {
		for _, echo := range forms {
			text, _ := json.Marshal("you sent " + echo)
			for _, rt := range []http.RoundTripper{
				with(401, `{"error_code":`+string(text)+`,"error_message":`+string(text)+`}`),
				with(400, `{"error":`+string(text)+`,"error_description":`+string(text)+`}`),
				with(201, `{"access_token":"t","token_type":`+string(text)+`}`),
				with(201, `{"access_token":`+string(text)+`}`),
				with(201, `{"expires_in":`+string(text)+`}`),
				with(201, string(text)), with(200, echo), with(500, echo), with(307, "", "Location", "/"+echo),
				transportFunc(func(*http.Request) (*http.Response, error) { return nil, errors.New("cannot send " + echo) }),
				transportFunc(func(*http.Request) (*http.Response, error) {
					return nil, &net.OpError{Op: "dial", Err: errors.New("no route for " + echo)}
				}),
			} {
				src, err := auth.ClientCredentials(clientID, secret, append(opts, auth.WithHTTPClient(&http.Client{Transport: rt}))...)
				if err != nil {
					t.Fatal(err)
				}
				_, err = src.Token(t.Context())
				if err == nil {
					t.Errorf("no error for %q", echo)
				}
				shown := fmt.Sprintf("%v %+v %#v %q", err, err, err, err)
				for cause := err; cause != nil; cause = errors.Unwrap(cause) {
					shown += fmt.Sprintf("%v %+v %#v", cause, cause, cause)
				}
				for _, form := range forms {
					if strings.Contains(shown, form) {
						t.Errorf("%q is shown: %s", form, shown)
					}
				}
			}
		}
	}
}

// What another token source's error quotes may contain a secret that is not known here: it is not shown.
func TestEchoThroughFromTokenSource(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		text, _ := json.Marshal("unknown: " + r.PostForm.Get("client_secret"))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprintf(w, `{"error":"invalid_client","error_description":%s,"error_uri":%s}`, text, text)
	})
	conf := clientcredentials.Config{ClientID: clientID, ClientSecret: clientSecret, TokenURL: e.URL, AuthStyle: oauth2.AuthStyleInParams}
	src := auth.FromTokenSource(conf.TokenSource(context.WithoutCancel(t.Context())))
	_, err := src.Token(t.Context())
	var failed *auth.Error
	if !errors.As(err, &failed) || failed.StatusCode != http.StatusUnauthorized || failed.Temporary() {
		t.Errorf("got %v", err)
	}
	noSecret(t, src, err)
}

// Causes stay, however long the error is, and are dropped only where a secret was found.
func TestCausesStay(t *testing.T) {
	t.Parallel()
	fails := func(err error) transportFunc {
		return func(*http.Request) (*http.Response, error) { return nil, err }
	}
	long := strings.Repeat("long\n", 300)
	_, err := over(t, fails(fmt.Errorf("%s%w", long, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}))).Token(t.Context())
	if !errors.Is(err, syscall.ECONNREFUSED) || !errors.As(err, new(*net.OpError)) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 1000 {
		t.Errorf("got %v", err)
	}
	_, err = over(t, fails(fmt.Errorf("%s%w", clientSecret, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}))).Token(t.Context())
	var e *auth.Error
	if errors.As(err, new(*net.OpError)) || !errors.As(err, &e) || !e.Temporary() {
		t.Errorf("got %v", err)
	}
	noSecret(t, err)
	_, err = over(t, with(400, `{"error_code":"a\u202eb","error_message":"a\u2066b\u0007"}`)).Token(t.Context())
	if strings.ContainsFunc(fmt.Sprint(err), func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
		t.Errorf("got %q", err)
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	const at = "moneykit: token request: POST api.moneykit.com/auth/token"
	for _, tt := range []struct {
		want string
		get  func() error
	}{
		{at + ": 401 Unauthorized: api_error.auth.unauthorized: no", func() error {
			_, err := over(t, with(401, `{"error_code":"api_error.auth.unauthorized","error_message":"no"}`)).Token(t.Context())
			return err
		}},
		{at + ": 401 Unauthorized", func() error { _, err := over(t, with(401, "")).Token(t.Context()); return err }},
		{at + ": 400 Bad Request: only words", func() error {
			_, err := over(t, with(400, `{"error_message":"only words"}`)).Token(t.Context())
			return err
		}},
		{at + ": failed", func() error {
			_, err := over(t, transportFunc(func(*http.Request) (*http.Response, error) { return nil, errors.New("failed") })).Token(t.Context())
			return err
		}},
		{at + ": context canceled", func() error { _, err := over(t, with(201, issued)).Token(ended); return err }},
		{at + ": the context is nil", func() error { _, err := over(t, with(201, issued)).Token(nil); return err }}, //nolint:staticcheck // the point
		{"moneykit: token request: no", func() error {
			_, err := auth.FromTokenSource(sourceFunc(func() (*oauth2.Token, error) { return nil, errors.New("no") })).Token(t.Context())
			return err
		}},
		{"moneykit: token request", func() error { return &auth.Error{} }},
	} {
		if got := tt.get(); got == nil || got.Error() != tt.want {
			t.Errorf("got  %v\nwant %s", got, tt.want)
		}
	}
	for status, redirect := range map[int]bool{301: true, 307: true, 400: false, 401: false, 404: false, 500: false} {
		_, err := over(t, with(status, "", "Location", "/")).Token(t.Context())
		if err == nil || strings.Contains(err.Error(), "redirect") != redirect {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// A token source may return what its interface does not mention.
func TestOddTokenSources(t *testing.T) {
	t.Parallel()
	for name, ts := range map[string]sourceFunc{
		"nothing":                func() (*oauth2.Token, error) { return nil, nil },
		"error without response": func() (*oauth2.Token, error) { return nil, &oauth2.RetrieveError{} },
		"type is the token": func() (*oauth2.Token, error) {
			return &oauth2.Token{AccessToken: accessToken, TokenType: accessToken}, nil
		},
		"DEL":   func() (*oauth2.Token, error) { return &oauth2.Token{AccessToken: "a\x7f"}, nil },
		"space": func() (*oauth2.Token, error) { return &oauth2.Token{AccessToken: "a b"}, nil },
	} {
		src := auth.FromTokenSource(ts)
		tok, err := src.Token(t.Context())
		if tok != nil || !errors.As(err, new(*auth.Error)) || strings.Contains(fmt.Sprintf("%v %+v", err, err), accessToken) {
			t.Errorf("%s: %v, %v", name, tok, err)
		}
	}
	for _, legal := range []string{"!", "~", "!~", accessToken} {
		if tok, err := auth.StaticToken(legal).Token(t.Context()); err != nil || tok.Value() != legal {
			t.Errorf("%q: %v, %v", legal, tok, err)
		}
	}
}

// A token that expires at this moment is used once, and is not one without an end.
func TestTokenThatHasJustExpired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		src := auth.FromTokenSource(sourceFunc(func() (*oauth2.Token, error) {
			n++
			return &oauth2.Token{AccessToken: fmt.Sprint("token-", n), Expiry: time.Now()}, nil
		}))
		for want := 1; want <= 3; want++ {
			tok, err := src.Token(t.Context())
			if err != nil || tok.Value() != fmt.Sprint("token-", want) {
				t.Errorf("%q, %v; want token %d", tok.Value(), err, want)
			}
		}
	})
}

// Near its end, a token is still returned while its successor is fetched.
func TestTokenNearItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		src := over(t, transportFunc(func(r *http.Request) (*http.Response, error) {
			n++
			<-time.After(5 * time.Second)
			return with(201, fmt.Sprintf(`{"access_token":"token-%d","token_type":"bearer","expires_in":3600}`, n))(r)
		}))
		value := func() string {
			tok, err := src.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return tok.Value()
		}
		if got := value(); got != "token-1" {
			t.Errorf("first %q", got)
		}
		<-time.After(time.Hour - 59*time.Second)
		if got := value(); got != "token-1" {
			t.Errorf("near its end %q", got)
		}
		<-time.After(6 * time.Second)
		if got := value(); got != "token-2" || n != 2 {
			t.Errorf("after that %q, %d requests", got, n)
		}
	})
}

// A caller whose context has ended starts no fetch.
func TestEndedContextStartsNoFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		src := over(t, transportFunc(func(r *http.Request) (*http.Response, error) { requests++; return with(201, issued)(r) }))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := src.Token(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		if requests != 0 {
			t.Errorf("%d requests", requests)
		}
	})
}

func TestSourcesPrint(t *testing.T) {
	t.Parallel()
	for want, src := range map[string]*auth.Source{
		"auth.Source(api.moneykit.com/auth/token)": over(t, with(201, issued)),
		"auth.Source": auth.StaticToken(accessToken),
	} {
		if got := fmt.Sprintf("%v|%+v|%#v|%s", src, src, src, src); got != strings.Join([]string{want, want, want, want}, "|") {
			t.Errorf("prints as %s, want %s", got, want)
		}
	}
	var none *auth.Source
	if none.String() != "auth.Source" || new(auth.Source).String() != "auth.Source" {
		t.Error("a nil or zero Source prints as something else")
	}
	tok, err := auth.StaticToken(accessToken).Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	data, _ := json.Marshal(tok)
	if got := fmt.Sprintf("%v|%s|%q|%#v|%s|%s", tok, tok, tok, tok, tok.String(), data); got != `[redacted]|[redacted]|[redacted]|[redacted]|[redacted]|"[redacted]"` {
		t.Errorf("a token prints as %s", got)
	}
	none.Invalidate(tok)
	auth.StaticToken(accessToken).Invalidate(nil)
}

// A request made by hand may have no header yet.
func TestRequestWithoutHeader(t *testing.T) {
	t.Parallel()
	src := auth.StaticToken(accessToken)
	for name, set := range map[string]func(*http.Request) error{
		"editor": func(r *http.Request) error { return src.RequestEditor(t.Context(), r) },
		"token": func(r *http.Request) error {
			tok, err := src.Token(t.Context())
			tok.SetAuthHeader(r)
			return err
		},
	} {
		r := &http.Request{URL: &url.URL{Scheme: "https", Host: "api.moneykit.com"}}
		if err := set(r); err != nil || r.Header.Get("Authorization") != "Bearer "+accessToken {
			t.Errorf("%s: %v, %v", name, r.Header, err)
		}
	}
	r := &http.Request{}
	new(auth.Token).SetAuthHeader(r)
	if len(r.Header) != 0 {
		t.Errorf("a zero Token set %v", r.Header)
	}
}
