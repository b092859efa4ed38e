package api_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/internal/secrettest"
)

// A script is an http.RoundTripper that runs one step per request, the last one again and again. It keeps when each
// request came, and with what.
type script struct {
	steps []step

	mu    sync.Mutex
	times []time.Time
	seen  []hostileRequest
}

type step func(*http.Request) (*http.Response, error)

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	n := len(s.times)
	s.times = append(s.times, time.Now())
	s.mu.Unlock()
	var body strings.Builder
	sent := r.Clone(r.Context())
	sent.Body = io.NopCloser(io.TeeReader(r.Body, &body))
	res, err := s.steps[min(n, len(s.steps)-1)](sent)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, hostileRequest{r.Method, r.URL.Path, r.Header, body.String()})
	return res, err
}

// waits are the times between the requests.
func (s *script) waits() (all []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range len(s.times) - 1 {
		all = append(all, s.times[i+1].Sub(s.times[i]))
	}
	return all
}

// says responds with a status, header fields (name, value, …) and a body, after it has read the request.
func says(status int, body string, header ...string) step {
	return func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		res := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}
		for i := 0; i < len(header); i += 2 {
			res.Header.Set(header[i], header[i+1])
		}
		return res, nil
	}
}

// fails sends nothing.
func fails(err error) step {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// dies fails after the request has gone out.
func dies(err error) step {
	return func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		return nil, err
	}
}

const (
	bothGood    = `{"link_session_token":"session-1","link_id":"mk_1","link":{"link_id":"mk_1"}}`
	errExpired  = `{"error_code":"api_error.auth.expired_access_token","error_message":"expired"}`
	errUnknown  = `{"error_code":"api_error.auth.unauthorized","error_message":"unknown"}`
	errTooMany  = `{"error_code":"api_error.rate_limit_exceeded","error_message":"slow down"}`
	retryToken  = "static-token-of-these-tests"
	retrySecret = "exchangeable-token-of-these-tests"
)

var good = says(http.StatusCreated, bothGood)

// A retryHarness is a client on a script.
type retryHarness struct {
	*script
	client *api.Client
	guard  *secrettest.Guard
	info   api.HTTPInfo
}

func onScript(t *testing.T, policy api.RetryPolicy, source *auth.Source, steps ...step) *retryHarness {
	t.Helper()
	r := &retryHarness{script: &script{steps: steps}, guard: secrettest.New(t, retryToken, retrySecret)}
	if source == nil {
		source = auth.StaticToken(retryToken)
	}
	var err error
	r.client, err = api.New(source, api.WithHTTPClient(&http.Client{Transport: r.script}), api.WithLogger(r.guard.Logger()),
		api.WithRetryPolicy(policy))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// call calls op, and returns how long that took.
func (r *retryHarness) call(ctx context.Context, op string) (time.Duration, error) {
	start := time.Now()
	var err error
	if op == onCreate.name {
		req := gen.CreateLinkSessionRequest{CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"}, RedirectURI: "https://yourdomain.com/oauth.html"}
		_, err = r.client.CreateLinkSession(ctx, req, api.WithHTTPInfo(&r.info))
	} else {
		_, err = r.client.ExchangeToken(ctx, gen.ExchangeTokenRequest{ExchangeableToken: retrySecret}, api.WithHTTPInfo(&r.info))
	}
	r.guard.Show(err)
	return time.Since(start), err
}

// inBothOps runs f in a bubble of its own for each operation.
func inBothOps(t *testing.T, name string, f func(t *testing.T, op string)) {
	t.Helper()
	for _, op := range []string{onCreate.name, onExchange.name} {
		t.Run(name+" "+op, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { f(t, op) })
		})
	}
}

// The table of RetryPolicy, line by line.
func TestWhatIsRepeated(t *testing.T) {
	t.Parallel()
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	const again, returned, unknown, unavailable = "retried", "returned", "outcome unknown", "retried, outcome unknown"
	for name, line := range map[string]struct {
		step             step
		create, exchange string
	}{
		"refused":                       {fails(dial), again, again},
		"dial that took the body first": {dies(dial), again, again},
		"DNS":                           {fails(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}), again, again},
		"TLS":                           {fails(&tls.CertificateVerificationError{Err: errors.New("expired")}), again, again},
		"429":                           {says(429, errTooMany), again, again},
		"503 with Retry-After":          {says(503, "", "Retry-After", "0"), again, unavailable},
		"502":                           {says(502, ""), again, unknown},
		"503":                           {says(503, ""), again, unavailable},
		"504":                           {says(504, ""), again, unknown},
		"502 with Retry-After":          {says(502, "", "Retry-After", "0"), again, unknown},
		"504 with Retry-After":          {says(504, "", "Retry-After", "0"), again, unknown},
		"closed after the request":      {dies(io.EOF), again, unknown},
		"reset after the request":       {dies(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), again, unknown},
		"write error":                   {dies(&net.OpError{Op: "write", Err: syscall.EPIPE}), again, unknown},
		"TLS alert":                     {dies(&net.OpError{Op: "remote error", Err: errors.New("tls: internal error")}), again, unknown},
		"TLS alert of our own":          {dies(&net.OpError{Op: "local error", Err: errors.New("tls: bad record MAC")}), again, unknown},
		"timeout after the request":     {dies(&net.OpError{Op: "read", Err: context.DeadlineExceeded}), again, unknown},
		"broken within the response":    {breaks(201, io.ErrUnexpectedEOF), again, unknown},
		"broken within a 400":           {breaks(400, io.ErrUnexpectedEOF), returned, returned},
		"broken within a 502":           {breaks(502, io.ErrUnexpectedEOF), again, unknown},
		"500":                           {says(500, ""), returned, unknown},
		"501":                           {says(501, ""), returned, unknown},
		"500 with Retry-After":          {says(500, "", "Retry-After", "0"), returned, unknown},
		"201 that cannot be read":       {says(201, "<html>"), returned, unknown},
		"201 without what matters":      {says(201, "{}"), returned, unknown},
		"204":                           {says(204, ""), returned, unknown},
		"400":                           {says(400, errInvalidExchange), returned, returned},
		"403":                           {says(403, ""), returned, returned},
		"404":                           {says(404, ""), returned, returned},
		"408":                           {says(408, ""), returned, returned},
		"409 with Retry-After":          {says(409, "", "Retry-After", "0"), returned, returned},
		"422":                           {says(422, ""), returned, returned},
		"307":                           {says(307, "", "Location", "/"), returned, returned},
		"303":                           {says(303, "", "Location", "/"), returned, unknown},
	} {
		inBothOps(t, name, func(t *testing.T, op string) {
			want := line.create
			if op == onExchange.name {
				want = line.exchange
			}
			r := onScript(t, api.RetryPolicy{MaxAttempts: 4}, nil, line.step)
			_, err := r.call(t.Context(), op)
			attempts := 1
			if want == again || want == unavailable {
				attempts = 4
			}
			if r.info.Attempts != attempts || len(r.times) != attempts {
				t.Errorf("%d attempts, of which the transport saw %d; want %d", r.info.Attempts, len(r.times), attempts)
			}
			if got := errors.Is(err, api.ErrOutcomeUnknown); got != (want == unknown || want == unavailable) {
				t.Errorf("outcome unknown: %v; want %s: %v", got, want, err)
			}
			if !errors.As(err, new(*api.Error)) {
				t.Errorf("no *api.Error: %v", err)
			}

			// What may pass does.
			r = onScript(t, api.RetryPolicy{}, nil, line.step, good)
			if _, err := r.call(t.Context(), op); (err == nil) != (want == again || want == unavailable) {
				t.Errorf("with a server that recovers: %v", err)
			}
			for _, seen := range r.seen {
				if want := r.seen[len(r.seen)-1].body; seen.body != want && seen.body != "" || seen.header.Get("Authorization") != "Bearer "+retryToken {
					t.Errorf("another request was sent the second time: %+v", seen)
				}
			}
		})
	}
}

// breaks responds, and breaks within the body.
func breaks(status int, err error) step {
	return func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		body := io.MultiReader(strings.NewReader(`{"link_id":`), errReader{err})
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(body), Request: r}, nil
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// A context that ends ends the call, and the error says on which side of the sending it was.
func TestContextThatEnds(t *testing.T) {
	t.Parallel()
	hang := func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }
	inBothOps(t, "before the request goes out", func(t *testing.T, op string) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := onScript(t, api.RetryPolicy{}, nil, hang)
		d, err := r.call(ctx, op)
		if d != time.Second || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, api.ErrOutcomeUnknown) || len(r.times) != 1 {
			t.Errorf("%d attempts, after %v: %v", len(r.times), d, err)
		}
	})
	inBothOps(t, "after the request went out", func(t *testing.T, op string) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := onScript(t, api.RetryPolicy{}, nil, func(r *http.Request) (*http.Response, error) {
			_, _ = io.Copy(io.Discard, r.Body)
			return hang(r)
		})
		d, err := r.call(ctx, op)
		if d != time.Second || !errors.Is(err, context.DeadlineExceeded) || len(r.times) != 1 {
			t.Errorf("%d attempts, after %v: %v", len(r.times), d, err)
		}
		if got := errors.Is(err, api.ErrOutcomeUnknown); got != (op == onExchange.name) {
			t.Errorf("outcome unknown: %v", got)
		}
	})
	inBothOps(t, "before the call", func(t *testing.T, op string) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("shutting down"))
		r := onScript(t, api.RetryPolicy{}, nil, hang)
		if d, err := r.call(ctx, op); d != 0 || !errors.Is(err, context.Canceled) || errors.Is(err, api.ErrOutcomeUnknown) {
			t.Errorf("after %v: %v", d, err)
		}
	})
}

// Full jitter: a wait is anything between nothing and the doubled, capped delay.
func TestBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bounds := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second}
		shortest, longest := make([]time.Duration, 5), make([]time.Duration, 5)
		for i := range shortest {
			shortest[i] = time.Hour
		}
		for range 300 {
			r := onScript(t, api.RetryPolicy{MaxAttempts: 6, BaseDelay: time.Second, MaxDelay: 5 * time.Second}, nil, says(503, ""))
			if _, err := r.call(t.Context(), onCreate.name); err == nil {
				t.Fatal("no error")
			}
			for i, wait := range r.waits() {
				shortest[i], longest[i] = min(shortest[i], wait), max(longest[i], wait)
			}
		}
		for i, bound := range bounds { // the odds that 300 even draws all miss a fifth are 1 to 10²⁹
			if longest[i] > bound || longest[i] < bound*4/5 || shortest[i] > bound/5 {
				t.Errorf("wait %d was between %v and %v, want all of 0 to %v", i+1, shortest[i], longest[i], bound)
			}
		}
	})
}

func TestDefaultPolicy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var longest [2]time.Duration
		for range 100 {
			r := onScript(t, api.RetryPolicy{}, nil, says(502, ""))
			_, _ = r.call(t.Context(), onCreate.name)
			waits := r.waits()
			if len(waits) != 2 {
				t.Fatalf("%d attempts, want 3", len(waits)+1)
			}
			longest = [2]time.Duration{max(longest[0], waits[0]), max(longest[1], waits[1])}
		}
		if longest[0] > 250*time.Millisecond || longest[0] < 150*time.Millisecond || longest[1] > 500*time.Millisecond || longest[1] < 300*time.Millisecond {
			t.Errorf("the longest waits were %v, want nearly 250ms and 500ms", longest)
		}
	})
}

// The longest durations overflow nothing.
func TestExtremePolicies(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]api.RetryPolicy{
		"both":      {MaxAttempts: math.MaxInt, BaseDelay: math.MaxInt64, MaxDelay: math.MaxInt64},
		"max delay": {MaxAttempts: 200, BaseDelay: time.Nanosecond, MaxDelay: math.MaxInt64},
		"many":      {MaxAttempts: 200, BaseDelay: time.Nanosecond, MaxDelay: time.Nanosecond},
		"odd":       {MaxAttempts: 100, BaseDelay: 3*time.Hour + 7, MaxDelay: 5 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				defer time.AfterFunc(10_000*time.Hour, cancel).Stop()
				r := onScript(t, policy, nil, says(502, ""))
				_, err := r.call(ctx, onCreate.name)
				var e *api.Error
				if !errors.As(err, &e) || e.StatusCode != 502 {
					t.Errorf("error: %v", err)
				}
				for i, wait := range r.waits() {
					if wait < 0 || wait > policy.MaxDelay {
						t.Errorf("wait %d was %v", i, wait)
					}
				}
			})
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	// In a bubble it is the year 2000.
	in := func(d time.Duration) string {
		return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(d).Format(http.TimeFormat)
	}
	policy := api.RetryPolicy{BaseDelay: time.Microsecond, MaxDelay: 10 * time.Second}
	for value, want := range map[string]struct {
		wait   time.Duration // at least, and at most a microsecond more
		atOnce bool          // the error comes back at once instead
		after  time.Duration // what it says
	}{
		"0":                             {},
		"2":                             {wait: 2 * time.Second, after: 2 * time.Second},
		"10":                            {wait: 10 * time.Second, after: 10 * time.Second},
		"11":                            {atOnce: true, after: 11 * time.Second},
		"3600":                          {atOnce: true, after: time.Hour},
		"9223372036":                    {atOnce: true, after: 9223372036 * time.Second},
		"9223372037":                    {}, // longer than a Duration
		"99999999999999999999999999":    {},
		"-1":                            {},
		"-99999999999999999999999999":   {},
		"NaN":                           {},
		"Inf":                           {},
		"1.5":                           {},
		"1e3":                           {},
		"0x10":                          {},
		"soon":                          {},
		"":                              {},
		"5, 6":                          {},
		in(3 * time.Second):             {wait: 3 * time.Second, after: 3 * time.Second},
		in(-3 * time.Second):            {},
		in(time.Hour):                   {atOnce: true, after: time.Hour},
		"Sat, 32 Jan 2000 00:00:00 GMT": {},
		"2000-01-01T00:00:03Z":          {},
		"Fri, 31 Dec 9999 23:59:59 GMT": {atOnce: true, after: math.MaxInt64},
	} {
		for _, status := range []int{429, 503} {
			inBothOps(t, fmt.Sprintf("%q with %d", value, status), func(t *testing.T, op string) {
				// What the error says, while the clock stands still.
				r := onScript(t, api.RetryPolicy{MaxAttempts: 1}, nil, says(status, "", "Retry-After", value))
				_, err := r.call(t.Context(), op)
				var e *api.Error
				if !errors.As(err, &e) || e.RetryAfter != want.after {
					t.Errorf("RetryAfter is not %v: %#v", want.after, err)
				}

				r = onScript(t, policy, nil, says(status, "", "Retry-After", value), good)
				d, err := r.call(t.Context(), op)
				switch {
				case want.atOnce:
					if !errors.As(err, &e) || e.RetryAfter != want.after || e.StatusCode != status || d != 0 || len(r.times) != 1 {
						t.Errorf("%d attempts, after %v: %#v", len(r.times), d, err)
					}
					if got := errors.Is(err, api.ErrOutcomeUnknown); got != (status == 503 && op == onExchange.name) {
						t.Errorf("outcome unknown: %v: %v", got, err)
					}
				case err != nil || len(r.times) != 2 || d < want.wait || d > want.wait+time.Microsecond:
					t.Errorf("%d attempts, after %v: %v", len(r.times), d, err)
				}
			})
		}
	}
}

// A wait that would outlast the context is not begun.
func TestWaitLongerThanTheDeadline(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		step     step
		deadline time.Duration
		begun    bool
	}{
		"Retry-After":            {says(429, errTooMany, "Retry-After", "5"), 3 * time.Second, false},
		"Retry-After, precisely": {says(429, errTooMany, "Retry-After", "5"), 5 * time.Second, false},
		"Retry-After, just":      {says(429, errTooMany, "Retry-After", "5"), 5*time.Second + time.Millisecond, true},
		"backoff":                {fails(syscall.ECONNREFUSED), time.Nanosecond, false},
	} {
		inBothOps(t, name, func(t *testing.T, op string) {
			ctx, cancel := context.WithTimeout(t.Context(), tc.deadline)
			defer cancel()
			policy := api.RetryPolicy{BaseDelay: time.Nanosecond, MaxDelay: time.Hour}
			if name == "backoff" {
				policy.BaseDelay = time.Hour
			}
			r := onScript(t, policy, nil, tc.step, good)
			d, err := r.call(ctx, op)
			if tc.begun {
				if err != nil || d != 5*time.Second {
					t.Errorf("after %v: %v", d, err)
				}
				return
			}
			if err == nil || d != 0 || len(r.times) != 1 || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%d attempts, after %v: %v", len(r.times), d, err)
			}
			var e *api.Error
			if errors.As(err, &e) && e.StatusCode == 429 && e.RetryAfter != 5*time.Second {
				t.Errorf("RetryAfter = %v", e.RetryAfter)
			}
		})
	}
}

// Waiting ends with the context, and the last error is kept inside.
func TestCancelWhileWaiting(t *testing.T) {
	t.Parallel()
	shutdown := errors.New("shutting down")
	for name, tc := range map[string]struct {
		step   step
		is     []error
		status int
	}{
		"429":     {says(429, errTooMany, "Retry-After", "5"), []error{api.ErrRateLimited}, 429},
		"refused": {fails(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), []error{syscall.ECONNREFUSED}, 0},
	} {
		inBothOps(t, name, func(t *testing.T, op string) {
			ctx, cancel := context.WithCancelCause(t.Context())
			stop := time.AfterFunc(time.Second, func() { cancel(shutdown) })
			defer stop.Stop()
			// The base delay is such that no draw is below a second.
			r := onScript(t, api.RetryPolicy{BaseDelay: math.MaxInt64, MaxDelay: math.MaxInt64}, nil, tc.step)
			d, err := r.call(ctx, op)
			var e *api.Error
			if !errors.As(err, &e) || e.StatusCode != tc.status || d != time.Second || len(r.times) != 1 {
				t.Errorf("%d attempts, after %v: %v", len(r.times), d, err)
			}
			for _, target := range append([]error{context.Canceled, shutdown}, tc.is...) {
				if !errors.Is(err, target) {
					t.Errorf("%q is not in: %v", target, err)
				}
			}
			if tc.status == 429 && e.RetryAfter != 5*time.Second {
				t.Errorf("RetryAfter = %v", e.RetryAfter)
			}
			if errors.Is(err, api.ErrOutcomeUnknown) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error: %q", err.Error())
			}
		})
	}
}

// A tokens hands out the numbered tokens t-1, t-2, …, or always t-1, or fails.
type tokens struct {
	mu     sync.Mutex
	given  int
	same   bool
	failAt int
}

func (s *tokens) Token() (*oauth2.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.given++
	if s.given == s.failAt {
		return nil, errors.New("no more tokens")
	}
	n := s.given
	if s.same {
		n = 1
	}
	return &oauth2.Token{AccessToken: fmt.Sprint("t-", n)}, nil
}

func TestUnauthorized(t *testing.T) {
	t.Parallel()
	deny := func(body string) step { return says(http.StatusUnauthorized, body) }
	for name, tc := range map[string]struct {
		tokens   *tokens
		policy   api.RetryPolicy
		steps    []step
		attempts int
		given    int // tokens
		bearers  string
		is       error // nil: success
		message  string
	}{
		"expired, then well":          {&tokens{}, api.RetryPolicy{}, []step{deny(errExpired), good}, 2, 2, "t-1 t-2", nil, ""},
		"unauthorized, then well":     {&tokens{}, api.RetryPolicy{}, []step{deny(errUnknown), good}, 2, 2, "t-1 t-2", nil, ""},
		"without a code, then well":   {&tokens{}, api.RetryPolicy{}, []step{deny("<html>"), good}, 2, 2, "t-1 t-2", nil, ""},
		"even where nothing else is":  {&tokens{}, api.RetryPolicy{MaxAttempts: 1}, []step{deny(errExpired), good}, 2, 2, "t-1 t-2", nil, ""},
		"twice":                       {&tokens{}, api.RetryPolicy{}, []step{deny(errExpired), deny(errUnknown), good}, 2, 2, "t-1 t-2", api.ErrUnauthorized, "unknown"},
		"twice expired":               {&tokens{}, api.RetryPolicy{}, []step{deny(errExpired)}, 2, 2, "t-1 t-2", api.ErrTokenExpired, "expired"},
		"twice, with a 429 between":   {&tokens{}, api.RetryPolicy{}, []step{deny(errExpired), says(429, ""), deny(errUnknown), good}, 3, 2, "t-1 t-2 t-2", api.ErrUnauthorized, "unknown"},
		"after two 429, then well":    {&tokens{}, api.RetryPolicy{}, []step{says(429, ""), says(429, ""), deny(errExpired), good}, 4, 2, "t-1 t-1 t-1 t-2", nil, ""},
		"and the same token again":    {&tokens{same: true}, api.RetryPolicy{}, []step{deny(errExpired), good}, 1, 2, "t-1", api.ErrTokenExpired, "expired"},
		"a StaticToken":               {nil, api.RetryPolicy{}, []step{deny(errUnknown), good}, 1, 0, retryToken, api.ErrUnauthorized, "unknown"},
		"and then no token any more":  {&tokens{failAt: 2}, api.RetryPolicy{}, []step{deny(errExpired), good}, 1, 2, "t-1", errAny, "no more tokens"},
		"403 is not about the token":  {&tokens{}, api.RetryPolicy{}, []step{says(403, errExpired), good}, 1, 1, "t-1", api.ErrTokenExpired, "expired"},
		"a code without the status":   {&tokens{}, api.RetryPolicy{}, []step{says(400, errUnknown), good}, 1, 1, "t-1", api.ErrUnauthorized, "unknown"},
		"exhausted after the replay":  {&tokens{}, api.RetryPolicy{MaxAttempts: 2}, []step{deny(errExpired), says(429, "")}, 3, 2, "t-1 t-2 t-2", api.ErrRateLimited, ""},
		"broken off, which is a 401":  {&tokens{}, api.RetryPolicy{}, []step{breaks(401, io.ErrUnexpectedEOF), good}, 2, 2, "t-1 t-2", nil, ""},
		"twice, and the call is over": {&tokens{}, api.RetryPolicy{MaxAttempts: 9}, []step{deny(errUnknown)}, 2, 2, "t-1 t-2", api.ErrUnauthorized, "unknown"},
	} {
		inBothOps(t, name, func(t *testing.T, op string) {
			source, made := auth.StaticToken(retryToken), &tokens{}
			if tc.tokens != nil {
				made = &tokens{same: tc.tokens.same, failAt: tc.tokens.failAt}
				source = auth.FromTokenSource(made)
			}
			policy := tc.policy
			policy.BaseDelay = time.Nanosecond
			r := onScript(t, policy, source, tc.steps...)
			d, err := r.call(t.Context(), op)
			var bearers []string
			for _, seen := range r.seen {
				bearers = append(bearers, strings.TrimPrefix(seen.header.Get("Authorization"), "Bearer "))
			}
			if r.info.Attempts != tc.attempts || made.given != tc.given || strings.Join(bearers, " ") != tc.bearers {
				t.Errorf("%d attempts with %q, %d tokens; want %d with %s, %d", r.info.Attempts, bearers, made.given, tc.attempts, tc.bearers, tc.given)
			}
			if d > time.Microsecond {
				t.Errorf("it took %v", d)
			}
			var e *api.Error
			switch {
			case tc.is == nil && err != nil:
				t.Errorf("error: %v", err)
			case tc.is == nil:
			case !errors.As(err, &e) || !strings.Contains(err.Error(), tc.message) || tc.is != errAny && !errors.Is(err, tc.is):
				t.Errorf("got %v, want %v (%s)", err, tc.is, tc.message)
			}
			if errors.Is(err, api.ErrOutcomeUnknown) {
				t.Errorf("an outcome that is known: %v", err)
			}
		})
	}
}

var errAny = errors.New("any")

// A hundred calls that fail on one dead token cause one token request, over real HTTP.
func TestDeadTokenOfManyCalls(t *testing.T) {
	t.Parallel()
	const calls = 100
	var mu sync.Mutex
	var issued, denied, processed int
	var arrived sync.WaitGroup
	arrived.Add(calls)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/auth/token" {
			mu.Lock()
			issued++
			n := issued
			mu.Unlock()
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"access_token":"t-%d","token_type":"bearer","expires_in":3600}`, n)
			return
		}
		if r.Header.Get("Authorization") == "Bearer t-1" {
			arrived.Done()
			arrived.Wait() // all are under way before the first is denied
			mu.Lock()
			denied++
			mu.Unlock()
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, errExpired)
			return
		}
		mu.Lock()
		processed++
		mu.Unlock()
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, bothGood)
	}))
	defer server.Close()
	guard := secrettest.New(t, "s3cret-of-100-calls")
	source, err := auth.ClientCredentials("client", "s3cret-of-100-calls", auth.WithTokenURL(server.URL+"/auth/token"))
	if err != nil {
		t.Fatal(err)
	}
	client, err := api.New(source, api.WithBaseURL(server.URL), api.WithLogger(guard.Logger()))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() {
			var info api.HTTPInfo
			var err error
			if i%2 == 0 {
				_, err = client.ExchangeToken(t.Context(), gen.ExchangeTokenRequest{ExchangeableToken: "e"}, api.WithHTTPInfo(&info))
			} else {
				req := gen.CreateLinkSessionRequest{CustomerUser: gen.LinkSessionCustomerUser{ID: "u"}, RedirectURI: "https://yourdomain.com/oauth.html"}
				_, err = client.CreateLinkSession(t.Context(), req, api.WithHTTPInfo(&info))
			}
			if err != nil || info.Attempts != 2 {
				t.Errorf("%d attempts: %v", info.Attempts, err)
			}
		})
	}
	all.Wait()
	if issued != 2 || denied != calls || processed != calls {
		t.Errorf("%d token requests, %d calls denied, %d processed; want 2, %d, %[4]d", issued, denied, processed, calls)
	}
}

// A token endpoint that is down for a while fails no call that can wait for it, and is not asked more often than its
// backoff allows.
func TestTokenEndpointThatRecovers(t *testing.T) {
	t.Parallel()
	inBothOps(t, "", func(t *testing.T, op string) {
		endpoint := &script{steps: []step{fails(syscall.ECONNREFUSED), says(503, ""), says(201, `{"access_token":"t-1","expires_in":60}`)}}
		source, err := auth.ClientCredentials("client", retryToken, auth.WithHTTPClient(&http.Client{Transport: endpoint}))
		if err != nil {
			t.Fatal(err)
		}
		r := onScript(t, api.RetryPolicy{BaseDelay: time.Nanosecond, MaxDelay: 2 * time.Second}, source, good)
		d, err := r.call(t.Context(), op)
		if err != nil || r.info.Attempts != 1 {
			t.Errorf("%d attempts: %v", r.info.Attempts, err)
		}
		if waits := endpoint.waits(); len(waits) != 2 || waits[0] < 500*time.Millisecond || waits[1] < time.Second || d > 1501*time.Millisecond*3/2 {
			t.Errorf("the token endpoint was asked again after %v", waits)
		}
	})
	inBothOps(t, "but refuses the credentials", func(t *testing.T, op string) {
		endpoint := &script{steps: []step{says(401, errUnknown)}}
		source, err := auth.ClientCredentials("client", retryToken, auth.WithHTTPClient(&http.Client{Transport: endpoint}))
		if err != nil {
			t.Fatal(err)
		}
		r := onScript(t, api.RetryPolicy{}, source, good)
		d, err := r.call(t.Context(), op)
		if !errors.Is(err, api.ErrUnauthorized) || d != 0 || len(endpoint.times) != 1 || r.info.Attempts != 0 {
			t.Errorf("%d token requests, %d attempts, after %v: %v", len(endpoint.times), r.info.Attempts, d, err)
		}
	})
}

// Every attempt can be seen: in HTTPInfo, as a line in the log, and as a request of its own by the caller's transport.
func TestAttemptsAreVisible(t *testing.T) {
	t.Parallel()
	inBothOps(t, "", func(t *testing.T, op string) {
		var log bytes.Buffer
		r := onScript(t, api.RetryPolicy{}, auth.FromTokenSource(&tokens{}),
			says(429, errTooMany, "X-Request-Id", "r-1"), says(401, errExpired, "X-Request-Id", "r-2"),
			fails(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), says(201, bothGood, "X-Request-Id", "r-4"))
		r.guard.Add("Bearer t-")
		var err error
		r.client, err = api.New(auth.FromTokenSource(&tokens{}), api.WithHTTPClient(&http.Client{Transport: r.script}),
			api.WithLogger(r.guard.Logger(&log)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.call(t.Context(), op); err != nil {
			t.Fatal(err)
		}
		if r.info.Attempts != 4 || r.info.StatusCode != 201 || r.info.Header.Get("X-Request-Id") != "r-4" || len(r.seen) != 4 {
			t.Errorf("HTTPInfo: %+v; the transport saw %d", r.info, len(r.seen))
		}
		type line struct {
			Level, Msg, Operation string
			Attempt, Status       int
			RequestID             string `json:"request_id"`
		}
		for i, want := range []line{
			{"WARN", "moneykit request", op, 1, 429, "r-1"},
			{"WARN", "moneykit request", op, 2, 401, "r-2"},
			{"WARN", "moneykit request", op, 3, 0, ""},
			{"DEBUG", "moneykit request", op, 4, 201, "r-4"},
		} {
			var got line
			text, _ := log.ReadString('\n')
			if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
				t.Errorf("line %d is %s, want %+v", i+1, text, want)
			}
		}
		if log.Len() > 0 {
			t.Errorf("there is more in the log: %s", &log)
		}
	})
}

// A body that an editor puts in place of the client's is tracked like the client's own.
func TestBodyOfAnEditor(t *testing.T) {
	t.Parallel()
	transport := &script{steps: []step{func(r *http.Request) (*http.Response, error) {
		if r.GetBody != nil {
			t.Error("there is a GetBody, of another body")
		}
		return nil, errors.New("failed")
	}}}
	client, err := api.New(auth.StaticToken(retryToken), api.WithHTTPClient(&http.Client{Transport: transport}),
		api.WithRequestEditor(func(_ context.Context, r *http.Request) error {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("{}")), 2
			return nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.ExchangeToken(t.Context(), gen.ExchangeTokenRequest{ExchangeableToken: retrySecret})
	if errors.Is(err, api.ErrOutcomeUnknown) || len(transport.times) != 3 {
		t.Errorf("nothing was read: %d attempts: %v", len(transport.times), err)
	}
	transport.times, transport.steps = nil, []step{dies(errors.New("failed"))}
	_, err = client.ExchangeToken(t.Context(), gen.ExchangeTokenRequest{ExchangeableToken: retrySecret})
	if !errors.Is(err, api.ErrOutcomeUnknown) || len(transport.times) != 1 {
		t.Errorf("it was read: %d attempts: %v", len(transport.times), err)
	}
}

// A transport that repeats requests by itself hides from the client what came of the first try: what its last try says
// is not enough to try again.
func TestTransportThatRepeats(t *testing.T) {
	t.Parallel()
	server := newHostileServer(t, listenLoopback(t), nil, nil, afterRequest(func(*hostileConn, hostileRequest) {}))
	transport := &repeating{http.DefaultTransport.(*http.Transport).Clone()}
	dial, dials, refusing := transport.DialContext, 0, refusingAddr(t)
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials++; dials > 1 { // the server is gone
			addr = refusing
		}
		return dial(ctx, network, addr)
	}
	client, err := api.New(auth.StaticToken(retryToken), api.WithBaseURL(server.url()), api.WithHTTPClient(&http.Client{Transport: transport}),
		api.WithRetryPolicy(api.RetryPolicy{BaseDelay: 1, MaxDelay: 1}))
	if err != nil {
		t.Fatal(err)
	}
	var info api.HTTPInfo
	_, err = client.ExchangeToken(t.Context(), gen.ExchangeTokenRequest{ExchangeableToken: retrySecret}, api.WithHTTPInfo(&info))
	if !errors.Is(err, syscall.ECONNREFUSED) || !errors.Is(err, api.ErrOutcomeUnknown) || info.Attempts != 1 {
		t.Errorf("%d attempts: %v", info.Attempts, err)
	}
	server.stop(t)
}

type repeating struct{ *http.Transport }

func (r *repeating) RoundTrip(req *http.Request) (*http.Response, error) {
	data, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	for range 2 {
		again := req.Clone(req.Context())
		again.Body, again.GetBody = io.NopCloser(bytes.NewReader(data)), nil
		var res *http.Response
		if res, err = r.Transport.RoundTrip(again); err == nil {
			return res, nil
		}
	}
	return nil, err
}
