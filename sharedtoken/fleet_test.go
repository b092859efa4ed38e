package sharedtoken

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/moneykit/moneykit-go/auth"
)

const (
	clientID     = "fleet-client-id"
	clientSecret = "fleet-client-secret-5f1c"
	tokenURL     = "https://api.moneykit.example/auth/token"
)

// A memoryStore is a store in memory. TestStore compares it with Redis.
type memoryStore struct {
	mu          sync.Mutex
	token, lock memoryEntry
	down        bool
	requests    int
	instants    int // at which there were requests
	last        time.Time
	removed     int       // tokens that were rejected
	clock       time.Time // stands still if it is set
}

func (m *memoryStore) now() time.Time {
	if !m.clock.IsZero() {
		return m.clock
	}
	return time.Now()
}

type memoryEntry struct {
	value   string
	expires time.Time
}

func (m *memoryStore) set(e *memoryEntry, value string, ttl time.Duration) {
	*e = memoryEntry{value, m.now().Add(ttl)}
}

func (m *memoryStore) get(e memoryEntry) string {
	if !m.now().Before(e.expires) {
		return ""
	}
	return e.value
}

var errDown = errors.New("the store is down")

func (m *memoryStore) begin() error {
	m.requests++
	if now := time.Now(); now != m.last {
		m.last = now
		m.instants++
	}
	if m.down {
		return errDown
	}
	return nil
}

func (m *memoryStore) load(_ context.Context, q query) (state, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(); err != nil {
		return state{}, err
	}
	if m.get(m.token) != "" && m.get(m.token) == q.rejected {
		m.token = memoryEntry{}
		m.removed++
	}
	if (m.get(m.token) == "" || m.get(m.token) == q.due) && m.get(m.lock) == "" {
		m.set(&m.lock, q.owner, lockTTL)
	}
	return state{token: m.get(m.token), lock: m.get(m.lock), locked: m.get(m.lock) == q.owner, now: m.now()}, nil
}

func (m *memoryStore) save(_ context.Context, owner, token string, ttl time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(); err != nil {
		return false, err
	}
	if m.get(m.lock) == owner {
		m.lock = memoryEntry{}
	} else if m.get(m.token) != "" {
		return m.get(m.token) == token, nil
	}
	m.set(&m.token, token, ttl)
	return true, nil
}

func (m *memoryStore) release(_ context.Context, owner, failure string, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(); err != nil {
		return err
	}
	if m.get(m.lock) == owner {
		m.set(&m.lock, failure, ttl)
	}
	return nil
}

// change makes the store fail or work, and empties it.
func (m *memoryStore) change(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down, m.token, m.lock = down, memoryEntry{}, memoryEntry{}
}

// An endpoint issues tokens, no more than limit a minute.
type endpoint struct {
	mu       sync.Mutex
	limit    int
	latency  time.Duration
	status   int // of failures, 0 for none
	lifetime time.Duration
	after    time.Duration // Retry-After of failures, 0 for none
	same     bool          // the same token each time

	window   time.Time // when the current minute of the limit began
	requests int       // in it
	issued   int
	rejected int
}

func newEndpoint() *endpoint {
	return &endpoint{limit: 300, latency: 200 * time.Millisecond, lifetime: time.Hour}
}

func (e *endpoint) RoundTrip(req *http.Request) (*http.Response, error) {
	e.mu.Lock()
	latency := e.latency
	e.mu.Unlock()
	time.Sleep(latency) //nolint:forbidigo // in a bubble
	e.mu.Lock()
	defer e.mu.Unlock()
	if now := time.Now(); now.Sub(e.window) >= time.Minute {
		e.window, e.requests = now, 0
	}
	e.requests++
	status, header := http.StatusCreated, http.Header{}
	switch {
	case e.status != 0:
		status = e.status
		if e.after > 0 {
			header.Set("Retry-After", strconv.Itoa(int(e.after.Seconds())))
		}
	case e.requests > e.limit:
		status = http.StatusTooManyRequests
		header.Set("Retry-After", strconv.Itoa(int((time.Minute-time.Since(e.window)+time.Second-1)/time.Second)))
	}
	var body string
	if status == http.StatusCreated {
		e.issued++
		number := e.issued
		if e.same {
			number = 1
		}
		body = fmt.Sprintf(`{"access_token":"access-%d","token_type":"bearer","expires_in":%d}`, number, int(e.lifetime.Seconds()))
	} else {
		e.rejected++
		body = fmt.Sprintf(`{"error_code":"code-%d","error_message":"message %d"}`, status, status)
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
}

// counts returns how many tokens were issued and how many requests failed.
func (e *endpoint) counts() (issued, rejected int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.issued, e.rejected
}

func (e *endpoint) set(change func(*endpoint)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(e)
}

// newShared returns a process's source.
func newShared(t testing.TB, st store, rt http.RoundTripper) *Source {
	t.Helper()
	s, err := newSource(clientID, clientSecret, auth.WithTokenURL(tokenURL), auth.WithHTTPClient(&http.Client{Transport: rt}))
	if err != nil {
		t.Fatal(err)
	}
	s.store = st
	return s
}

// fleet returns the sources of n processes.
func fleet(t testing.TB, n int, st store, rt http.RoundTripper) []*auth.Source {
	t.Helper()
	out := make([]*auth.Source, n)
	for i := range out {
		out[i] = auth.FromTokenSource(newShared(t, st, rt))
	}
	return out
}

// tokens calls all processes at the same time, and returns how many got which token, and the errors.
func tokens(t testing.TB, processes []*auth.Source) (values map[string]int, failures []error) {
	t.Helper()
	values = map[string]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, p := range processes {
		all.Go(func() {
			tok, err := p.Token(t.Context())
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failures = append(failures, err)
				return
			}
			values[tok.Value()]++
		})
	}
	all.Wait()
	return values, failures
}

// callFor makes every process ask for a token every 5 seconds for d.
func callFor(t testing.TB, processes []*auth.Source, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		if _, failures := tokens(t, processes); failures != nil {
			t.Fatalf("%d of %d processes have no token: %v", len(failures), len(processes), failures[0])
		}
		time.Sleep(5 * time.Second) //nolint:forbidigo // in a bubble
	}
}

// checkSpread checks that what many processes do at a random time within d is spread over it.
func checkSpread(t testing.TB, what string, at []time.Time, d time.Duration) {
	t.Helper()
	if got := slices.MaxFunc(at, time.Time.Compare).Sub(slices.MinFunc(at, time.Time.Compare)); got < d/2 || got > d {
		t.Errorf("%s is spread over %v, want %v", what, got, d)
	}
}

func mustToken(t testing.TB, s *Source) *oauth2.Token {
	t.Helper()
	tok, err := s.Token()
	if err != nil {
		t.Fatal(err)
	}
	return tok
}
