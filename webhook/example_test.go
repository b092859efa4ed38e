package webhook_test

import (
	"context"
	"database/sql"
	"errors"
	"log"
	"net/http"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/webhook"
)

var db *sql.DB

// The row of an attempt was inserted with its tag before the session was created with that tag in its LinkTags. The
// event's key is inserted in the transaction that updates the row, so that an event which comes twice, also at the same
// time on two instances, changes the row once.
func ExampleHandler() {
	verifier, err := webhook.NewVerifier()
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("POST /moneykit/webhook", webhook.Handler(verifier, func(ctx context.Context, e *webhook.Event) error {
		changed, ok := e.Payload.(*gen.LinkStateChangedWebhook)
		if !ok || len(e.LinkTags) == 0 {
			return nil // an event that this application does not need
		}
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err // MoneyKit sends the event again
		}
		defer tx.Rollback()
		inserted, err := tx.ExecContext(ctx, `INSERT INTO events (key) VALUES ($1) ON CONFLICT DO NOTHING`, e.IdempotencyKey)
		if err != nil {
			return err
		}
		if n, err := inserted.RowsAffected(); n == 0 || err != nil {
			return err // nil: this event was processed before
		}
		if changed.State == gen.PublicLinkStateConnected {
			if _, err := tx.ExecContext(ctx, `UPDATE attempts SET link_id = $1 WHERE tag = $2`, e.LinkID, e.LinkTags[0]); err != nil {
				return err
			}
		}
		return tx.Commit()
	}))
}

// With a router or framework of your own, verify the request yourself and choose the response by the error.
func ExampleVerifier_Parse() {
	verifier, err := webhook.NewVerifier(webhook.WithClientID("live_your-client-id"))
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("POST /moneykit/webhook", func(w http.ResponseWriter, r *http.Request) {
		event, err := verifier.Parse(r)
		switch {
		case errors.Is(err, webhook.ErrKeysUnavailable):
			w.WriteHeader(http.StatusServiceUnavailable)
		case err != nil:
			w.WriteHeader(http.StatusBadRequest)
		default:
			log.Printf("%s of link %s", event.Type, event.LinkID)
			w.WriteHeader(http.StatusNoContent)
		}
	})
}
