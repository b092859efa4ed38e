package auth_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/moneykit/moneykit-go/auth"
)

const (
	clientID     = "sandbox_client"
	clientSecret = "s3cret/with+odd&characters="
	accessToken  = "issued-access-token"
)

// An endpoint is a token endpoint that responds as configured, and keeps what it was sent.
type endpoint struct {
	*httptest.Server
	requests chan tokenRequest
}

type tokenRequest struct {
	path   string
	header http.Header
	form   url.Values
}

func newEndpoint(t *testing.T, handler http.HandlerFunc) endpoint {
	t.Helper()
	e := endpoint{requests: make(chan tokenRequest, 100)}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		e.requests <- tokenRequest{r.Method + " " + r.URL.Path, r.Header, form}
		handler(w, r)
	}))
	t.Cleanup(e.Close)
	return e
}

func (e endpoint) source(t *testing.T, opts ...auth.Option) *auth.Source {
	t.Helper()
	src, err := auth.ClientCredentials(clientID, clientSecret, append([]auth.Option{auth.WithTokenURL(e.URL + "/auth/token")}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func respond(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func issue() http.HandlerFunc {
	return respond(http.StatusCreated, `{"access_token":"`+accessToken+`","token_type":"bearer","expires_in":3600}`)
}

func TestCredentialsInForm(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, issue())
	tok, err := e.source(t).Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if tok.Value() != accessToken {
		t.Errorf("token %q", tok.Value())
	}
	r := <-e.requests
	want := url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {clientSecret}}
	if r.path != "POST /auth/token" || r.form.Encode() != want.Encode() {
		t.Errorf("sent %s %v, want %v", r.path, r.form, want)
	}
	if got := r.header.Get("Authorization"); got != "" {
		t.Errorf("sent Authorization %q", got)
	}
	if v, ua := r.header.Get("MoneyKit-Version"), r.header.Get("User-Agent"); v != "2023-02-18" || !strings.HasPrefix(ua, "moneykit-go/") {
		t.Errorf("sent MoneyKit-Version %q, User-Agent %q", v, ua)
	}
}

func TestCredentialsAsBasic(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, issue())
	if _, err := e.source(t, auth.WithBasicAuth(), auth.WithScopes("link:read", "link:write")).Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := <-e.requests
	want := url.Values{"grant_type": {"client_credentials"}, "scope": {"link:read link:write"}}
	if r.form.Encode() != want.Encode() {
		t.Errorf("sent %v, want %v", r.form, want)
	}
	// RFC 6749, section 2.3.1: both are form-encoded first.
	pair := base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(clientID) + ":" + url.QueryEscape(clientSecret)))
	if got := r.header.Get("Authorization"); got != "Basic "+pair {
		t.Errorf("sent Authorization %q", got)
	}
}

func TestTokenIsCached(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, issue())
	src := e.source(t)
	var first *auth.Token
	for range 3 {
		tok, err := src.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = tok
		} else if tok != first {
			t.Error("another token was handed out")
		}
	}
	if n := len(e.requests); n != 1 {
		t.Errorf("%d token requests, want 1", n)
	}
	src.Invalidate(first)
	second, err := src.Token(t.Context())
	if err != nil || second == first {
		t.Errorf("after Invalidate: %v, same token: %v", err, second == first)
	}
	src.Invalidate(first) // no longer the cached one
	src.Invalidate(nil)
	if tok, err := src.Token(t.Context()); err != nil || tok != second {
		t.Errorf("a stale Invalidate dropped the new token (%v)", err)
	}
	if n := len(e.requests); n != 2 {
		t.Errorf("%d token requests, want 2", n)
	}
}

func TestTokenErrors(t *testing.T) {
	t.Parallel()
	const unauthorized = `{"error_code":"api_error.auth.unauthorized","error_message":"wrong secret","documentation_url":null}`
	for name, tt := range map[string]struct {
		response  http.HandlerFunc
		want      auth.Error
		text      string
		temporary bool
	}{
		"wrong secret": {respond(401, unauthorized), auth.Error{StatusCode: 401, Code: "api_error.auth.unauthorized", Message: "wrong secret"},
			": 401 Unauthorized: api_error.auth.unauthorized: wrong secret", false},
		"the shape of RFC 6749": {respond(400, `{"error":"invalid_grant","error_description":"no"}`),
			auth.Error{StatusCode: 400, Code: "invalid_grant", Message: "no"}, ": 400 Bad Request: invalid_grant: no", false},
		"rate limit":     {respond(429, `{"error_code":"api_error.rate_limit_exceeded","error_message":"slow"}`, "Retry-After", "7"), auth.Error{StatusCode: 429, Code: "api_error.rate_limit_exceeded", Message: "slow", RetryAfter: 7 * time.Second}, ": 429 ", true},
		"a proxy's page": {respond(502, "<html>bad gateway</html>", "Content-Type", "text/html"), auth.Error{StatusCode: 502}, ": 502 Bad Gateway", true},
		"the secret repeated": {respond(400, `{"error_code":"x","error_message":"client_secret `+clientSecret+` or `+url.QueryEscape(clientSecret)+` is wrong"}`),
			auth.Error{StatusCode: 400, Code: "x", Message: "client_secret [redacted] or [redacted] is wrong"}, "[redacted] or [redacted]", false},
		"HTML for JSON":    {respond(201, "<html>welcome</html>"), auth.Error{StatusCode: 201}, "want a token response (RFC 6749, section 5.1)", false},
		"truncated JSON":   {respond(201, `{"access_token":"`+accessToken), auth.Error{StatusCode: 201}, "unexpected response body", false},
		"wrong type":       {respond(201, `{"access_token":["`+accessToken+`"]}`), auth.Error{StatusCode: 201}, "unexpected response body", false},
		"empty":            {respond(201, ""), auth.Error{StatusCode: 201}, "unexpected response body", false},
		"no token":         {respond(201, `{"token_type":"bearer"}`), auth.Error{StatusCode: 201}, "unexpected response body", false},
		"mac token":        {respond(201, `{"access_token":"`+accessToken+`","token_type":"MAC"}`), auth.Error{StatusCode: 201}, `token_type is "MAC"; only bearer`, false},
		"unprintable":      {respond(201, `{"access_token":"`+accessToken+`\r\nX-Evil: 1"}`), auth.Error{StatusCode: 201}, "a header cannot carry", false},
		"expires_in words": {respond(201, `{"access_token":"`+accessToken+`","expires_in":"soon"}`), auth.Error{StatusCode: 201}, "unexpected response body", false},
		"redirect":         {respond(307, "", "Location", "https://elsewhere.example/"), auth.Error{StatusCode: 307}, "redirects are not followed", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t, tt.response)
			src := e.source(t)
			tok, err := src.Token(t.Context())
			var got *auth.Error
			if !errors.As(err, &got) || tok != nil {
				t.Fatalf("got %v, %v", tok, err)
			}
			if got.StatusCode != tt.want.StatusCode || got.Code != tt.want.Code || got.Message != tt.want.Message {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if got.RetryAfter < tt.want.RetryAfter || got.RetryAfter == 0 {
				t.Errorf("RetryAfter %v", got.RetryAfter)
			}
			if got.Temporary() != tt.temporary {
				t.Errorf("Temporary %v", got.Temporary())
			}
			prefix := "moneykit: token request: POST " + strings.TrimPrefix(e.URL, "http://") + "/auth/token: "
			if !strings.HasPrefix(err.Error(), prefix) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%q, want %q and %q", err, prefix, tt.text)
			}
			noSecret(t, src, tok, err)
		})
	}
}

func TestUnreachableEndpoint(t *testing.T) {
	t.Parallel()
	// The client's end of a connection refuses connections, and nobody else can listen there while it is open.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	transport := new(http.Transport) // no connection that another test keeps
	defer transport.CloseIdleConnections()
	src, err := auth.ClientCredentials(clientID, clientSecret,
		auth.WithTokenURL("http://"+conn.LocalAddr().String()+"/auth/token"), auth.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = src.Token(t.Context())
	var got *auth.Error
	if !errors.As(err, &got) || got.StatusCode != 0 || !got.Temporary() || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v", err)
	}
	noSecret(t, src, err)
}

func TestEndedContext(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, issue())
	src := e.source(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("shutting down")
	cancel(why)
	_, err := src.Token(ctx)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	expired, cancel2 := context.WithTimeout(t.Context(), 0)
	defer cancel2()
	if _, err := src.Token(expired); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if n := len(e.requests); n != 0 {
		t.Errorf("%d token requests for callers who had left", n)
	}
}

func TestClientCredentialsRefuses(t *testing.T) {
	t.Parallel()
	for want, build := range map[string]func() (*auth.Source, error){
		"the client ID is empty":           func() (*auth.Source, error) { return auth.ClientCredentials("", clientSecret) },
		"the client secret is empty":       func() (*auth.Source, error) { return auth.ClientCredentials(clientID, "") },
		"client secret contains a control": func() (*auth.Source, error) { return auth.ClientCredentials(clientID, clientSecret+"\n") },
		"client ID contains a control":     func() (*auth.Source, error) { return auth.ClientCredentials(clientID+"\r\n", clientSecret) },
		"option 2 is nil": func() (*auth.Source, error) {
			return auth.ClientCredentials(clientID, clientSecret, auth.WithBasicAuth(), nil)
		},
		"WithHTTPClient: the client is nil": func() (*auth.Source, error) {
			return auth.ClientCredentials(clientID, clientSecret, auth.WithHTTPClient(nil))
		},
		`WithScopes: "a b" is not a scope`: func() (*auth.Source, error) {
			return auth.ClientCredentials(clientID, clientSecret, auth.WithScopes("a b"))
		},
		`WithScopes: "" is not a scope`: func() (*auth.Source, error) {
			return auth.ClientCredentials(clientID, clientSecret, auth.WithScopes(""))
		},
		"the token URL: no host": func() (*auth.Source, error) {
			return auth.ClientCredentials(clientID, clientSecret, auth.WithTokenURL(""))
		},
		"the token URL: http to example.com": func() (*auth.Source, error) {
			return auth.ClientCredentials(clientID, clientSecret, auth.WithTokenURL("http://example.com/auth/token"))
		},
		"the token URL: not a URL, or one with a user name": func() (*auth.Source, error) {
			return auth.ClientCredentials(clientID, clientSecret, auth.WithTokenURL("https://u:"+clientSecret+"@example.com"))
		},
	} {
		src, err := build()
		if src != nil || err == nil || !strings.HasPrefix(err.Error(), "moneykit: auth: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v, want %q", src, err, want)
		}
		noSecret(t, err)
	}
}

func TestUnusableSources(t *testing.T) {
	t.Parallel()
	for want, src := range map[string]*auth.Source{
		"the Source is nil or zero": nil,
		"nil or zero":               new(auth.Source),
		"the access token is empty": auth.StaticToken(""),
		"a header cannot carry":     auth.StaticToken("Bearer " + accessToken),
		"the token source is nil":   auth.FromTokenSource(nil),
	} {
		tok, err := src.Token(t.Context())
		var e *auth.Error
		if tok != nil || !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v, want %q", tok, err, want)
		}
		src.Invalidate(tok)
		noSecret(t, src, err)
	}
	var none *auth.Token
	none.SetAuthHeader(&http.Request{Header: http.Header{}})
	if none.Value() != "" || new(auth.Token).Value() != "" {
		t.Error("a token from nothing")
	}
	if _, err := auth.StaticToken(accessToken).Token(nil); err == nil || !strings.Contains(err.Error(), "context is nil") { //nolint:staticcheck // the point
		t.Errorf("nil context: %v", err)
	}
}

type sourceFunc func() (*oauth2.Token, error)

func (f sourceFunc) Token() (*oauth2.Token, error) { return f() }

func TestFromTokenSource(t *testing.T) {
	t.Parallel()
	calls := 0
	src := auth.FromTokenSource(sourceFunc(func() (*oauth2.Token, error) {
		calls++
		return &oauth2.Token{AccessToken: fmt.Sprint("token-", calls), Expiry: time.Now().Add(time.Hour)}, nil
	}))
	for range 2 {
		if tok, err := src.Token(t.Context()); err != nil || tok.Value() != "token-1" {
			t.Errorf("got %v, %v", tok.Value(), err)
		}
	}
	// A token that has expired is handed on, for whoever knows better, and asked for again the next time.
	ages := 0
	stale := auth.FromTokenSource(sourceFunc(func() (*oauth2.Token, error) {
		ages++
		return &oauth2.Token{AccessToken: fmt.Sprint("token-", ages), Expiry: time.Now().Add(time.Duration(ages-2) * time.Hour)}, nil
	}))
	for _, want := range []string{"token-1", "token-2", "token-3", "token-3"} {
		if tok, err := stale.Token(t.Context()); err != nil || tok.Value() != want {
			t.Errorf("got %v, %v, want %s", tok.Value(), err, want)
		}
	}
	// Another package's error that prints a body is not passed on.
	leaky := auth.FromTokenSource(sourceFunc(func() (*oauth2.Token, error) {
		return nil, &oauth2.RetrieveError{Response: &http.Response{StatusCode: 401, Status: "401 Unauthorized"}, Body: []byte("echo: " + clientSecret)}
	}))
	_, err := leaky.Token(t.Context())
	var e *auth.Error
	if !errors.As(err, &e) || e.StatusCode != 401 {
		t.Errorf("got %v", err)
	}
	noSecret(t, err)
	own := errors.New("vault is sealed")
	if _, err := auth.FromTokenSource(sourceFunc(func() (*oauth2.Token, error) { return nil, own })).Token(t.Context()); !errors.Is(err, own) {
		t.Errorf("got %v", err)
	}
}

func TestRequestEditor(t *testing.T) {
	t.Parallel()
	src := auth.StaticToken(accessToken)
	for url, want := range map[string]string{
		"https://api.moneykit.com/link-session": "",
		"http://127.0.0.1:1/link-session":       "",
		"http://api.moneykit.com/link-session":  "http to api.moneykit.com",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = src.RequestEditor(t.Context(), req)
		got := req.Header.Get("Authorization")
		if want == "" && (err != nil || got != "Bearer "+accessToken) {
			t.Errorf("%s: %v, Authorization %q", url, err, got)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want) || got != "") {
			t.Errorf("%s: %v, Authorization %q", url, err, got)
		}
	}
	for want, req := range map[string]*http.Request{"the request is nil": nil, "there is no URL": {}} {
		if err := src.RequestEditor(t.Context(), req); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.moneykit.com", nil)
	if err := auth.StaticToken("").RequestEditor(t.Context(), req); err == nil || req.Header.Get("Authorization") != "" {
		t.Errorf("no token: %v, %v", err, req.Header)
	}
}

// A caller's own configuration, such as people print while they debug.
type config struct {
	Source *auth.Source
	source *auth.Source
	Token  auth.Token
	token  auth.Token
}

func TestRenderings(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, issue())
	src := e.source(t)
	tok, err := src.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	noSecret(t, src, tok, *tok, config{src, src, *tok, *tok}, &config{src, src, *tok, *tok}, auth.StaticToken(accessToken))
	for _, got := range []string{fmt.Sprint(tok), fmt.Sprintf("%#v", *tok), tok.LogValue().String(), marshal(t, tok)} {
		if !strings.Contains(got, "[redacted]") {
			t.Errorf("a token prints as %s", got)
		}
	}
	if want := "auth.Source(" + strings.TrimPrefix(e.URL, "http://") + "/auth/token)"; src.String() != want {
		t.Errorf("a source prints as %s", src)
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// noSecret renders values in every way and looks for the secrets of these tests.
func noSecret(t *testing.T, values ...any) {
	t.Helper()
	for _, v := range values {
		var logs strings.Builder
		slog.New(slog.NewTextHandler(&logs, nil)).Info("text", "value", v)
		slog.New(slog.NewJSONHandler(&logs, nil)).Info("json", "value", v)
		data, _ := json.Marshal(v)
		for _, s := range []string{
			fmt.Sprintf("%v %+v %#v %s %q %d %x", v, v, v, v, v, v, v), logs.String(), string(data),
		} {
			for _, secret := range []string{clientSecret, url.QueryEscape(clientSecret), accessToken, fmt.Sprintf("%x", clientSecret), fmt.Sprintf("%x", accessToken)} {
				if strings.Contains(s, secret) {
					t.Errorf("%T shows a secret: %s", v, s)
				}
			}
		}
	}
}
