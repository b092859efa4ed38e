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
			err := a.store.processOnce(ctx, e.IdempotencyKey, id, a.now(), func(t *attempt) error {
				return t.apply(e.LinkID, payload.State, e.Timestamp, a.now())
			})
			if err != nil {
				a.log.Error("event", "attempt", id, "link_id", e.LinkID, "delivery", e.DeliveryToken, "error", err)
			}
			return err
		}
	}
	return nil
}

// processOnce changes an attempt as update does, once for each idempotency key. It does nothing if there is no such
// attempt.
func (s *store) processOnce(ctx context.Context, key, id string, now time.Time, change func(*attempt) error) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM events WHERE processed_at < ?", now.Add(-2*eventsWithin).UnixMicro()); err != nil {
			return err
		}
		inserted, err := tx.ExecContext(ctx, "INSERT INTO events (idempotency_key, processed_at) VALUES (?, ?) ON CONFLICT DO NOTHING", key, now.UnixMicro())
		if err != nil {
			return err
		}
		if n, err := inserted.RowsAffected(); err != nil || n == 0 {
			return err // processed before
		}
		_, err = update(ctx, tx, id, change)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
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
