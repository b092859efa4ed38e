package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/webhook"
)

const (
	webhookPath = "/moneykit/webhook"
	// attemptTag comes before an attempt's ID in the tag that its link has at MoneyKit.
	attemptTag = "attempt:"
	// eventsWithin is how long MoneyKit keeps sending an event. When no event has come for that long, there is no link.
	eventsWithin = 2 * time.Hour
)

// An app is the back end of an application, a small examples/linkapp: it learns of its links from responses and from
// events, in whatever order they come, and from nothing else.
type app struct {
	now         func() time.Time
	newVerifier func() (*webhook.Verifier, error)

	handler                      atomic.Pointer[http.Handler]
	received, verified, repeated atomic.Int64 // events

	mu       sync.Mutex // held for each transaction on what follows, which is kept when the app is restarted
	attempts map[string]*attempt
	events   map[string]bool // the idempotency keys of those that were processed
}

// An attempt is one try of an end user to link a bank.
type attempt struct {
	user      string
	process   int       // that makes the calls
	exchanged bool      // whether there was an exchange
	open      int       // exchanges that may have been processed: under way, or with an unknown outcome
	openSince time.Time // when the last of them was known to be open
	lostAt    time.Time // when an outcome was first unknown; zero if it never was
	linkID    string    // empty until it is known
	linkedAt  time.Time
	byEvent   bool // an event brought the link_id first
	events    int  // that were processed
	err       error
}

func newApp(now func() time.Time, newVerifier func() (*webhook.Verifier, error)) (*app, error) {
	a := &app{now: now, newVerifier: newVerifier, attempts: map[string]*attempt{}, events: map[string]bool{}}
	return a, a.restart()
}

// restart deploys the app anew: what it has in memory is gone, such as MoneyKit's keys.
func (a *app) restart() error {
	v, err := a.newVerifier()
	if err != nil {
		return err
	}
	h := webhook.Handler(v, failing(a.process))
	a.handler.Store(&h)
	return nil
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.received.Add(1)
	(*a.handler.Load()).ServeHTTP(w, r)
}

func (a *app) process(_ context.Context, e *webhook.Event) error {
	a.verified.Add(1)
	payload, ok := e.Payload.(*gen.LinkStateChangedWebhook)
	if !ok || payload.State != gen.PublicLinkStateConnected {
		return nil
	}
	for _, tag := range e.LinkTags {
		if id, ok := strings.CutPrefix(tag, attemptTag); ok {
			return a.settle(e.IdempotencyKey, id, e.LinkID)
		}
	}
	return nil
}

// settle records the link that an event brought, once for each idempotency key.
func (a *app) settle(key, id, linkID string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.attempts[id]
	if t == nil {
		return nil
	}
	if a.events[key] {
		a.repeated.Add(1)
		return nil
	}
	a.events[key] = true
	t.events++
	t.byEvent = t.byEvent || t.linkID == ""
	return t.link(linkID, a.now())
}

// create adds an attempt, before its session is created.
func (a *app) create(id, user string, process int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.attempts[id] = &attempt{user: user, process: process}
}

// begin records that an exchange is about to be sent.
func (a *app) begin(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.attempts[id]
	if t.open == 0 {
		t.openSince = a.now()
	}
	t.open++
	t.exchanged = true
}

// end records how an exchange ended.
func (a *app) end(id, linkID string, err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, now := a.attempts[id], a.now()
	switch {
	case err == nil:
		return t.link(linkID, now)
	case errors.Is(err, api.ErrOutcomeUnknown):
		t.openSince = now
		if t.lostAt.IsZero() {
			t.lostAt = now
		}
	default:
		t.open--
	}
	return nil
}

// link records which link the attempt led to.
func (t *attempt) link(linkID string, now time.Time) error {
	switch t.linkID {
	case "":
		t.linkID, t.linkedAt, t.open = linkID, now, 0
	case linkID:
	default:
		t.err = fmt.Errorf("%s has the link %q and got %q", t.user, t.linkID, linkID)
	}
	return t.err
}

// undecided reports whether the app does not know yet if there is a link.
func (t *attempt) undecided(now time.Time) bool {
	return t.linkID == "" && t.open > 0 && now.Sub(t.openSince) <= eventsWithin
}
