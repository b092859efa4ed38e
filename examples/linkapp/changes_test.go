package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/sandbox"
)

// changes opens the stream of the browser's page, and returns a function that waits for the next list.
func (w *world) changes() (next func() string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second) // or a list that does not come would hang the test
	w.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/linking/changes", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := w.browser.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { res.Body.Close() })
	if got := res.Header.Get("Content-Type"); res.StatusCode != 200 || got != "text/event-stream" {
		w.t.Fatalf("%d %s", res.StatusCode, got)
	}
	lines := bufio.NewScanner(res.Body)
	return func() (list string) {
		w.t.Helper()
		for lines.Scan() {
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			if !ok {
				continue
			}
			if err := json.Unmarshal([]byte(data), &list); err != nil {
				w.t.Fatal(err)
			}
			return list
		}
		w.t.Fatalf("the stream ended: %v", lines.Err())
		return ""
	}
}

// An open page is sent its list whenever that changes, also by another instance, and nothing when it does not.
func TestChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(func(s *http.Server) { s.ReadTimeout, s.WriteTimeout = pollInterval/2, pollInterval/2 }) // the stream is open for longer
	next, store := w.changes(), w.store
	if list := next(); !strings.Contains(list, "No bank is linked yet.") {
		t.Errorf("at first: %s", list)
	}
	w.start() // the other instance
	w.mk.Fail(sandbox.ExchangeToken, 1, sandbox.Fault{Drop: true})
	body := w.connect()
	w.check("exchange", w.exchange(body), 202, "unconfirmed")
	if list := next(); !strings.Contains(list, "Not confirmed by MoneyKit yet") {
		t.Errorf("then: %s", list)
	}
	other := w.newBrowser()
	changed := store.changed()
	w.send(other, "/linking/session", `{}`, nil) // somebody else's
	<-changed
	w.check("again", w.exchange(finish{ID: body.ID}), 200, "linked")
	if list := next(); !strings.Contains(list, ">connected<") {
		t.Errorf("in the end: %s", list)
	}
}

func TestChangesOfNobody(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	(&app{}).serveChanges(rec, httptest.NewRequest("GET", "/linking/changes", nil))
	if rec.Code != http.StatusUnauthorized {
		t.Errorf("%d", rec.Code)
	}
}

// Open pages do not keep the server from stopping.
func TestStopWithOpenPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.changes()()
	start := time.Now()
	if err := w.app.Config.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > keepAlive/2 {
		t.Errorf("it took %s", took)
	}
}
