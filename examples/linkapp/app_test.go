package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/sandbox"
)

// A world is the application, run for real against a sandbox, and a browser that is signed in.
type world struct {
	t       *testing.T
	mk      *sandbox.Server
	db      string
	app     *httptest.Server
	browser *http.Client
	log     *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func newWorld(t *testing.T, opts ...sandbox.Option) *world {
	t.Helper()
	w := &world{t: t, mk: sandbox.Start(t, opts...), db: filepath.Join(t.TempDir(), "links.db"), log: &lockedBuffer{}}
	w.start()
	w.browser = w.newBrowser()
	t.Cleanup(func() {
		if logged := w.log.String(); strings.Contains(logged, "sandbox_exchangeable_") || strings.Contains(logged, "sandbox_session_") || strings.Contains(logged, w.mk.ClientSecret) {
			t.Errorf("a secret was logged: %s", logged)
		}
	})
	return w
}

// start starts the application on its database.
func (w *world) start() {
	w.t.Helper()
	source, err := auth.ClientCredentials(w.mk.ClientID, w.mk.ClientSecret, auth.WithTokenURL(w.mk.URL+"/auth/token"))
	if err != nil {
		w.t.Fatal(err)
	}
	client, err := api.New(source, api.WithBaseURL(w.mk.URL), api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: 1}))
	if err != nil {
		w.t.Fatal(err)
	}
	store, err := openStore(w.db)
	if err != nil {
		w.t.Fatal(err)
	}
	w.app = httptest.NewUnstartedServer(nil)
	w.app.Config.Handler = newApp(client, store, "http://"+w.app.Listener.Addr().String(), w.mk.URL, slog.New(slog.NewTextHandler(w.log, nil)))
	w.app.Start()
	w.t.Cleanup(func() {
		w.app.Close()
		if err := store.Close(); err != nil {
			w.t.Error(err)
		}
	})
}

// newBrowser is somebody else's browser, who has opened the page.
func (w *world) newBrowser() *http.Client {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	res, err := browser.Get(w.app.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	res.Body.Close()
	return browser
}

// An answer is what the page's script gets.
type answer struct {
	status      int
	Kind, Value string
}

func (w *world) post(path, body string) answer {
	w.t.Helper()
	return w.send(w.browser, path, body, nil)
}

func (w *world) send(browser *http.Client, path, body string, header map[string]string) answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.app.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		r.Header.Set(name, value)
	}
	res, err := browser.Do(r)
	if err != nil {
		w.t.Error(err)
		return answer{}
	}
	defer res.Body.Close()
	got := answer{status: res.StatusCode}
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
		w.t.Errorf("%s: %d: %v", path, res.StatusCode, err)
	}
	return got
}

// session starts a link session; fields are its body.
func (w *world) session(fields string) string {
	w.t.Helper()
	got := w.post("/linking/session", fields)
	if got.status != 200 || got.Kind != "link_session_token" {
		w.t.Fatalf("session: %+v", got)
	}
	return got.Value
}

// finished is what Connect gives to the page, in the body that the page sends on.
func (w *world) finished(sessionToken string) string {
	w.t.Helper()
	exchangeable, err := w.mk.Complete(sessionToken)
	if err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprintf(`{"exchangeable_token": %q}`, exchangeable)
}

func (w *world) get(browser *http.Client, path string) string {
	w.t.Helper()
	res, err := browser.Get(w.app.URL + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		w.t.Fatalf("%s: %d %v", path, res.StatusCode, err)
	}
	return string(body)
}

func (w *world) list() string {
	w.t.Helper()
	return w.get(w.browser, "/linking/links")
}

func (w *world) check(what string, got answer, status int, kind string) {
	w.t.Helper()
	if got.status != status || got.Kind != kind || got.Value == "" {
		w.t.Errorf("%s: %+v, want %d %s", what, got, status, kind)
	}
}

func (w *world) exchanges() (n int) {
	for _, r := range w.mk.Requests() {
		if r.Operation == sandbox.ExchangeToken {
			n++
		}
	}
	return n
}

// rowID is the id of the only row that has a button with the given attribute.
func (w *world) rowID(attribute string) string {
	w.t.Helper()
	found := regexp.MustCompile(attribute+`="(\d+)"`).FindAllStringSubmatch(w.list(), -1)
	if len(found) != 1 {
		w.t.Fatalf("%s: %v in %s", attribute, found, w.list())
	}
	return found[0][1]
}

func TestLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if list := w.list(); !strings.Contains(list, "No bank is linked yet.") {
		t.Errorf("at first: %s", list)
	}
	body := w.finished(w.session(`{}`))
	w.check("exchange", w.post("/linking/exchange-token", body), 200, "linked")
	w.check("once more", w.post("/linking/exchange-token", body), 200, "linked")
	if n := w.exchanges(); n != 1 {
		t.Errorf("%d exchanges", n)
	}
	links := w.mk.Links()
	if len(links) != 1 || !regexp.MustCompile(`^user-[0-9a-f]{16}$`).MatchString(links[0].CustomerUserID) {
		t.Fatalf("links: %+v", links)
	}
	if list := w.list(); strings.Count(list, "<li>") != 1 || !strings.Contains(list, "Sandbox Bank") || !strings.Contains(list, ">connected<") {
		t.Errorf("list: %s", list)
	}
	if theirs := w.get(w.newBrowser(), "/"); strings.Contains(theirs, "Sandbox Bank") {
		t.Error("another user sees the link")
	}

	// The application starts again, with nothing but its database.
	w.app.Close()
	jar := w.browser.Jar
	cookies := jar.Cookies(must(http.NewRequest("GET", w.app.URL, nil)).URL)
	w.start()
	jar.SetCookies(must(http.NewRequest("GET", w.app.URL, nil)).URL, cookies)
	if list := w.list(); !strings.Contains(list, "Sandbox Bank") {
		t.Errorf("after a restart: %s", list)
	}
	w.check("once more after a restart", w.post("/linking/exchange-token", body), 200, "linked")
}

func must(r *http.Request, err error) *http.Request {
	if err != nil {
		panic(err)
	}
	return r
}

func TestReconnect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.check("exchange", w.post("/linking/exchange-token", w.finished(w.session(`{}`))), 200, "linked")
	id := w.rowID("data-reconnect")

	// A reconnected link takes the place of what was known of it.
	w.check("again", w.post("/linking/exchange-token", w.finished(w.session(`{"id": `+id+`}`))), 200, "linked")
	if n := strings.Count(w.list(), "<li>"); n != 1 || len(w.mk.Links()) != 1 {
		t.Errorf("%d rows, %d links", n, len(w.mk.Links()))
	}

	w.check("no such row", w.post("/linking/session", `{"id": 999}`), 404, "not_found")
	id = w.rowID("data-reconnect")
	got := w.send(w.newBrowser(), "/linking/session", `{"id": `+id+`}`, nil)
	w.check("another user's row", got, 404, "not_found")
	got = w.send(w.newBrowser(), "/linking/exchange-token", `{"id": `+id+`}`, nil)
	w.check("an exchange of another user's row", got, 404, "not_found")

	w.mk.Fail(sandbox.CreateLinkSession, 1, sandbox.Fault{Status: 422, Body: `{"error_code": "api_error.request.validation_failed", "error_message": "x", "validation_errors": []}`})
	w.check("a link that is not known any more", w.post("/linking/session", `{"id": `+id+`}`), 409, "unknown_link")
}

// The whole table of how an exchange can end.
func TestExchangeEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault  sandbox.Fault
		expire time.Duration
		status int
		kind   string
		row    string // what the list says then
		again  string // what looking into it again comes to, or empty if there is nothing to look into
	}{
		"lost on the way there":   {fault: sandbox.Fault{Drop: true}, status: 502, kind: "unconfirmed", row: "Not confirmed by MoneyKit yet", again: "linked"},
		"lost on the way back":    {fault: sandbox.Fault{Drop: true, After: true}, status: 502, kind: "unconfirmed", row: "Not confirmed by MoneyKit yet", again: "unidentified"},
		"a proxy's 502":           {fault: sandbox.Fault{Status: 502, Body: "<html>"}, status: 502, kind: "unconfirmed", row: "Not confirmed by MoneyKit yet", again: "linked"},
		"an unreadable 201":       {fault: sandbox.Fault{Status: 201, Body: "{", After: true}, status: 502, kind: "unconfirmed", row: "Not confirmed by MoneyKit yet", again: "unidentified"},
		"rate limited":            {fault: sandbox.Fault{Status: 429, Body: `{"error_code": "api_error.rate_limit_exceeded", "error_message": "x"}`}, status: 502, kind: "try_again", row: "One step is left", again: "linked"},
		"expired":                 {expire: time.Hour, status: 410, kind: "expired", row: "No bank is linked yet."},
		"invalid, says the other": {fault: sandbox.Fault{Status: 400, Body: `{"error_code": "link_session_error.invalid_token_exchange", "error_message": "x"}`}, status: 410, kind: "expired", row: "No bank is linked yet."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.WithTokenLifetime(24*time.Hour))
			body := w.finished(w.session(`{}`))
			if test.expire > 0 {
				w.mk.Advance(test.expire)
			} else {
				w.mk.Fail(sandbox.ExchangeToken, 1, test.fault)
			}
			w.check("exchange", w.post("/linking/exchange-token", body), test.status, test.kind)
			if list := w.list(); !strings.Contains(list, test.row) {
				t.Errorf("list: %s", list)
			}
			if test.again == "" {
				return
			}
			// While MoneyKit cannot be reached, nothing that is known gets lost.
			row := w.rowID("data-check")
			w.mk.Fail(sandbox.ExchangeToken, 1, sandbox.Fault{Status: 429, Body: `{"error_code": "api_error.rate_limit_exceeded", "error_message": "x"}`})
			w.check("while it cannot be reached", w.post("/linking/exchange-token", `{"id": `+row+`}`), 502, test.kind)
			if list := w.list(); !strings.Contains(list, test.row) {
				t.Errorf("list: %s", list)
			}
			status := map[string]int{"linked": 200, "unidentified": 409}[test.again]
			w.check("again", w.post("/linking/exchange-token", `{"id": `+row+`}`), status, test.again)
			w.check("and once more", w.post("/linking/exchange-token", body), status, test.again)
			if list := w.list(); strings.Contains(list, "data-check") || strings.Count(list, "<li>") != 1 {
				t.Errorf("list: %s", list)
			}
			if len(w.mk.Links()) != 1 {
				t.Errorf("links: %+v", w.mk.Links())
			}
		})
	}
}

func TestSessionErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mk.Fail(sandbox.CreateLinkSession, 1, sandbox.Fault{Status: 429, Body: `{"error_code": "api_error.rate_limit_exceeded", "error_message": "x"}`})
	w.check("rate limited", w.post("/linking/session", `{}`), 429, "try_again")
	w.mk.Fail(sandbox.CreateLinkSession, 1, sandbox.Fault{Status: 403, Body: `{"error_code": "link_session_error.forbidden_config", "error_message": "x"}`})
	w.check("forbidden", w.post("/linking/session", `{}`), 502, "try_again")
	w.mk.Fail(sandbox.CreateLinkSession, 1, sandbox.Fault{Drop: true})
	w.check("unreachable", w.post("/linking/session", `{}`), 502, "try_again")
	w.session(`{}`)
}

// Of requests that exchange one token at the same time, all end with the one link.
func TestExchangeAtTheSameTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := w.finished(w.session(`{}`))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { w.post("/linking/exchange-token", body) })
	}
	all.Wait()
	w.check("afterwards", w.post("/linking/exchange-token", body), 200, "linked")
	if list := w.list(); strings.Count(list, "<li>") != 1 || !strings.Contains(list, "Sandbox Bank") {
		t.Errorf("list: %s", list)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/linking/session", "/linking/exchange-token"} {
		for name, test := range map[string]struct {
			header map[string]string
			body   string
			status int
			kind   string
		}{
			"cross-site, as a browser says":  {map[string]string{"Sec-Fetch-Site": "cross-site"}, `{}`, 403, "cross_origin"},
			"same site, another origin":      {map[string]string{"Sec-Fetch-Site": "same-site"}, `{}`, 403, "cross_origin"},
			"cross-origin, an older browser": {map[string]string{"Origin": "https://evil.example"}, `{}`, 403, "cross_origin"},
			"a form's content type":          {map[string]string{"Content-Type": "text/plain"}, `{}`, 415, "bad_request"},
			"not JSON":                       {nil, `{`, 400, "bad_request"},
			"a wrong type":                   {nil, `{"id": "x"}`, 400, "bad_request"},
			"too long":                       {nil, `{"exchangeable_token": "` + strings.Repeat("x", 1<<17) + `"}`, 400, "bad_request"},
		} {
			got := w.send(w.browser, path, test.body, test.header)
			w.check(path+": "+name, got, test.status, test.kind)
		}
		got := w.send(&http.Client{}, path, `{}`, nil)
		w.check(path+": no cookie", got, 401, "signed_out")
	}
	w.check("no token", w.post("/linking/exchange-token", `{}`), 400, "bad_request")
	got := w.send(w.browser, "/linking/session", `{}`, map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": w.app.URL})
	w.check("the page itself", got, 200, "link_session_token")
}

func TestPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	res, err := http.Get(w.app.URL + "/oauth?state=x")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if policy := res.Header.Get("Content-Security-Policy"); policy != "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; frame-src "+w.mk.URL {
		t.Errorf("policy: %s", policy)
	}
	if cookie := res.Cookies()[0]; !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || len(cookie.Value) < 26 {
		t.Errorf("cookie: %v", cookie)
	}
	page := w.get(w.browser, "/")
	if !strings.Contains(page, `data-connect-url="`+w.mk.URL+`"`) {
		t.Errorf("page: %s", page)
	}
	for _, file := range []string{"app.js", "app.css", "icon.svg", "moneykit-connect.js"} {
		w.get(w.browser, "/static/"+file)
	}

	// Under another name it is another site to a browser, so it sends people to its own.
	r := must(http.NewRequest("GET", w.app.URL+"/", nil))
	r.Host = "localhost:1"
	res, err = http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 302 || res.Header.Get("Location") != w.app.URL+"/" || res.Header.Get("Set-Cookie") != "" {
		t.Errorf("under another name: %d %v", res.StatusCode, res.Header)
	}
	r = must(http.NewRequest("POST", w.app.URL+"/linking/session", strings.NewReader("{}")))
	r.Host = "rebound.example"
	res, err = http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 421 {
		t.Errorf("a request under another name: %d", res.StatusCode)
	}
}
