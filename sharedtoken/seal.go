package sharedtoken

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// A record is what is stored: a token, or the failure of a token request.
type record struct {
	AccessToken string        `json:"access_token,omitempty"`
	Lifetime    time.Duration `json:"lifetime,omitempty"` // when it was stored
	Failure     *failure      `json:"failure,omitempty"`

	// Expires is by the clock of the store, in milliseconds since 1970; 0 is never.
	Expires int64 `json:"expires,omitempty"`
}

// A failure is a response of the token endpoint that is no token.
type failure struct {
	StatusCode int    `json:"status_code"`
	Code       string `json:"code,omitempty"`
	Message    string `json:"message,omitempty"`
}

// A sealer encrypts records for one combination of client ID, client secret, token URL and scopes.
type sealer struct {
	name    string // of the keys in the store
	aead    cipher.AEAD
	binding []byte
}

// newSealer derives what it needs from the client secret. The version is part of it, so that a later format is another key.
func newSealer(clientID, clientSecret, tokenURL string, scopes []string) (*sealer, error) {
	scopes = slices.Compact(slices.Sorted(slices.Values(scopes)))
	binding := fmt.Appendf(nil, "%q", append([]string{"moneykit-go/sharedtoken v1", clientID, tokenURL}, scopes...))
	derived, err := hkdf.Key(sha256.New, []byte(clientSecret), nil, string(binding), 32+16)
	if err != nil {
		return nil, err
	}
	key, name := derived[:32], derived[32:]
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &sealer{name: base64.RawURLEncoding.EncodeToString(name), aead: aead, binding: binding}, nil
}

func (s *sealer) seal(r record) (string, error) {
	plain, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	return string(s.aead.Seal(nil, nil, plain, s.binding)), nil
}

// open returns nil for anything but a value that seal made for the same combination.
func (s *sealer) open(value string) *record {
	plain, err := s.aead.Open(nil, nil, []byte(value), s.binding)
	if err != nil {
		return nil
	}
	var r record
	if json.Unmarshal(plain, &r) != nil {
		return nil
	}
	return &r
}
