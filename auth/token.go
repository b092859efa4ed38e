package auth

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/moneykit/moneykit-go/internal/transport"
)

// A Token is an access token (RFC 6749, section 1.4). It prints as [redacted] with fmt, encoding/json and log/slog.
type Token struct {
	header  *string   // a pointer, because fmt prints unexported fields of what contains a Token
	expires time.Time // zero: never
	refresh time.Time // from when on a new token is fetched in the background
}

// bearer begins an Authorization header (RFC 6750, section 2.1).
const bearer = "Bearer "

// refreshMargin is the longest time before the expiry of a token at which a new one is fetched; half its lifetime if
// that is shorter.
const refreshMargin = time.Minute

func newToken(t *oauth2.Token, now time.Time) (*Token, error) {
	switch {
	case t == nil || t.AccessToken == "":
		return nil, errors.New("the access token is empty")
	case !strings.EqualFold(t.Type(), "Bearer"):
		return nil, fmt.Errorf("the token_type is %q; only bearer is supported", transport.NewRedactor(t.AccessToken).Clean(t.Type()))
	case strings.ContainsFunc(t.AccessToken, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("the access token contains a space or another character that a header cannot carry; " +
			`pass it without "Bearer " and without a line break`)
	}
	header := bearer + t.AccessToken
	tok := &Token{header: &header}
	if !t.Expiry.IsZero() {
		tok.expires = t.Expiry.Round(0) // by the wall clock: the monotonic one stands still while a machine sleeps
		tok.refresh = tok.expires.Add(-min(refreshMargin, t.Expiry.Sub(now)/2))
	}
	return tok, nil
}

// Value returns the access token itself.
func (t *Token) Value() string {
	if t == nil || t.header == nil {
		return ""
	}
	return (*t.header)[len(bearer):]
}

// Expiry returns when the token expires, and the zero time for one that does not.
func (t *Token) Expiry() time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.expires
}

// SetAuthHeader sets the Authorization header of r.
func (t *Token) SetAuthHeader(r *http.Request) {
	if t == nil || t.header == nil {
		return
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Authorization", *t.header)
}

func (t *Token) usable(now time.Time) bool {
	return t != nil && (t.expires.IsZero() || now.Before(t.expires))
}

func (t *Token) fresh(now time.Time) bool {
	return t != nil && (t.expires.IsZero() || now.Before(t.refresh))
}

// String returns [redacted].
func (Token) String() string { return transport.Redacted }

// Format prints [redacted] for every verb.
func (Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, transport.Redacted) }

// LogValue returns [redacted].
func (Token) LogValue() slog.Value { return slog.StringValue(transport.Redacted) }

// MarshalText returns [redacted]; encoding/json uses it too.
func (Token) MarshalText() ([]byte, error) { return []byte(transport.Redacted), nil }
