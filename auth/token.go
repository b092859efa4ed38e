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

// A Token is an access token (RFC 6749, section 1.4). It prints as [redacted] wherever it is rendered: by fmt,
// encoding/json and log/slog.
type Token struct {
	// header is behind a pointer because fmt looks through the unexported fields of whatever holds a Token.
	header   *string
	obtained time.Time
	lifetime time.Duration // 0: until the server refuses it; negative: it had ended by then
}

// bearer begins an Authorization header (RFC 6750, section 2.1).
const bearer = "Bearer "

// refreshMargin is how long before a token's end its successor is fetched, at most; half the lifetime if shorter.
const refreshMargin = time.Minute

func newToken(t *oauth2.Token, now time.Time) (*Token, error) {
	switch {
	case t == nil || t.AccessToken == "":
		return nil, errors.New("the access token is empty")
	case !strings.EqualFold(t.Type(), "Bearer"):
		return nil, fmt.Errorf("the token_type is %q; only bearer is supported", transport.Clean(t.Type(), t.AccessToken))
	case strings.ContainsFunc(t.AccessToken, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("the access token has a space or a character that no header can carry; " +
			`it is wanted without "Bearer " and without a line end`)
	}
	header := bearer + t.AccessToken
	tok := &Token{header: &header, obtained: now}
	if !t.Expiry.IsZero() {
		tok.lifetime = t.Expiry.Sub(now)
		if tok.lifetime <= 0 {
			tok.lifetime = -1
		}
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

// SetAuthHeader sets the Authorization header of r.
func (t *Token) SetAuthHeader(r *http.Request) {
	if t != nil && t.header != nil {
		r.Header.Set("Authorization", *t.header)
	}
}

// usable tells whether the token has not expired, and fresh whether no successor is wanted yet.
func (t *Token) state(now time.Time) (usable, fresh bool) {
	if t == nil {
		return false, false
	}
	if t.lifetime == 0 {
		return true, true
	}
	// The monotonic clock stands still while a machine sleeps, and the wall clock can be set: the later one counts.
	age := max(now.Sub(t.obtained), time.Duration(now.UnixNano()-t.obtained.UnixNano()))
	return age < t.lifetime, age < t.lifetime-min(refreshMargin, t.lifetime/2)
}

// String returns [redacted].
func (Token) String() string { return transport.Redacted }

// Format prints [redacted] for every verb.
func (Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, transport.Redacted) }

// LogValue returns [redacted].
func (Token) LogValue() slog.Value { return slog.StringValue(transport.Redacted) }

// MarshalText returns [redacted]; encoding/json uses it too.
func (Token) MarshalText() ([]byte, error) { return []byte(transport.Redacted), nil }
