package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/moneykit/moneykit-go/gen"
)

// The values of [Event.Type] that have a payload type. Others come too.
const (
	LinkStateChanged            = "link.state_changed"
	LinkProductRefresh          = "link.product_refresh"
	TransactionUpdatesAvailable = "transactions.updates_available"
)

// An Event is what MoneyKit says about a link, verified.
type Event struct {
	// Type is webhook_event, such as [LinkStateChanged]. There are and will be others than this package knows.
	Type string

	// LinkID is the link that the event is about. It is never empty if Payload is set.
	LinkID string

	// LinkTags are the link_tags of the session.
	LinkTags []string

	// IdempotencyKey is the same each time that MoneyKit sends this event, and never empty. Process each key once.
	IdempotencyKey string

	// Timestamp is when the event happened, the same each time that it is sent; zero if it is absent or unreadable.
	Timestamp time.Time

	// DeliveryToken and DeliveryAttempt are the headers of the same names, for logs and support. They may be empty.
	// The signature does not cover them.
	DeliveryToken, DeliveryAttempt string

	// Payload is a *[gen.LinkStateChangedWebhook], *[gen.LinkProductRefreshWebhook] or
	// *[gen.TransactionUpdatesAvailableWebhook], and nil for every other event. A field whose value is not of the
	// contract's type is zero, and its value is in Raw.
	Payload any

	// Raw is the body as it was received.
	Raw json.RawMessage
}

// common are the fields of every event.
type common struct {
	Event          string        `json:"webhook_event"`
	IdempotencyKey string        `json:"webhook_idempotency_key"`
	Timestamp      gen.Timestamp `json:"webhook_timestamp"`
	LinkID         string        `json:"link_id"`
	LinkTags       []string      `json:"link_tags"`
}

// decodeEvent decodes a body whose signature is verified. The event keeps body.
func decodeEvent(body []byte) (*Event, error) {
	// As a rule the name is in the body once, so one pass is enough.
	for _, name := range []string{LinkStateChanged, LinkProductRefresh, TransactionUpdatesAvailable} {
		if bytes.Contains(body, []byte(name)) {
			if e, err := decodeAs(name, body); err == nil && e.Type == name {
				return e, nil
			}
		}
	}
	var c common
	if err := unmarshal(body, &c); err != nil {
		return nil, err
	}
	return decodeAs(c.Event, body)
}

// decodeAs decodes the body of an event whose name is known or expected.
func decodeAs(name string, body []byte) (*Event, error) {
	var c common
	var payload any
	var err error
	switch name {
	case LinkStateChanged:
		p := new(gen.LinkStateChangedWebhook)
		err = unmarshal(body, p)
		payload, c = p, common{p.WebhookEvent, p.WebhookIdempotencyKey, p.WebhookTimestamp, p.LinkID, p.LinkTags}
	case LinkProductRefresh:
		p := new(gen.LinkProductRefreshWebhook)
		err = unmarshal(body, p)
		payload, c = p, common{p.WebhookEvent, p.WebhookIdempotencyKey, p.WebhookTimestamp, p.LinkID, p.LinkTags}
	case TransactionUpdatesAvailable:
		p := new(gen.TransactionUpdatesAvailableWebhook)
		err = unmarshal(body, p)
		payload, c = p, common{p.WebhookEvent, p.WebhookIdempotencyKey, p.WebhookTimestamp, p.LinkID, p.LinkTags}
	default:
		err = unmarshal(body, &c)
	}
	switch {
	case err != nil:
		return nil, err
	case c.Event == "":
		return nil, invalid("signed but malformed: no webhook_event that is a string")
	case c.IdempotencyKey == "":
		return nil, invalid("signed but malformed: no webhook_idempotency_key that is a string")
	case payload != nil && c.LinkID == "":
		return nil, invalid("signed but malformed: no link_id that is a string")
	}
	return &Event{
		Type: c.Event, LinkID: c.LinkID, LinkTags: c.LinkTags, IdempotencyKey: c.IdempotencyKey, Timestamp: c.Timestamp.Time,
		Payload: payload, Raw: body,
	}, nil
}

// unmarshal decodes body into v. If body does not decode as a whole, each field is decoded on its own, and those that
// still do not are left at zero: the link exists, and the event may be the only one to name it.
func unmarshal[T any](body []byte, v *T) error {
	if json.Unmarshal(body, v) == nil {
		return nil
	}
	*v = *new(T)
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			return invalid("signed but malformed: not JSON, at byte %d", syntax.Offset)
		}
		return invalid("signed but malformed: not a JSON object")
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) { // sorted, so that names that differ in case alone have an order
		if field, err := json.Marshal(map[string]json.RawMessage{name: fields[name]}); err == nil {
			_ = json.Unmarshal(field, v)
		}
	}
	return nil
}
