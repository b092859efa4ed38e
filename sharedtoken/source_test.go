package sharedtoken

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/moneykit/moneykit-go/auth"
)

func TestOneFetchForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st, e := &memoryStore{}, newEndpoint()
		processes := fleet(t, 200, st, e)
		start := time.Now()
		values, failures := tokens(t, processes)
		if failures != nil || !maps.Equal(values, map[string]int{"access-1": 200}) {
			t.Errorf("got %v, %v", values, failures)
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("the last process waited %v", d)
		}
		// Two hours of calls, with a renewal each.
		callFor(t, processes, 2*time.Hour)
		if issued, rejected := e.counts(); issued != 3 || rejected != 0 {
			t.Errorf("%d token requests, and %d more failed; want 3", issued, rejected)
		}
		if perToken := float64(st.requests) / 3 / 200; perToken > 4 {
			t.Errorf("a process sent %.1f requests to the store for a token", perToken)
		}
	})
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 0
		tok, err := newShared(t, &memoryStore{}, e).Token()
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(tok.Expiry); tok.Type() != "Bearer" || left <= time.Hour-spread || left > time.Hour {
			t.Errorf("a %s token expires in %v, want at most %v less than an hour", tok.Type(), left, spread)
		}
		// Each process comes back at a time of its own.
		st := &memoryStore{}
		var expiries []time.Time
		for range 100 {
			expiries = append(expiries, mustToken(t, newShared(t, st, e)).Expiry)
		}
		checkSpread(t, "the renewal", expiries, spread)
		// One without expires_in is stored too.
		e.lifetime = 0
		st = &memoryStore{}
		for range 2 {
			if tok, err := newShared(t, st, e).Token(); err != nil || tok.AccessToken != "access-3" || !tok.Expiry.IsZero() {
				t.Errorf("got %+v, %v", tok, err)
			}
		}
	})
}

// A short lifetime has renewals of its own scale.
func TestShortLifetime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.lifetime = time.Minute
		callFor(t, fleet(t, 50, &memoryStore{}, e), 10*time.Minute)
		if issued, _ := e.counts(); issued < 10 || issued > 25 {
			t.Errorf("%d token requests in ten minutes for tokens of one", issued)
		}
	})
}

func TestHolderDies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st, e := &memoryStore{}, newEndpoint()
		if dead, err := st.load(t.Context(), query{owner: "dead"}); err != nil || !dead.locked {
			t.Fatal("no lock", err)
		}
		start := time.Now()
		if values, failures := tokens(t, fleet(t, 100, st, e)); failures != nil || len(values) != 1 {
			t.Errorf("got %v, %v", values, failures)
		}
		if d := time.Since(start); d < lockTTL || d > lockTTL+2*time.Second {
			t.Errorf("the processes waited %v", d)
		}
		if issued, _ := e.counts(); issued != 1 {
			t.Errorf("%d token requests", issued)
		}
		if st.instants < 200 { // with jitter, hardly two of them ask at the same time
			t.Errorf("%d requests to the store at %d times", st.requests, st.instants)
		}
	})
}

// Whoever can write to the store can make processes wait for a while, and no more.
func TestForeignLock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, r := range map[string]*record{
			"garbage":        nil,
			"an old failure": {Failure: &failure{StatusCode: 401}, Expires: time.Now().UnixMilli()},
			"a token":        {AccessToken: "old", Expires: time.Now().Add(time.Hour).UnixMilli()},
		} {
			st, e := &memoryStore{}, newEndpoint()
			s, lock := newShared(t, st, e), "garbage"
			if r != nil {
				lock, _ = s.sealer.seal(*r)
			}
			st.set(&st.lock, lock, time.Hour)
			start := time.Now()
			if tok, err := s.Token(); err != nil || tok.AccessToken != "access-1" || time.Since(start) > 20*time.Second {
				t.Errorf("%s: got %v, %v after %v", name, tok, err, time.Since(start))
			}
		}
	})
}

// A token endpoint that is slower than the lock lasts gets a few requests, not one of each process.
func TestSlowEndpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		e.latency = 8 * time.Second
		start := time.Now()
		if values, failures := tokens(t, fleet(t, 100, &memoryStore{}, e)); failures != nil || time.Since(start) > 15*time.Second {
			t.Errorf("after %v: %v, %v", time.Since(start), values, failures)
		}
		if issued, _ := e.counts(); issued != 2 {
			t.Errorf("%d token requests, want 2", issued)
		}
	})
}

// slowFirst delays the first request.
type slowFirst struct {
	*endpoint
	delay time.Duration
	slept bool
}

func (s *slowFirst) RoundTrip(req *http.Request) (*http.Response, error) {
	if !s.slept {
		s.slept = true
		time.Sleep(s.delay) //nolint:forbidigo // in a bubble
	}
	return s.endpoint.RoundTrip(req)
}

// A process that was stopped while it fetched does not replace the token of the one that took over.
func TestLateHolder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st, e := &memoryStore{}, newEndpoint()
		late := newShared(t, st, &slowFirst{endpoint: e, delay: 20 * time.Second})
		done := make(chan *oauth2.Token)
		go func() {
			tok, _ := late.Token()
			done <- tok
		}()
		synctest.Wait()
		other := newShared(t, st, e)
		first, err := other.Token()
		if err != nil {
			t.Fatal(err)
		}
		own := <-done
		if own == nil || own.AccessToken == first.AccessToken {
			t.Fatalf("the late process got %v", own)
		}
		for _, p := range []*Source{newShared(t, st, e), late} {
			if tok, err := p.Token(); err != nil || tok.AccessToken != first.AccessToken {
				t.Errorf("got %v, %v, want the token of the process that took over", tok, err)
			}
		}
		if left := time.Until(own.Expiry); left > 2*recheck {
			t.Errorf("the late process comes back in %v", left)
		}
	})
}

func TestInvalidate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st, e := &memoryStore{}, newEndpoint()
		processes := fleet(t, 100, st, e)
		tokens(t, processes)
		for _, p := range processes {
			tok, _ := p.Token(t.Context())
			p.Invalidate(tok)
		}
		if values, failures := tokens(t, processes); failures != nil || !maps.Equal(values, map[string]int{"access-2": 100}) {
			t.Errorf("got %v, %v", values, failures)
		}
		if issued, _ := e.counts(); issued != 2 || st.removed != 1 {
			t.Errorf("%d token requests, and %d tokens removed from the store", issued, st.removed)
		}
		// One process that has never heard of the new token, and one that is not asked about its own.
		s := newShared(t, st, e)
		s.Invalidate(nil)
		s.Invalidate(&oauth2.Token{AccessToken: "access-2"})
		if tok, err := s.Token(); err != nil || tok.AccessToken != "access-2" {
			t.Errorf("got %v, %v", tok, err)
		}
		s.Invalidate(&oauth2.Token{AccessToken: "access-1"})
		if tok, err := s.Token(); err != nil || tok.AccessToken != "access-2" {
			t.Errorf("got %v, %v", tok, err)
		}
	})
}

// A process that does not know yet that the token was rejected may put it into a store that has lost it.
func TestRejectedTokenIsStoredAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st, e := &memoryStore{}, newEndpoint()
		first, second := newShared(t, st, e), newShared(t, st, e)
		first.Invalidate(mustToken(t, first))
		mustToken(t, second)
		st.change(false)
		if tok := mustToken(t, second); tok.AccessToken != "access-1" {
			t.Fatalf("got %s", tok.AccessToken)
		}
		for _, s := range []*Source{first, second} {
			if tok := mustToken(t, s); tok.AccessToken != "access-2" {
				t.Errorf("got %s", tok.AccessToken)
			}
		}
		if issued, _ := e.counts(); issued != 2 || st.removed != 1 {
			t.Errorf("%d token requests, and %d tokens removed from the store", issued, st.removed)
		}
	})
}

func TestFailureIsShared(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusTooManyRequests, http.StatusUnauthorized, http.StatusServiceUnavailable} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint()
				e.status = status
				processes := fleet(t, 100, &memoryStore{}, e)
				_, failures := tokens(t, processes)
				if len(failures) != 100 {
					t.Fatalf("%d failures", len(failures))
				}
				for _, err := range failures {
					var failed *auth.Error
					if !errors.As(err, &failed) || failed.StatusCode != status || failed.Code != fmt.Sprint("code-", status) ||
						failed.Message != fmt.Sprint("message ", status) || failed.RetryAfter <= 0 {
						t.Fatalf("got %v", err)
					}
				}
				if _, rejected := e.counts(); rejected != 1 {
					t.Errorf("%d token requests failed, want 1 for all", rejected)
				}
				for start := time.Now(); time.Since(start) < time.Minute; time.Sleep(time.Second) { //nolint:forbidigo // in a bubble
					tokens(t, processes)
				}
				if _, rejected := e.counts(); rejected > 31 {
					t.Errorf("%d token requests failed within a minute", rejected)
				}
				e.set(func(e *endpoint) { e.status = 0 })
				time.Sleep(90 * time.Second) //nolint:forbidigo // in a bubble
				if values, failures := tokens(t, processes); failures != nil || len(values) != 1 {
					t.Errorf("afterwards: %v, %v", values, failures)
				}
			})
		})
	}
}

// While the token is valid, nobody notices that it cannot be renewed.
func TestRenewalFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint()
		processes := fleet(t, 50, &memoryStore{}, e)
		callFor(t, processes, 56*time.Minute)
		e.set(func(e *endpoint) { e.status = http.StatusServiceUnavailable })
		callFor(t, processes, 3*time.Minute)
		if _, rejected := e.counts(); rejected == 0 || rejected > 60 {
			t.Errorf("%d token requests failed", rejected)
		}
		e.set(func(e *endpoint) { e.status = 0 })
		callFor(t, processes, 2*time.Minute)
		if issued, _ := e.counts(); issued != 2 {
			t.Errorf("%d token requests", issued)
		}
	})
}

type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no route to host")
}

// A process that cannot reach the token endpoint does not stop the others.
func TestFailureOfOneProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st, e := &memoryStore{}, newEndpoint()
		broken := newShared(t, st, unreachable{})
		if _, err := broken.Token(); err == nil || !strings.Contains(err.Error(), "no route to host") {
			t.Fatalf("got %v", err)
		}
		start := time.Now()
		if values, failures := tokens(t, fleet(t, 10, st, e)); failures != nil || len(values) != 1 || time.Since(start) > time.Second {
			t.Errorf("after %v: %v, %v", time.Since(start), values, failures)
		}
		if tok, err := broken.Token(); err != nil || tok.AccessToken != "access-1" {
			t.Errorf("the broken process got %v, %v", tok, err)
		}
	})
}

func TestStoreDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st, e := &memoryStore{down: true}, newEndpoint()
		processes := fleet(t, 100, st, e)
		values, failures := tokens(t, processes)
		if failures != nil || len(values) != 100 {
			t.Fatalf("got %d tokens, %v", len(values), failures)
		}
		var expiries []time.Time
		for _, p := range processes {
			tok, _ := p.Token(t.Context())
			expiries = append(expiries, tok.Expiry())
		}
		checkSpread(t, "the return to the store", expiries, recheck)
		callFor(t, processes, 10*time.Minute)
		if issued, _ := e.counts(); issued != 100 {
			t.Errorf("%d token requests, want one of each process", issued)
		}
		// It comes back empty: it gets one of the tokens, and the others take that.
		st.change(false)
		callFor(t, processes, 2*recheck)
		if values, _ := tokens(t, processes); len(values) != 1 {
			t.Errorf("%d tokens in use", len(values))
		}
		if issued, _ := e.counts(); issued != 100 {
			t.Errorf("%d more token requests", issued-100)
		}
	})
}

// A process keeps the shared token while the store is down, and needs its own only near the end.
func TestStoreFailsLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st, e := &memoryStore{}, newEndpoint()
		processes := fleet(t, 100, st, e)
		callFor(t, processes, time.Minute)
		st.change(true)
		callFor(t, processes, 58*time.Minute)
		if issued, _ := e.counts(); issued != 1 {
			t.Errorf("%d token requests while the token was valid", issued)
		}
		callFor(t, processes, 2*time.Minute)
		if issued, rejected := e.counts(); issued != 101 || rejected != 0 {
			t.Errorf("%d token requests, and %d failed; want one more of each process", issued, rejected)
		}
	})
}

// A token of its own that the API rejects is not published.
func TestOwnTokenIsRejected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st, e := &memoryStore{down: true}, newEndpoint()
		s := newShared(t, st, e)
		own, err := s.Token()
		if err != nil {
			t.Fatal(err)
		}
		s.Invalidate(own)
		st.change(false)
		for _, p := range []*Source{s, newShared(t, st, e)} {
			if tok, err := p.Token(); err != nil || tok.AccessToken != "access-2" {
				t.Errorf("got %v, %v", tok, err)
			}
		}
	})
}

// A failure that may be one process's own, such as its proxy's, stops the others for a minute at most.
func TestFailureEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st, e := &memoryStore{}, newEndpoint()
		e.status, e.after = http.StatusServiceUnavailable, 24*time.Hour
		if _, err := newShared(t, st, e).Token(); err == nil {
			t.Fatal("no error")
		}
		e.status = 0
		time.Sleep(59 * time.Second) //nolint:forbidigo // in a bubble
		if _, err := newShared(t, st, e).Token(); err == nil {
			t.Error("no error after 59 seconds")
		}
		time.Sleep(2 * time.Second) //nolint:forbidigo // in a bubble
		if tok, err := newShared(t, st, e).Token(); err != nil || tok.AccessToken == "" {
			t.Errorf("after 61 seconds: %v", err)
		}
	})
}

// An endpoint that issues a token again which was rejected, as one with a cache does, is not asked for it each time.
func TestRejectedTokenIsIssuedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st, e := &memoryStore{}, newEndpoint()
		e.same = true
		s := newShared(t, st, e)
		first, err := s.Token()
		if err != nil {
			t.Fatal(err)
		}
		s.Invalidate(first)
		for range 10 {
			if tok, err := s.Token(); err != nil || tok.AccessToken != first.AccessToken {
				t.Fatalf("got %v, %v", tok, err)
			}
		}
		if issued, _ := e.counts(); issued != 2 {
			t.Errorf("%d token requests, want 2", issued)
		}
		if _, rejected := s.held(); rejected != "" { // it would be removed from the store each time
			t.Error("the token counts as rejected")
		}
	})
}

// Each bubble is a process with a clock of its own. They share a store with another one.
func TestClocksDiffer(t *testing.T) {
	t.Parallel()
	st, e := &memoryStore{clock: time.Date(2000, 1, 1, 3, 0, 0, 0, time.UTC)}, newEndpoint()
	e.latency = 0
	for _, ahead := range []time.Duration{7 * time.Minute, 0, 14 * time.Minute, 26 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(ahead) //nolint:forbidigo // in a bubble
			tok, err := newShared(t, st, e).Token()
			if err != nil || tok.AccessToken != "access-1" {
				t.Fatalf("%v ahead: got %v, %v", ahead, tok, err)
			}
			if left := time.Until(tok.Expiry); left <= time.Hour-spread || left > time.Hour {
				t.Errorf("%v ahead: the token expires in %v", ahead, left)
			}
		})
	}
	// A failure counts as long for all.
	failing := &memoryStore{clock: st.clock}
	e.status, e.after = http.StatusTooManyRequests, 30*time.Second
	for _, ahead := range []time.Duration{7 * time.Minute, 0, 14 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(ahead) //nolint:forbidigo // in a bubble
			var failed *auth.Error
			if _, err := newShared(t, failing, e).Token(); !errors.As(err, &failed) || failed.RetryAfter < 19*time.Second || failed.RetryAfter > 30*time.Second {
				t.Errorf("%v ahead: got %v, want 20 to 30 seconds until the next request, to which auth adds up to half as much", ahead, err)
			}
			if _, err := auth.FromTokenSource(newShared(t, failing, e)).Token(t.Context()); !errors.As(err, &failed) || failed.RetryAfter < 19*time.Second || failed.RetryAfter > 45*time.Second {
				t.Errorf("%v ahead, through auth: %v", ahead, err)
			}
		})
	}
	e.status = 0
	st.clock = st.clock.Add(58 * time.Minute)
	synctest.Test(t, func(t *testing.T) {
		if tok, err := newShared(t, st, e).Token(); err != nil || tok.AccessToken != "access-2" {
			t.Errorf("got %v, %v, want a new token", tok, err)
		}
	})
}

func TestUnreadableValue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, value := range map[string]func(*Source) string{
			"garbage": func(*Source) string { return "garbage" },
			"a failure": func(s *Source) string {
				v, _ := s.sealer.seal(record{Failure: &failure{StatusCode: 401}})
				return v
			},
			"an old token": func(s *Source) string {
				v, _ := s.sealer.seal(record{AccessToken: "old", Lifetime: time.Hour, Expires: time.Now().UnixMilli()})
				return v
			},
		} {
			st, e := &memoryStore{}, newEndpoint()
			s := newShared(t, st, e)
			st.set(&st.token, value(s), 24*time.Hour)
			for range 2 {
				if tok, err := s.Token(); err != nil || tok.AccessToken != "access-1" {
					t.Errorf("%s: got %v, %v", name, tok, err)
				}
				s = newShared(t, st, e)
			}
		}
	})
}

func TestNew(t *testing.T) {
	t.Parallel()
	if _, err := New(nil, clientID, clientSecret); err == nil || !strings.Contains(err.Error(), "Redis client is nil") {
		t.Errorf("got %v", err)
	}
	if _, err := newSource(clientID, ""); err == nil || !strings.Contains(err.Error(), "client secret is empty") {
		t.Errorf("got %v", err)
	}
	var none *Source
	for _, s := range []*Source{none, {}} {
		if _, err := s.Token(); err == nil || !strings.Contains(err.Error(), "make it with New") {
			t.Errorf("got %v", err)
		}
		s.Invalidate(&oauth2.Token{AccessToken: "x"})
	}
}

func TestNoSecretIsPrinted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := &memoryStore{}
		s := newShared(t, st, newEndpoint())
		if _, err := s.Token(); err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf("%v %+v %#v %s", s, s, s, s.String())
		data, err := json.Marshal(s) //nolint:staticcheck // SA9005: that nothing is in it is the point
		if err != nil {
			t.Fatal(err)
		}
		shown := text + string(data) + s.sealer.name + st.token.value
		for _, secret := range []string{clientSecret, "access-1", clientID} {
			if strings.Contains(shown, secret) {
				t.Errorf("%q is in %q", secret, shown)
			}
		}
		if text != strings.TrimSpace(strings.Repeat("sharedtoken.Source ", 4)) {
			t.Errorf("prints as %s", text)
		}
	})
}

// What a process does with the token that it has, at an age and with a store and an endpoint that may fail.
func TestTokenNearItsEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		left             time.Duration
		down             bool // the store
		fails            bool // the endpoint
		want             string
		earliest, latest time.Duration // until the Expiry
	}{
		{name: "the store is down", left: 20 * time.Minute, down: true, want: "access-1", earliest: recheck, latest: 2 * recheck},
		{name: "the store is down, a minute is left", left: time.Minute, down: true, want: "access-1", latest: time.Minute},
		{name: "the store is down, little is left", left: 20 * time.Second, down: true, want: "access-2", earliest: recheck, latest: 2 * recheck},
		{name: "both fail", left: 20 * time.Second, down: true, fails: true, want: "access-1", latest: 20 * time.Second},
		{name: "both fail, too little is left", left: 4 * time.Second, down: true, fails: true},
		{name: "the endpoint fails", left: 2 * time.Minute, fails: true, want: "access-1", latest: 2 * time.Minute},
		{name: "the endpoint fails, too little is left", left: 4 * time.Second, fails: true},
		{name: "too little is left", left: 4 * time.Second, want: "access-2", latest: time.Hour},
		{name: "it is due", left: 2 * time.Minute, want: "access-2", earliest: time.Hour - spread, latest: time.Hour},
		{name: "it is not", left: 4 * time.Minute, want: "access-1", latest: 4 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				st, e := &memoryStore{}, newEndpoint()
				e.latency = 0
				s := newShared(t, st, e)
				mustToken(t, s)
				time.Sleep(time.Hour - c.left) //nolint:forbidigo // in a bubble
				st.mu.Lock()
				st.down = c.down
				st.mu.Unlock()
				if c.fails {
					e.status = http.StatusServiceUnavailable
				}
				tok, err := s.Token()
				if c.want == "" {
					if err == nil {
						t.Errorf("got %s", tok.AccessToken)
					}
					return
				}
				if err != nil || tok.AccessToken != c.want {
					t.Fatalf("got %v, %v, want %s", tok, err, c.want)
				}
				if left := time.Until(tok.Expiry); left < c.earliest || left > c.latest {
					t.Errorf("it expires in %v, want %v to %v", left, c.earliest, c.latest)
				}
			})
		})
	}
}

// A process that starts while another one renews the token takes the one that is still valid.
func TestStartDuringRenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st, e := &memoryStore{}, newEndpoint()
		first := newShared(t, st, e)
		mustToken(t, first)
		time.Sleep(time.Hour - renewBefore) //nolint:forbidigo // in a bubble
		e.set(func(e *endpoint) { e.latency = 3 * time.Second })
		var renewing sync.WaitGroup
		renewing.Go(func() { mustToken(t, first) })
		synctest.Wait()
		start := time.Now()
		if tok := mustToken(t, newShared(t, st, e)); tok.AccessToken != "access-1" || time.Since(start) != 0 {
			t.Errorf("got %s after %v", tok.AccessToken, time.Since(start))
		}
		renewing.Wait()
		if tok := mustToken(t, newShared(t, st, e)); tok.AccessToken != "access-2" {
			t.Errorf("afterwards: %s", tok.AccessToken)
		}
	})
}

// A process with a token of its own waits for no other.
func TestOwnTokenMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := &memoryStore{down: true}
		s := newShared(t, st, newEndpoint())
		mustToken(t, s)
		st.change(false)
		if _, err := st.load(t.Context(), query{owner: "other"}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if tok := mustToken(t, s); tok.AccessToken != "access-1" || time.Until(tok.Expiry) > 2*recheck || time.Since(start) != 0 {
			t.Errorf("got %s until %v after %v", tok.AccessToken, tok.Expiry, time.Since(start))
		}
	})
}

// Processes that start one after the other, as a supervisor starts them again, send no more requests than one would.
func TestFailureOfMany(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ status, after, least, most int }{
		"wrong secret": {http.StatusUnauthorized, 0, 10, 30},
		"Retry-After":  {http.StatusTooManyRequests, 20, 2, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				st, e := &memoryStore{}, newEndpoint()
				e.status, e.after = c.status, time.Duration(c.after)*time.Second
				for start := time.Now(); time.Since(start) < time.Minute; time.Sleep(100 * time.Millisecond) { //nolint:forbidigo // in a bubble
					if _, err := newShared(t, st, e).Token(); err == nil {
						t.Fatal("no error")
					}
				}
				if _, rejected := e.counts(); rejected < c.least || rejected > c.most {
					t.Errorf("%d token requests in a minute, want %d to %d", rejected, c.least, c.most)
				}
			})
		})
	}
}
