package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

const cookieName = "linkapp_session"

// protect answers requests only under the application's own origin, refuses those that other sites make a browser
// send, and lets the page load and do what linking takes and nothing else.
func (a *app) protect(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusForbidden, "cross_origin", "This request came from another site.")
	}))
	next = crossOrigin.Handler(next)
	policy := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
		"form-action 'none'; frame-ancestors 'none'; frame-src " + a.connectURL
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		switch {
		case "http://"+r.Host == a.base:
			next.ServeHTTP(w, r)
		case r.Method == http.MethodGet: // such as from localhost to 127.0.0.1, which are two sites to a browser
			http.Redirect(w, r, a.base+"/", http.StatusFound)
		default:
			reply(w, http.StatusMisdirectedRequest, "wrong_host", "Open "+a.base+" instead.")
		}
	})
}

// signIn returns the demo user of a browser: in place of a login, whoever holds the cookie. The id is not the cookie,
// since it goes to MoneyKit, into the database and into logs.
func signIn(w http.ResponseWriter, r *http.Request) string {
	user := signedIn(r)
	if user != "" {
		return user
	}
	cookie := &http.Cookie{
		Name: cookieName, Value: rand.Text(), Path: "/", MaxAge: int((365 * 24 * time.Hour).Seconds()), HttpOnly: true,
		SameSite: http.SameSiteLaxMode, // a bank's redirect to /oauth is from another site
	}
	http.SetCookie(w, cookie)
	return userOf(cookie)
}

func signedIn(r *http.Request) string {
	cookie, err := r.Cookie(cookieName)
	if err != nil || cookie.Value == "" {
		return ""
	}
	return userOf(cookie)
}

func userOf(cookie *http.Cookie) string {
	sum := sha256.Sum256([]byte(cookie.Value))
	return "user-" + hex.EncodeToString(sum[:8])
}

// read reads the JSON body of a signed-in user's request, or answers why it cannot.
func read(w http.ResponseWriter, r *http.Request, into any) (user string, ok bool) {
	if user = signedIn(r); user == "" {
		reply(w, http.StatusUnauthorized, "signed_out", "Your session is over. Reload the page.")
		return "", false
	}
	if mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); mediaType != "application/json" {
		reply(w, http.StatusUnsupportedMediaType, "bad_request", "The body must be application/json.")
		return "", false
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(into); err != nil {
		reply(w, http.StatusBadRequest, "bad_request", "The body must be a JSON object.")
		return "", false
	}
	return user, true
}
