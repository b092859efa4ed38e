package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/sandbox"
	"github.com/moneykit/moneykit-go/webhook"
)

// A world is the application in front of a sandbox, and a browser that is signed in.
type world struct {
	t        *testing.T
	mk       *sandbox.Server
	moneykit string // the URL that the application uses: the sandbox's, or that of a proxy before it
	db       string
	url      string // of the instance that the browser uses
	app      *httptest.Server
	store    *store
	browser  *http.Client
	log      *lockedBuffer
	passed   atomic.Int64 // time that has passed by advance
}

type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, mk: sandbox.Start(t, sandbox.WithTokenLifetime(24*time.Hour)), db: newDatabase(t), log: &lockedBuffer{}}
	w.moneykit = w.mk.URL
	w.mk.FailDelivery("", 1000, sandbox.DeliveryFault{Never: true}) // until a test calls w.mk.ClearFaults
	w.start()
	w.browser = w.newBrowser()
	t.Cleanup(w.checkLog)
	return w
}

// checkLog looks for secrets in the log.
func (w *world) checkLog() {
	w.t.Helper()
	logged := w.log.String()
	for _, secret := range []string{"sandbox_exchangeable_", "sandbox_session_", w.mk.ClientSecret, postgresPassword} {
		if strings.Contains(logged, secret) {
			w.t.Errorf("a secret was logged: %s", logged)
		}
	}
}

// newDatabase returns a database for a test, which is an SQLite file, or with the tag postgres one in PostgreSQL.
var newDatabase = func(t *testing.T) string { return filepath.Join(t.TempDir(), "links.db") }

// postgresPassword is the password of the databases of newDatabase.
const postgresPassword = "only-for-tests"

func onPostgres(db string) bool { return strings.HasPrefix(db, "postgres://") }

// newStore opens a database until the test ends.
func newStore(t *testing.T, db string) *store {
	t.Helper()
	s, err := openStore(db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// start starts an instance of the application on the database, which becomes the one that the browser uses.
func (w *world) start(configure ...func(*http.Server)) {
	w.t.Helper()
	client, err := api.FromCredentials(w.mk.ClientID, w.mk.ClientSecret, api.WithBaseURL(w.moneykit), api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: 1}))
	if err != nil {
		w.t.Fatal(err)
	}
	store := newStore(w.t, w.db)
	server := httptest.NewUnstartedServer(nil)
	origin, err := originOf(server.Listener.Addr())
	if err != nil {
		w.t.Fatal(err)
	}
	verifier, err := webhook.NewVerifier(webhook.WithBaseURL(w.moneykit), webhook.WithLogger(slog.New(slog.NewTextHandler(w.log, nil))))
	if err != nil {
		w.t.Fatal(err)
	}
	server.Config = newServer(&app{
		client: client, verifier: verifier, store: store, origin: origin, connectURL: w.mk.URL,
		log: slog.New(slog.NewTextHandler(w.log, nil)),
		now: func() time.Time { return time.Now().Add(time.Duration(w.passed.Load())) },
	})
	for _, f := range configure {
		f(server.Config)
	}
	server.Start()
	w.app, w.store, w.url = server, store, server.URL
	w.t.Cleanup(func() {
		_ = server.Config.Shutdown(w.t.Context()) // ends the streams; what else is open, Close ends
		server.Close()
	})
}

// restart ends the instance that the browser uses, and starts another.
func (w *world) restart() {
	w.t.Helper()
	w.app.Close()
	w.start()
}

func (w *world) advance(d time.Duration) {
	w.mk.Advance(d)
	w.passed.Add(int64(d))
}

// newBrowser is the browser of another user, who has opened the page.
func (w *world) newBrowser() *http.Client {
	w.t.Helper()
	jar, err := cookiejar.New(nil) // it takes no notice of ports, as browsers do
	if err != nil {
		w.t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	w.get(browser, "/")
	return browser
}

type result struct {
	status int
	response
}

func (w *world) post(path string, body any) result {
	w.t.Helper()
	return w.send(w.browser, path, body, nil)
}

// send posts body: as it is if it is a string, else as JSON.
func (w *world) send(browser *http.Client, path string, body any, header map[string]string) result {
	w.t.Helper()
	return post(w.t, browser, w.url+path, body, header)
}

func post(t *testing.T, browser *http.Client, url string, body any, header map[string]string) (got result) {
	t.Helper()
	text, ok := body.(string)
	if !ok {
		data, err := json.Marshal(body)
		if err != nil {
			t.Error(err)
		}
		text = string(data)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(text))
	if err != nil {
		t.Error(err)
		return result{}
	}
	r.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		r.Header.Set(name, value)
	}
	res, err := browser.Do(r)
	if err != nil {
		t.Error(err)
		return result{}
	}
	defer res.Body.Close()
	got.status = res.StatusCode
	if err := json.NewDecoder(res.Body).Decode(&got.response); err != nil {
		t.Errorf("%s: %d: %v", url, res.StatusCode, err)
	}
	return got
}

func (w *world) get(browser *http.Client, path string) string {
	w.t.Helper()
	res, err := browser.Get(w.url + path)
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

// list is the page's list, as HTML.
func (w *world) list() string {
	w.t.Helper()
	_, list, _ := strings.Cut(w.get(w.browser, "/"), `id="links"`)
	return list
}

// rows returns the user's attempts that are listed.
func (w *world) rows() []attempt {
	w.t.Helper()
	u, err := url.Parse(w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	rows, err := w.store.list(w.t.Context(), userOf(w.browser.Jar.Cookies(u)[0]))
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

// row returns the only attempt that is listed.
func (w *world) row() attempt {
	w.t.Helper()
	rows := w.rows()
	if len(rows) != 1 {
		w.t.Fatalf("rows: %+v", rows)
	}
	return rows[0]
}

// A finish is what the page sends when Connect has finished.
type finish struct {
	ID                string `json:"id"`
	ExchangeableToken string `json:"exchangeable_token,omitempty"`
	Institution       string `json:"institution,omitempty"`
}

// connect starts a link session, and goes through Connect as the end user.
func (w *world) connect() finish {
	w.t.Helper()
	return w.reconnect("")
}

func (w *world) reconnect(id string) finish {
	w.t.Helper()
	got := w.post("/linking/session", map[string]string{"reconnect": id})
	if got.status != 200 || got.Kind != "session" || got.ID == "" {
		w.t.Fatalf("session: %+v", got)
	}
	exchangeable, err := w.mk.Complete(got.LinkSessionToken)
	if err != nil {
		w.t.Fatal(err)
	}
	return finish{got.ID, exchangeable, "Sandbox Bank"}
}

func (w *world) exchange(body finish) result {
	w.t.Helper()
	return w.post("/linking/exchange-token", body)
}

func (w *world) check(what string, got result, status int, kind string) {
	w.t.Helper()
	if got.status != status || got.Kind != kind || got.Message == "" {
		w.t.Errorf("%s: %+v, want %d %s", what, got, status, kind)
	}
	if linked := strings.HasSuffix(got.Message, "k is linked."); linked != (kind == "linked") { // such as Your bank is linked.
		w.t.Errorf("%s: %s", kind, got.Message)
	}
}

// breakStore makes the database fail, or change no row, whenever a link is to be stored.
func (w *world) breakStore(changeNoRow bool) (mend func()) {
	w.t.Helper()
	do, undo := "raise(ABORT, 'disk full')", "DROP TRIGGER broken"
	if changeNoRow {
		do = "raise(IGNORE)"
	}
	create := "CREATE TRIGGER broken BEFORE UPDATE ON attempts WHEN new.link_id <> '' BEGIN SELECT " + do + "; END"
	if onPostgres(w.db) {
		do, undo = "RAISE 'disk full'", "DROP TRIGGER broken ON attempts"
		if changeNoRow {
			do = "RETURN NULL"
		}
		create = "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + do + "; END $$; " +
			"CREATE TRIGGER broken BEFORE UPDATE ON attempts FOR EACH ROW WHEN (new.link_id <> '') EXECUTE FUNCTION broken()"
	}
	exec := func(statement string) {
		if _, err := w.store.db.ExecContext(w.t.Context(), statement); err != nil {
			w.t.Fatal(err)
		}
	}
	exec(create)
	return func() { exec(undo) }
}

func (w *world) exchanges() (n int) {
	for _, r := range w.mk.Requests() {
		if r.Operation == sandbox.ExchangeToken {
			n++
		}
	}
	return n
}

// proxy puts a proxy before the sandbox, for instances that are started afterwards. It calls before and after with the
// number of each exchange, from 1: before it is processed, and before its response is sent.
func (w *world) proxy(before, after func(n int32)) {
	w.t.Helper()
	target, err := url.Parse(w.mk.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = log.New(io.Discard, "", 0) // of connections that the sandbox drops
	var exchanges atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/exchange-token") {
			proxy.ServeHTTP(rw, r)
			return
		}
		n := exchanges.Add(1)
		before(n)
		rec := httptest.NewRecorder()
		proxy.ServeHTTP(rec, r)
		after(n)
		maps.Copy(rw.Header(), rec.Header())
		rw.WriteHeader(rec.Code)
		_, _ = rec.Body.WriteTo(rw)
	}))
	w.t.Cleanup(server.Close)
	w.moneykit = server.URL
}

// An order makes the second of two exchanges be processed first, and its response arrive last.
type order struct {
	firstSent, secondProcessed, firstDone chan struct{}
}

func (w *world) order() order {
	w.t.Helper()
	o := order{make(chan struct{}), make(chan struct{}), make(chan struct{})}
	w.proxy(func(n int32) {
		if n == 1 {
			close(o.firstSent)
			<-o.secondProcessed
		}
	}, func(n int32) {
		if n == 2 {
			close(o.secondProcessed)
			<-o.firstDone
		}
	})
	return o
}

// afterTests is called when all tests have ended.
var afterTests = func() {}

// TestMain runs the program itself for tests that need a process of it.
func TestMain(m *testing.M) {
	if os.Getenv("LINKAPP_TEST_PROGRAM") != "" {
		main()
		return
	}
	code := m.Run()
	afterTests()
	os.Exit(code)
}
