package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const cookieName = "linkapp_session"

// protect serves only requests to the application's own origin, rejects those that other sites make a browser send, and
// lets the page load and do what linking takes and nothing else.
func (a *app) protect(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusForbidden, response{Kind: "cross_origin", Message: "This request came from another site."})
	}))
	next = crossOrigin.Handler(next)
	scheme, host, _ := strings.Cut(a.origin, "://")
	port := ":" + defaultPort[scheme]
	policy := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
		"form-action 'none'; frame-ancestors 'none'; frame-src " + a.connectURL
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		switch {
		case strings.EqualFold(strings.TrimSuffix(r.Host, port), host):
			next.ServeHTTP(w, r)
		case r.Method == http.MethodGet && sameMachine(r.Host, host): // localhost and 127.0.0.1 are two sites to a browser
			http.Redirect(w, r, a.origin+"/", http.StatusFound)
		default:
			write(w, http.StatusMisdirectedRequest, response{Kind: "wrong_host", Message: "Open " + a.origin + " instead. " +
				"If you did, the proxy in front of this server has to pass the Host header on."})
		}
	})
}

// sameMachine reports whether two addresses are the same port of this machine. A redirect from any other would come back for
// ever behind a proxy that changes the Host header.
func sameMachine(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	loopback := func(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }
	return errA == nil && errB == nil && portA == portB && loopback(hostA) && loopback(hostB)
}

var defaultPort = map[string]string{"http": "80", "https": "443"}

// parseOrigin returns the origin of raw as browsers write it: without the scheme's default port.
func parseOrigin(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || defaultPort[u.Scheme] == "" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", fmt.Errorf("%q is not an origin such as https://app.example", raw)
	}
	return u.Scheme + "://" + strings.ToLower(strings.TrimSuffix(u.Host, ":"+defaultPort[u.Scheme])), nil
}

// originOf returns the origin of a server that listens on addr.
func originOf(addr net.Addr) (string, error) {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return parseOrigin(fmt.Sprintf("http://localhost:%d", tcp.Port))
	}
	return parseOrigin("http://" + addr.String())
}

// signIn returns the demo user of a browser: in place of a login, whoever holds the cookie. The user's ID is not the
// cookie, since it goes to MoneyKit, into the database and into logs.
func (a *app) signIn(w http.ResponseWriter, r *http.Request) string {
	user := signedIn(r)
	if user != "" {
		return user
	}
	cookie := &http.Cookie{
		Name: cookieName, Value: rand.Text(), Path: "/", MaxAge: int((365 * 24 * time.Hour).Seconds()), HttpOnly: true,
		Secure:   strings.HasPrefix(a.origin, "https:"),
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

// read reads the JSON body of a signed-in user's request, or writes why it cannot.
func read(w http.ResponseWriter, r *http.Request, into any) (user string, ok bool) {
	if user = signedIn(r); user == "" {
		write(w, http.StatusUnauthorized, response{Kind: "signed_out", Message: "Your session is over. Reload the page."})
		return "", false
	}
	if mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); mediaType != "application/json" {
		write(w, http.StatusUnsupportedMediaType, response{Kind: "bad_request", Message: "The body must be application/json."})
		return "", false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil || json.Unmarshal(body, into) != nil || bytes.Contains(body, []byte(`\u0000`)) { // which PostgreSQL does not store
		write(w, http.StatusBadRequest, response{Kind: "bad_request", Message: "The body must be a JSON object without NUL characters."})
		return "", false
	}
	return user, true
}
