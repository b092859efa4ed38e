package webhook

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/moneykit/moneykit-go/internal/transport"
)

const (
	keysMaxAge    = 24 * time.Hour
	fetchInterval = 5 * time.Minute  // between the beginnings of two fetches
	fetchTimeout  = 10 * time.Second // of a fetch, whose own context nobody cancels
	maxKeySet     = 1 << 20
)

// A keyCache holds MoneyKit's public keys.
type keyCache struct {
	client   *http.Client
	url      *url.URL
	clientID string
	now      func() time.Time

	current atomic.Pointer[keySet] // the last set that was fetched, nil before the first

	mu   sync.Mutex
	last *keyFetch // the latest fetch, under way or done; nil before the first
}

// A keySet is the keys of one successful fetch by kid.
type keySet struct {
	keys    map[string]*ecdsa.PublicKey
	expires time.Time
}

// fresh reports whether the set can be used. A nil set cannot.
func (s *keySet) fresh(now time.Time) bool { return s != nil && now.Before(s.expires) }

// A keyFetch is one request for the keys. Any number of callers wait for it.
type keyFetch struct {
	started time.Time
	done    chan struct{} // closed once err is set
	err     error
}

func newKeyCache(hc *http.Client, u *url.URL, clientID string, now func() time.Time) *keyCache {
	return &keyCache{client: hc, url: u, clientID: clientID, now: now}
}

// get returns the key named kid. If it is not there, it waits for a fetch of the keys, no longer than ctx.
func (c *keyCache) get(ctx context.Context, kid string) (*ecdsa.PublicKey, error) {
	if kid == "" {
		return nil, invalid("the JWT has no kid")
	}
	if key := c.cached(kid); key != nil {
		return key, nil
	}
	f := c.fetch(ctx)
	select {
	case <-f.done:
	default:
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, &verifyError{kind: ErrKeysUnavailable, msg: "waiting for the keys", cause: transport.ContextError(ctx)}
		}
	}
	if key := c.cached(kid); key != nil {
		return key, nil
	}
	if f.err != nil {
		return nil, &verifyError{kind: ErrKeysUnavailable, msg: "GET " + transport.HostPath(c.url), cause: f.err}
	}
	return nil, invalid("the JWT's kid %.64q is none of MoneyKit's keys", kid)
}

func (c *keyCache) cached(kid string) *ecdsa.PublicKey {
	if set := c.current.Load(); set.fresh(c.now()) {
		return set.keys[kid]
	}
	return nil
}

// fetch returns the latest fetch, or starts another one if that is due. The kid that it is for may be forged, so a fetch
// is due 5 minutes after the one before, whatever came of that.
func (c *keyCache) fetch(ctx context.Context) *keyFetch {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if c.last != nil {
		if age := now.Sub(c.last.started); age >= 0 && age < fetchInterval { // it is negative if the clock was set back
			return c.last
		}
		select {
		case <-c.last.done:
		default:
			return c.last
		}
	}
	c.last = &keyFetch{started: now, done: make(chan struct{})}
	go c.run(context.WithoutCancel(ctx), c.last)
	return c.last
}

// run fetches the keys for f. A fetch that fails leaves the keys that are there.
func (c *keyCache) run(ctx context.Context, f *keyFetch) {
	defer close(f.done)
	err := errors.New("the HTTP client ended the goroutine")
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("the HTTP client panicked")
		}
		f.err = err
	}()
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	var keys map[string]*ecdsa.PublicKey
	if keys, err = c.request(ctx); err == nil {
		c.current.Store(&keySet{keys: keys, expires: f.started.Add(keysMaxAge)})
	}
}

func (c *keyCache) request(ctx context.Context) (map[string]*ecdsa.PublicKey, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url.String(), nil)
	if err != nil {
		return nil, errors.New("the URL is not one that net/http accepts")
	}
	transport.SetHeaders(r.Header, transport.UserAgent)
	r.Header.Set("Accept", "application/json")
	if c.clientID != "" {
		r.Header.Set("X-Client-Id", c.clientID)
	}
	res, err := c.client.Do(r)
	if ue := (*url.Error)(nil); errors.As(err, &ue) {
		return nil, transport.Redactor{}.CleanError(ue.Err) // without the URL, which the caller names
	} else if err != nil {
		return nil, transport.Redactor{}.CleanError(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d, want 200", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxKeySet+1))
	if err != nil {
		return nil, transport.Redactor{}.CleanError(err)
	}
	if len(body) > maxKeySet {
		return nil, fmt.Errorf("the key set is longer than %d bytes", maxKeySet)
	}
	return decodeKeys(body)
}

// decodeKeys returns the keys of a JWK set that can verify ES256, by kid. It skips every other key, also one that is
// malformed; of several with one kid it takes the first.
func decodeKeys(data []byte) (map[string]*ecdsa.PublicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, errors.New("the response is not a JWK set")
	}
	keys := make(map[string]*ecdsa.PublicKey)
	for _, raw := range set.Keys {
		kid, key := decodeKey(raw)
		if key != nil && keys[kid] == nil {
			keys[kid] = key
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("none of the %d keys in the response can verify ES256", len(set.Keys))
	}
	return keys, nil
}

func decodeKey(raw json.RawMessage) (kid string, key *ecdsa.PublicKey) {
	var meta struct {
		Curve     string `json:"crv"`
		Algorithm string `json:"alg"`
		Use       string `json:"use"`
		ID        string `json:"kid"`
	}
	if json.Unmarshal(raw, &meta) != nil || meta.Curve != "P-256" || meta.ID == "" ||
		meta.Use != "" && meta.Use != "sig" || meta.Algorithm != "" && meta.Algorithm != "ES256" {
		return "", nil
	}
	var jwk jose.JSONWebKey
	if jwk.UnmarshalJSON(raw) != nil {
		return "", nil
	}
	key, _ = jwk.Key.(*ecdsa.PublicKey) // nil for a private key
	return meta.ID, key
}
