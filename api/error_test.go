package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
)

var sentinels = []error{
	api.ErrUnauthorized, api.ErrTokenExpired, api.ErrForbiddenConfig, api.ErrInvalidTokenExchange,
	api.ErrValidation, api.ErrRateLimited, api.ErrOutcomeUnknown,
}

// only checks that err is each of want and no other sentinel.
func only(t *testing.T, name string, err error, want ...error) {
	t.Helper()
	for _, s := range sentinels {
		if wanted := slices.Contains(want, s); errors.Is(err, s) != wanted {
			t.Errorf("%s: errors.Is(%q) is %v, of %v", name, s, !wanted, err)
		}
	}
}

func coded(code string) string {
	return `{"error_code":"` + code + `","error_message":"the message","documentation_url":"https://docs.example/x"}`
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	field := func(location ...any) []gen.ValidationError {
		return []gen.ValidationError{{Location: location, Message: "bad"}}
	}
	for want, e := range map[string]api.Error{
		"moneykit: unspecified error":                 {},
		"moneykit: op: 400 Bad Request: c: slow down": {Op: "op", StatusCode: 400, Code: "c", Message: "slow down."},
		"moneykit: 599":                               {StatusCode: 599},
		"moneykit: op":                                {Op: "op", Attempts: 1},
		"moneykit: op (2 attempts) (retry after 1ns)": {Op: "op", Attempts: 2, RetryAfter: 1},
		"moneykit: a.b[0].c: bad":                     {ValidationErrors: field("a", "b", 0.0, "c")},
		"moneykit: a b[true]: bad":                    {ValidationErrors: field("a\nb", true)},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	source := auth.FromTokenSource(tokenFunc(func() (*oauth2.Token, error) { return nil, errors.New("revoked") }))
	client, err := api.New(source, api.WithBaseURL(memoryURL))
	if err != nil {
		t.Fatal(err)
	}
	_, err = do(t.Context(), client, exchangeOp)
	if got, want := fmt.Sprint(err), "moneykit: exchange_token: not sent to localhost: token request: revoked"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// Every status of the contract, and what is not of the contract.
func TestErrors(t *testing.T) {
	t.Parallel()
	const invalid = `{"error_code":"api_error.request.validation_failed","error_message":"the message","documentation_url":null,
		"validation_errors":[{"location":["body","link_tags",1],"message":"too long","type":"value_error.any_str.max_length"},
		{"location":["body","redirect_uri"],"message":"field required","type":"value_error.missing"}]}`
	page := "<html>" + strings.Repeat("x", 100) + "</html>"
	for name, tt := range map[string]struct {
		respond http.HandlerFunc
		want    api.Error // StatusCode, Code, Message, RetryAfter
		is      error     // the sentinel, for both operations
		lost    bool      // and ErrOutcomeUnknown for exchange_token
		text    string
	}{
		"400": {reply(400, coded("link_session_error.invalid_token_exchange")), api.Error{StatusCode: 400, Code: "link_session_error.invalid_token_exchange", Message: "the message"},
			api.ErrInvalidTokenExchange, false, ": 400 Bad Request: link_session_error.invalid_token_exchange: the message"},
		"401": {reply(401, coded("api_error.auth.unauthorized")), api.Error{StatusCode: 401, Code: "api_error.auth.unauthorized", Message: "the message"},
			api.ErrUnauthorized, false, "401 Unauthorized"},
		"401 expired": {reply(401, coded("api_error.auth.expired_access_token")), api.Error{StatusCode: 401, Code: "api_error.auth.expired_access_token", Message: "the message"},
			api.ErrTokenExpired, false, "401 Unauthorized"},
		"401 without a body": {reply(401, ""), api.Error{StatusCode: 401}, api.ErrUnauthorized, false, "401 Unauthorized"},
		"403": {reply(403, coded("link_session_error.forbidden_config")), api.Error{StatusCode: 403, Code: "link_session_error.forbidden_config", Message: "the message"},
			api.ErrForbiddenConfig, false, "403 Forbidden"},
		"403 by a firewall": {reply(403, page), api.Error{StatusCode: 403}, nil, false, "403 Forbidden"},
		"422": {reply(422, invalid), api.Error{StatusCode: 422, Code: "api_error.request.validation_failed", Message: "the message"},
			api.ErrValidation, false, "the message: body.link_tags[1]: too long; body.redirect_uri: field required"},
		"429": {reply(429, coded("api_error.rate_limit_exceeded"), "Retry-After", "30"), api.Error{StatusCode: 429, Code: "api_error.rate_limit_exceeded", Message: "the message", RetryAfter: 30 * time.Second},
			api.ErrRateLimited, false, "429 Too Many Requests"},
		"429 by a proxy":         {reply(429, page), api.Error{StatusCode: 429}, api.ErrRateLimited, false, "429"},
		"an unknown code":        {reply(409, coded("api_error.new")), api.Error{StatusCode: 409, Code: "api_error.new", Message: "the message"}, nil, false, "api_error.new"},
		"wrong types":            {reply(400, `{"error_code":400,"error_message":["x"]}`), api.Error{StatusCode: 400}, nil, false, "400 Bad Request"},
		"truncated error":        {reply(400, `{"error_code":"link_sess`), api.Error{StatusCode: 400}, nil, false, "400 Bad Request"},
		"307":                    {reply(307, "", "Location", "https://elsewhere.example"), api.Error{StatusCode: 307}, nil, false, "redirects are not followed"},
		"500":                    {reply(500, page), api.Error{StatusCode: 500}, nil, true, "500 Internal Server Error"},
		"502":                    {reply(502, page), api.Error{StatusCode: 502}, nil, true, "502 Bad Gateway"},
		"503":                    {reply(503, ""), api.Error{StatusCode: 503}, nil, true, "503 Service Unavailable"},
		"503 with Retry-After":   {reply(503, "", "Retry-After", "0"), api.Error{StatusCode: 503}, nil, true, "503 Service Unavailable"},
		"504":                    {reply(504, coded("x")), api.Error{StatusCode: 504, Code: "x", Message: "the message"}, nil, true, "504 Gateway Timeout"},
		"599, which has no name": {reply(599, ""), api.Error{StatusCode: 599}, nil, true, ": 599"},
		"201 with HTML":          {reply(201, page), api.Error{StatusCode: 201}, nil, true, "unexpected response body: invalid character '<'"},
		"201 truncated":          {reply(201, `{"link_session_token":"a","link":{`), api.Error{StatusCode: 201}, nil, true, "unexpected end of JSON input"},
		"201 with a wrong type":  {reply(201, `{"link_session_token":1,"link":2}`), api.Error{StatusCode: 201}, nil, true, "cannot unmarshal number"},
		"201 empty":              {reply(201, ""), api.Error{StatusCode: 201}, nil, true, "unexpected response body"},
		"201 null":               {reply(201, "null"), api.Error{StatusCode: 201}, nil, true, "is missing"},
		"201 {}":                 {reply(201, "{}"), api.Error{StatusCode: 201}, nil, true, "is missing"},
		"204":                    {reply(204, ""), api.Error{StatusCode: 204}, nil, true, "unexpected response body"},
	} {
		for op, call := range operations {
			t.Run(name+"/"+op, func(t *testing.T) {
				t.Parallel()
				client := serve(t, tt.respond)
				var info api.HTTPInfo
				err := call(t.Context(), client, api.WithHTTPInfo(&info))
				var e *api.Error
				if !errors.As(err, &e) {
					t.Fatalf("got %v", err)
				}
				if e.Op != op || e.StatusCode != tt.want.StatusCode || e.Code != tt.want.Code || e.Message != tt.want.Message || e.RetryAfter != tt.want.RetryAfter {
					t.Errorf("got %+v, want %+v", e, tt.want)
				}
				if e.Header.Get("Content-Type") != "application/json" || info.StatusCode != tt.want.StatusCode {
					t.Errorf("header %v, info %+v", e.Header, info)
				}
				if tt.want.Code != "" && tt.want.Code != "api_error.request.validation_failed" && e.DocumentationURL != "https://docs.example/x" {
					t.Errorf("documentation URL %q", e.DocumentationURL)
				}
				want := []error{}
				if tt.is != nil {
					want = append(want, tt.is)
				}
				if tt.lost && op == "exchange_token" {
					want = append(want, api.ErrOutcomeUnknown)
				}
				only(t, name, err, want...)
				if lost := strings.Contains(err.Error(), ": outcome unknown: the token may have been exchanged"); lost != errors.Is(err, api.ErrOutcomeUnknown) {
					t.Errorf("%v: says outcome unknown: %v", err, lost)
				}
				if !strings.HasPrefix(err.Error(), "moneykit: "+op+": POST 127.0.0.1:") || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("%v, want %q", err, tt.text)
				}
			})
		}
	}
}

// The raw body is there for whoever needs it, and no longer than the limit.
func TestErrorBody(t *testing.T) {
	t.Parallel()
	for name, call := range operations {
		for body, status := range map[string]int{"<html>sorry</html>": 502, `{"link":{"link_id":"mk_lo`: 201} {
			var e *api.Error
			if err := call(t.Context(), serve(t, reply(status, body))); !errors.As(err, &e) || string(e.Body) != body || e.StatusCode != status {
				t.Errorf("%s: %v, body %q", name, err, e.Body)
			}
		}
		long := strings.Repeat("x", 101)
		for _, status := range []int{201, 400} {
			var e *api.Error
			err := call(t.Context(), serve(t, reply(status, long), api.WithMaxBodySize(100)))
			if !errors.As(err, &e) || string(e.Body) != long[:100] || e.StatusCode != status || !strings.Contains(err.Error(), "longer than 100 bytes") {
				t.Errorf("%s: %v, body %q", name, err, e.Body)
			}
		}
	}
	boundless := serve(t, reply(201, session), api.WithMaxBodySize(math.MaxInt64))
	if _, err := boundless.CreateLinkSession(t.Context(), createRequest()); err != nil {
		t.Errorf("the largest limit: %v", err)
	}
	fits := serve(t, reply(201, session), api.WithMaxBodySize(int64(len(session))))
	if _, err := fits.CreateLinkSession(t.Context(), createRequest()); err != nil {
		t.Errorf("a response as long as the limit: %v", err)
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	var e *api.Error
	_, err := serve(t, reply(400, "", "X-Request-Id", "req-9")).ExchangeToken(t.Context(), exchangeRequest())
	if !errors.As(err, &e) || e.RequestID != "req-9" {
		t.Errorf("got %+v", e)
	}
}

// An error can be built by a user's own test, and prints whatever it has.
func TestErrorLiterals(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"moneykit: unspecified error": &api.Error{},
		"moneykit: exchange_token: 400 Bad Request: link_session_error.invalid_token_exchange": &api.Error{
			Op: "exchange_token", StatusCode: 400, Code: "link_session_error.invalid_token_exchange"},
		"moneykit: 422 Unprocessable Entity: body.a[0].b: m": &api.Error{StatusCode: 422, ValidationErrors: []gen.ValidationError{
			{Location: []any{"body", "a", 0, "b"}, Message: "m"}}},
	} {
		if err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	}
	only(t, "a literal", &api.Error{Code: "link_session_error.invalid_token_exchange"}, api.ErrInvalidTokenExchange)
	only(t, "an empty literal", &api.Error{})
	if errors.Is(&api.Error{Code: "x"}, many{}) { // which cannot be a key of a map
		t.Error("an error is another package's")
	}
}

type many []error

func (many) Error() string { return "many" }

// What the token endpoint said decides, when there was no token to call with.
func TestTokenErrors(t *testing.T) {
	t.Parallel()
	for status, is := range map[int]error{401: api.ErrUnauthorized, 429: api.ErrRateLimited, 500: nil} {
		tokens := httptest.NewServer(reply(status, `{"error_code":"","error_message":"no token for you"}`))
		t.Cleanup(tokens.Close)
		src, err := auth.ClientCredentials("id", "the-client-secret", auth.WithTokenURL(tokens.URL+"/auth/token"))
		if err != nil {
			t.Fatal(err)
		}
		once := api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: 1})
		client, err := api.New(src, api.WithBaseURL("http://127.0.0.1:1/prefix"), once)
		if err != nil {
			t.Fatal(err)
		}
		for op, call := range operations {
			var info api.HTTPInfo
			err := call(t.Context(), client, api.WithHTTPInfo(&info))
			var e *api.Error
			var a *auth.Error
			if !errors.As(err, &e) || e.StatusCode != 0 || e.Op != op || (e.RetryAfter == 0) != (status == 401) || info.Attempts != 0 || !errors.As(err, &a) || a.StatusCode != status {
				t.Errorf("%s: %v, %+v", op, err, info)
			}
			// Both places are named, so that one left at its default is seen.
			for _, want := range []string{"127.0.0.1:1/prefix", "POST " + strings.TrimPrefix(tokens.URL, "http://") + "/auth/token", "no token for you"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v lacks %q", err, want)
				}
			}
			if is == nil {
				only(t, op, err)
			} else {
				only(t, op, err, is)
			}
		}
	}
}

// A secret that is part of an error code, as one made up for a test may be, does not hide what the code says.
func TestSecretWithinCode(t *testing.T) {
	t.Parallel()
	client := serve(t, reply(400, coded("link_session_error.invalid_token_exchange")))
	_, err := client.ExchangeToken(t.Context(), gen.ExchangeTokenRequest{ExchangeableToken: "token"})
	only(t, "token", err, api.ErrInvalidTokenExchange)
}

// refusingAddr is an address that refuses connections, and that nobody else can listen on while the test runs: the client's
// end of a connection.
func refusingAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.LocalAddr().String()
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	transport := new(http.Transport) // no connection that another test keeps
	t.Cleanup(transport.CloseIdleConnections)
	client, err := api.New(auth.StaticToken(bearer), api.WithBaseURL("http://"+refusingAddr(t)),
		api.WithHTTPClient(&http.Client{Transport: transport}), api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: 1}))
	if err != nil {
		t.Fatal(err)
	}
	for op, call := range operations {
		err := call(t.Context(), client)
		var e *api.Error
		if !errors.As(err, &e) || e.StatusCode != 0 || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("%s: %v", op, err)
		}
		only(t, op, err) // nothing was sent, so the outcome is known
	}
}

func TestEndedContext(t *testing.T) {
	t.Parallel()
	client := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel2 := context.WithTimeout(t.Context(), 0)
	defer cancel2()
	for op, call := range operations {
		for ctx, want := range map[context.Context]error{canceled: context.Canceled, expired: context.DeadlineExceeded} {
			if err := call(ctx, client); !errors.Is(err, want) {
				t.Errorf("%s: %v", op, err)
			} else {
				only(t, op, err)
			}
		}
	}
}

// A caller's own state, such as people print while they debug.
type state struct {
	Client *api.Client
	client *api.Client
	Err    error
	Policy api.RetryPolicy
}

func TestRenderings(t *testing.T) {
	t.Parallel()
	const clientSecret = "the-client-secret"
	echo := func(w http.ResponseWriter, r *http.Request) { // a server that repeats all it was sent
		secrets := r.Header.Get("Authorization") + " " + exchangeable
		w.Header().Set("Set-Cookie", secrets)
		w.Header().Set("X-Request-Id", "id "+secrets)
		w.WriteHeader(422)
		_ = json.NewEncoder(w).Encode(gen.HTTPValidationError{
			ErrorCode: "api_error.request.validation_failed", ErrorMessage: "you sent " + secrets, DocumentationURL: "https://x.example/" + secrets,
			ValidationErrors: []gen.ValidationError{{Location: []any{"body", secrets}, Message: secrets, Type: secrets}},
		})
	}
	tokens := httptest.NewServer(reply(201, `{"access_token":"`+bearer+`","token_type":"bearer","expires_in":3600}`))
	t.Cleanup(tokens.Close)
	src, err := auth.ClientCredentials("id", clientSecret, auth.WithTokenURL(tokens.URL))
	if err != nil {
		t.Fatal(err)
	}
	var logs strings.Builder
	log := slog.New(slog.NewJSONHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	mux := http.NewServeMux()
	mux.HandleFunc("/", echo)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	client, err := api.New(src, api.WithBaseURL(srv.URL), api.WithLogger(log))
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.ExchangeToken(t.Context(), exchangeRequest())
	var e *api.Error
	if !errors.As(err, &e) || !strings.Contains(string(e.Body), exchangeable) {
		t.Fatalf("got %v; the raw body must be as it came", err)
	}
	for _, v := range []any{client, err, *e, src, state{client, client, err, api.RetryPolicy{}}} {
		slog.New(slog.NewTextHandler(&logs, nil)).Info("text", "value", v)
		slog.New(slog.NewJSONHandler(&logs, nil)).Info("json", "value", v)
		data, _ := json.Marshal(v)
		_, _ = fmt.Fprintf(&logs, "%v %+v %#v %s %q %s\n", v, v, v, v, v, data)
	}
	for _, secret := range []string{clientSecret, bearer, exchangeable} {
		if i := strings.Index(logs.String(), secret); i >= 0 {
			t.Errorf("%q is shown: …%s", secret, logs.String()[max(0, i-300):i+len(secret)])
		}
	}
}
