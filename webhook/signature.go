package webhook

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"strings"
	"time"
)

const (
	// issuer is the JWT's iss, whatever the base URL is.
	issuer = "https://api.moneykit.com"

	// tolerance is how far iat may be from now, in seconds, before or after.
	tolerance = 5 * 60

	// maxToken is how long a JWT may be; MoneyKit's have about 400 bytes.
	maxToken = 4 << 10
)

// A token is the JWT of a request. Nothing in it can be trusted before verify.
type token struct {
	raw    string
	header *tokenHeader
	claims struct {
		Issuer   string   `json:"iss"`
		IssuedAt *float64 `json:"iat"`
		Expires  *float64 `json:"exp"`
		BodyHash string   `json:"request_body_sha256"`
	}
}

// A tokenHeader is the first part of a JWT. It is the same for all that one key signs.
type tokenHeader struct {
	raw       string
	Algorithm string          `json:"alg"`
	KeyID     string          `json:"kid"`
	Critical  json.RawMessage `json:"crit"`
}

// check makes the checks that need no key, the cheapest first, so that most forged requests cost next to nothing. last is
// the header of the last valid token, or nil; it is not decoded again.
func check(raw string, body []byte, now time.Time, last *tokenHeader) (*token, error) {
	if len(raw) > maxToken {
		return nil, invalid("the JWT is longer than %d bytes", maxToken)
	}
	header, rest, _ := strings.Cut(raw, ".")
	claims, sig, ok := strings.Cut(rest, ".")
	if !ok || strings.Contains(sig, ".") {
		return nil, invalid("not a JWT: want three parts with dots between them")
	}
	t := &token{raw: raw, header: last}
	if last == nil || last.raw != header {
		t.header = &tokenHeader{raw: header}
		if !decodePart(header, t.header) {
			return nil, invalid("the JWT's header is malformed")
		}
	}
	if t.header.Algorithm != "ES256" {
		return nil, invalid("the JWT's alg is not ES256")
	}
	if t.header.Critical != nil {
		return nil, invalid("the JWT's crit asks for an extension that MoneyKit does not use")
	}
	if !decodePart(claims, &t.claims) {
		return nil, invalid("the JWT's claims are malformed")
	}
	if err := t.checkTime(now); err != nil {
		return nil, err
	}
	if t.claims.Issuer != issuer {
		return nil, invalid("the JWT's iss is not %s", issuer)
	}
	return t, t.checkBody(body)
}

func decodePart(part string, v any) bool {
	data, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(data, v) == nil
}

func (t *token) checkTime(now time.Time) error {
	if t.claims.IssuedAt == nil {
		return invalid("the JWT has no iat")
	}
	seconds := float64(now.UnixNano()) / float64(time.Second)
	switch age := seconds - *t.claims.IssuedAt; {
	case age > tolerance:
		return invalid("stale: the JWT's iat is more than 5 minutes ago")
	case age < -tolerance:
		return invalid("the JWT's iat is more than 5 minutes ahead of this machine's clock")
	case t.claims.Expires != nil && seconds >= *t.claims.Expires:
		return invalid("stale: the JWT has expired")
	}
	return nil
}

func (t *token) checkBody(body []byte) error {
	var want [sha256.Size]byte
	if len(t.claims.BodyHash) != hex.EncodedLen(len(want)) {
		return invalid("the JWT's request_body_sha256 is not 64 hex digits")
	}
	if _, err := hex.Decode(want[:], []byte(t.claims.BodyHash)); err != nil {
		return invalid("the JWT's request_body_sha256 is not 64 hex digits")
	}
	got := sha256.Sum256(body)
	if subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		return invalid("the body is not the one that was signed")
	}
	return nil
}

// verify checks that key signed the header and the claims as they are. go-jose would parse both again for it, which
// takes longer than all of this package's other checks; FuzzToken compares the two.
func (t *token) verify(key *ecdsa.PublicKey) error {
	const n = 32 // bytes of r and of s (RFC 7518, section 3.4)
	i := strings.LastIndexByte(t.raw, '.')
	sig, err := base64.RawURLEncoding.DecodeString(t.raw[i+1:])
	if err != nil || len(sig) != 2*n {
		return invalid("the JWT's signature is not one of ES256")
	}
	signed := sha256.Sum256([]byte(t.raw[:i]))
	if r, s := new(big.Int).SetBytes(sig[:n]), new(big.Int).SetBytes(sig[n:]); !ecdsa.Verify(key, signed[:], r, s) {
		return invalid("the JWT was not signed with the key that it names")
	}
	return nil
}
