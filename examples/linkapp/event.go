package main

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/webhook"
)

// webhookPath is where MoneyKit sends events to.
const webhookPath = "/moneykit/webhook"

// attemptTag comes before the attempt's ID in the tag that its link has at MoneyKit.
const attemptTag = "attempt:"

// processEvent records the state of a link in the attempt that its tag names. That settles an attempt whose exchange had
// an unknown outcome: MoneyKit sends an event right after each exchange that it processed.
func (a *app) processEvent(ctx context.Context, e *webhook.Event) error {
	payload, ok := e.Payload.(*gen.LinkStateChangedWebhook)
	if !ok || payload.State == gen.PublicLinkStateConnecting || payload.State == gen.PublicLinkStateAwaitingTokenExchange {
		return nil // it does not prove that the token was exchanged
	}
	for _, tag := range e.LinkTags {
		if id, ok := strings.CutPrefix(tag, attemptTag); ok {
			_, err := a.store.updateOnce(ctx, e.IdempotencyKey, id, a.now(), func(t *attempt) error {
				return t.apply(e.LinkID, payload.State, e.Timestamp, a.now())
			})
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			if err != nil { // MoneyKit sends the event again
				a.log.Error("event", "attempt", id, "link_id", e.LinkID, "delivery", e.DeliveryToken, "error", err)
			}
			return err
		}
	}
	return nil
}

// apply records the state of the link as of at, unless a newer one is known.
func (a *attempt) apply(linkID string, state gen.PublicLinkState, at, now time.Time) error {
	if err := a.settle(linkID, now); err != nil {
		return err
	}
	if !at.Before(a.StateAt) {
		a.LinkState, a.StateAt = string(state), at
	}
	return nil
}
