package webhook

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/moneykit/moneykit-go/internal/secrettest"
)

func (m *testMoneyKit) request(t *testing.T, body string, at time.Time) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/moneykit/webhook", strings.NewReader(body))
	r.Header = m.header(t, body, at)
	return r
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

func TestHandler(t *testing.T) {
	t.Parallel()
	m, c := newMoneyKit(t), newClock()
	var got *Event
	type ctxKey struct{}
	var cancel context.CancelFunc
	h := Handler(newVerifier(t, m, c), func(ctx context.Context, e *Event) error {
		if cancel(); ctx.Value(ctxKey{}) != "of the request" || !errors.Is(ctx.Err(), context.Canceled) {
			t.Error("the context is not the request's")
		}
		got = e
		return nil
	})
	r := m.request(t, connected, c.now())
	ctx, stop := context.WithCancel(context.WithValue(r.Context(), ctxKey{}, "of the request"))
	defer stop()
	cancel = stop
	rec := serve(h, r.WithContext(ctx))
	if rec.Code != http.StatusNoContent || rec.Body.Len() != 0 {
		t.Errorf("got %d %q", rec.Code, rec.Body)
	}
	if got == nil || got.LinkID != "mk_1" || got.DeliveryToken != "delivery-1" || string(got.Raw) != connected {
		t.Errorf("got %+v", got)
	}
}

// Each way to fail has its status; none but a verified event reaches the function, and the sender is not told why.
func TestHandlerStatuses(t *testing.T) {
	t.Parallel()
	m, c := newMoneyKit(t), newClock()
	down, now := newMoneyKit(t), c.now()
	down.respond(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	v := newVerifier(t, m, c, WithMaxBodySize(1000))
	fail := errors.New("the database is locked")
	type function = func(context.Context, *Event) error
	never := func(context.Context, *Event) error { t.Error("an event was processed"); return nil }
	method := func(method string) *http.Request {
		r := m.request(t, connected, now)
		r.Method = method
		return r
	}
	altered := m.request(t, connected, now)
	altered.Body = io.NopCloser(strings.NewReader(strings.Replace(connected, "mk_1", "mk_2", 1)))
	broken := m.request(t, connected, now)
	broken.Body = io.NopCloser(iotest.ErrReader(errors.New("unexpected EOF")))
	none := m.request(t, connected, now)
	none.Body = nil
	for name, tt := range map[string]struct {
		v      *Verifier
		f      function
		r      *http.Request
		status int
		log    string
	}{
		"GET":                  {v, never, method(http.MethodGet), 405, "the method is GET, want POST"},
		"HEAD":                 {v, never, method(http.MethodHead), 405, "the method is HEAD, want POST"},
		"PUT":                  {v, never, method(http.MethodPut), 405, "the method is PUT, want POST"},
		"1001 bytes":           {v, never, m.request(t, connected+strings.Repeat(" ", 1001-len(connected)), now), 413, "longer than 1000 bytes"},
		"1000 bytes":           {v, nothing, m.request(t, connected+strings.Repeat(" ", 1000-len(connected)), now), 204, ""},
		"altered":              {v, never, altered, 400, "not the one that was signed"},
		"no signature":         {v, never, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(connected)), 400, "no header"},
		"stale":                {v, never, m.request(t, connected, now.Add(-time.Hour)), 400, "stale"},
		"signed nothing":       {v, never, m.request(t, "", now), 400, "signed but malformed"},
		"no body":              {v, never, none, 400, "not the one that was signed"},
		"broken body":          {v, never, broken, 400, "the body could not be read"},
		"keys":                 {newVerifier(t, down, c), never, down.request(t, connected, now), 503, "keys unavailable"},
		"error":                {v, func(context.Context, *Event) error { return fail }, m.request(t, connected, now), 500, "the database is locked"},
		"error of the package": {v, func(context.Context, *Event) error { return ErrInvalidSignature }, m.request(t, connected, now), 500, "invalid signature"},
		"panic":                {v, func(context.Context, *Event) error { panic("of the application") }, m.request(t, connected, now), 500, "of the application"},
		"abort":                {v, func(context.Context, *Event) error { panic(http.ErrAbortHandler) }, m.request(t, connected, now), 500, "abort"},
		"nil function":         {v, nil, m.request(t, connected, now), 500, "nil pointer"},
		"nil Verifier":         {nil, never, m.request(t, connected, now), 500, ""},
		"zero Verifier":        {&Verifier{}, never, m.request(t, connected, now), 500, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var logged bytes.Buffer
			v := tt.v
			if v != nil && v.keys != nil {
				v = &Verifier{keys: v.keys, maxBody: v.maxBody, now: v.now, logger: slog.New(slog.NewTextHandler(&logged, nil))}
			}
			rec := serve(Handler(v, tt.f), tt.r)
			if rec.Code != tt.status {
				t.Errorf("got %d, want %d: %s", rec.Code, tt.status, &logged)
			}
			if body := rec.Body.String(); tt.status != 204 && body != http.StatusText(tt.status)+"\n" {
				t.Errorf("the response is %q", body)
			}
			if (tt.log == "") != (logged.Len() == 0) || !strings.Contains(logged.String(), tt.log) {
				t.Errorf("logged %q, want %q", &logged, tt.log)
			}
			if allow := rec.Header().Get("Allow"); (allow == "POST") != (tt.status == 405) {
				t.Errorf("Allow: %q", allow)
			}
		})
	}
}

func nothing(context.Context, *Event) error { return nil }

// What is too long is not read, and its connection is not kept.
func TestHandlerStopsReading(t *testing.T) {
	t.Parallel()
	m, c := newMoneyKit(t), newClock()
	srv := httptest.NewServer(Handler(newVerifier(t, m, c), nothing))
	defer srv.Close()
	for name, body := range map[string]io.Reader{
		"Content-Length": bytes.NewReader(make([]byte, 1<<20+1)),
		"chunked":        io.MultiReader(bytes.NewReader(make([]byte, 1<<20+1))),
	} {
		res, err := srv.Client().Post(srv.URL, "application/json", body)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusRequestEntityTooLarge || !res.Close {
			t.Errorf("%s: got %s, Close %v", name, res.Status, res.Close)
		}
	}
}

// Without a logger, a panic is logged where net/http would have logged it.
func TestPanicIsLogged(t *testing.T) {
	t.Parallel()
	m, c := newMoneyKit(t), newClock()
	var logged bytes.Buffer
	srv := httptest.NewUnstartedServer(Handler(newVerifier(t, m, c), func(context.Context, *Event) error { panic("of the application") }))
	srv.Config.ErrorLog = log.New(&logged, "", 0)
	srv.Start()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader(connected))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = m.header(t, connected, c.now())
	res, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	srv.Close()
	if res.StatusCode != http.StatusInternalServerError || !strings.Contains(logged.String(), "panic processing an event: of the application\n") ||
		!strings.Contains(logged.String(), "handler_test.go") {
		t.Errorf("got %s, logged %q", res.Status, &logged)
	}
}

// Neither a body nor a signature is in an error or a log, and a header cannot forge a log line.
func TestSecrets(t *testing.T) {
	t.Parallel()
	m, c := newMoneyKit(t), newClock()
	body := strings.Replace(connected, "attempt:1", "hunter2-in-the-body", 1)
	guard := secrettest.New(t, "hunter2-in-the-body", body)
	v := newVerifier(t, m, c, WithLogger(guard.Logger()))
	h := Handler(v, func(context.Context, *Event) error { return errors.New("failed") })
	for _, claims := range []map[string]any{claimsOf(body, c.now()), claimsOf(body+" ", c.now()), claimsOf(body, c.now().Add(time.Hour))} {
		for _, kid := range []string{m.kid, "other\nkid"} {
			token := sign(t, jose.ES256, m.key, kid, claims)
			guard.Add(token, token[strings.LastIndex(token, ".")+1:])
			for _, token := range []string{token, token + "x", token + ".x", "x" + token} {
				r := m.request(t, body, c.now())
				r.Header = headerWith(token)
				r.Header.Set("MoneyKit-Delivery-Token", "1\nforged=line")
				_, err := v.Verify(t.Context(), r.Header, []byte(body))
				if err != nil {
					guard.Show(err)
					if strings.Contains(err.Error(), "\n") {
						t.Errorf("an error of two lines: %q", err)
					}
				}
				serve(h, r)
			}
		}
	}
	guard.Show(v)
}

func TestLogLinesAreShort(t *testing.T) {
	t.Parallel()
	m, c := newMoneyKit(t), newClock()
	var logged bytes.Buffer
	v := newVerifier(t, m, c, WithLogger(slog.New(slog.NewTextHandler(&logged, nil))))
	r := m.request(t, connected, c.now())
	r.Header = headerWith(sign(t, jose.ES256, m.key, strings.Repeat("k", 2000), claimsOf(connected, c.now())))
	r.Header.Set("MoneyKit-Delivery-Token", strings.Repeat("x", 1<<16))
	r.Header.Set("MoneyKit-Delivery-Attempt", strings.Repeat("x", 1<<16))
	if rec := serve(Handler(v, nothing), r); rec.Code != http.StatusBadRequest || logged.Len() == 0 || logged.Len() > 2000 {
		t.Errorf("got %d and %d bytes of log", rec.Code, logged.Len())
	}
}
