package webhook

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// BenchmarkVerify compares an event that is verified with a cached key with what no implementation can save: one SHA-256
// of the body and one verification of the signature.
func BenchmarkVerify(b *testing.B) {
	m, c := newMoneyKit(b), newClock()
	v := newVerifier(b, m, c)
	header := m.header(b, connected, c.now())
	body := []byte(connected)
	if _, err := v.Verify(b.Context(), header, body); err != nil {
		b.Fatal(err)
	}
	b.Run("client=event", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(b.Context(), header, body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("client=ecdsa", func(b *testing.B) {
		sum := sha256.Sum256(body)
		sig, err := ecdsa.SignASN1(nil, m.key, sum[:])
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if sum := sha256.Sum256(body); !ecdsa.VerifyASN1(&m.key.PublicKey, sum[:], sig) {
				b.Fatal("invalid")
			}
		}
	})
	b.Run("client=forged", func(b *testing.B) {
		claims := claimsOf(connected+" ", c.now())
		header := headerWith(sign(b, jose.ES256, newKey(b), "kid-9", claims))
		before := m.fetches.Load()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(b.Context(), header, body); err == nil {
				b.Fatal("no error")
			}
		}
		if n := m.fetches.Load() - before; n != 0 {
			b.Errorf("%d fetches of the keys", n)
		}
	})
}
