package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moneykit/moneykit-go/sandbox"
)

func TestFailSendsWhatIsScripted(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	token := newToken(t, srv)
	srv.Fail(sandbox.CreateLinkSession, 2, sandbox.Fault{Status: 502, Body: "<html><body>Bad gateway</body></html>"})
	srv.Fail(sandbox.CreateLinkSession, 1, sandbox.Fault{Status: 429, Body: `{"error_code": "x"}`, Header: http.Header{"retry-after": {"7"}}})
	srv.Fail(sandbox.Token, 1, sandbox.Fault{Status: 503})
	for range 2 {
		got := post(t, srv, "/link-session", token, minimal)
		if got.status != 502 || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") || !strings.Contains(got.body, "Bad gateway") ||
			got.header.Get("X-Request-Id") == "" {
			t.Errorf("got %+v", got)
		}
	}
	if got := post(t, srv, "/link-session", token, minimal); got.status != 429 || got.errorCode() != "x" ||
		got.header.Get("Retry-After") != "7" || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("got %+v", got)
	}
	if got := post(t, srv, "/link-session", token, minimal); got.status != 201 {
		t.Errorf("afterwards: %+v", got)
	}
	if got := post(t, srv, "/auth/token", "", ""); got.status != 503 || got.body != "" {
		t.Errorf("token: %+v", got)
	}
}

// With After the operation is processed, and its response is lost or replaced; without, it is not processed.
func TestFailBeforeAndAfter(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	token := newToken(t, srv)
	for name, test := range map[string]struct {
		fault        sandbox.Fault
		wantStatus   int // of the call that fails; zero for a dropped connection
		thenOK       bool
		wantRecorded int
	}{
		"dropped before":    {sandbox.Fault{Drop: true}, 0, true, 0},
		"dropped after":     {sandbox.Fault{Drop: true, After: true}, 0, false, 0},
		"replaced before":   {sandbox.Fault{Status: 504}, 504, true, 504},
		"replaced after":    {sandbox.Fault{Status: 504, After: true}, 504, false, 504},
		"only slower":       {sandbox.Fault{Delay: time.Nanosecond}, 201, false, 201},
		"only slower after": {sandbox.Fault{Delay: time.Nanosecond, After: true}, 201, false, 201},
		"only a header":     {sandbox.Fault{Header: http.Header{"X-Proxy": {"1"}}}, 201, false, 201},
	} {
		exchangeable := completed(t, srv, token, minimal)
		srv.Fail(sandbox.ExchangeToken, 1, test.fault)
		header := http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + token}}
		got, err := try(t, srv, "POST", "/link-session/exchange-token", header, exchangeBody(exchangeable))
		if got.status != test.wantStatus || (err == nil) != (test.wantStatus != 0) {
			t.Errorf("%s: %v, %+v", name, err, got)
		}
		if test.fault.Header != nil && got.header.Get("X-Proxy") != "1" {
			t.Errorf("%s: header %v", name, got.header)
		}
		all := srv.Requests()
		if last := all[len(all)-1]; last.Operation != sandbox.ExchangeToken || last.Status != test.wantRecorded {
			t.Errorf("%s: recorded %s %d", name, last.Operation, last.Status)
		}
		if got := post(t, srv, "/link-session/exchange-token", token, exchangeBody(exchangeable)); (got.status == 201) != test.thenOK {
			t.Errorf("%s: the next exchange got %d", name, got.status)
		}
	}
}

func TestFailCutsAResponseOff(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	srv.Fail(sandbox.Token, 1, sandbox.Fault{Status: 201, Body: `{"access_`, Header: http.Header{"content-length": {"100"}}})
	got, err := try(t, srv, "POST", "/auth/token", nil, "")
	if !errors.Is(err, io.ErrUnexpectedEOF) || got.body != `{"access_` {
		t.Errorf("got %v, %q", err, got.body)
	}
}

func TestFailDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler := sandbox.New()
		if err := handler.Fail(sandbox.Token, 2, sandbox.Fault{Delay: time.Hour, Status: 503}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		r := httptest.NewRequest("POST", "/auth/token", nil)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != 503 || time.Since(start) != time.Hour {
			t.Errorf("status %d after %v", w.Code, time.Since(start))
		}

		// When the client disconnects the delay ends, and there is no response.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		defer func() {
			if got := recover(); got != http.ErrAbortHandler || time.Since(start) != time.Second {
				t.Errorf("%v after %v", got, time.Since(start))
			}
		}()
		handler.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
	})
}

func TestFailDelayEndsWithTheServer(t *testing.T) {
	t.Parallel()
	fake := &fakeTB{}
	srv := sandbox.Start(fake)
	srv.Fail(sandbox.Token, 1, sandbox.Fault{Delay: time.Hour})
	done := make(chan error)
	go func() {
		_, err := http.Post(srv.URL+"/auth/token", "", nil)
		done <- err
	}()
	for len(srv.Requests()) == 0 {
		runtime.Gosched()
	}
	fake.cleanups[0]()
	if err := <-done; err == nil {
		t.Error("there was a response")
	}
}

func TestFailOverHTTP(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	if got := post(t, srv, "/sandbox/fail", "", `{"operation": "create_link_session", "times": 2, "status": 503, "body": "busy", "header": {"Retry-After": "1"}, "delay_seconds": 0.001}`); got.status != 204 {
		t.Fatal(got)
	}
	for range 2 {
		if got := post(t, srv, "/link-session", "", minimal); got.status != 503 || got.body != "busy" || got.header.Get("Retry-After") != "1" {
			t.Errorf("got %+v", got)
		}
	}
	token := newToken(t, srv)
	exchangeable := completed(t, srv, token, minimal)
	if got := post(t, srv, "/sandbox/fail", "", `{"operation": "exchange_token", "status": 504, "after": true}`); got.status != 204 {
		t.Fatal(got)
	}
	for _, want := range []int{504, 400} { // processed, and so not again
		if got := post(t, srv, "/link-session/exchange-token", token, exchangeBody(exchangeable)); got.status != want {
			t.Errorf("got %+v, want %d", got, want)
		}
	}
	if got := post(t, srv, "/sandbox/fail", "", `{"operation": "token", "drop": true}`); got.status != 204 {
		t.Fatal(got)
	}
	if _, err := try(t, srv, "POST", "/auth/token", nil, ""); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	for body, want := range map[string]string{
		``:                                 "empty",
		`[]`:                               "object",
		`{"operaton": "token"}`:            "operaton",
		`{"operation": "x", "drop": true}`: `operation is "x"; the operations are token`,
		`{"operation": "token"}`:           "set one of them",
		`{"operation": "token", "times": 0, "status": 500}`:              "times is 0; it must be at least 1",
		`{"operation": "token", "status": 100}`:                          "200 to 599",
		`{"operation": "token", "status": 600}`:                          "200 to 599",
		`{"operation": "token", "drop": true, "body": "x"}`:              "needs a status",
		`{"operation": "token", "drop": true, "status": 500}`:            "cannot be combined",
		`{"operation": "token", "status": 500, "delay_seconds": -1e300}`: "negative",
		`{"operation": "token", "status": "500"}`:                        "status",
	} {
		if got := post(t, srv, "/sandbox/fail", "", body); got.status != 422 || !strings.Contains(got.body, want) && !strings.Contains(got.body, strings.ReplaceAll(want, `"`, `\"`)) {
			t.Errorf("%s: %d %s, want %s", body, got.status, got.body, want)
		}
	}
}

// The bounds of a status are 200 and 599.
func TestFaultStatus(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	for _, status := range []int{200, 599} {
		srv.Fail(sandbox.Token, 1, sandbox.Fault{Status: status})
		if got := post(t, srv, "/auth/token", "", ""); got.status != status {
			t.Errorf("got %d, want %d", got.status, status)
		}
	}
	for _, status := range []int{-1, 199, 600} {
		if err := srv.Sandbox.Fail(sandbox.Token, 1, sandbox.Fault{Status: status}); err == nil || !strings.HasPrefix(err.Error(), "moneykit: invalid fault: status is ") {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// Errors of Fail have the names of Go's fields.
func TestFaultDelay(t *testing.T) {
	t.Parallel()
	if err := sandbox.Start(t).Sandbox.Fail(sandbox.Token, 1, sandbox.Fault{Delay: -time.Second}); fmt.Sprint(err) != "moneykit: invalid fault: delay is -1; it must not be negative" {
		t.Errorf("got %v", err)
	}
}

// A fault has all of its headers, and is not changed by what the caller does with them later, nor with those of Faults.
func TestFaultHeaders(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	header := http.Header{"X-A": {"1", "2"}, "X-B": {"3"}, "X-C": {"4"}}
	srv.Fail(sandbox.Token, 1, sandbox.Fault{Header: header, Status: 500})
	srv.Fail(sandbox.Token, 1, sandbox.Fault{Header: http.Header{"X-D": {"5"}}, Status: 500})
	header.Set("X-A", "changed")
	for _, fault := range srv.Faults() {
		for name := range fault.Fault.Header {
			fault.Fault.Header.Set(name, "changed")
		}
	}
	got := post(t, srv, "/auth/token", "", "")
	if a := got.header.Values("X-A"); strings.Join(a, " ") != "1 2" || got.header.Get("X-B") != "3" || got.header.Get("X-C") != "4" {
		t.Errorf("got %v", got.header)
	}
	if got := post(t, srv, "/auth/token", "", ""); got.header.Get("X-D") != "5" {
		t.Errorf("the next one: %v", got.header)
	}
}

func TestAdvanceOverHTTP(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	token := newToken(t, srv)
	if got := post(t, srv, "/sandbox/advance", "", `{"seconds": 3600}`); got.status != 204 {
		t.Fatal(got)
	}
	if got := post(t, srv, "/link-session", token, minimal); got.errorCode() != "api_error.auth.expired_access_token" {
		t.Errorf("got %+v", got)
	}
	for _, body := range []string{`{}`, `{"seconds": -1}`, `{"seconds": "1"}`} {
		if got := post(t, srv, "/sandbox/advance", "", body); got.status != 422 || !strings.Contains(got.body, "seconds") {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
}

// Each argument of Fail that cannot be is named, and nothing is scripted.
func TestFaultsThatAreRefused(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	header := func(name, value string) sandbox.Fault {
		return sandbox.Fault{Header: http.Header{"X-Fine": {"fine"}, name: {"fine", value}}}
	}
	for _, tt := range []struct {
		op    sandbox.Operation
		times int
		fault sandbox.Fault
		want  string // how the error begins; empty: accepted
	}{
		{"exchange", 1, sandbox.Fault{Drop: true}, `operation is "exchange"; the operations are token, exchange_token, create_link_session`},
		{sandbox.Token, 0, sandbox.Fault{Drop: true}, "times is 0; it must be at least 1"},
		{sandbox.Token, 1, sandbox.Fault{}, "status is missing, as are drop, delay_seconds and header; set one of them"},
		{sandbox.Token, 1, sandbox.Fault{After: true}, "status is missing, as are drop, delay_seconds and header; set one of them"},
		{sandbox.Token, 1, sandbox.Fault{Body: "x"}, "body needs a status"},
		{sandbox.Token, 1, sandbox.Fault{Body: "x", Status: 204}, "body cannot be sent with the status 204"},
		{sandbox.Token, 1, sandbox.Fault{Body: "x", Status: 304}, "body cannot be sent with the status 304"},
		{sandbox.Token, 1, sandbox.Fault{Body: "x", Status: 200}, ""},
		{sandbox.Token, 1, sandbox.Fault{Status: 204}, ""},
		{sandbox.Token, 1, sandbox.Fault{Status: 304}, ""},
		{sandbox.Token, 1, sandbox.Fault{Delay: 1}, ""},
		{sandbox.Token, 1, sandbox.Fault{Drop: true, Status: 500}, "drop cannot be combined with status: a dropped connection has no response"},
		{sandbox.Token, 1, header("", "x"), `header has the name ""; a name consists of letters, digits and hyphens`},
		{sandbox.Token, 1, header("X Y", "x"), `header has the name "X Y"; a name consists of letters, digits and hyphens`},
		{sandbox.Token, 1, header("X{", "x"), `header has the name "X{"; a name consists of letters, digits and hyphens`},
		{sandbox.Token, 1, header("X/", "x"), `header has the name "X/"; a name consists of letters, digits and hyphens`},
		{sandbox.Token, 1, header("azAZ09!#$%&'*+-.^_`|~", "x"), ""},
		{sandbox.Token, 1, header("X", "a\nb"), "header has a line break or another control character in the value of X"},
		{sandbox.Token, 1, header("X", "\x1f"), "header has a line break or another control character in the value of X"},
		{sandbox.Token, 1, header("X", "\x7f"), "header has a line break or another control character in the value of X"},
		{sandbox.Token, 1, header("X", "\t ~\u0080"), ""},
	} {
		for range 10 { // the order of a header's fields is random
			before := len(srv.Faults())
			err := srv.Sandbox.Fail(tt.op, tt.times, tt.fault)
			if tt.want == "" && err != nil || tt.want != "" && !strings.HasPrefix(fmt.Sprint(err), "moneykit: invalid fault: "+tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			if scripted := len(srv.Faults()) > before; scripted != (tt.want == "") {
				t.Errorf("%+v: scripted: %v", tt.fault, scripted)
			}
		}
	}
}
