package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
)

// eventFiles are the files in wire/events that the clients' tests decode, as the sandbox sends the events.
var eventFiles = map[string]string{
	"link.state_changed":             "link-state-changed.json",
	"link.product_refresh":           "link-product-refresh.json",
	"transactions.updates_available": "transactions-updates-available.json",
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The events in wire/events are those that the sandbox sends, except for ids and times. With -update they are written.
func TestEventFiles(t *testing.T) {
	t.Parallel()
	got := map[string][]byte{}
	for _, body := range sentEvents(t) {
		var event map[string]any
		if err := json.Unmarshal(body, &event); err != nil {
			t.Fatal(err)
		}
		name, _ := event["webhook_event"].(string)
		if got[name] == nil { // the first of each name
			got[name] = fixedEvent(t, event)
		}
	}
	if len(got) != len(eventFiles) {
		t.Errorf("the sandbox sent events of %d names, want %d", len(got), len(eventFiles))
	}
	for name, file := range eventFiles {
		file = filepath.Join("wire/events", file)
		if *update {
			if err := os.WriteFile(file, got[name], 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got[name], want) {
			t.Errorf("%s is not what the sandbox sends; write it with go test -run TestEventFiles -update\ngot  %s\nwant %s", file, got[name], want)
		}
	}
}

// sentEvents returns the bodies of the events that follow the exchange of a token.
func sentEvents(t *testing.T) [][]byte {
	t.Helper()
	accept := roundTripper(func(r *http.Request) (*http.Response, error) {
		_, err := io.Copy(io.Discard, r.Body)
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, err
	})
	srv := sandbox.Start(t, sandbox.WithWebhookClient(&http.Client{Transport: accept}))
	client := srv.Client()
	session, err := client.CreateLinkSession(t.Context(), gen.CreateLinkSessionRequest{
		CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"}, RedirectURI: "https://yourdomain.com/oauth.html",
		Webhook: "https://backend.test/webhook", LinkTags: []string{"smoke_test", "user_type:admin"},
		Settings: gen.LinkSessionSettingOverrides{Products: gen.ProductsSettings{Transactions: &gen.TransactionsProductSettings{}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	token, err := srv.Complete(session.LinkSessionToken)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.ExchangeToken(t.Context(), gen.ExchangeTokenRequest{ExchangeableToken: token}); err != nil {
		t.Fatal(err)
	}
	var bodies [][]byte
	for _, d := range srv.Deliveries() {
		bodies = append(bodies, []byte(d.Body))
	}
	return bodies
}

// fixedEvent encodes event with ids and times that do not change from run to run.
func fixedEvent(t *testing.T, event map[string]any) []byte {
	t.Helper()
	for field, value := range map[string]string{"link_id": "mk_eqkWN34UEoa2NxyALG8pcV", "webhook_idempotency_key": "0f8b6c1e"} {
		if id, ok := event[field].(string); !ok || id == "" {
			t.Errorf("%v: %s is %v", event["webhook_event"], field, event[field])
		}
		event[field] = value
	}
	const zoneless = "2006-01-02T15:04:05"
	for _, field := range []string{"webhook_timestamp", "state_changed_at"} {
		if at, ok := event[field]; ok {
			text, _ := at.(string)
			if _, err := time.Parse(zoneless, text); err != nil {
				t.Errorf("%v: %s: %v", event["webhook_event"], field, err)
			}
			event[field] = "2023-02-16T09:14:11"
		}
	}
	encoded, err := json.MarshalIndent(event, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(encoded, '\n')
}

// The events that are not captured are what their names say.
func TestEventFilesByHand(t *testing.T) {
	t.Parallel()
	schema := load(t).Components.Schemas["LinkWebhookEvent"].Value
	for file, valid := range map[string]bool{"null-fields": true, "unknown-values": false, "unknown-event": false} {
		if err := schema.VisitJSON(readWire(t, "events/"+file)); (err == nil) != valid {
			t.Errorf("wire/events/%s.json: valid by the contract: want %v, got %v", file, valid, err)
		}
	}
}
