package webhook

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	connected = `{"webhook_event":"link.state_changed","webhook_major_version":1,"webhook_minor_version":0,` +
		`"webhook_idempotency_key":"key-1","webhook_timestamp":"2026-03-01T12:00:00","link_id":"mk_1",` +
		`"link_tags":["attempt:1"],"state":"connected","error":null,"error_message":null}`
	refreshed = `{"webhook_event":"link.product_refresh","webhook_idempotency_key":"key-2","webhook_timestamp":"2026-03-01T12:00:01Z",` +
		`"link_id":"mk_1","link_tags":[],"product":"transactions","state":"completed","state_changed_at":"2026-03-01T12:00:01Z"}`
	available = `{"webhook_event":"transactions.updates_available","webhook_idempotency_key":"key-3",` +
		`"webhook_timestamp":"2026-03-01T12:00:02Z","link_id":"mk_1","has_history":true}`
)

// A testMoneyKit signs events and serves its public keys.
type testMoneyKit struct {
	key     *ecdsa.PrivateKey
	kid     string
	url     string
	fetches atomic.Int64
	serve   atomic.Pointer[http.HandlerFunc] // instead of the key set, unless nil
}

func newMoneyKit(t testing.TB) *testMoneyKit {
	t.Helper()
	m := &testMoneyKit{key: newKey(t), kid: "kid-1"}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.fetches.Add(1)
		if f := m.serve.Load(); f != nil {
			(*f)(w, r)
			return
		}
		_, _ = w.Write(keySetOf(t, m.kid, m.key))
	}))
	t.Cleanup(srv.Close)
	m.url = srv.URL
	return m
}

func (m *testMoneyKit) respond(f http.HandlerFunc) { m.serve.Store(&f) }

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func keySetOf(t testing.TB, kid string, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	data, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: kid, Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func claimsOf(body string, at time.Time) map[string]any {
	sum := sha256.Sum256([]byte(body))
	return map[string]any{"iss": "https://api.moneykit.com", "iat": at.Unix(), "request_body_sha256": hex.EncodeToString(sum[:])}
}

// sign returns the JWT of claims.
func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, kid string, claims any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// header returns the headers of an event that is signed as it should be.
func (m *testMoneyKit) header(t testing.TB, body string, at time.Time) http.Header {
	t.Helper()
	return headerWith(sign(t, jose.ES256, m.key, m.kid, claimsOf(body, at)))
}

func headerWith(token string) http.Header {
	return http.Header{
		"Content-Type":              {"application/json"},
		"Moneykit-Signature":        {token},
		"Moneykit-Delivery-Token":   {"delivery-1"},
		"Moneykit-Delivery-Attempt": {"1"},
	}
}

// A clock that only its test moves.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanos.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

func withClock(c *clock) Option {
	return func(o *options) error {
		o.now = c.now
		return nil
	}
}

func newVerifier(t testing.TB, m *testMoneyKit, c *clock, opts ...Option) *Verifier {
	t.Helper()
	v, err := NewVerifier(append([]Option{WithBaseURL(m.url), withClock(c)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
