package webhook

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/gen"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		body string
		want Event
	}{
		"link.state_changed": {connected, Event{
			Type: "link.state_changed", LinkID: "mk_1", LinkTags: []string{"attempt:1"}, IdempotencyKey: "key-1", Timestamp: at,
			Payload: &gen.LinkStateChangedWebhook{
				WebhookEvent: "link.state_changed", WebhookMajorVersion: 1, WebhookIdempotencyKey: "key-1", WebhookTimestamp: gen.Timestamp{Time: at},
				LinkID: "mk_1", LinkTags: []string{"attempt:1"}, State: gen.PublicLinkStateConnected,
			},
		}},
		"link.product_refresh": {refreshed, Event{
			Type: "link.product_refresh", LinkID: "mk_1", LinkTags: []string{}, IdempotencyKey: "key-2", Timestamp: at.Add(time.Second),
			Payload: &gen.LinkProductRefreshWebhook{
				WebhookEvent: "link.product_refresh", WebhookIdempotencyKey: "key-2", WebhookTimestamp: gen.Timestamp{Time: at.Add(time.Second)},
				LinkID: "mk_1", LinkTags: []string{}, Product: gen.ProductTransactions, State: gen.LinkProductStateCompleted,
				StateChangedAt: gen.Timestamp{Time: at.Add(time.Second)},
			},
		}},
		"transactions.updates_available": {available, Event{
			Type: "transactions.updates_available", LinkID: "mk_1", IdempotencyKey: "key-3", Timestamp: at.Add(2 * time.Second),
			Payload: &gen.TransactionUpdatesAvailableWebhook{
				WebhookEvent: "transactions.updates_available", WebhookIdempotencyKey: "key-3", WebhookTimestamp: gen.Timestamp{Time: at.Add(2 * time.Second)},
				LinkID: "mk_1", HasHistory: true,
			},
		}},
		"unknown": {`{"webhook_event":"product.state_changed","webhook_idempotency_key":"key-4","webhook_timestamp":"2026-03-01T12:00:00Z","link_id":"mk_1","link_tags":["a"],"product":7}`,
			Event{Type: "product.state_changed", LinkID: "mk_1", LinkTags: []string{"a"}, IdempotencyKey: "key-4", Timestamp: at}},
		"unknown, with the name of another in it": {`{"webhook_event":"x","webhook_idempotency_key":"link.state_changed","link_id":"mk_1","webhook_timestamp":"2026-03-01T12:00:00Z"}`,
			Event{Type: "x", LinkID: "mk_1", IdempotencyKey: "link.state_changed", Timestamp: at}},
		"known, with the name of another in it": {strings.Replace(available, "key-3", "link.state_changed", 1), Event{
			Type: "transactions.updates_available", LinkID: "mk_1", IdempotencyKey: "link.state_changed", Timestamp: at.Add(2 * time.Second),
			Payload: &gen.TransactionUpdatesAvailableWebhook{
				WebhookEvent: "transactions.updates_available", WebhookIdempotencyKey: "link.state_changed", WebhookTimestamp: gen.Timestamp{Time: at.Add(2 * time.Second)},
				LinkID: "mk_1", HasHistory: true,
			},
		}},
		"escaped name": {strings.Replace(available, "transactions.updates_available", `transactions\u002eupdates_available`, 1), Event{
			Type: "transactions.updates_available", LinkID: "mk_1", IdempotencyKey: "key-3", Timestamp: at.Add(2 * time.Second),
			Payload: &gen.TransactionUpdatesAvailableWebhook{
				WebhookEvent: "transactions.updates_available", WebhookIdempotencyKey: "key-3", WebhookTimestamp: gen.Timestamp{Time: at.Add(2 * time.Second)},
				LinkID: "mk_1", HasHistory: true,
			},
		}},
		"unknown, bare": {`{"webhook_event":"x","webhook_idempotency_key":"key-5"}`, Event{Type: "x", IdempotencyKey: "key-5"}},
		"unknown values": {strings.Replace(connected, `"connected"`, `"a new state","new":{}`, 1), Event{
			Type: "link.state_changed", LinkID: "mk_1", LinkTags: []string{"attempt:1"}, IdempotencyKey: "key-1", Timestamp: at,
			Payload: &gen.LinkStateChangedWebhook{
				WebhookEvent: "link.state_changed", WebhookMajorVersion: 1, WebhookIdempotencyKey: "key-1", WebhookTimestamp: gen.Timestamp{Time: at},
				LinkID: "mk_1", LinkTags: []string{"attempt:1"}, State: "a new state",
			},
		}},
	} {
		got, err := decodeEvent([]byte(tt.body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		tt.want.Raw = []byte(tt.body)
		if !reflect.DeepEqual(*got, tt.want) {
			t.Errorf("%s:\ngot  %+v %+v\nwant %+v %+v", name, got, got.Payload, tt.want, tt.want.Payload)
		}
	}
}

// A signed event with a link_id and a key is accepted: a field of another type is zero, and the others are kept.
func TestUnreadableFields(t *testing.T) {
	t.Parallel()
	at := gen.Timestamp{Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	for name, tt := range map[string]struct {
		from, to string
		change   func(*gen.LinkStateChangedWebhook)
	}{
		"error":             {`"error":null`, `"error":{"code":1}`, nil},
		"error_message":     {`"error_message":null`, `"error_message":{}`, nil},
		"major version":     {`"webhook_major_version":1`, `"webhook_major_version":"1"`, func(p *gen.LinkStateChangedWebhook) { p.WebhookMajorVersion = 0 }},
		"timestamp number":  {`"2026-03-01T12:00:00"`, `1772366400`, func(p *gen.LinkStateChangedWebhook) { p.WebhookTimestamp = gen.Timestamp{} }},
		"timestamp space":   {`"2026-03-01T12:00:00"`, `"2026-03-01 12:00:00"`, func(p *gen.LinkStateChangedWebhook) { p.WebhookTimestamp = gen.Timestamp{} }},
		"timestamp object":  {`"2026-03-01T12:00:00"`, `{}`, func(p *gen.LinkStateChangedWebhook) { p.WebhookTimestamp = gen.Timestamp{} }},
		"no timestamp":      {`"webhook_timestamp"`, `"other"`, func(p *gen.LinkStateChangedWebhook) { p.WebhookTimestamp = gen.Timestamp{} }},
		"tags":              {`["attempt:1"]`, `"attempt:1"`, func(p *gen.LinkStateChangedWebhook) { p.LinkTags = nil }},
		"one tag":           {`["attempt:1"]`, `["attempt:1",{}]`, func(p *gen.LinkStateChangedWebhook) { p.LinkTags = []string{"attempt:1", ""} }},
		"state":             {`"connected"`, `7`, func(p *gen.LinkStateChangedWebhook) { p.State = "" }},
		"one in upper case": {`"error":null`, `"error":[],"LINK_ID":"mk_2"`, nil},
		"two":               {`"error":null`, `"error":[],"webhook_timestamp":1`, func(p *gen.LinkStateChangedWebhook) { p.WebhookTimestamp = gen.Timestamp{} }},
	} {
		body := strings.Replace(connected, tt.from, tt.to, 1)
		want := gen.LinkStateChangedWebhook{
			WebhookEvent: "link.state_changed", WebhookMajorVersion: 1, WebhookIdempotencyKey: "key-1", WebhookTimestamp: at,
			LinkID: "mk_1", LinkTags: []string{"attempt:1"}, State: gen.PublicLinkStateConnected,
		}
		if tt.change != nil {
			tt.change(&want)
		}
		e, err := decodeEvent([]byte(body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(e.Payload, &want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, e.Payload, want)
		}
		if e.Type != LinkStateChanged || e.LinkID != "mk_1" || e.IdempotencyKey != "key-1" || !reflect.DeepEqual(e.LinkTags, want.LinkTags) ||
			e.Timestamp != want.WebhookTimestamp.Time || string(e.Raw) != body {
			t.Errorf("%s: got %+v", name, e)
		}
	}
	for from, to := range map[string]string{
		`"product":"transactions"`: `"product":{}`,
		`"state_changed_at":"2026`: `"state_changed_at":"in 2026`,
	} {
		if e, err := decodeEvent([]byte(strings.Replace(refreshed, from, to, 1))); err != nil || e.LinkID != "mk_1" || e.Payload == nil {
			t.Errorf("%s: got %+v, %v", to, e, err)
		}
	}
	if e, err := decodeEvent([]byte(strings.Replace(available, `true`, `"yes"`, 1))); err != nil || e.LinkID != "mk_1" || e.Payload == nil {
		t.Errorf("has_history: got %+v, %v", e, err)
	}
	if e, err := decodeEvent([]byte(`{"webhook_event":"x","webhook_idempotency_key":"k","webhook_timestamp":7,"link_id":"mk_1"}`)); err != nil || e.LinkID != "mk_1" || e.Payload != nil {
		t.Errorf("unknown event: got %+v, %v", e, err)
	}
}

// A signed body that is no event is an error that names the field, and never its value.
func TestMalformedEvents(t *testing.T) {
	t.Parallel()
	without := func(body, field string) string { return strings.Replace(body, `"`+field+`":`, `"hunter2":`, 1) }
	for body, want := range map[string]string{
		"":                        "not JSON",
		`{"hunter2"`:              "not JSON",
		`<hunter2>`:               "not JSON, at byte ",
		`[]`:                      "not a JSON object",
		`"hunter2"`:               "not a JSON object",
		`null`:                    "no webhook_event",
		`{}`:                      "no webhook_event",
		connected + `{}`:          "not JSON",
		`{"webhook_event":"x"}`:   "no webhook_idempotency_key",
		`{"webhook_event":12345}`: "no webhook_event that is a string",
		`{"webhook_event":"x","webhook_idempotency_key":12345}`:     "no webhook_idempotency_key that is a string",
		without(connected, "webhook_event"):                         "no webhook_event",
		without(connected, "webhook_idempotency_key"):               "no webhook_idempotency_key",
		without(connected, "link_id"):                               "no link_id",
		without(refreshed, "link_id"):                               "no link_id",
		without(available, "link_id"):                               "no link_id",
		strings.Replace(connected, `"mk_1"`, `12345`, 1):            "no link_id that is a string",
		strings.Replace(connected, `"key-1"`, `{"hunter2":1}`, 1):   "no webhook_idempotency_key that is a string",
		strings.Replace(connected, `"mk_1"`, `"a","link_id":{}`, 1): "no link_id that is a string",
	} {
		e, err := decodeEvent([]byte(body))
		if e != nil || !errors.Is(err, ErrInvalidSignature) || !strings.Contains(err.Error(), "signed but malformed: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %+v, %v, want %q", body, e, err, want)
		} else if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "12345") {
			t.Errorf("the body is in the error: %v", err)
		}
	}
}
