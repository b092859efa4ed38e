// Package webhooks signs events as MoneyKit does, and sends them.
package webhooks

//go:generate env GOWORK=off go tool -modfile=../../../tools/go.mod oapi-codegen -config oapi-codegen.yaml ../../../openapi.yaml

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// issuer is the iss of every signature: the sandbox signs as MoneyKit does.
const issuer = "https://api.moneykit.com"

// Keys are the key that signs, and the one before it, whose signatures are still valid. They are safe for concurrent use.
type Keys struct {
	mu       sync.Mutex
	current  jose.JSONWebKey
	previous *jose.JSONWebKey
}

// NewKeys returns keys without a previous one.
func NewKeys() *Keys { return &Keys{current: newKey()} }

func newKey() jose.JSONWebKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return jose.JSONWebKey{Key: key, KeyID: rand.Text(), Algorithm: string(jose.ES256), Use: "sig"}
}

// Rotate makes a new key that signs from now on. The one before it stays in the set; the one before that does not.
func (k *Keys) Rotate() {
	k.mu.Lock()
	defer k.mu.Unlock()
	previous := k.current
	k.previous, k.current = &previous, newKey()
}

// Public returns the public keys as a JWK set.
func (k *Keys) Public() jose.JSONWebKeySet {
	k.mu.Lock()
	defer k.mu.Unlock()
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{k.current.Public()}}
	if k.previous != nil {
		set.Keys = append(set.Keys, k.previous.Public())
	}
	return set
}

// Sign returns the MoneyKit-Signature of a body that is signed at a time.
func (k *Keys) Sign(body []byte, at time.Time) (string, error) {
	k.mu.Lock()
	key := k.current
	k.mu.Unlock()
	return sign(key, body, at)
}

// Forge returns a signature with the id of the key that signs, made with another key.
func (k *Keys) Forge(body []byte, at time.Time) (string, error) {
	k.mu.Lock()
	key := k.current
	k.mu.Unlock()
	key.Key = newKey().Key
	return sign(key, body, at)
}

func sign(key jose.JSONWebKey, body []byte, at time.Time) (string, error) {
	sum := sha256.Sum256(body)
	claims, err := json.Marshal(map[string]any{"iss": issuer, "iat": at.Unix(), "request_body_sha256": hex.EncodeToString(sum[:])})
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("signing an event: %w", err)
	}
	jws, err := signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("signing an event: %w", err)
	}
	return jws.CompactSerialize()
}
