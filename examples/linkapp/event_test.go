package main

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
)

// event returns the event that follows the exchange of an attempt.
func event(id, linkID string) gen.LinkStateChangedWebhook {
	return gen.LinkStateChangedWebhook{LinkID: linkID, LinkTags: []string{attemptTag + id}, State: gen.PublicLinkStateConnected}
}

// deliver sends an event to the instance that the browser uses, signed by from.
func (w *world) deliver(from *sandbox.Server, event any) (status int) {
	w.t.Helper()
	res, err := http.DefaultClient.Do(from.NewEvent(w.url+webhookPath, event))
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// lose exchanges the token of a new attempt, whose response is lost although it was processed, and returns the attempt
// and its link.
func (w *world) lose() (body finish, linkID string) {
	w.t.Helper()
	body = w.connect()
	w.mk.Fail(sandbox.ExchangeToken, 1, sandbox.Fault{Drop: true, After: true})
	w.check("exchange", w.exchange(body), 202, "unconfirmed")
	links := w.mk.Links()
	return body, links[len(links)-1].LinkID
}

// The event that MoneyKit sends after an exchange settles the attempt, in the open page too.
func TestLostResponse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.lostResponse(w.changes())
}

func (w *world) lostResponse(next func() string) {
	t := w.t
	t.Helper()
	next()
	w.mk.ClearFaults()
	body := w.connect()
	w.mk.Fail(sandbox.ExchangeToken, 1, sandbox.Fault{Drop: true, After: true})
	if got := w.exchange(body); got.Kind != "unconfirmed" && got.Kind != "linked" { // the event may have come first
		t.Errorf("exchange: %+v", got)
	}
	for list := next(); !strings.Contains(list, ">connected<"); list = next() {
		if !strings.Contains(list, "Not confirmed by MoneyKit yet") {
			t.Errorf("list: %s", list)
		}
	}
	row := w.row()
	if row.LinkID != w.mk.Links()[0].LinkID || row.Institution != "Sandbox Bank" || row.ExchangeableToken != "" {
		t.Errorf("row: %+v", row)
	}
	w.check("the same exchange again", w.exchange(body), 200, "linked")
	if n := w.exchanges(); n != 1 {
		t.Errorf("%d exchanges", n)
	}
}

// MoneyKit sends an event again that could not be stored.
func TestEventNotStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mk.ClearFaults()
	mend := w.breakStore(false)
	w.lose()
	w.advance(0) // until the first delivery has failed
	deliveries := w.mk.Deliveries()
	if attempts := deliveries[0].Attempts; len(attempts) != 1 || attempts[0].Status != 500 {
		t.Errorf("deliveries: %+v", deliveries[0])
	}
	if row := w.row(); row.LinkID != "" {
		t.Errorf("row: %+v", row)
	}
	mend()
	w.advance(time.Hour)
	if row := w.row(); row.LinkID != w.mk.Links()[0].LinkID || row.LinkState != "connected" {
		t.Errorf("row: %+v", row)
	}
}

// What events do to an attempt whose outcome is unknown, and what leaves it alone.
func TestEvents(t *testing.T) {
	t.Parallel()
	other := sandbox.Start(t)
	for name, test := range map[string]struct {
		change  func(w *world, e *gen.LinkStateChangedWebhook) any // returns the event to send
		forged  bool
		status  int
		settles bool
	}{
		"connected": {status: 204, settles: true},
		"with a key newer than the latest fetch": {status: 400, change: func(w *world, e *gen.LinkStateChangedWebhook) any { // until 5 minutes after it
			w.deliver(w.mk, event("x", "mk_x"))
			w.mk.RotateKeys()
			return *e
		}},
		"hours later": {status: 204, settles: true, change: func(w *world, e *gen.LinkStateChangedWebhook) any { w.advance(3 * time.Hour); return *e }},
		"one of many tags": {status: 204, settles: true, change: func(_ *world, e *gen.LinkStateChangedWebhook) any {
			e.LinkTags = append([]string{"a", "b:c"}, e.LinkTags...)
			return *e
		}},
		"already an error": {status: 204, settles: true, change: func(_ *world, e *gen.LinkStateChangedWebhook) any { e.State = gen.PublicLinkStateError; return *e }},
		"forged":           {status: 400, forged: true},
		"of no attempt":    {status: 204, change: func(_ *world, e *gen.LinkStateChangedWebhook) any { e.LinkTags = []string{attemptTag + "x"}; return *e }},
		"without a tag":    {status: 204, change: func(_ *world, e *gen.LinkStateChangedWebhook) any { e.LinkTags = nil; return *e }},
		"before the exchange": {status: 204, change: func(_ *world, e *gen.LinkStateChangedWebhook) any {
			e.State = gen.PublicLinkStateAwaitingTokenExchange
			return *e
		}},
		"of a product": {status: 204, change: func(_ *world, e *gen.LinkStateChangedWebhook) any {
			return gen.LinkProductRefreshWebhook{LinkID: e.LinkID, LinkTags: e.LinkTags}
		}},
		"of another kind": {status: 204, change: func(_ *world, e *gen.LinkStateChangedWebhook) any {
			return map[string]any{"webhook_event": "link.renamed", "webhook_idempotency_key": "k", "link_id": e.LinkID, "link_tags": e.LinkTags}
		}},
		"not an event": {status: 400, change: func(*world, *gen.LinkStateChangedWebhook) any { return "x" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			body, linkID := w.lose()
			before := w.row()
			payload := event(body.ID, linkID)
			var send any = payload
			if test.change != nil {
				send = test.change(w, &payload)
			}
			from := w.mk
			if test.forged {
				from = other
			}
			if got := w.deliver(from, send); got != test.status {
				t.Errorf("status %d, want %d", got, test.status)
			}
			after := w.row()
			if !test.settles {
				if after != before {
					t.Errorf("before: %+v, after: %+v", before, after)
				}
				return
			}
			if after.LinkID != linkID || after.LinkState != string(payload.State) || after.ExchangeableToken != "" {
				t.Errorf("after: %+v", after)
			}
			w.check("the exchange again", w.exchange(body), 200, "linked")
		})
	}
}

// Events come more than once, and in another order than they happened.
func TestRepeatsAndOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body, linkID := w.lose()
	now := time.Now()
	send := func(key string, state gen.PublicLinkState, at time.Duration) attempt {
		t.Helper()
		e := event(body.ID, linkID)
		e.WebhookIdempotencyKey, e.State, e.WebhookTimestamp = key, state, gen.Timestamp{Time: now.Add(at)}
		if got := w.deliver(w.mk, e); got != 204 {
			t.Errorf("%s: %d", key, got)
		}
		return w.row()
	}
	const connected, failed = gen.PublicLinkStateConnected, gen.PublicLinkStateError
	for i, test := range []struct {
		key   string
		state gen.PublicLinkState
		at    time.Duration
		want  gen.PublicLinkState
	}{
		{"k2", failed, time.Minute, failed},
		{"k1", connected, 0, failed}, // the first event of the link, late
		{"k3", connected, time.Hour, connected},
		{"k2", failed, time.Minute, connected},
		{"k2", failed, 2 * time.Hour, connected}, // a key is processed once
		{"k4", failed, 2 * time.Hour, failed},
	} {
		if row := send(test.key, test.state, test.at); row.LinkState != string(test.want) || row.LinkID != linkID {
			t.Errorf("%d: %+v, want %s", i, row, test.want)
		}
	}
	other := event(body.ID, "mk_other")
	if got := w.deliver(w.mk, other); got != 500 {
		t.Errorf("an event of another link with this tag: %d", got)
	}
	if row := w.row(); row.LinkID != linkID {
		t.Errorf("row: %+v", row)
	}
	// The keys are kept for longer than MoneyKit repeats an event.
	w.advance(24 * time.Hour)
	w.deliver(w.mk, event("x", "mk_x"))
	var n int
	if err := w.store.db.QueryRowContext(t.Context(), "SELECT count(*) FROM events WHERE idempotency_key LIKE 'k_'").Scan(&n); err != nil || n != 4 {
		t.Errorf("%d keys, %v", n, err)
	}
	send("k5", connected, 24*time.Hour)
	if err := w.store.db.QueryRowContext(t.Context(), "SELECT count(*) FROM events WHERE idempotency_key LIKE 'k_'").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d keys, %v", n, err)
	}
}

// The event comes while the exchange is waiting for its response, which then comes or not.
func TestEventFirst(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		w := newWorld(t)
		processed, delivered := make(chan struct{}), make(chan struct{})
		w.proxy(func(int32) {}, func(int32) {
			close(processed)
			<-delivered
			if lost {
				panic(http.ErrAbortHandler)
			}
		})
		w.start()
		body := w.connect()
		done := make(chan result)
		go func() { done <- w.exchange(body) }()
		<-processed
		linkID := w.mk.Links()[0].LinkID
		e := event(body.ID, linkID)
		e.State = gen.PublicLinkStateError
		if got := w.deliver(w.mk, e); got != 204 {
			t.Errorf("event: %d", got)
		}
		close(delivered)
		w.check("exchange", <-done, 200, "linked")
		if row := w.row(); row.LinkID != linkID || row.LinkState != "error" || row.Institution != "Sandbox Bank" {
			t.Errorf("row: %+v", row)
		}
	}
}

// An exchange and its event, each several times and at two instances at once: one link, one row.
func TestEventAndExchangeAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := w.url
	w.start()
	body := w.connect()
	linkID := w.mk.Links()[0].LinkID
	e := event(body.ID, linkID)
	e.WebhookIdempotencyKey = "k1"
	var all sync.WaitGroup
	for i := range 8 {
		url := []string{one, w.url}[i%2]
		all.Go(func() {
			if got := post(t, w.browser, url+"/linking/exchange-token", body, nil); got.Kind != "linked" && got.Kind != "unconfirmed" {
				t.Errorf("exchange: %+v", got)
			}
		})
		all.Go(func() {
			res, err := http.DefaultClient.Do(w.mk.NewEvent(url+webhookPath, e))
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
			if res.StatusCode != 204 {
				t.Errorf("event: %d", res.StatusCode)
			}
		})
	}
	all.Wait()
	if row := w.row(); row.LinkID != linkID || row.LinkState != "connected" || row.Open != 0 || row.ExchangeableToken != "" {
		t.Errorf("row: %+v", row)
	}
	w.check("afterwards", w.exchange(body), 200, "linked")
}

// The event of a bank that was connected again takes the place of the earlier attempt.
func TestEventOfReconnect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.check("exchange", w.exchange(w.connect()), 200, "linked")
	before := w.row()
	again := w.reconnect(before.ID)
	if got := w.deliver(w.mk, event(again.ID, before.LinkID)); got != 204 {
		t.Errorf("event: %d", got)
	}
	if row := w.row(); row.ID != again.ID || row.LinkID != before.LinkID || row.Institution != before.Institution {
		t.Errorf("before: %+v, after: %+v", before, row)
	}
	if got := w.deliver(w.mk, event(before.ID, before.LinkID)); got != 204 { // a late one of the earlier attempt
		t.Errorf("event: %d", got)
	}
	if row := w.row(); row.ID != again.ID {
		t.Errorf("row: %+v", row)
	}
}
