package sandbox

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moneykit/moneykit-go/sandbox/internal/webhooks"
)

const (
	// firstBackoff is the wait after the first attempt that failed, and twice as long after each further one, until
	// retryFor has passed since the event.
	firstBackoff = 5 * time.Second
	retryFor     = 2 * time.Hour

	maxSending    = 32   // attempts at the same time
	maxDeliveries = 1000 // that are over, in Deliveries
	maxResponse   = 1024 // bytes of a response that are kept
	staleBy       = time.Hour
)

// A DeliveryState is how far a delivery has come.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryPending   DeliveryState = "pending"   // an attempt is under way or will be made
	DeliveryDelivered DeliveryState = "delivered" // the response was 2xx
	DeliveryFailed    DeliveryState = "failed"    // no further attempt will be made
)

// A Delivery is one event and the attempts to send it.
type Delivery struct {
	// Event is the webhook_event, such as link.state_changed.
	Event          string `json:"webhook_event"`
	IdempotencyKey string `json:"webhook_idempotency_key"`
	LinkID         string `json:"link_id"`
	URL            string `json:"url"`
	// Token is the MoneyKit-Delivery-Token.
	Token    string            `json:"delivery_token"`
	Body     string            `json:"body"`
	State    DeliveryState     `json:"state"`
	Attempts []DeliveryAttempt `json:"attempts"`
}

// A DeliveryAttempt is one attempt to send an event.
type DeliveryAttempt struct {
	// Time is by the sandbox's clock.
	Time time.Time `json:"time"`
	// Status is that of the response, zero if there was none; then Error says why.
	Status int    `json:"status"`
	Error  string `json:"error,omitempty"`
	// Response is the beginning of the response's body, up to 1 KiB.
	Response string `json:"response,omitempty"`
}

// A delivery is a Delivery in the queue. Sandbox.mu guards it.
type delivery struct {
	Delivery
	number  int       // counts up from 1
	first   time.Time // when the first attempt was due
	due     time.Time
	backoff time.Duration
	fault   *DeliveryFault // what is left of the fault of the next attempt, once it was delayed by it
}

// deliveries are the events that the sandbox sends. Sandbox.mu guards them.
type deliveries struct {
	all      []*delivery // oldest first
	enqueued int         // how many there ever were
	finished int         // how many of all are not pending
	queue    []*delivery // those with an attempt to come, in the order in which they are sent
	faults   []ScriptedDeliveryFault
	sending  map[string]*delivery // those with an attempt under way, by link
	ended    *sync.Cond           // an attempt has ended
	timer    *time.Timer          // for the next attempt that is due; nil for none
	ctx      context.Context
	stop     context.CancelFunc
}

func newDeliveries(mu *sync.Mutex) *deliveries {
	ctx, stop := context.WithCancel(context.Background())
	return &deliveries{sending: map[string]*delivery{}, ended: sync.NewCond(mu), ctx: ctx, stop: stop}
}

// close ends the attempts under way, and makes no others.
func (q *deliveries) close() {
	q.stop()
	q.queue = nil
	if q.timer != nil {
		q.timer.Stop()
	}
}

// wait waits for the attempts that are under way or are due at a time, except those of deliveries after the last one:
// under load there are always more. Meanwhile Sandbox.mu is not locked. sendDue must have been called before.
func (q *deliveries) wait(last int, at time.Time) {
	underWay := func(d *delivery) bool { return d.number <= last }
	due := func(d *delivery) bool { return d.number <= last && !d.due.After(at) }
	for slices.ContainsFunc(slices.Collect(maps.Values(q.sending)), underWay) || slices.ContainsFunc(q.queue, due) {
		q.ended.Wait()
	}
}

// insert puts d behind those that are due at the same time or before.
func (q *deliveries) insert(d *delivery) {
	i := slices.IndexFunc(q.queue, func(other *delivery) bool { return other.due.After(d.due) })
	if i < 0 {
		i = len(q.queue)
	}
	q.queue = slices.Insert(q.queue, i, d)
}

// insertBehindNext puts d behind the next event of the same link, or where it was if there is none.
func (q *deliveries) insertBehindNext(d *delivery) {
	i := slices.IndexFunc(q.queue, func(other *delivery) bool { return other.LinkID == d.LinkID })
	if i < 0 {
		q.insert(d)
		return
	}
	d.due = q.queue[i].due
	q.queue = slices.Insert(q.queue, i+1, d)
}

// finish ends d. Of those that are finished, the oldest is removed if there are too many.
func (q *deliveries) finish(d *delivery, state DeliveryState) {
	d.State = state
	if q.finished++; q.finished > maxDeliveries {
		i := slices.IndexFunc(q.all, func(d *delivery) bool { return d.State != DeliveryPending })
		q.all = slices.Delete(q.all, i, i+1)
		q.finished--
	}
}

// Deliveries returns the events that were sent or are to be sent, oldest first, with each attempt and its response: all
// that are pending, and the last 1000 that are not.
func (s *Sandbox) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Delivery, len(s.deliveries.all))
	for i, d := range s.deliveries.all {
		all[i] = d.Delivery
		all[i].Attempts = slices.Clone(d.Attempts)
	}
	return all
}

// enqueue adds an event to those that sendDue sends. The caller has locked s.mu.
func (s *Sandbox) enqueue(e event, target string) (token string) {
	now := s.now()
	s.deliveries.enqueued++
	d := &delivery{number: s.deliveries.enqueued, first: now, due: now, backoff: firstBackoff, Delivery: Delivery{
		Event: e.name, IdempotencyKey: e.idempotencyKey, LinkID: e.linkID, URL: target, Token: "delivery_" + rand.Text(), Body: string(e.body),
		State: DeliveryPending, Attempts: []DeliveryAttempt{},
	}}
	s.deliveries.all = append(s.deliveries.all, d)
	s.deliveries.insert(d)
	return d.Token
}

// sendDue starts the attempts that are due: one at a time for each link, so that its events arrive in order. It returns
// the time until which they were due. The caller has locked s.mu.
func (s *Sandbox) sendDue() (until time.Time) {
	q := s.deliveries
	if q.timer != nil {
		q.timer.Stop()
		q.timer = nil
	}
	for until = s.now(); len(q.sending) < maxSending; until = s.now() {
		i := slices.IndexFunc(q.queue, func(d *delivery) bool { return !d.due.After(until) && q.sending[d.LinkID] == nil })
		if i < 0 {
			break
		}
		d := q.queue[i]
		q.queue = slices.Delete(q.queue, i, i+1)
		s.start(d)
	}
	if wait, ok := s.nextDue(until); ok {
		q.timer = time.AfterFunc(wait, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.sendDue()
		})
	}
	return until
}

// nextDue returns how long it is until the first attempt that was not due at a time. It is 0 if it has become due since.
func (s *Sandbox) nextDue(after time.Time) (wait time.Duration, ok bool) {
	i := slices.IndexFunc(s.deliveries.queue, func(d *delivery) bool { return d.due.After(after) })
	if i < 0 {
		return 0, false
	}
	return max(0, s.deliveries.queue[i].due.Sub(s.now())), true
}

// start makes an attempt, with the fault that is scripted for it. The caller has locked s.mu.
func (s *Sandbox) start(d *delivery) {
	q, now := s.deliveries, s.now()
	fault := q.fault(d)
	switch {
	case fault.Late > 0:
		d.due = now.Add(fault.Late)
		fault.Late = 0
		d.fault = &fault
		q.insert(d)
		return
	case fault.OutOfOrder:
		fault.OutOfOrder = false
		d.fault = &fault
		q.insertBehindNext(d)
		return
	case fault.Never:
		d.Attempts = append(d.Attempts, DeliveryAttempt{Time: now, Error: "never sent, as scripted"})
		q.finish(d, DeliveryFailed)
		return
	case fault.Lost:
		s.end(d, DeliveryAttempt{Time: now, Error: "lost, as scripted"})
		return
	}
	q.sending[d.LinkID] = d
	sent, first := d.Delivery, len(d.Attempts)+1
	go func() {
		attempts := []DeliveryAttempt{s.send(q.ctx, sent, first, now, fault)}
		if fault.Twice {
			attempts = append(attempts, s.send(q.ctx, sent, first+1, now, fault))
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(q.sending, sent.LinkID)
		q.ended.Broadcast()
		if q != s.deliveries { // reset meanwhile
			return
		}
		d.Attempts = append(d.Attempts, attempts[:len(attempts)-1]...)
		s.end(d, attempts[len(attempts)-1])
		s.sendDue()
	}()
}

// end records an attempt, and queues the next one unless it succeeded or is too late. The caller has locked s.mu.
func (s *Sandbox) end(d *delivery, attempt DeliveryAttempt) {
	d.Attempts = append(d.Attempts, attempt)
	next := s.now().Add(d.backoff)
	switch {
	case attempt.Status >= 200 && attempt.Status < 300:
		s.deliveries.finish(d, DeliveryDelivered)
	case next.After(d.first.Add(retryFor)) || s.deliveries.ctx.Err() != nil:
		s.deliveries.finish(d, DeliveryFailed)
	default:
		d.due, d.backoff = next, 2*d.backoff
		s.deliveries.insert(d)
	}
}

// send makes one attempt. The signature has the real time, since whoever receives it has no other.
func (s *Sandbox) send(ctx context.Context, d Delivery, number int, at time.Time, fault DeliveryFault) (attempt DeliveryAttempt) {
	attempt.Time = at
	defer func() { s.logAttempt(d, number, attempt) }()
	u, err := url.Parse(d.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		attempt.Error = "not sent: the webhook is not an http or https URL"
		return attempt
	}
	if err := s.checkWebhookHost(u.Hostname()); err != nil {
		attempt.Error = err.Error()
		return attempt
	}
	params, err := s.eventHeaders([]byte(d.Body), d.Token, number, fault)
	if err != nil {
		attempt.Error = err.Error()
		return attempt
	}
	sender := webhooks.CallbackInitiator{Client: s.sender}
	res, err := sender.LinkEventWithBody(ctx, d.URL, params, "application/json", bytes.NewReader([]byte(d.Body)))
	if err != nil {
		attempt.Error = strings.ReplaceAll(err.Error(), d.URL, u.Host)
		return attempt
	}
	defer res.Body.Close()
	attempt.Status = res.StatusCode
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxResponse)) // the status is what counts
	attempt.Response = string(body)
	return attempt
}

// eventHeaders returns the three headers of an event.
func (s *Sandbox) eventHeaders(body []byte, token string, attempt int, fault DeliveryFault) (*webhooks.LinkEventParams, error) {
	sign, at := s.keys.Sign, time.Now()
	if fault.WrongSignature {
		sign = s.keys.Forge
	}
	if fault.Stale {
		at = at.Add(-staleBy)
	}
	signature, err := sign(body, at)
	return &webhooks.LinkEventParams{MoneyKitSignature: signature, MoneyKitDeliveryToken: token, MoneyKitDeliveryAttempt: fmt.Sprint(attempt)}, err
}

func (s *Sandbox) logAttempt(d Delivery, number int, attempt DeliveryAttempt) {
	if s.logger == nil {
		return
	}
	s.logger.Info("event", slog.String("webhook_event", d.Event), slog.String("link_id", d.LinkID), slog.Int("attempt", number),
		slog.Int("status", attempt.Status), slog.String("error", attempt.Error))
}

// advance moves the clock forward by d and makes every attempt that is due until then, each at its time. It waits until
// they have ended, but not for events of what happens meanwhile. The caller has locked s.mu.
func (s *Sandbox) advance(d time.Duration) {
	last := s.deliveries.enqueued
	send := func() (until time.Time) {
		until = s.sendDue()
		s.deliveries.wait(last, until)
		return until
	}
	for target := s.offset + d; ; {
		wait, ok := s.nextDue(send())
		if left := target - s.offset; !ok || wait > left {
			s.offset = max(s.offset, target)
			break
		}
		s.offset += wait
	}
	send()
}

// closeDeliveries ends the attempts under way, waits for them, and makes no others.
func (s *Sandbox) closeDeliveries() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deliveries.close()
	for len(s.deliveries.sending) > 0 {
		s.deliveries.ended.Wait()
	}
	if s.webhookClient == nil {
		s.sender.CloseIdleConnections()
	}
}
