package sandbox_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/sandbox"
)

// No web page can use the endpoints under /sandbox/, whatever it sends and however its host name resolves.
func TestControlKeepsWebPagesOut(t *testing.T) {
	t.Parallel()
	handler := sandbox.New(sandbox.WithHosts("moneykit.test"))
	call := func(method, path, host, contentType, body string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Host = host
		if contentType != "" {
			r.Header.Set("Content-Type", contentType)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	const loopback, jsonType = "127.0.0.1:8042", "application/json"
	advance := `{"seconds": 1}`
	for _, test := range []struct {
		what   string
		got    *httptest.ResponseRecorder
		status int
	}{
		{"curl", call("POST", "/sandbox/advance", loopback, jsonType, advance), 204},
		{"another charset parameter", call("POST", "/sandbox/advance", loopback, "application/json; charset=utf-8", advance), 204},
		{"localhost", call("POST", "/sandbox/advance", "localhost:8042", jsonType, advance), 204},
		{"IPv6", call("POST", "/sandbox/advance", "[::1]:8042", jsonType, advance), 204},
		{"no port", call("GET", "/sandbox/links", "127.0.0.1", "", ""), 200},
		{"a configured host", call("GET", "/sandbox/links", "MoneyKit.test:80", "", ""), 200},
		{"the same origin", call("POST", "/sandbox/advance", loopback, jsonType, advance, "Origin", "http://"+loopback), 204},
		{"an address bar", call("GET", "/sandbox/links", loopback, "", "", "Sec-Fetch-Site", "none"), 200},
		{"a link", call("GET", "/sandbox/links", loopback, "", "", "Sec-Fetch-Site", "cross-site"), 200},

		{"text/plain", call("POST", "/sandbox/advance", loopback, "text/plain", advance), 415},
		{"a form", call("POST", "/sandbox/advance", loopback, "application/x-www-form-urlencoded", advance), 415},
		{"no type", call("POST", "/sandbox/advance", loopback, "", advance), 415},
		{"reset as text", call("POST", "/sandbox/reset", loopback, "text/plain", ""), 415},
		{"faults with a form", call("DELETE", "/sandbox/faults", loopback, "", "x=1"), 415},
		{"another origin", call("POST", "/sandbox/advance", loopback, jsonType, advance, "Origin", "https://evil.example"), 403},
		{"another port", call("POST", "/sandbox/advance", loopback, jsonType, advance, "Origin", "http://127.0.0.1:3000"), 403},
		{"a sandboxed frame", call("POST", "/sandbox/reset", loopback, "", "", "Origin", "null"), 403},
		{"a script that reads", call("GET", "/sandbox/links", loopback, "", "", "Origin", "https://evil.example"), 403},
		{"fetch metadata", call("POST", "/sandbox/reset", loopback, "", "", "Sec-Fetch-Site", "cross-site"), 403},
		{"DNS rebinding", call("GET", "/sandbox/requests", "evil.example:8042", "", ""), 403},
		{"a name that begins like loopback", call("GET", "/sandbox/links", "127.0.0.1.evil.example", "", ""), 403},
		{"another machine's address", call("GET", "/sandbox/links", "10.0.0.1:8042", "", ""), 403},
		{"no host", call("GET", "/sandbox/links", "", "", ""), 403},
	} {
		if test.got.Code != test.status {
			t.Errorf("%s: %d %s, want %d", test.what, test.got.Code, test.got.Body, test.status)
		}
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t, sandbox.WithRateLimits(sandbox.RateLimits{LinkSessionPerUser: 2}))
	token := newToken(t, srv)
	exchanged(t, srv, token, minimal)
	session := newSession(t, srv, token, minimal)
	srv.Fail(sandbox.CreateLinkSession, 999999999, sandbox.Fault{Status: 503})
	srv.Advance(1000 * time.Hour)
	late := newToken(t, srv)
	if got := post(t, srv, "/sandbox/reset", "", ""); got.status != 204 {
		t.Fatalf("got %+v", got)
	}
	if n, m := len(srv.Links()), len(srv.Requests()); n != 0 || m != 0 {
		t.Errorf("%d links, %d requests", n, m)
	}
	if _, err := srv.Complete(session); err == nil || !strings.Contains(err.Error(), "unknown_session") {
		t.Errorf("a session from before: %v", err)
	}
	// The fault is gone, the token works again, and the rate limit starts anew.
	if got := post(t, srv, "/link-session", token, minimal); got.status != 201 {
		t.Errorf("got %+v", got)
	}
	// A token from the clock's future would otherwise be valid for weeks.
	if got := post(t, srv, "/link-session", late, minimal); got.errorCode() != "api_error.auth.expired_access_token" {
		t.Errorf("a token that was issued later than now: %+v", got)
	}
}

func TestFaultsAreListedAndCleared(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	post(t, srv, "/sandbox/fail", "", `{"operation": "token", "times": 999999999, "status": 503, "body": "busy", "header": {"Retry-After": "1"}, "delay_seconds": 0.5}`)
	post(t, srv, "/sandbox/fail", "", `{"operation": "exchange_token", "drop": true, "after": true}`)
	if got := srv.Faults(); len(got) != 2 || got[0].Operation != sandbox.Token || got[0].Times != 999999999 || got[0].Fault.Status != 503 ||
		got[0].Fault.Delay != 500*time.Millisecond || !got[1].Fault.Drop || got[1].Times != 1 {
		t.Errorf("got %+v", got)
	}
	srv.Faults()[0].Fault.Header.Set("Retry-After", "changed")
	want := `{"delivery_faults":[],"faults":[{"operation":"token","times":999999999,"status":503,"body":"busy","header":{"Retry-After":"1"},"delay_seconds":0.5},` +
		`{"operation":"exchange_token","times":1,"drop":true,"after":true}]}`
	if got := send(t, srv, "GET", "/sandbox/faults", nil, ""); strings.TrimSpace(got.body) != want {
		t.Errorf("got %s", got.body)
	}
	if got := send(t, srv, "DELETE", "/sandbox/faults", nil, ""); got.status != 204 || len(srv.Faults()) != 0 {
		t.Errorf("got %+v, %v", got, srv.Faults())
	}
	if got := send(t, srv, "GET", "/sandbox/faults", nil, ""); strings.TrimSpace(got.body) != `{"delivery_faults":[],"faults":[]}` {
		t.Errorf("got %s", got.body)
	}
	newToken(t, srv)
}

// The clock stops at 100 years, so that it never wraps and tokens can still be issued.
func TestAdvanceIsBounded(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t, sandbox.WithTokenLifetime(1<<62))
	for range 20 {
		srv.Advance(1<<63 - 1)
	}
	srv.Advance(-time.Hour)
	if got := post(t, srv, "/link-session", newToken(t, srv), minimal); got.status != 201 {
		t.Errorf("after 100 years: %d %s", got.status, got.body)
	}
	got := post(t, srv, "/sandbox/advance", "", `{"seconds": 3600}`)
	if got.status != 422 || !strings.Contains(got.body, "seconds must be 0 at most") {
		t.Errorf("beyond: %d %s", got.status, got.body)
	}
	srv.Reset()
	for _, seconds := range []string{"1e300", "3153600001"} {
		if got := post(t, srv, "/sandbox/advance", "", `{"seconds": `+seconds+`}`); got.status != 422 || !strings.Contains(got.body, "3153600000") {
			t.Errorf("%s: %d %s", seconds, got.status, got.body)
		}
	}
	if got := post(t, srv, "/sandbox/advance", "", `{"seconds": 3153600000}`); got.status != 204 {
		t.Errorf("100 years: %d %s", got.status, got.body)
	}
}

// What is wrong with a request is said in JSON's terms and not in Go's.
func TestControlErrors(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	for body, want := range map[string]string{
		``:                         "The body is empty; it must be a JSON object.",
		`5`:                        "The body must be a JSON object, not a JSON number.",
		`[]`:                       "The body must be a JSON object, not a JSON array.",
		`{`:                        "The body is not valid JSON.",
		`{"seconds": 1`:            "The body is not valid JSON.",
		`{"seconds": "1"}`:         "The field seconds has the wrong type: a JSON string.",
		`{"second": 1}`:            "The field second is unknown.",
		`{"seconds": 1}{}`:         "The body must be one JSON object, with nothing after it.",
		`{"seconds": 0}`:           "The field seconds must be greater than zero.",
		strings.Repeat(" ", 1<<21): "The body is longer than 1048576 bytes.",
	} {
		got := post(t, srv, "/sandbox/advance", "", body)
		var e struct {
			Message string `json:"error_message"`
		}
		if err := json.Unmarshal([]byte(got.body), &e); err != nil || got.status != 422 || e.Message != want {
			t.Errorf("%.20s: %d %s, want %s", body, got.status, got.body, want)
		}
	}
	for body, want := range map[string]string{
		`{"operation": "token", "times": 0, "status": 500}`:                   "The field times is 0; it must be at least 1.",
		`{"operation": "token", "status": 600}`:                               "The field status is 600; it must be from 200 to 599.",
		`{"operation": "token", "status": 500, "header": {"X-A": "a\r\nb"}}`:  "The field header has a line break or another control character in the value of X-A.",
		`{"operation": "token", "status": 500, "header": {"X A": "a"}}`:       `The field header has the name \"X A\"; a name consists of letters, digits and hyphens.`,
		`{"operation": "token", "status": 500, "header": {"": "a"}}`:          `The field header has the name \"\"; a name consists of letters, digits and hyphens.`,
		`{"operation": "token", "status": 204, "body": "a"}`:                  "The field body cannot be sent with the status 204.",
		`{"operation": "token", "status": 500, "delay_seconds": -1}`:          "The field delay_seconds is -1; it must not be negative.",
		`{"operation": "token", "status": 500, "header": {"X-A": ["a"]}}`:     "has the wrong type: a JSON array.", // of the field header, or header.X-A from Go 1.27 on
		`{"operation": "token", "header": {"X-Inject\nSet-Cookie": "a=b"}}`:   `The field header has the name \"X-Inject\\nSet-Cookie\"; a name consists of letters, digits and hyphens.`,
		`{"operation": "token", "status": 500, "header": {"X-A": "a\u0000"}}`: "The field header has a line break or another control character in the value of X-A.",
	} {
		if got := post(t, srv, "/sandbox/fail", "", body); got.status != 422 || !strings.Contains(got.body, want) {
			t.Errorf("%s: %d %s, want %s", body, got.status, got.body, want)
		}
	}
	if n := len(srv.Faults()); n != 0 {
		t.Errorf("%d faults were scripted", n)
	}
}

// The types and methods are safe for concurrent use; the race detector sees to it.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t, sandbox.WithRateLimits(sandbox.RateLimits{Token: 1e6, LinkSessionPerUser: 1e6, PerApp: 1e6}))
	token := newToken(t, srv)
	done := make(chan struct{})
	uses := []func(){
		func() { srv.Fail(sandbox.Token, 1, sandbox.Fault{Delay: 1}) },
		func() { srv.Faults() },
		func() { newToken(t, srv) },
		func() { post(t, srv, "/link-session", token, minimal) },
		func() {
			if exchangeable, err := srv.Complete(newSession(t, srv, token, minimal)); err == nil {
				post(t, srv, "/link-session/exchange-token", token, exchangeBody(exchangeable))
			}
		},
		func() { srv.Links() },
		func() { srv.Requests() },
		func() { srv.Advance(time.Microsecond) },
		func() { srv.ClearFaults() },
	}
	for _, use := range uses {
		go func() {
			for range 20 {
				use()
			}
			done <- struct{}{}
		}()
	}
	for range uses {
		<-done
	}
	srv.Reset()
}

// Client is ready to use, and fails as the sandbox says.
func TestClient(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	client := srv.Client()
	session, err := client.CreateLinkSession(t.Context(), minimalRequest())
	if err != nil {
		t.Fatal(err)
	}
	exchangeable, err := srv.Complete(session.LinkSessionToken)
	if err != nil {
		t.Fatal(err)
	}
	link, err := client.ExchangeToken(t.Context(), exchangeRequest(exchangeable))
	if err != nil || link.Link.LinkID != srv.Links()[0].LinkID {
		t.Errorf("%v, %+v", err, link)
	}
	if got := srv.Requests(); !slices.ContainsFunc(got, func(r sandbox.Request) bool {
		return r.Operation == sandbox.ExchangeToken && r.Status == http.StatusCreated
	}) {
		t.Errorf("requests: %+v", got)
	}
	// Without credentials there is no client, and the test fails.
	fake := &fakeTB{}
	broken := sandbox.Start(fake)
	t.Cleanup(fake.cleanups[0])
	broken.URL = "not a URL"
	broken.Client()
	if !strings.Contains(fake.fatal, "URL") {
		t.Errorf("fatal: %q", fake.fatal)
	}
}
