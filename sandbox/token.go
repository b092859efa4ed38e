package sandbox

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/moneykit/moneykit-go/sandbox/internal/httpapi"
)

const (
	tokenPrefix = "sandbox_access_"

	codeUnauthorized = "api_error.auth.unauthorized"
)

// serveToken serves POST /auth/token: OAuth 2.0 client credentials with MoneyKit's statuses and errors.
func (s *Sandbox) serveToken(w http.ResponseWriter, r *http.Request) {
	contentType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err := r.ParseForm(); err != nil || contentType != "application/x-www-form-urlencoded" {
		httpapi.WriteError(w, badTokenRequest("The body must be a form, sent as application/x-www-form-urlencoded."))
		return
	}
	id, secret, ok := credentials(r)
	if !ok {
		httpapi.WriteError(w, badTokenRequest("The credentials are both in the form and in HTTP Basic; send them once."))
		return
	}
	knownID := equal(id, s.ClientID)
	if knownID {
		if err := s.allow("token", s.limits.Token); err != nil {
			httpapi.WriteError(w, err)
			return
		}
	}
	if r.PostForm.Get("grant_type") != "client_credentials" {
		httpapi.WriteError(w, badTokenRequest("grant_type must be client_credentials."))
		return
	}
	if knownSecret := equal(secret, s.ClientSecret); !knownID || !knownSecret {
		w.Header().Set("WWW-Authenticate", `Basic realm="moneykit"`)
		httpapi.WriteError(w, &httpapi.Error{Status: http.StatusUnauthorized, Code: codeUnauthorized,
			Message: "The client_id or client_secret is missing or not valid."})
		return
	}
	s.mu.Lock()
	token := s.newToken(s.now().Add(s.tokenLifetime))
	s.mu.Unlock()
	w.Header().Set("Cache-Control", "no-store")
	httpapi.WriteJSON(w, http.StatusCreated, map[string]any{
		"access_token": token,
		"token_type":   "bearer",
		"expires_in":   int(s.tokenLifetime.Seconds()),
	})
}

// badTokenRequest has the only code that MoneyKit's official models allow in a 400 of the token endpoint.
func badTokenRequest(message string) error {
	return &httpapi.Error{Status: http.StatusBadRequest, Code: codeUnauthorized, Message: message}
}

// credentials returns the client's id and secret, and whether they are in one place only. SDKs that send them in the
// form also send an empty Basic header, which counts as none.
func credentials(r *http.Request) (id, secret string, ok bool) {
	id, secret, _ = r.BasicAuth()
	if id == "" && secret == "" {
		return r.PostForm.Get("client_id"), r.PostForm.Get("client_secret"), true
	}
	// RFC 6749, section 2.3.1, escapes them as in a form. Plain ones are the same unless they contain % or +.
	if plain, err := url.QueryUnescape(id); err == nil {
		id = plain
	}
	if plain, err := url.QueryUnescape(secret); err == nil {
		secret = plain
	}
	return id, secret, !r.PostForm.Has("client_id") && !r.PostForm.Has("client_secret")
}

// equal compares in constant time, whatever the lengths.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// newToken makes an access token that contains its expiry and a signature, so that an expired token and an
// unknown one differ without a list of tokens.
func (s *Sandbox) newToken(expiry time.Time) string {
	payload := binary.BigEndian.AppendUint64(nil, uint64(expiry.UnixNano()))
	payload = append(payload, rand.Text()...)
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(append(payload, s.sign(payload)...))
}

func (s *Sandbox) sign(payload []byte) []byte {
	mac := hmac.New(sha256.New, s.tokenKey)
	mac.Write(payload)
	return mac.Sum(nil)
}

// authenticate checks the access token of a request.
func (s *Sandbox) authenticate(r *http.Request) error {
	unauthorized := &httpapi.Error{Status: http.StatusUnauthorized, Code: codeUnauthorized, Message: "The access token is missing or unknown."}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	encoded, ok := strings.CutPrefix(strings.TrimSpace(token), tokenPrefix)
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return unauthorized
	}
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || len(raw) < 8+sha256.Size {
		return unauthorized
	}
	payload, signature := raw[:len(raw)-sha256.Size], raw[len(raw)-sha256.Size:]
	if !hmac.Equal(signature, s.sign(payload)) {
		return unauthorized
	}
	expiry := time.Unix(0, int64(binary.BigEndian.Uint64(payload)))
	s.mu.Lock()
	now := s.now()
	s.mu.Unlock()
	// A token that lasts longer than any is from before a reset of the clock.
	if !now.Before(expiry) || expiry.After(now.Add(s.tokenLifetime)) {
		return &httpapi.Error{Status: http.StatusUnauthorized, Code: "api_error.auth.expired_access_token", Message: "The access token has expired."}
	}
	return nil
}
