package webhook

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// verify verifies an event that m signs now.
func (m *testMoneyKit) verify(t *testing.T, v *Verifier, c *clock) error {
	t.Helper()
	_, err := v.Verify(t.Context(), m.header(t, connected, c.now()), []byte(connected))
	return err
}

func (m *testMoneyKit) wantFetches(t *testing.T, want int64) {
	t.Helper()
	if got := m.fetches.Load(); got != want {
		t.Errorf("%d fetches of the keys, want %d", got, want)
	}
}

func TestKeysAreKept24Hours(t *testing.T) {
	t.Parallel()
	m, c := newMoneyKit(t), newClock()
	v := newVerifier(t, m, c)
	for range 24 { // each use is within an hour of the one before, which must not extend the 24
		if err := m.verify(t, v, c); err != nil {
			t.Fatal(err)
		}
		c.advance(time.Hour)
	}
	m.wantFetches(t, 1)
	if err := m.verify(t, v, c); err != nil {
		t.Fatal(err)
	}
	m.wantFetches(t, 2)
}

// A new key is fetched at once if the latest fetch is 5 minutes ago, and otherwise when it is.
func TestRotation(t *testing.T) {
	t.Parallel()
	m, c := newMoneyKit(t), newClock()
	v := newVerifier(t, m, c)
	if err := m.verify(t, v, c); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		m.key, m.kid = newKey(t), fmt.Sprint("new-", i)
		c.advance(5*time.Minute - 1)
		if err := m.verify(t, v, c); !errors.Is(err, ErrInvalidSignature) {
			t.Errorf("a new key within 5 minutes: got %v", err)
		}
		m.wantFetches(t, int64(i+1))
		c.advance(1)
		if err := m.verify(t, v, c); err != nil {
			t.Errorf("a new key after 5 minutes: %v", err)
		}
		m.wantFetches(t, int64(i+2))
	}
	m.key, m.kid = newKey(t), "late"
	c.advance(time.Hour)
	if err := m.verify(t, v, c); err != nil {
		t.Errorf("a new key after an hour: %v", err)
	}
	m.wantFetches(t, 5)
}

// A forged kid that comes first costs the one fetch that a Verifier needs anyway, also when the keys have expired.
func TestForgedKeysOfColdVerifier(t *testing.T) {
	t.Parallel()
	m, c := newMoneyKit(t), newClock()
	v := newVerifier(t, m, c)
	for fetches := range int64(2) {
		for i := range 20 {
			header := headerWith(sign(t, jose.ES256, m.key, fmt.Sprint("forged-", i), claimsOf(connected, c.now())))
			if _, err := v.Verify(t.Context(), header, []byte(connected)); !errors.Is(err, ErrInvalidSignature) {
				t.Errorf("got %v", err)
			}
			c.advance(time.Second)
		}
		if err := m.verify(t, v, c); err != nil {
			t.Error(err)
		}
		m.wantFetches(t, fetches+1)
		c.advance(24 * time.Hour)
	}
}

// A key that is no longer in the set is not used, even if its 24 hours are not over.
func TestRemovedKey(t *testing.T) {
	t.Parallel()
	m, c := newMoneyKit(t), newClock()
	v := newVerifier(t, m, c)
	if err := m.verify(t, v, c); err != nil {
		t.Fatal(err)
	}
	oldKey, oldID := m.key, m.kid
	m.key, m.kid = newKey(t), "kid-2"
	c.advance(5 * time.Minute)
	if err := m.verify(t, v, c); err != nil {
		t.Fatal(err)
	}
	header := headerWith(sign(t, jose.ES256, oldKey, oldID, claimsOf(connected, c.now())))
	if _, err := v.Verify(t.Context(), header, []byte(connected)); !errors.Is(err, ErrInvalidSignature) {
		t.Errorf("got %v", err)
	}
}

// Forged key ids cost one fetch per 5 minutes, whether it succeeds or fails.
func TestUnknownKeys(t *testing.T) {
	t.Parallel()
	for _, outage := range []bool{false, true} {
		m, c := newMoneyKit(t), newClock()
		v := newVerifier(t, m, c)
		if err := m.verify(t, v, c); err != nil {
			t.Fatal(err)
		}
		want := ErrInvalidSignature
		if outage {
			want = ErrKeysUnavailable
			m.respond(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		}
		for range 3 {
			c.advance(5 * time.Minute)
			for i := range 20 {
				header := headerWith(sign(t, jose.ES256, m.key, fmt.Sprint("forged-", i), claimsOf(connected, c.now())))
				if _, err := v.Verify(t.Context(), header, []byte(connected)); !errors.Is(err, want) {
					t.Fatalf("outage %v: got %v, want %v", outage, err, want)
				}
				c.advance(14 * time.Second) // 20 of them are under 5 minutes
			}
			c.advance(-20 * 14 * time.Second)
			if err := m.verify(t, v, c); err != nil {
				t.Errorf("outage %v: the key that is known: %v", outage, err)
			}
		}
		m.wantFetches(t, 4)
	}
}

// The last good keys serve through an outage until their 24 hours are over; then MoneyKit has to send events again.
func TestOutage(t *testing.T) {
	t.Parallel()
	m, c := newMoneyKit(t), newClock()
	v := newVerifier(t, m, c)
	if err := m.verify(t, v, c); err != nil {
		t.Fatal(err)
	}
	m.respond(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	c.advance(24*time.Hour - time.Second)
	if err := m.verify(t, v, c); err != nil {
		t.Errorf("within 24 hours: %v", err)
	}
	m.wantFetches(t, 1)
	c.advance(time.Second)
	for range 3 {
		if err := m.verify(t, v, c); !errors.Is(err, ErrKeysUnavailable) || errors.Is(err, ErrInvalidSignature) {
			t.Errorf("after 24 hours: got %v", err)
		}
	}
	m.wantFetches(t, 2)
	m.serve.Store(nil)
	c.advance(5 * time.Minute)
	if err := m.verify(t, v, c); err != nil {
		t.Errorf("after the outage: %v", err)
	}
	m.wantFetches(t, 3)
}

func TestClockSetBack(t *testing.T) {
	t.Parallel()
	m, c := newMoneyKit(t), newClock()
	v := newVerifier(t, m, c)
	m.respond(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	if err := m.verify(t, v, c); !errors.Is(err, ErrKeysUnavailable) {
		t.Fatal(err)
	}
	m.serve.Store(nil)
	c.advance(-365 * 24 * time.Hour)
	if err := m.verify(t, v, c); err != nil {
		t.Errorf("got %v", err)
	}
}

// Whatever comes instead of a key set, the error says what, and matches ErrKeysUnavailable.
func TestUnusableKeySets(t *testing.T) {
	t.Parallel()
	text := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	for name, tt := range map[string]struct {
		serve http.HandlerFunc
		want  string
	}{
		"404":      {text(404, "hunter2"), "status 404, want 200"},
		"500":      {text(500, "<html>hunter2"), "status 500, want 200"},
		"204":      {text(204, ""), "status 204, want 200"},
		"redirect": {http.RedirectHandler(elsewhere.URL, http.StatusFound).ServeHTTP, "status 302, want 200"},
		"HTML":     {text(200, "<html>hunter2"), "not a JWK set"},
		"no keys":  {text(200, `{"keys":[]}`), "none of the 0 keys"},
		"other":    {text(200, `{"hunter2":1}`), "none of the 0 keys"},
		"foreign":  {text(200, `{"keys":[{"kty":"RSA","kid":"hunter2"},7,null]}`), "none of the 3 keys"},
		"truncated": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("{"))
		}, "unexpected EOF"},
		"too long":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20+1)) }, "longer than 1048576 bytes"},
		"hung up":     {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"not a Place": {text(200, "{"), "GET 127.0.0.1:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, c := newMoneyKit(t), newClock()
			m.respond(tt.serve)
			err := m.verify(t, newVerifier(t, m, c), c)
			if !errors.Is(err, ErrKeysUnavailable) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "/.well-known/jwks.json") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the response is in the error: %v", err)
			}
		})
	}
}

// A key set without end is not read beyond the limit.
func TestEndlessKeySet(t *testing.T) {
	t.Parallel()
	m, c := newMoneyKit(t), newClock()
	body := &endless{}
	hc := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, ContentLength: -1, Body: io.NopCloser(body)}, nil
	})}
	err := m.verify(t, newVerifier(t, m, c, WithHTTPClient(hc)), c)
	if !errors.Is(err, ErrKeysUnavailable) || !strings.Contains(err.Error(), "longer than 1048576 bytes") || body.read != 1<<20+1 {
		t.Errorf("got %v after %d bytes", err, body.read)
	}
}

// endless is spaces, up to 64 MiB so that a test that fails ends. It counts those that are read.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	if e.read > 64<<20 {
		return 0, io.EOF
	}
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}

func TestKeySetOfExactlyTheLimit(t *testing.T) {
	t.Parallel()
	m, c := newMoneyKit(t), newClock()
	set := keySetOf(t, m.kid, m.key)
	set = append(set, strings.Repeat(" ", 1<<20-len(set))...)
	m.respond(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(set) })
	if err := m.verify(t, newVerifier(t, m, c), c); err != nil {
		t.Error(err)
	}
}

// One bad or foreign key does not spoil the set.
func TestKeysAreDecodedOneByOne(t *testing.T) {
	t.Parallel()
	good := newKey(t)
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	jwk := func(key any, kid string) map[string]any {
		t.Helper()
		data, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: kid})
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	with := func(jwk map[string]any, name string, value any) map[string]any {
		jwk[name] = value
		return jwk
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	set.Keys = []map[string]any{
		with(jwk(good.Public(), "not on the curve"), "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
		with(jwk(good.Public(), "not base64"), "x", "!"),
		with(jwk(good.Public(), "short"), "x", "AAAA"),
		with(jwk(good.Public(), "kid a number"), "kid", 7),
		with(jwk(good.Public(), "for encryption"), "use", "enc"),
		with(jwk(good.Public(), "for another algorithm"), "alg", "ES384"),
		with(jwk(good.Public(), "of a new type"), "kty", "NEW"),
		with(jwk(good.Public(), "of a new curve"), "crv", "NEW"),
		jwk(good, "private"),
		jwk(good.Public(), ""),
		jwk(p384.Public(), "P-384"),
		jwk(rsaKey.Public(), "good"), // shares its kid with the good one
		with(jwk(good.Public(), "good"), "use", "sig"),
		jwk(newKey(t).Public(), "good"), // a second one
		with(jwk(good.Public(), "alg"), "alg", "ES256"),
		jwk(good.Public(), "bare"),
		{},
	}
	data, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := decodeKeys(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, kid := range []string{"good", "alg", "bare"} {
		if key := keys[kid]; key == nil || !key.Equal(good.Public()) {
			t.Errorf("%s: got %v", kid, key)
		}
		delete(keys, kid)
	}
	for kid := range keys {
		t.Errorf("%q was accepted", kid)
	}
}

func TestKeysRequest(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "sandbox_id"} {
		m, c := newMoneyKit(t), newClock()
		opts := []Option{WithBaseURL(m.url + "/prefix/")}
		if id != "" {
			opts = append(opts, WithClientID(id))
		}
		m.respond(func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("X-Client-Id"); got != id {
				t.Errorf("X-Client-Id: %q, want %q", got, id)
			}
			if r.Method != http.MethodGet || r.URL.Path != "/prefix/.well-known/jwks.json" || r.Header.Get("Authorization") != "" ||
				!strings.HasPrefix(r.UserAgent(), "moneykit-go/") || r.Header.Get("Accept") != "application/json" {
				t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
			}
			_, _ = w.Write(keySetOf(t, m.kid, m.key))
		})
		if err := m.verify(t, newVerifier(t, m, c, opts...), c); err != nil {
			t.Error(err)
		}
		m.wantFetches(t, 1)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Many callers share one fetch; each waits no longer than its context, and none ends it for the others.
func TestOneFetchForManyCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		key := newKey(t)
		set := keySetOf(t, "kid-1", key)
		fetches := 0
		hc := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			fetches++
			select {
			case <-time.After(3 * time.Second):
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
			rec := httptest.NewRecorder()
			_, _ = rec.Write(set)
			return rec.Result(), nil
		})}
		v, err := NewVerifier(WithHTTPClient(hc))
		if err != nil {
			t.Fatal(err)
		}
		header := headerWith(sign(t, jose.ES256, key, "kid-1", claimsOf(connected, time.Now())))
		start := time.Now()
		var callers sync.WaitGroup
		for i := range 50 {
			callers.Go(func() {
				timeout := time.Minute
				if i%2 == 0 {
					timeout = 100 * time.Millisecond // also that of the first caller, which starts the fetch
				}
				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				defer cancel()
				_, err := v.Verify(ctx, header, []byte(connected))
				switch {
				case i%2 == 0 && (!errors.Is(err, ErrKeysUnavailable) || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != timeout):
					t.Errorf("after %v: %v", time.Since(start), err)
				case i%2 == 1 && (err != nil || time.Since(start) != 3*time.Second):
					t.Errorf("after %v: %v", time.Since(start), err)
				}
			})
			synctest.Wait() // so that caller 0 is the first
		}
		callers.Wait()
		if fetches != 1 {
			t.Errorf("%d fetches, want 1", fetches)
		}
	})
}

// A fetch that hangs ends after 10 seconds, and the next one is due 5 minutes after its beginning.
func TestFetchTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fetches := 0
		hc := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			fetches++
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}
		v, err := NewVerifier(WithHTTPClient(hc))
		if err != nil {
			t.Fatal(err)
		}
		key, start := newKey(t), time.Now()
		verify := func(until time.Duration, want int) {
			t.Helper()
			header := headerWith(sign(t, jose.ES256, key, "kid-1", claimsOf(connected, time.Now())))
			_, err := v.Verify(t.Context(), header, []byte(connected))
			if !errors.Is(err, ErrKeysUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			if got := time.Since(start); got != until || fetches != want {
				t.Errorf("after %v, %d fetches; want %v, %d", got, fetches, until, want)
			}
		}
		verify(10*time.Second, 1)
		verify(10*time.Second, 1)
		<-time.After(time.Until(start.Add(5*time.Minute - 1)))
		verify(5*time.Minute-1, 1)
		<-time.After(1)
		verify(5*time.Minute+10*time.Second, 2)
	})
}

// A Transport that panics or ends its goroutine fails that fetch, and nothing else.
func TestHostileTransport(t *testing.T) {
	t.Parallel()
	for name, rt := range map[string]roundTripper{
		"panics":  func(*http.Request) (*http.Response, error) { panic("hunter2") },
		"returns": func(*http.Request) (*http.Response, error) { return nil, errors.New("line\nforged") },
		"nothing": func(*http.Request) (*http.Response, error) { return nil, nil },
	} {
		v, err := NewVerifier(WithHTTPClient(&http.Client{Transport: rt}))
		if err != nil {
			t.Fatal(err)
		}
		header := headerWith(sign(t, jose.ES256, newKey(t), "kid-1", claimsOf(connected, time.Now())))
		_, err = v.Verify(t.Context(), header, []byte(connected))
		if !errors.Is(err, ErrKeysUnavailable) || strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %q", name, err)
		}
	}
}
