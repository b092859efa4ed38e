package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/moneykit/moneykit-go/internal/secrettest"
)

const stressSecret = "s3cret-under-stress"

// A fakeEndpoint is a token endpoint as an http.RoundTripper. It numbers the tokens that it issues.
type fakeEndpoint struct {
	respond func(r *http.Request, n int) (status int, body string, header http.Header, err error)

	mu       sync.Mutex
	requests []time.Time
}

func (e *fakeEndpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	e.mu.Lock()
	e.requests = append(e.requests, time.Now())
	n := len(e.requests)
	e.mu.Unlock()
	status, body, header, err := e.respond(r, n)
	if err != nil {
		return nil, err
	}
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (e *fakeEndpoint) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.requests)
}

// issues responds with token n, which lives for this many seconds.
func issues(n, seconds int) (int, string, http.Header, error) {
	return http.StatusCreated, fmt.Sprintf(`{"access_token":"token-%d","token_type":"bearer","expires_in":%d}`, n, seconds), nil, nil
}

type harness struct {
	*Source
	*fakeEndpoint
	guard *secrettest.Guard
}

func stress(t *testing.T, respond func(*http.Request, int) (int, string, http.Header, error)) harness {
	t.Helper()
	e := &fakeEndpoint{respond: respond}
	src, err := ClientCredentials("client", stressSecret, WithHTTPClient(&http.Client{Transport: e}))
	if err != nil {
		t.Fatal(err)
	}
	guard := secrettest.New(t, stressSecret, "token-1", "token-2")
	guard.Show(src)
	return harness{src, e, guard}
}

// get asks for a token, and returns how long that took.
func (r harness) get(ctx context.Context) (value string, took time.Duration, err error) {
	start := time.Now()
	tok, err := r.Token(ctx)
	r.guard.Show(tok, err)
	return tok.Value(), time.Since(start), err
}

// bubble runs f as a test with a clock of its own.
func bubble(t *testing.T, name string, f func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, f)
	})
}

// hang waits for the request's context.
func hang(r *http.Request, _ int) (int, string, http.Header, error) {
	<-r.Context().Done()
	return 0, "", nil, r.Context().Err()
}

func TestHungEndpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := stress(t, hang)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				if _, took, err := r.get(ctx); took != 100*time.Millisecond || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("left after %v: %v", took, err)
				}
			})
		}
		all.Wait()
		if r.count() != 1 {
			t.Errorf("%d token requests, want 1", r.count())
		}
		// Whoever comes while it hangs waits for the same request, which ends after fetchTimeout.
		_, took, err := r.get(t.Context())
		if took != fetchTimeout-100*time.Millisecond || r.count() != 1 {
			t.Errorf("after %v and %d token requests: %v", took, r.count(), err)
		}
		if e := (*Error)(nil); !errors.As(err, &e) || !e.Temporary() || e.StatusCode != 0 || !jittered(e.RetryAfter, firstBackoff) {
			t.Errorf("error: %#v", err)
		}
	})
}

func TestFailingEndpoint(t *testing.T) {
	t.Parallel()
	down := func(*http.Request, int) (int, string, http.Header, error) { return 503, "<html>", nil, nil }
	later := func(after string) func(*http.Request, int) (int, string, http.Header, error) {
		return func(*http.Request, int) (int, string, http.Header, error) {
			return 429, "", http.Header{"Retry-After": {after}}, nil
		}
	}
	for name, tc := range map[string]struct {
		respond func(*http.Request, int) (int, string, http.Header, error)
		waits   []time.Duration
	}{
		"503":                            {down, []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second}},
		"refused":                        {func(*http.Request, int) (int, string, http.Header, error) { return 0, "", nil, syscall.ECONNREFUSED }, []time.Duration{500 * time.Millisecond, time.Second}},
		"401":                            {func(*http.Request, int) (int, string, http.Header, error) { return 401, "", nil, nil }, []time.Duration{500 * time.Millisecond, time.Second}},
		"unreadable":                     {func(*http.Request, int) (int, string, http.Header, error) { return 201, "{}", nil, nil }, []time.Duration{500 * time.Millisecond, time.Second}},
		"Retry-After":                    {later("7"), []time.Duration{7 * time.Second, 7 * time.Second, 7 * time.Second, 7 * time.Second, 8 * time.Second}},
		"Retry-After below the backoff":  {later("1"), []time.Duration{time.Second, time.Second, 2 * time.Second}},
		"Retry-After that is garbage":    {later("NaN"), []time.Duration{500 * time.Millisecond, time.Second}},
		"Retry-After that is negative":   {later("-5"), []time.Duration{500 * time.Millisecond, time.Second}},
		"Retry-After of years":           {later("999999999"), []time.Duration{maxRetryAfter, maxRetryAfter}},
		"Retry-After of another century": {later("Fri, 31 Dec 9999 23:59:59 GMT"), []time.Duration{maxRetryAfter, maxRetryAfter}},
	} {
		bubble(t, name, func(t *testing.T) {
			r := stress(t, tc.respond)
			// Ten callers ask every 50 ms until the last of the waits has passed.
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			respond := r.respond
			r.respond = func(req *http.Request, n int) (int, string, http.Header, error) {
				if n > len(tc.waits) {
					cancel()
				}
				return respond(req, n)
			}
			var all sync.WaitGroup
			for range 10 {
				all.Go(func() {
					for ctx.Err() == nil {
						tok, err := r.Token(ctx)
						var e *Error
						if tok != nil || !errors.As(err, &e) || ctx.Err() == nil && (e.RetryAfter <= 0 || e.RetryAfter > maxRetryAfter*3/2) {
							t.Errorf("%v, %#v", tok, err)
							return
						}
						pause(ctx, 50*time.Millisecond)
					}
				})
			}
			all.Wait()
			if len(r.requests) != len(tc.waits)+1 {
				t.Fatalf("%d token requests, want %d", len(r.requests), len(tc.waits)+1)
			}
			for i, want := range tc.waits {
				if got := r.requests[i+1].Sub(r.requests[i]); !jittered(got-50*time.Millisecond, want) && !jittered(got, want) {
					t.Errorf("wait %d was %v, want %v and up to half as long again", i+1, got, want)
				}
			}
		})
	}

	bubble(t, "a success ends the backoff", func(t *testing.T) {
		r := stress(t, func(_ *http.Request, n int) (int, string, http.Header, error) {
			if n == 3 {
				return issues(n, 3600)
			}
			return 503, "", nil, nil
		})
		for _, want := range []time.Duration{firstBackoff, 2 * firstBackoff} {
			var e *Error
			if _, _, err := r.get(t.Context()); !errors.As(err, &e) || !jittered(e.RetryAfter, want) {
				t.Fatalf("error: %#v, want to wait %v", err, want)
			}
			wait := e.RetryAfter
			pause(t.Context(), wait/2)
			if _, _, err := r.get(t.Context()); !errors.As(err, &e) || e.RetryAfter != wait-wait/2 {
				t.Errorf("error: %#v, with %v left", err, wait/2)
			}
			pause(t.Context(), wait-wait/2)
		}
		tok, err := r.Token(t.Context())
		if err != nil || tok.Value() != "token-3" {
			t.Fatalf("%v, %v", tok, err)
		}
		r.Invalidate(tok)
		var e *Error
		if _, _, err := r.get(t.Context()); !errors.As(err, &e) || !jittered(e.RetryAfter, firstBackoff) {
			t.Errorf("error: %#v, want to wait %v again", err, firstBackoff)
		}
	})
}

// jittered reports whether got is want with jitter of up to a half.
func jittered(got, want time.Duration) bool { return got >= want && got <= want*3/2 }

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func TestCancelledLeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := stress(t, func(r *http.Request, n int) (int, string, http.Header, error) {
			pause(r.Context(), time.Second)
			if err := r.Context().Err(); err != nil {
				return 0, "", nil, err
			}
			return issues(n, 3600)
		})
		leaderLeft := errors.New("the leader left")
		ctx, cancel := context.WithCancelCause(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, took, err := r.get(ctx); took != 50*time.Millisecond || !errors.Is(err, context.Canceled) || !errors.Is(err, leaderLeft) {
				t.Errorf("the leader left after %v: %v", took, err)
			}
		})
		synctest.Wait()
		for range 49 {
			all.Go(func() {
				if value, took, err := r.get(t.Context()); took != time.Second || value != "token-1" {
					t.Errorf("after %v: %v", took, err)
				}
			})
		}
		pause(t.Context(), 50*time.Millisecond)
		cancel(leaderLeft)
		all.Wait()
		if r.count() != 1 {
			t.Errorf("%d token requests, want 1", r.count())
		}
	})

	bubble(t, "everyone left", func(t *testing.T) {
		r := stress(t, func(r *http.Request, n int) (int, string, http.Header, error) {
			pause(r.Context(), time.Second)
			return issues(n, 3600)
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, _, err := r.get(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		pause(t.Context(), time.Second)
		if value, took, err := r.get(t.Context()); value != "token-1" || took != 0 || r.count() != 1 {
			t.Errorf("the token was not kept: after %v: %v", took, err)
		}
	})
}

func TestExpiresIn(t *testing.T) {
	t.Parallel()
	const untilRefused = 0
	for in, want := range map[string]time.Duration{
		``: untilRefused, `,"expires_in":null`: untilRefused, `,"expires_in":0`: untilRefused, `,"expires_in":"0"`: untilRefused,
		`,"expires_in":-1`: untilRefused, `,"expires_in":-3600`: untilRefused, `,"expires_in":"-1"`: untilRefused,
		`,"expires_in":1`: time.Second, `,"expires_in":60`: time.Minute, `,"expires_in":3600`: time.Hour,
		`,"expires_in":"3600"`: time.Hour, `,"expires_in":" 3600"`: -1,
		`,"expires_in":2147483647`: math.MaxInt32 * time.Second, `,"expires_in":9999999999`: math.MaxInt32 * time.Second,
		`,"expires_in":9223372036854775807`: math.MaxInt32 * time.Second,
		// What is no whole number of seconds is refused, rather than guessed at.
		`,"expires_in":9223372036854775808`: -1, `,"expires_in":3600.5`: -1, `,"expires_in":1e9`: -1, `,"expires_in":"soon"`: -1,
		`,"expires_in":""`: -1, `,"expires_in":true`: -1, `,"expires_in":{}`: -1, `,"expires_in":[3600]`: -1,
	} {
		bubble(t, in, func(t *testing.T) {
			r := stress(t, func(*http.Request, int) (int, string, http.Header, error) {
				return 201, `{"access_token":"token-1","token_type":"bearer"` + in + `}`, nil, nil
			})
			for range 1000 { // at the same time, so that nothing may be asked twice
				tok, err := r.Token(t.Context())
				switch {
				case want >= 0 && (err != nil || lifetime(tok) != want):
					t.Fatalf("lifetime is %v, want %v: %v", tok, want, err)
				case want < 0 && err == nil:
					t.Fatalf("lifetime is %v, want an error", lifetime(tok))
				}
			}
			if r.count() != 1 {
				t.Errorf("%d token requests for 1000 calls, want 1", r.count())
			}
			if want == untilRefused {
				pause(t.Context(), 1000*time.Hour)
				tok, _ := r.Token(t.Context())
				if r.count() != 1 {
					t.Error("it was not kept")
				}
				r.Invalidate(tok)
				if _, err := r.Token(t.Context()); err != nil || r.count() != 2 {
					t.Errorf("after it was refused: %d token requests, %v", r.count(), err)
				}
			}
			synctest.Wait()
		})
	}
}

// lifetime is how long a token that was just fetched is used, 0 for as long as the server accepts it.
func lifetime(tok *Token) time.Duration {
	if tok.expires.IsZero() {
		return 0
	}
	return time.Until(tok.expires)
}

// In steady state no call waits for a token, however long the endpoint takes.
func TestEarlyRefresh(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		lifetime int // in seconds
		early    time.Duration
		latency  time.Duration
	}{
		"an hour":   {3600, time.Minute, 20 * time.Second},
		"a minute":  {60, 30 * time.Second, 5 * time.Second},
		"a second":  {1, 500 * time.Millisecond, 200 * time.Millisecond},
		"2 minutes": {120, time.Minute, time.Second},
	} {
		bubble(t, name, func(t *testing.T) {
			var wait atomic.Bool
			r := stress(t, func(r *http.Request, n int) (int, string, http.Header, error) {
				if wait.Load() {
					pause(r.Context(), tc.latency)
				}
				return issues(n, tc.lifetime)
			})
			if _, _, err := r.get(t.Context()); err != nil {
				t.Fatal(err)
			}
			wait.Store(true)
			const calls = 2_000
			interval := time.Duration(tc.lifetime) * time.Second / 100
			for range calls {
				pause(t.Context(), interval)
				start := time.Now()
				if _, err := r.Token(t.Context()); err != nil || time.Since(start) != 0 {
					t.Fatalf("a call waited %v: %v", time.Since(start), err)
				}
			}
			pause(t.Context(), tc.latency) // for the last refresh
			synctest.Wait()
			for i := range len(r.requests) - 1 {
				period := r.requests[i+1].Sub(r.requests[i])
				if want := time.Duration(tc.lifetime)*time.Second - tc.early; period < want || period > want+tc.latency+interval {
					t.Errorf("refresh %d came %v after the one before, want %v", i+1, period, want)
				}
			}
			if len(r.requests) < 19 {
				t.Errorf("%d token requests for 20 lifetimes", len(r.requests))
			}
		})
	}

	bubble(t, "that fails", func(t *testing.T) {
		r := stress(t, func(_ *http.Request, n int) (int, string, http.Header, error) {
			if n == 1 {
				return issues(n, 120)
			}
			return 503, "", nil, nil
		})
		var last time.Duration
		start := time.Now()
		for range 2 * 120 {
			if _, took, err := r.get(t.Context()); err == nil {
				last = time.Since(start)
			} else if took != 0 {
				t.Errorf("a call waited %v", took)
			}
			pause(t.Context(), time.Second)
		}
		if last != 119*time.Second {
			t.Errorf("the token was used for %v, want its whole lifetime", last)
		}
		if r.count() > 12 {
			t.Errorf("%d token requests", r.count())
		}
	})
}

type sourceFunc func() (*oauth2.Token, error)

func (f sourceFunc) Token() (*oauth2.Token, error) { return f() }

func TestTokenSourceThatPanics(t *testing.T) {
	t.Parallel()
	for name, misbehave := range map[string]func(){
		"panic with text":     func() { panic("oh no") },
		"panic with an error": func() { panic(errors.New("oh no")) },
		"panic with nil":      func() { panic(nil) },
		"a package's panic":   func() { _ = strings.Repeat("x", -1) },
		"nil pointer":         func() { var t *oauth2.Token; t.AccessToken = "x" },
		"runtime.Goexit":      runtime.Goexit,
		"an endless text":     func() { panic(strings.Repeat("x", 1<<20)) },
	} {
		bubble(t, name, func(t *testing.T) {
			var n atomic.Int32
			s := FromTokenSource(sourceFunc(func() (*oauth2.Token, error) {
				if n.Add(1) == 1 {
					pause(t.Context(), time.Second)
					misbehave()
				}
				return &oauth2.Token{AccessToken: "token-1"}, nil
			}))
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					tok, err := s.Token(t.Context())
					if e := (*Error)(nil); tok != nil || !errors.As(err, &e) || len(err.Error()) > 5000 {
						t.Errorf("%v, %.1000v", tok, err)
					}
				})
			}
			all.Wait()
			if n.Load() != 1 {
				t.Errorf("called %d times, want once", n.Load())
			}
			pause(t.Context(), firstBackoff*3/2)
			if tok, err := s.Token(t.Context()); err != nil || tok.Value() != "token-1" {
				t.Errorf("it is locked: %v", err)
			}
		})
	}

	bubble(t, "in the caller's http.Client", func(t *testing.T) {
		r := stress(t, func(_ *http.Request, n int) (int, string, http.Header, error) {
			if n == 1 {
				panic("oh no")
			}
			return issues(n, 60)
		})
		if _, _, err := r.get(t.Context()); err == nil || !strings.Contains(err.Error(), "oh no") {
			t.Errorf("error: %v", err)
		}
		pause(t.Context(), firstBackoff*3/2)
		if _, _, err := r.get(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestHungTokenSource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		s := FromTokenSource(sourceFunc(func() (*oauth2.Token, error) {
			n.Add(1)
			pause(context.Background(), time.Hour)
			return &oauth2.Token{AccessToken: "token-1"}, nil
		}))
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				start := time.Now()
				if _, err := s.Token(ctx); time.Since(start) != 100*time.Millisecond || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("left after %v: %v", time.Since(start), err)
				}
			})
		}
		all.Wait()
		// What comes at last is not thrown away.
		start := time.Now()
		tok, err := s.Token(t.Context())
		if err != nil || tok.Value() != "token-1" || n.Load() != 1 || time.Since(start) != time.Hour-100*time.Millisecond {
			t.Errorf("after %v and %d calls of it: %v", time.Since(start), n.Load(), err)
		}
	})
}

// Whatever callers do at the same time, tokens are fetched one at a time, and no more than were found dead.
func TestManyCallersAndDeadTokens(t *testing.T) {
	t.Parallel()
	var fetches, under, dead atomic.Int32
	s := FromTokenSource(sourceFunc(func() (*oauth2.Token, error) {
		if under.Add(1) != 1 {
			t.Error("two fetches at once")
		}
		defer under.Add(-1)
		runtime.Gosched()
		return &oauth2.Token{AccessToken: fmt.Sprint("token-", fetches.Add(1))}, nil
	}))
	var known sync.Map
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			for j := range 500 {
				tok, err := s.Token(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if (i+j)%7 == 0 {
					if _, again := known.LoadOrStore(tok.Value(), true); !again {
						dead.Add(1)
					}
					s.Invalidate(tok)
				}
			}
		})
	}
	all.Wait()
	if got, most := fetches.Load(), dead.Load()+1; got > most || got < 2 {
		t.Errorf("%d fetches for %d dead tokens", got, most-1)
	}
}

// A caller that finds a new token only once it has the lock starts no fetch for another one.
func TestAnotherCallerWasFaster(t *testing.T) {
	t.Parallel()
	src := &Source{fetch: func(context.Context) (*Token, error) { t.Error("a fetch"); return nil, errors.New("unwanted") }}
	tok, err := newToken(&oauth2.Token{AccessToken: "t", Expiry: time.Now().Add(time.Hour)}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	src.cached.Store(tok)
	c := src.refresh(t.Context())
	select {
	case <-c.done:
	default:
		t.Fatal("the caller waits")
	}
	if c.tok != tok || c.err != nil || src.pending != nil {
		t.Errorf("got %v, %v", c.tok, c.err)
	}
}
