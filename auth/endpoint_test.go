package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/oauth2"

	"github.com/moneykit/moneykit-go/auth"
)

// What proxies and odd servers do to a good response does not matter.
func TestTokenInOddResponses(t *testing.T) {
	t.Parallel()
	for name, rt := range map[string]transportFunc{
		"text/plain":       with(200, issued, "Content-Type", "text/plain"),
		"form":             with(201, issued, "Content-Type", "application/x-www-form-urlencoded"),
		"byte order mark":  with(201, "\ufeff"+issued),
		"unusable address": with(201, issued, "Location", "http://["),
	} {
		if tok, err := over(t, rt).Token(t.Context()); err != nil || tok.Value() != accessToken {
			t.Errorf("%s: %v, %v", name, tok.Value(), err)
		}
	}
}

func TestErrorsOfEndpoint(t *testing.T) {
	t.Parallel()
	broken := func(status int, body string) transportFunc {
		return func(r *http.Request) (*http.Response, error) {
			res, err := with(status, "")(r)
			res.Body = io.NopCloser(io.MultiReader(strings.NewReader(body), iotest.ErrReader(io.ErrUnexpectedEOF)))
			return res, err
		}
	}
	for name, tt := range map[string]struct {
		rt        transportFunc
		want      auth.Error // StatusCode, Code, Message
		temporary bool
		text      string
	}{
		"breaks within a 201": {broken(201, `{"access_token":"`), auth.Error{StatusCode: 201}, true, ": the connection broke within the response: unexpected EOF"},
		"breaks within a 401": {broken(401, `{"error_code":`), auth.Error{StatusCode: 401}, false, ": 401 Unauthorized"},
		"breaks after a 401":  {broken(401, `{"error_code":"c"}`), auth.Error{StatusCode: 401, Code: "c"}, false, ": 401 Unauthorized: c"},
		"only a code":         {with(400, `{"error_code":"c","error":"x"}`), auth.Error{StatusCode: 400, Code: "c"}, false, ": 400 Bad Request: c"},
		"only a message":      {with(400, `{"error_message":"m","error":"x"}`), auth.Error{StatusCode: 400, Message: "m"}, false, ": 400 Bad Request: m"},
		"RFC 6749":            {with(401, `{"error":"invalid_client","error_description":"d"}`), auth.Error{StatusCode: 401, Code: "invalid_client", Message: "d"}, false, ": 401 Unauthorized: invalid_client: d"},
		"byte order mark":     {with(400, "\ufeff"+`{"error_code":"c"}`), auth.Error{StatusCode: 400, Code: "c"}, false, ": 400 Bad Request: c"},
		"429":                 {with(429, ""), auth.Error{StatusCode: 429}, true, ": 429 Too Many Requests"},
		"499":                 {with(499, ""), auth.Error{StatusCode: 499}, false, ": 499"},
		"500":                 {with(500, ""), auth.Error{StatusCode: 500}, true, ": 500 Internal Server Error"},
		"599":                 {with(599, ""), auth.Error{StatusCode: 599}, true, ": 599"},
		"unusable Location":   {with(307, "", "Location", "http://["), auth.Error{StatusCode: 307}, false, "set the token URL to the address it redirects to"},
	} {
		_, err := over(t, tt.rt).Token(t.Context())
		var e *auth.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if e.StatusCode != tt.want.StatusCode || e.Code != tt.want.Code || e.Message != tt.want.Message || e.Temporary() != tt.temporary || !strings.HasSuffix(err.Error(), tt.text) {
			t.Errorf("%s: %+v, temporary: %v", name, e, e.Temporary())
		}
		if strings.HasPrefix(name, "breaks within a 201") && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: the cause is lost: %v", name, err)
		}
	}
}

type closeRecorder struct {
	io.Reader
	closed bool
}

func (c *closeRecorder) Close() error { c.closed = true; return nil }

// A body is closed, which returns the connection, and the timer of the request is stopped.
func TestNothingOfATokenRequestIsLeft(t *testing.T) {
	t.Parallel()
	recorder := &closeRecorder{Reader: strings.NewReader(issued)}
	var request context.Context
	_, err := over(t, transportFunc(func(r *http.Request) (*http.Response, error) {
		request = r.Context()
		res, err := with(201, "")(r)
		res.Body = recorder
		return res, err
	})).Token(t.Context())
	if err != nil || !recorder.closed || request.Err() == nil {
		t.Errorf("%v; body closed: %v, context of the request: %v", err, recorder.closed, request.Err())
	}
}

// The pair of HTTP Basic is redacted also where the client ID is encoded in it.
func TestEchoedBasicOfOddClientID(t *testing.T) {
	t.Parallel()
	src, err := auth.ClientCredentials("id+with &odd", clientSecret, auth.WithBasicAuth(), auth.WithHTTPClient(&http.Client{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
		text, _ := json.Marshal(r.Header.Get("Authorization"))
		return with(401, `{"error_message":`+string(text)+`}`)(r)
	})}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = src.Token(t.Context()); !strings.HasSuffix(fmt.Sprint(err), ": 401 Unauthorized: Basic [redacted]") {
		t.Errorf("got %v", err)
	}
}

// The error of a caller that gives up names the endpoint.
func TestCallerThatGivesUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := over(t, transportFunc(func(r *http.Request) (*http.Response, error) { cancel(); <-release; return with(201, issued)(r) })).Token(ctx)
	if want := "moneykit: token request: POST api.moneykit.com/auth/token: context canceled"; fmt.Sprint(err) != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// An Error that a token source returns, as a Source in it does, keeps what it says. Other errors are made printable, and a
// code, which may repeat a secret, is dropped.
func TestErrorsOfTokenSources(t *testing.T) {
	t.Parallel()
	returning := func(err error) *auth.Source {
		return auth.FromTokenSource(sourceFunc(func() (*oauth2.Token, error) { return nil, err }))
	}
	_, err := returning(fmt.Errorf("wrapped: %w", &auth.Error{StatusCode: 429, Code: "c", Message: "m", RetryAfter: time.Minute})).Token(t.Context())
	var e *auth.Error
	if !errors.As(err, &e) || e.StatusCode != 429 || e.Code != "c" || e.Message != "m" || e.RetryAfter < time.Minute || !e.Temporary() {
		t.Errorf("got %+v", e)
	}
	_, err = returning(&oauth2.RetrieveError{Response: &http.Response{StatusCode: 401}, ErrorCode: "c", ErrorDescription: "m"}).Token(t.Context())
	if fmt.Sprint(err) != "moneykit: token request: 401 Unauthorized" || !errors.As(err, &e) || e.Code != "" || e.Message != "" {
		t.Errorf("got %+v", err)
	}
	if _, err = returning(errors.New("two\nlines")).Token(t.Context()); fmt.Sprint(err) != "moneykit: token request: two lines" {
		t.Errorf("got %q", err)
	}
}

func TestInvalidateRequest(t *testing.T) {
	t.Parallel()
	cache := &cachingSource{expiry: time.Now().Add(time.Hour)}
	src := auth.FromTokenSource(cache)
	carrying := func(authorization string) *http.Request {
		return &http.Request{Header: http.Header{"Authorization": {authorization}}}
	}
	src.InvalidateRequest(carrying("Bearer token-0")) // nothing is cached yet
	src.Invalidate(nil)
	if _, err := src.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	src.InvalidateRequest(carrying("Bearer another"))
	src.InvalidateRequest(&http.Request{})
	if got := cache.values(); len(got) != 0 {
		t.Errorf("other requests invalidated %q", got)
	}
	src.InvalidateRequest(carrying("Bearer token-0"))
	if tok, err := src.Token(t.Context()); err != nil || tok.Value() != "token-1" || strings.Join(cache.values(), " ") != "token-0" {
		t.Errorf("got %v, %v after %q", tok.Value(), err, cache.values())
	}
	(*auth.Source)(nil).InvalidateRequest(carrying("Bearer token-0"))
}

func TestTokenURL(t *testing.T) {
	t.Parallel()
	src, err := auth.ClientCredentials("live_1", "secret", auth.WithTokenURL("https://proxy.example/token"))
	if err != nil {
		t.Fatal(err)
	}
	if src.TokenURL() != "https://proxy.example/token" || auth.StaticToken("t").TokenURL() != "" || (*auth.Source)(nil).TokenURL() != "" {
		t.Errorf("got %q", src.TokenURL())
	}
}

func TestRequestEditorOfNilSource(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{"https://api.moneykit.com": "moneykit: token request: the Source is nil or zero", "http://api.moneykit.com": "moneykit: auth: http to api.moneykit.com"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := (*auth.Source)(nil).RequestEditor(t.Context(), r); !strings.HasPrefix(fmt.Sprint(err), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
