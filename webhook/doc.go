// Package webhook receives MoneyKit's events: it verifies that MoneyKit sent them, and decodes them.
//
// MoneyKit sends events to the webhook of a link session (see [gen.CreateLinkSessionRequest]). The first one of a link
// comes right after its exchange, with the session's link_tags: that is how a back end learns the link_id of an
// exchange whose response was lost ([github.com/moneykit/moneykit-go/api.ErrOutcomeUnknown]). Give each session a tag of
// its own, store the tag before the session is created, and look the tag up when the event comes.
//
// # Receive events
//
//	v, err := webhook.NewVerifier() // or webhook.FromEnv, which uses the MoneyKit that api.FromEnv does
//	…
//	http.Handle("POST /moneykit/webhook", webhook.Handler(v, func(ctx context.Context, e *webhook.Event) error {
//		switch p := e.Payload.(type) {
//		case *gen.LinkStateChangedWebhook:
//			return store.LinkChanged(ctx, e.IdempotencyKey, e.LinkTags, e.LinkID, p.State)
//		}
//		return nil // an event that you do not need is processed too
//	}))
//
// With a router or framework of your own, use [Verifier.Parse] or [Verifier.Verify].
//
// # Repeats and order
//
// MoneyKit sends an event again until it gets a 2xx response, with exponential backoff for up to two hours. Events may
// be late, may come more than once, and may come in another order than they happened. This package does not
// deduplicate: store [Event.IdempotencyKey] in the same transaction as the change that the event causes, and do nothing
// if it is there already. A deduplication that is apart from the change can lose the event when the program
// stops between the two. See the example of [Handler].
//
// # Keys
//
// A [Verifier] fetches MoneyKit's public keys when it first needs one and keeps them for 24 hours at most. For a key id
// that it does not know it fetches them again, 5 minutes after the fetch before at the earliest, so that forged events
// cause no load. An event with a new key may be rejected until then; MoneyKit sends it again.
package webhook

//go:generate env GOWORK=off go tool -modfile=../tools/go.mod oapi-codegen -config oapi-codegen.yaml ../openapi.yaml
