package webhook

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Only what MoneyKit's key signed is accepted, and go-jose accepts all of it too.
func FuzzToken(f *testing.F) {
	key := newKey(f)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	signed := sign(f, jose.ES256, key, "kid-1", claimsOf(connected, now))
	f.Add(signed, connected)
	f.Add(signed+".", connected)
	f.Add(sign(f, jose.HS256, []byte(strings.Repeat("k", 32)), "kid-1", claimsOf(connected, now)), connected)
	f.Add("eyJhbGciOiJub25lIn0.e30.", "")
	f.Add(strings.Repeat(".", 100), "")
	f.Fuzz(func(t *testing.T, raw, body string) {
		token, err := check(raw, []byte(body), now, nil)
		if err == nil {
			err = token.verify(&key.PublicKey)
		}
		if err != nil {
			if !errors.Is(err, ErrInvalidSignature) {
				t.Errorf("%q: got %v", raw, err)
			}
			return
		}
		jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256})
		if err == nil {
			_, err = jws.Verify(&key.PublicKey)
		}
		if err != nil || body != connected || jws.Signatures[0].Protected.KeyID != token.header.KeyID {
			t.Errorf("%q was accepted for %q: %v", raw, body, err)
		}
	})
}

// No key set makes decodeKeys panic, and each of its keys is one that go-jose can verify ES256 with.
func FuzzKeySet(f *testing.F) {
	f.Add(string(keySetOf(f, "kid-1", newKey(f))))
	f.Add(`{"keys":[{"kty":"EC","crv":"P-256","kid":"1","x":"AA","y":"AA"},{"kty":"RSA"},null,7]}`)
	f.Add(`{"keys":{}}`)
	token := sign(f, jose.ES256, newKey(f), "kid-1", claimsOf(connected, time.Now()))
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data string) {
		keys, err := decodeKeys([]byte(data))
		if (err == nil) != (len(keys) > 0) {
			t.Errorf("%d keys, %v", len(keys), err)
		}
		for kid, key := range keys {
			if _, err := key.ECDH(); kid == "" || err != nil {
				t.Errorf("%q: %v", kid, err)
			}
			if _, err := jws.Verify(key); !errors.Is(err, jose.ErrCryptoFailure) {
				t.Errorf("%q: got %v", kid, err)
			}
		}
	})
}

// What decodes has a type and an idempotency key, and what has a payload also a link.
func FuzzEvent(f *testing.F) {
	for _, body := range []string{connected, refreshed, available, `{"webhook_event":"x","webhook_idempotency_key":"k"}`, "null", "[]"} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		e, err := decodeEvent([]byte(body))
		if err != nil {
			if e != nil || !errors.Is(err, ErrInvalidSignature) {
				t.Errorf("got %+v, %v", e, err)
			}
			return
		}
		if e.Type == "" || e.IdempotencyKey == "" || string(e.Raw) != body || e.Payload != nil && e.LinkID == "" {
			t.Errorf("got %+v", e)
		}
	})
}
