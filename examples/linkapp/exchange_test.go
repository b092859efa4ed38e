package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/sandbox"
)

func TestLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if list := w.list(); !strings.Contains(list, "No bank is linked yet.") {
		t.Errorf("at first: %s", list)
	}
	body := w.connect()
	if list := w.list(); !strings.Contains(list, "No bank is linked yet.") {
		t.Errorf("before the exchange: %s", list)
	}
	w.check("exchange", w.exchange(body), 200, "linked")
	w.check("once more", w.exchange(body), 200, "linked")
	if n := w.exchanges(); n != 1 {
		t.Errorf("%d exchanges", n)
	}
	links := w.mk.Links()
	if len(links) != 1 || !regexp.MustCompile(`^user-[0-9a-f]{16}$`).MatchString(links[0].CustomerUserID) {
		t.Fatalf("links: %+v", links)
	}
	if tags := links[0].LinkTags; len(tags) != 1 || tags[0] != "attempt:"+body.ID {
		t.Errorf("tags: %v", tags)
	}
	if list := w.list(); strings.Count(list, "<li") != 1 || !strings.Contains(list, "Sandbox Bank") || !strings.Contains(list, ">connected<") {
		t.Errorf("list: %s", list)
	}
	if theirs := w.get(w.newBrowser(), "/"); strings.Contains(theirs, "Sandbox Bank") {
		t.Error("another user sees the link")
	}
	w.restart()
	if list := w.list(); !strings.Contains(list, "Sandbox Bank") {
		t.Errorf("after a restart: %s", list)
	}
	w.check("once more after a restart", w.exchange(body), 200, "linked")
}

func TestReconnect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.check("exchange", w.exchange(w.connect()), 200, "linked")
	before := w.row()
	body := w.reconnect(before.ID)
	w.check("again", w.exchange(body), 200, "linked")
	if now := w.row(); now.ID != body.ID || now.LinkID != before.LinkID || len(w.mk.Links()) != 1 {
		t.Errorf("before: %+v, now: %+v", before, now)
	}
	w.check("a row that was replaced", w.post("/linking/session", `{"reconnect": "`+before.ID+`"}`), 404, "not_found")
	w.check("no such row", w.post("/linking/session", `{"reconnect": "x"}`), 404, "not_found")
	w.check("no such row", w.exchange(finish{ID: "x", ExchangeableToken: "y"}), 404, "not_found")
	got := w.send(w.newBrowser(), "/linking/session", `{"reconnect": "`+body.ID+`"}`, nil)
	w.check("another user's row", got, 404, "not_found")
	got = w.send(w.newBrowser(), "/linking/exchange-token", body, nil)
	w.check("an exchange of another user's row", got, 404, "not_found")

	w.mk.Fail(sandbox.CreateLinkSession, 1, sandbox.Fault{Status: 422, Body: `{"error_code": "api_error.request.validation_failed", "error_message": "x", "validation_errors": []}`})
	w.check("a link that is not known any more", w.post("/linking/session", `{"reconnect": "`+body.ID+`"}`), 409, "unknown_link")
}

// The whole table of how an exchange can end, and what a second one leads to.
func TestExchangeEnds(t *testing.T) {
	t.Parallel()
	const ready, unconfirmed, none = "One step is left", "Not confirmed by MoneyKit yet", "No bank is linked yet."
	status := map[string]int{"linked": 200, "unconfirmed": 202, "lost": 202, "expired": 410, "try_again": 502}
	rateLimited := sandbox.Fault{Status: 429, Body: `{"error_code": "api_error.rate_limit_exceeded", "error_message": "x"}`}
	for name, test := range map[string]struct {
		fault sandbox.Fault
		kind  string
		row   string        // what the list shows then
		later time.Duration // passes before the second exchange
		again string        // what that ends with; empty if there is nothing left to exchange
	}{
		"lost on the way there":               {fault: sandbox.Fault{Drop: true}, kind: "unconfirmed", row: unconfirmed, again: "linked"},
		"lost on the way there, then expired": {fault: sandbox.Fault{Drop: true}, kind: "unconfirmed", row: unconfirmed, later: time.Hour, again: "unconfirmed"},
		"lost on the way there, then forever": {fault: sandbox.Fault{Drop: true}, kind: "unconfirmed", row: unconfirmed, later: 3 * time.Hour, again: "lost"},
		"lost on the way back":                {fault: sandbox.Fault{Drop: true, After: true}, kind: "unconfirmed", row: unconfirmed, again: "unconfirmed"},
		"a proxy's 502":                       {fault: sandbox.Fault{Status: 502, Body: "<html>"}, kind: "unconfirmed", row: unconfirmed, again: "linked"},
		"an unreadable 201":                   {fault: sandbox.Fault{Status: 201, Body: "{", After: true}, kind: "unconfirmed", row: unconfirmed, again: "unconfirmed"},
		"a 503 although it was processed": {fault: sandbox.Fault{Status: 503, After: true, Header: http.Header{"Retry-After": {"1"}}},
			kind: "unconfirmed", row: unconfirmed, again: "unconfirmed"},
		"rate limited":               {fault: rateLimited, kind: "try_again", row: ready, again: "linked"},
		"rate limited, then expired": {fault: rateLimited, kind: "try_again", row: ready, later: time.Hour, again: "expired"},
		"invalid":                    {fault: sandbox.Fault{Status: 400, Body: `{"error_code": "link_session_error.invalid_token_exchange", "error_message": "x"}`}, kind: "expired", row: none},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			body := w.connect()
			w.mk.Fail(sandbox.ExchangeToken, 1, test.fault)
			w.check("exchange", w.exchange(body), status[test.kind], test.kind)
			if list := w.list(); !strings.Contains(list, test.row) {
				t.Errorf("list: %s", list)
			}
			if test.again == "" {
				if w.tokenStored() {
					t.Error("the token is still in the database")
				}
				return
			}
			// While MoneyKit cannot be reached, nothing that is known gets lost.
			w.mk.Fail(sandbox.ExchangeToken, 1, rateLimited)
			w.check("while it cannot be reached", w.exchange(finish{ID: body.ID}), status[test.kind], test.kind)
			if list := w.list(); !strings.Contains(list, test.row) || !strings.Contains(list, "data-check") {
				t.Errorf("list: %s", list)
			}
			w.advance(test.later)
			w.check("again", w.exchange(finish{ID: body.ID}), status[test.again], test.again)
			w.check("and once more", w.exchange(body), status[test.again], test.again)
			list := w.list()
			if strings.Contains(list, "data-check") {
				t.Errorf("there is nothing left to exchange: %s", list)
			}
			if rows := w.rows(); len(rows) == 0 != (test.again == "expired") {
				t.Errorf("rows: %+v", rows)
			}
			if w.tokenStored() {
				t.Error("the token is still in the database")
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
	w.connect()
	if rows := w.rows(); len(rows) != 0 {
		t.Errorf("rows: %+v", rows)
	}
}

func TestExchangeAtTheSameTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := w.connect()
	var all sync.WaitGroup
	for i := range 8 {
		if i == 4 {
			w.start() // a second instance
		}
		url := w.url
		all.Go(func() { post(t, w.browser, url+"/linking/exchange-token", body, nil) })
	}
	all.Wait()
	w.check("afterwards", w.exchange(body), 200, "linked")
	if row := w.row(); row.LinkID != w.mk.Links()[0].LinkID {
		t.Errorf("row: %+v", row)
	}
}

// Of two exchanges of a token, the first is rejected while the response of the other, which has the link, is on its way.
func TestRejectedBesideTheLink(t *testing.T) {
	t.Parallel()
	for name, instances := range map[string]int{"one instance": 1, "two instances": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			order := w.order()
			w.start()
			one, two := w.url, w.url
			if instances == 2 {
				w.start()
				two = w.url
			}
			w.rejectedBesideTheLink(order, one, two)
		})
	}
}

func (w *world) rejectedBesideTheLink(o order, one, two string) {
	w.t.Helper()
	body := w.connect()
	first, second := make(chan result), make(chan result)
	go func() { first <- post(w.t, w.browser, one+"/linking/exchange-token", body, nil) }()
	<-o.firstSent
	go func() { second <- post(w.t, w.browser, two+"/linking/exchange-token", body, nil) }()
	w.check("the rejected one", <-first, 202, "unconfirmed")
	if row := w.row(); row.ExchangeableToken != "" || row.Open != 1 {
		w.t.Errorf("in between: %+v", row)
	}
	close(o.firstDone)
	w.check("the other one", <-second, 200, "linked")
	if row := w.row(); row.LinkID != w.mk.Links()[0].LinkID || row.Open != 0 {
		w.t.Errorf("in the end: %+v", row)
	}
}

// A link that cannot be stored is not said to be linked, and is in the log.
func TestLinkNotStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := w.connect()
	w.breakStore(true)
	w.check("a row that is gone", w.exchange(body), 500, "unconfirmed")
	if logged := w.log.String(); !strings.Contains(logged, "link_id="+w.mk.Links()[0].LinkID) || !strings.Contains(logged, "0 rows changed") {
		t.Errorf("log: %s", logged)
	}
	if rows := w.rows(); len(rows) != 1 {
		t.Errorf("the transaction was not rolled back: %+v", rows)
	}
}

// An exchange goes on when the user closes the page.
func TestPageClosedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	order := w.order()
	done := make(chan struct{})
	w.start(func(s *http.Server) {
		next := s.Handler
		s.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/linking/exchange-token" {
				go func() {
					<-r.Context().Done() // the server has seen that the page is closed
					close(order.secondProcessed)
				}()
				defer close(done)
			}
			next.ServeHTTP(rw, r)
		})
	})
	body, err := json.Marshal(w.connect())
	if err != nil {
		t.Fatal(err)
	}
	ctx, closePage := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+"/linking/exchange-token", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	go func() {
		<-order.firstSent
		closePage()
	}()
	if res, err := w.browser.Do(r); err == nil {
		res.Body.Close()
		t.Errorf("got %d", res.StatusCode)
	}
	<-done
	if row := w.row(); row.LinkID != w.mk.Links()[0].LinkID {
		t.Errorf("row: %+v", row)
	}
}

// Of a response that was cut off, the link is kept, and the event brings the rest.
func TestResponseCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := w.connect()
	linkID := w.mk.Links()[0].LinkID
	w.mk.Fail(sandbox.ExchangeToken, 1, sandbox.Fault{Status: 201, Body: `{"link_id": "` + linkID + `", "link": {"link_id": "` + linkID + `", "institution_na`, After: true})
	if got := w.exchange(body); got.Kind != "linked" || got.Message != "Sandbox Bank is linked." {
		t.Errorf("got %+v", got)
	}
	if row, list := w.row(), w.list(); row.LinkID != linkID || strings.Contains(list, `class="state`) || !strings.Contains(list, "data-reconnect") {
		t.Errorf("row: %+v, list: %s", row, list)
	}
	if got := w.deliver(w.mk, event(body.ID, linkID)); got != 204 {
		t.Errorf("event: %d", got)
	}
	if list := w.list(); !strings.Contains(list, ">connected<") {
		t.Errorf("list: %s", list)
	}
}
