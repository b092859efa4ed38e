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
)

const tokenPrefix = "sandbox_access_"

// serveToken is POST /auth/token: OAuth 2.0 client credentials with MoneyKit's statuses and error shape.
func (s *Sandbox) serveToken(w http.ResponseWriter, r *http.Request) {
	contentType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err := r.ParseForm(); err != nil || contentType != "application/x-www-form-urlencoded" {
		writeRefusal(w, refusal{http.StatusBadRequest, "api_error.request.invalid",
			"The body must be a form, sent as application/x-www-form-urlencoded."})
		return
	}
	id, secret, ok := credentials(r)
	if !ok {
		writeRefusal(w, refusal{http.StatusBadRequest, "api_error.request.invalid",
			"The credentials came both in the form and as HTTP Basic; send them once."})
		return
	}
	knownID := same(id, s.ClientID)
	if knownID {
		if retryAfter, ok := s.allow("token", s.limits.Token); !ok {
			writeLimited(w, retryAfter)
			return
		}
	}
	if r.PostForm.Get("grant_type") != "client_credentials" {
		writeRefusal(w, refusal{http.StatusBadRequest, "api_error.auth.unsupported_grant_type",
			"grant_type must be client_credentials."})
		return
	}
	if knownSecret := same(secret, s.ClientSecret); !knownID || !knownSecret {
		w.Header().Set("WWW-Authenticate", `Basic realm="moneykit"`)
		writeRefusal(w, refusal{http.StatusUnauthorized, "api_error.auth.unauthorized",
			"The client_id or client_secret is missing or wrong."})
		return
	}
	s.mu.Lock()
	token := s.newToken(s.now().Add(s.tokenLifetime))
	s.mu.Unlock()
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusCreated, map[string]any{
		"access_token": token,
		"token_type":   "bearer",
		"expires_in":   int(s.tokenLifetime.Seconds()),
	})
}

// credentials returns the client's id and secret, and whether they came in one place only. SDKs that send them in
// the form also send a Basic header with nothing in it, which counts as none.
func credentials(r *http.Request) (id, secret string, ok bool) {
	id, secret, _ = r.BasicAuth()
	if id == "" && secret == "" {
		return r.PostForm.Get("client_id"), r.PostForm.Get("client_secret"), true
	}
	// RFC 6749, section 2.3.1, has them escaped as in a form; plain ones pass unchanged unless they hold % or +.
	if plain, err := url.QueryUnescape(id); err == nil {
		id = plain
	}
	if plain, err := url.QueryUnescape(secret); err == nil {
		secret = plain
	}
	return id, secret, !r.PostForm.Has("client_id") && !r.PostForm.Has("client_secret")
}

// same compares in constant time, whatever the lengths.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// newToken makes an access token that carries its expiry and a signature, so that none has to be remembered to
// tell an expired one from one that never was.
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

// authenticate checks the bearer token of a request.
func (s *Sandbox) authenticate(r *http.Request) (refusal, bool) {
	unauthorized := refusal{http.StatusUnauthorized, "api_error.auth.unauthorized", "The access token is missing or unknown."}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	encoded, ok := strings.CutPrefix(strings.TrimSpace(token), tokenPrefix)
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return unauthorized, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || len(raw) < 8+sha256.Size {
		return unauthorized, false
	}
	payload, signature := raw[:len(raw)-sha256.Size], raw[len(raw)-sha256.Size:]
	if !hmac.Equal(signature, s.sign(payload)) {
		return unauthorized, false
	}
	expiry := time.Unix(0, int64(binary.BigEndian.Uint64(payload)))
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.now().Before(expiry) {
		return refusal{http.StatusUnauthorized, "api_error.auth.expired_access_token", "The access token has expired."}, false
	}
	return refusal{}, true
}
