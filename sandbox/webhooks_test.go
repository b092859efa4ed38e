package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
	"github.com/moneykit/moneykit-go/webhook"
)

// A receiver is an application's webhook: it verifies events with package webhook, and remembers them.
type receiver struct {
	url      string
	verifier *webhook.Verifier

	mu       sync.Mutex
	events   []*webhook.Event
	rejected []error
	status   func(n int) int // of the n-th request, from 1; nil for 204
	requests int
}

func newReceiver(t *testing.T, srv *sandbox.Server) *receiver {
	t.Helper()
	rcv := &receiver{}
	var err error
	if rcv.verifier, err = webhook.NewVerifier(webhook.WithBaseURL(srv.URL)); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(rcv)
	t.Cleanup(server.Close)
	rcv.url = server.URL + "/moneykit/webhook"
	return rcv
}

func (rcv *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rcv.mu.Lock()
	defer rcv.mu.Unlock()
	rcv.requests++
	if rcv.status != nil {
		if status := rcv.status(rcv.requests); status != http.StatusNoContent {
			http.Error(w, "scripted", status)
			return
		}
	}
	event, err := rcv.verifier.Parse(r)
	if err != nil {
		rcv.rejected = append(rcv.rejected, err)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	rcv.events = append(rcv.events, event)
	w.WriteHeader(http.StatusNoContent)
}

// got describes what arrived.
func (rcv *receiver) got() []string {
	rcv.mu.Lock()
	defer rcv.mu.Unlock()
	var all []string
	for _, e := range rcv.events {
		switch p := e.Payload.(type) {
		case *gen.LinkStateChangedWebhook:
			all = append(all, e.Type+" "+string(p.State))
		case *gen.LinkProductRefreshWebhook:
			all = append(all, e.Type+" "+string(p.Product)+" "+string(p.State))
		default:
			all = append(all, e.Type)
		}
	}
	return all
}

func (rcv *receiver) want(t *testing.T, want ...string) {
	t.Helper()
	if got := rcv.got(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// link links a bank account with a webhook, and waits for the events that are due.
func link(t *testing.T, srv *sandbox.Server, webhookURL string) (linkID string) {
	t.Helper()
	client := srv.Client()
	session, err := client.CreateLinkSession(t.Context(), gen.CreateLinkSessionRequest{
		CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"}, RedirectURI: "https://yourdomain.com/oauth.html",
		Webhook: webhookURL, LinkTags: []string{"attempt:1"},
		Settings: gen.LinkSessionSettingOverrides{Products: gen.ProductsSettings{Transactions: &gen.TransactionsProductSettings{}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	exchangeable, err := srv.Complete(session.LinkSessionToken)
	if err != nil {
		t.Fatal(err)
	}
	exchanged, err := client.ExchangeToken(t.Context(), gen.ExchangeTokenRequest{ExchangeableToken: exchangeable})
	if err != nil {
		t.Fatal(err)
	}
	srv.Advance(0)
	return exchanged.Link.LinkID
}

const (
	stateChanged       = "link.state_changed connected"
	accountsRefreshed  = "link.product_refresh accounts completed"
	transactionsDone   = "link.product_refresh transactions completed"
	updatesAvailable   = "transactions.updates_available"
	eventsOfOneLinking = 4
)

func TestEventsOfAnExchange(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	rcv := newReceiver(t, srv)
	linkID := link(t, srv, rcv.url)
	rcv.want(t, stateChanged, accountsRefreshed, transactionsDone, updatesAvailable)
	tokens := map[string]bool{}
	for _, e := range rcv.events {
		if e.LinkID != linkID || !reflect.DeepEqual(e.LinkTags, []string{"attempt:1"}) || e.DeliveryAttempt != "1" || time.Since(e.Timestamp) > time.Minute {
			t.Errorf("got %+v", e)
		}
		tokens[e.DeliveryToken+e.IdempotencyKey] = true
	}
	if len(tokens) != eventsOfOneLinking {
		t.Errorf("tokens and keys: %v", tokens)
	}
	want := `"error":null,"error_message":null,"link_id":"` + linkID + `","link_tags":["attempt:1"],"state":"connected","webhook_event":"link.state_changed"`
	if raw := string(rcv.events[0].Raw); !strings.Contains(raw, want) || !strings.Contains(raw, `"webhook_major_version":1,"webhook_minor_version":0`) {
		t.Errorf("got %s", raw)
	}
	for i, d := range srv.Deliveries() {
		if d.State != sandbox.DeliveryDelivered || d.URL != rcv.url || d.LinkID != linkID || d.Body != string(rcv.events[i].Raw) ||
			d.Token != rcv.events[i].DeliveryToken || len(d.Attempts) != 1 || d.Attempts[0].Status != http.StatusNoContent {
			t.Errorf("got %+v", d)
		}
	}
}

// Without a webhook nothing is sent, and neither is before the exchange.
func TestNoEvents(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	rcv := newReceiver(t, srv)
	link(t, srv, "")
	token := newToken(t, srv)
	exchangeable := completed(t, srv, token, fmt.Sprintf(`{"customer_user": {"id": "user-42"}, "redirect_uri": "https://yourdomain.com/oauth.html", "webhook": %q}`, rcv.url))
	srv.Fail(sandbox.ExchangeToken, 1, sandbox.Fault{Status: 503})
	post(t, srv, "/link-session/exchange-token", token, exchangeBody(exchangeable))
	srv.Advance(time.Hour)
	if got := srv.Deliveries(); len(got) != 0 || rcv.requests != 0 {
		t.Errorf("got %+v", got)
	}
}

// An exchange whose response is lost is processed: its event says so.
func TestEventOfALostResponse(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	rcv := newReceiver(t, srv)
	token := newToken(t, srv)
	exchangeable := completed(t, srv, token, fmt.Sprintf(`{"customer_user": {"id": "user-42"}, "redirect_uri": "https://yourdomain.com/oauth.html", "webhook": %q, "link_tags": ["attempt:7"]}`, rcv.url))
	srv.Fail(sandbox.ExchangeToken, 1, sandbox.Fault{Drop: true, After: true})
	header := http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + token}}
	if _, err := try(t, srv, "POST", "/link-session/exchange-token", header, exchangeBody(exchangeable)); err == nil {
		t.Fatal("the response was not lost")
	}
	srv.Advance(0)
	rcv.want(t, stateChanged, accountsRefreshed)
	if e := rcv.events[0]; e.LinkID != srv.Links()[0].LinkID || e.LinkTags[0] != "attempt:7" {
		t.Errorf("got %+v", e)
	}
}

// An event is sent again with exponential backoff, by the sandbox's clock, with the same key, time and token.
func TestEventsAreSentAgain(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	rcv := newReceiver(t, srv)
	rcv.status = func(n int) int { return map[bool]int{true: 503, false: 204}[n <= 6] }
	token := newToken(t, srv)
	exchangeable := completed(t, srv, token, fmt.Sprintf(`{"customer_user": {"id": "user-42"}, "redirect_uri": "https://yourdomain.com/oauth.html", "webhook": %q}`, rcv.url))
	post(t, srv, "/link-session/exchange-token", token, exchangeBody(exchangeable))
	srv.Advance(4 * time.Second)
	rcv.want(t)
	srv.Advance(time.Minute)
	rcv.want(t, stateChanged, accountsRefreshed)
	for i, d := range srv.Deliveries() {
		var waits []time.Duration
		for n, a := range d.Attempts {
			want := http.StatusServiceUnavailable
			if n == len(d.Attempts)-1 {
				want = http.StatusNoContent
			} else {
				waits = append(waits, d.Attempts[n+1].Time.Sub(a.Time).Round(time.Second))
				if a.Response != "scripted\n" {
					t.Errorf("got %+v", a)
				}
			}
			if a.Status != want {
				t.Errorf("attempt %d: %+v, want %d", n+1, a, want)
			}
		}
		if want := []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second}; !reflect.DeepEqual(waits, want) {
			t.Errorf("waited %v, want %v", waits, want)
		}
		if e := rcv.events[i]; e.DeliveryAttempt != "4" || e.DeliveryToken != d.Token || e.IdempotencyKey != d.IdempotencyKey {
			t.Errorf("got %+v", e)
		}
	}
}

// After two hours MoneyKit gives up.
func TestEventsAreGivenUp(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	rcv := newReceiver(t, srv)
	rcv.status = func(int) int { return http.StatusInternalServerError }
	link(t, srv, rcv.url)
	srv.Advance(2*time.Hour - time.Minute)
	for _, d := range srv.Deliveries() {
		if n := len(d.Attempts); d.State != sandbox.DeliveryFailed || n != 11 || d.Attempts[n-1].Time.Sub(d.Attempts[0].Time) > 2*time.Hour {
			t.Errorf("got %s after %d attempts", d.State, n)
		}
	}
	before := rcv.requests
	srv.Advance(48 * time.Hour)
	if rcv.requests != before {
		t.Error("sent again after two hours")
	}
}

func TestDeliveryFaults(t *testing.T) {
	t.Parallel()
	all := []string{stateChanged, accountsRefreshed, transactionsDone, updatesAvailable}
	for name, tt := range map[string]struct {
		event    string
		times    int
		fault    sandbox.DeliveryFault
		atOnce   []string
		rejected string
		later    []string // within a minute
		state    sandbox.DeliveryState
	}{
		"late":              {"link.state_changed", 1, sandbox.DeliveryFault{Late: 30 * time.Second}, all[1:], "", []string{all[1], all[2], all[3], all[0]}, "delivered"},
		"twice":             {"link.state_changed", 1, sandbox.DeliveryFault{Twice: true}, []string{all[0], all[0], all[1], all[2], all[3]}, "", []string{all[0], all[0], all[1], all[2], all[3]}, "delivered"},
		"out of order":      {"link.state_changed", 1, sandbox.DeliveryFault{OutOfOrder: true}, []string{all[1], all[0], all[2], all[3]}, "", []string{all[1], all[0], all[2], all[3]}, "delivered"},
		"last out of order": {"transactions.updates_available", 1, sandbox.DeliveryFault{OutOfOrder: true}, all, "", all, "delivered"},
		"wrong signature":   {"link.state_changed", 2, sandbox.DeliveryFault{WrongSignature: true}, all[1:], "not signed with the key", []string{all[1], all[2], all[3], all[0]}, "delivered"},
		"stale":             {"link.state_changed", 1, sandbox.DeliveryFault{Stale: true}, all[1:], "5 minutes ago", []string{all[1], all[2], all[3], all[0]}, "delivered"},
		"lost":              {"link.state_changed", 2, sandbox.DeliveryFault{Lost: true}, all[1:], "", []string{all[1], all[2], all[3], all[0]}, "delivered"},
		"never":             {"link.state_changed", 1, sandbox.DeliveryFault{Never: true}, all[1:], "", all[1:], "failed"},
		"late and twice":    {"link.state_changed", 1, sandbox.DeliveryFault{Late: 30 * time.Second, Twice: true}, all[1:], "", []string{all[1], all[2], all[3], all[0], all[0]}, "delivered"},
		"all never":         {"", 4, sandbox.DeliveryFault{Never: true}, nil, "", nil, "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := sandbox.Start(t)
			rcv := newReceiver(t, srv)
			srv.FailDelivery(tt.event, tt.times, tt.fault)
			link(t, srv, rcv.url)
			rcv.want(t, tt.atOnce...)
			if (len(rcv.rejected) > 0) != (tt.rejected != "") {
				t.Errorf("rejected: %v", rcv.rejected)
			}
			srv.Advance(time.Minute)
			rcv.want(t, tt.later...)
			if tt.fault.Twice {
				last := map[string]string{}
				for _, e := range rcv.events {
					last[e.IdempotencyKey] += e.DeliveryAttempt
				}
				if got := last[srv.Deliveries()[0].IdempotencyKey]; got != "12" {
					t.Errorf("attempts %s", got)
				}
			}
			for _, err := range rcv.rejected {
				if !errors.Is(err, webhook.ErrInvalidSignature) || !strings.Contains(err.Error(), tt.rejected) {
					t.Errorf("rejected: %v", err)
				}
			}
			if got := srv.Deliveries()[0].State; got != tt.state {
				t.Errorf("got %s, want %s", got, tt.state)
			}
			if left := srv.DeliveryFaults(); len(left) != 0 {
				t.Errorf("left: %+v", left)
			}
		})
	}
}

func TestInvalidDeliveryFaults(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	for want, f := range map[string]sandbox.ScriptedDeliveryFault{
		"webhook_event is \"x\"": {Event: "x", Times: 1, Fault: sandbox.DeliveryFault{Lost: true}},
		"times is 0":             {Times: 0, Fault: sandbox.DeliveryFault{Lost: true}},
		"late_seconds is -1":     {Times: 1, Fault: sandbox.DeliveryFault{Late: -time.Second}},
		"is empty":               {Times: 1},
		"never cannot be":        {Times: 1, Fault: sandbox.DeliveryFault{Never: true, Twice: true}},
	} {
		if err := srv.Sandbox.FailDelivery(f.Event, f.Times, f.Fault); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if got := post(t, srv, "/sandbox/fail-delivery", "", `{"times": 0, "lost": true}`); got.status != 422 || !strings.Contains(got.body, "times") {
		t.Errorf("got %+v", got)
	}
}

// The key that signed before a rotation stays valid, the one before that does not.
func TestRotateKeys(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	newEvent := func() *http.Request {
		return srv.NewEvent("/moneykit/webhook", gen.LinkStateChangedWebhook{LinkID: "mk_1", LinkTags: []string{"attempt:1"}})
	}
	body := func(r *http.Request) []byte {
		t.Helper()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	first := newEvent()
	firstBody := body(first)
	for n, want := range []bool{true, true, false} {
		v, err := webhook.NewVerifier(webhook.WithBaseURL(srv.URL))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(t.Context(), first.Header, firstBody); (err == nil) != want {
			t.Errorf("the first key after %d rotations: %v", n, err)
		}
		r := newEvent()
		if _, err := v.Parse(r); err != nil {
			t.Errorf("the current key after %d rotations: %v", n, err)
		}
		if n == 0 {
			srv.RotateKeys()
		} else if got := post(t, srv, "/sandbox/rotate-keys", "", ""); got.status != 204 {
			t.Errorf("got %+v", got)
		}
	}
	got := send(t, srv, "GET", "/.well-known/jwks.json", nil, "")
	if got.status != 200 || strings.Contains(got.body, `"d"`) || strings.Count(got.body, `"kid"`) != 2 {
		t.Errorf("got %+v", got)
	}
}

func TestNewEvent(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	v, err := webhook.NewVerifier(webhook.WithBaseURL(srv.URL))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		event any
		want  string
	}{
		{gen.LinkStateChangedWebhook{LinkID: "mk_1"}, "*gen.LinkStateChangedWebhook"},
		{&gen.LinkProductRefreshWebhook{Product: gen.ProductIdentity}, "*gen.LinkProductRefreshWebhook"},
		{&gen.TransactionUpdatesAvailableWebhook{}, "*gen.TransactionUpdatesAvailableWebhook"},
		{&gen.LinkStateChangedWebhook{State: gen.PublicLinkStateError, Error: gen.PublicLinkErrorAuthExpired, WebhookIdempotencyKey: "k"}, "*gen.LinkStateChangedWebhook"},
		{map[string]string{"webhook_event": "product.state_changed", "webhook_idempotency_key": "k"}, "<nil>"},
		{[]byte(`{"webhook_event":"x","webhook_idempotency_key":"k"}`), "<nil>"},
	} {
		var got *webhook.Event
		handler := http.NewServeMux()
		handler.Handle("POST /moneykit/webhook", webhook.Handler(v, func(_ context.Context, e *webhook.Event) error { got = e; return nil }))
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, srv.NewEvent("/moneykit/webhook", tt.event))
		if rec.Code != http.StatusNoContent || fmt.Sprintf("%T", got.Payload) != tt.want {
			t.Errorf("%T: got %d, %+v", tt.event, rec.Code, got)
		}
	}
	if _, err := srv.Sandbox.NewEvent("/", func() {}); err == nil {
		t.Error("a function: no error")
	}
	if _, err := srv.Sandbox.NewEvent(":", gen.LinkStateChangedWebhook{}); err == nil {
		t.Error("a URL that is none: no error")
	}
	// The same over HTTP, for other languages.
	const body = `{"webhook_event":"x","webhook_idempotency_key":"k"}`
	var signed struct {
		Header map[string]string
		Body   string
	}
	if err := json.Unmarshal([]byte(post(t, srv, "/sandbox/new-event", "", body).body), &signed); err != nil || signed.Body != body {
		t.Fatalf("got %+v, %v", signed, err)
	}
	header := http.Header{}
	for name, value := range signed.Header {
		header.Set(name, value)
	}
	if _, err := v.Verify(t.Context(), header, []byte(signed.Body)); err != nil {
		t.Error(err)
	}
}

func TestTestEvents(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	rcv := newReceiver(t, srv)
	linkID := link(t, srv, rcv.url)
	silent := link(t, srv, "")
	token := newToken(t, srv)
	completed(t, srv, token, fmt.Sprintf(`{"customer_user": {"id": "user-42"}, "redirect_uri": "https://yourdomain.com/oauth.html", "webhook": %q}`, rcv.url))
	waiting := srv.Links()[2].LinkID
	for _, name := range []string{"link.state_changed", "link.product_refresh", "transactions.updates_available", "product.state_changed"} {
		got := post(t, srv, "/webhooks/test/link/"+linkID, token, fmt.Sprintf(`{"webhook_event": %q, "webhook_idempotency_key": "my-%s"}`, name, name))
		srv.Advance(0)
		last := rcv.events[len(rcv.events)-1]
		if got.status != 200 || last.Type != name || last.IdempotencyKey != "my-"+name || !strings.Contains(got.body, last.DeliveryToken) {
			t.Errorf("got %+v, %+v", got, last)
		}
	}
	for name, tt := range map[string]struct {
		id, token, body string
		status          int
		code            string
	}{
		"no token":    {linkID, "", `{"webhook_event": "link.state_changed", "webhook_idempotency_key": "k"}`, 401, "api_error.auth.unauthorized"},
		"no link":     {"mk_x", token, `{"webhook_event": "link.state_changed", "webhook_idempotency_key": "k"}`, 404, "link_error.not_found"},
		"not yet":     {waiting, token, `{"webhook_event": "link.state_changed", "webhook_idempotency_key": "k"}`, 404, "link_error.not_found"},
		"no webhook":  {silent, token, `{"webhook_event": "link.state_changed", "webhook_idempotency_key": "k"}`, 400, "link_error.bad_config"},
		"no key":      {linkID, token, `{"webhook_event": "link.state_changed"}`, 422, "api_error.request.validation_failed"},
		"other event": {linkID, token, `{"webhook_event": "x", "webhook_idempotency_key": "k"}`, 422, "api_error.request.validation_failed"},
		"other field": {linkID, token, `{"event": "x"}`, 422, "sandbox_error.invalid_request"},
	} {
		if got := post(t, srv, "/webhooks/test/link/"+tt.id, tt.token, tt.body); got.status != tt.status || got.errorCode() != tt.code {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// No event is sent to a host of published examples, nor to one that is not allowed, and a redirect is not followed.
func TestWebhookHosts(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	redirect := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer redirect.Close()
	for _, tt := range []struct {
		opts []sandbox.Option
		url  string
		want string
	}{
		{nil, "https://yourdomain.com/moneykit_webhook", "yourdomain.com is a host of examples"},
		{nil, "https://app.example.com/x", "app.example.com is a host of examples"},
		{nil, "ftp://localhost/x", "not an http or https URL"},
		{nil, "nonsense", "not an http or https URL"},
		{nil, redirect.URL, ""},
		{[]sandbox.Option{sandbox.WithWebhookHosts()}, "http://192.0.2.1/x", "192.0.2.1 is neither a loopback host nor allowed"},
		{[]sandbox.Option{sandbox.WithWebhookHosts("app.internal")}, "http://other.internal/x", "other.internal is neither"},
		{[]sandbox.Option{sandbox.WithWebhookHosts()}, "http://127.0.0.1:1/x", "connect"},
	} {
		srv := sandbox.Start(t, tt.opts...)
		link(t, srv, tt.url)
		d := srv.Deliveries()[0]
		if a := d.Attempts[0]; !strings.Contains(a.Error, tt.want) || (tt.want == "") != (a.Status == 307) || d.State != sandbox.DeliveryPending {
			t.Errorf("%s: got %+v", tt.url, d)
		}
	}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// With a client of one's own, a webhook's host need not exist.
func TestWebhookClient(t *testing.T) {
	t.Parallel()
	var urls []string
	srv := sandbox.Start(t, sandbox.WithWebhookClient(&http.Client{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
		urls = append(urls, r.URL.String())
		return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
	})}))
	link(t, srv, "https://yourdomain.com/moneykit_webhook")
	if len(urls) != eventsOfOneLinking || urls[0] != "https://yourdomain.com/moneykit_webhook" {
		t.Errorf("got %v", urls)
	}
}

// Hosts that are named are the only ones, also with a client of one's own.
func TestWebhookClientAndHosts(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t, sandbox.WithWebhookHosts("app.internal"), sandbox.WithWebhookClient(&http.Client{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
	})}))
	link(t, srv, "https://app.internal/x")
	link(t, srv, "https://other.internal/x")
	all := srv.Deliveries()
	if got := all[0]; got.State != sandbox.DeliveryDelivered {
		t.Errorf("got %+v", got)
	}
	if got := all[eventsOfOneLinking]; got.State != sandbox.DeliveryPending || got.Attempts[0].Error == "" {
		t.Errorf("got %+v", got)
	}
}

// Time that passes by itself makes attempts due too.
func TestAttemptsInRealTime(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, eventsOfOneLinking)
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{} }))
	defer receiver.Close()
	srv := sandbox.Start(t)
	srv.FailDelivery("", eventsOfOneLinking, sandbox.DeliveryFault{Late: 20 * time.Millisecond})
	link(t, srv, receiver.URL)
	for range eventsOfOneLinking {
		select {
		case <-arrived:
		case <-time.After(10 * time.Second):
			t.Fatal("no event came")
		}
	}
}

// Under load there is always an event that was just sent. Advance waits for those from before only.
func TestAdvanceUnderLoad(t *testing.T) {
	t.Parallel()
	hanging, arrived, ended := newHangingReceiver(t) // first, so that the sandbox is closed before it
	srv := sandbox.Start(t)
	token := newToken(t, srv)
	meanwhile := completed(t, srv, token, fmt.Sprintf(`{"customer_user": {"id": "user-43"}, "redirect_uri": "https://yourdomain.com/oauth.html", "webhook": %q}`, hanging))
	var once sync.Once
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); !strings.Contains(string(body), "link.state_changed") { // which comes before Advance
			return
		}
		once.Do(func() {
			header := http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + token}}
			if _, err := try(t, srv, "POST", "/link-session/exchange-token", header, exchangeBody(meanwhile)); err != nil {
				t.Error(err)
			}
			<-arrived
		})
	}))
	defer receiver.Close()
	srv.FailDelivery("link.state_changed", 1, sandbox.DeliveryFault{Late: time.Minute})
	startLinking(t, srv, receiver.URL)
	srv.Advance(time.Minute)
	if len(ended) != 0 {
		t.Error("Advance waited for an event of what happened meanwhile")
	}
	if all := srv.Deliveries(); len(all) != 4 || all[0].State != sandbox.DeliveryDelivered || all[1].State != sandbox.DeliveryDelivered {
		t.Errorf("got %+v", all)
	}
}

// Behind an event that is still to be sent again, an event out of order waits for it.
func TestOutOfOrderBehindARetry(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	rcv := newReceiver(t, srv)
	linkID := link(t, srv, rcv.url)
	token := newToken(t, srv)
	rcv.events = nil
	srv.FailDelivery("link.product_refresh", 1, sandbox.DeliveryFault{Lost: true})
	srv.FailDelivery("link.state_changed", 1, sandbox.DeliveryFault{OutOfOrder: true})
	for _, name := range []string{"link.product_refresh", "link.state_changed"} {
		post(t, srv, "/webhooks/test/link/"+linkID, token, fmt.Sprintf(`{"webhook_event": %q, "webhook_idempotency_key": "k"}`, name))
	}
	srv.Advance(0)
	rcv.want(t)
	srv.Advance(10 * time.Second)
	rcv.want(t, accountsRefreshed, stateChanged)
}

// Of deliveries that are over, 1000 are kept.
func TestDeliveriesAreForgotten(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t, sandbox.WithWebhookClient(&http.Client{Transport: transportFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
	})}))
	linkID := link(t, srv, "https://app.internal/x")
	token := newToken(t, srv)
	for i := range 1000 {
		post(t, srv, "/webhooks/test/link/"+linkID, token, fmt.Sprintf(`{"webhook_event": "link.state_changed", "webhook_idempotency_key": "k%d"}`, i))
	}
	srv.Advance(0)
	if all := srv.Deliveries(); len(all) != 1000 || all[0].IdempotencyKey != "k0" || all[999].IdempotencyKey != "k999" {
		t.Errorf("%d deliveries, from %s", len(all), all[0].IdempotencyKey)
	}
}

func TestResetForgetsDeliveries(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	rcv := newReceiver(t, srv)
	rcv.status = func(int) int { return http.StatusInternalServerError }
	link(t, srv, rcv.url)
	srv.FailDelivery("", 1, sandbox.DeliveryFault{Lost: true})
	srv.Reset()
	before := rcv.requests
	srv.Advance(time.Hour)
	if got := srv.Deliveries(); len(got) != 0 || rcv.requests != before || len(srv.DeliveryFaults()) != 0 {
		t.Errorf("got %+v, %d requests more", got, rcv.requests-before)
	}
}

// A hanging receiver gets a request and never responds. It reports when the sandbox has hung up.
func newHangingReceiver(t *testing.T) (url string, arrived, ended chan struct{}) {
	t.Helper()
	arrived, ended = make(chan struct{}, 10), make(chan struct{}, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	}))
	t.Cleanup(receiver.Close)
	return receiver.URL, arrived, ended
}

// startLinking exchanges a token without waiting for events.
func startLinking(t *testing.T, srv *sandbox.Server, webhookURL string) {
	t.Helper()
	token := newToken(t, srv)
	exchangeable := completed(t, srv, token, fmt.Sprintf(`{"customer_user": {"id": "user-42"}, "redirect_uri": "https://yourdomain.com/oauth.html", "webhook": %q}`, webhookURL))
	post(t, srv, "/link-session/exchange-token", token, exchangeBody(exchangeable))
}

// A reset, or the end of the test, hangs up at once, and nothing is sent again.
func TestAttemptsUnderWayEnd(t *testing.T) {
	t.Parallel()
	url, arrived, ended := newHangingReceiver(t)
	wantEnd := func() {
		t.Helper()
		select {
		case <-ended:
		case <-time.After(5 * time.Second): // half of what the sandbox waits for a response
			t.Error("the request has not ended")
		}
	}
	t.Run("one test", func(t *testing.T) {
		srv := sandbox.Start(t)
		startLinking(t, srv, url)
		<-arrived
		srv.Reset()
		wantEnd()
		srv.Advance(time.Hour)
		if all := srv.Deliveries(); len(all) != 0 || len(arrived) != 0 {
			t.Errorf("got %+v, %d requests more", all, len(arrived))
		}
		startLinking(t, srv, url)
		<-arrived
	})
	wantEnd()
}

func TestDeliveriesOverHTTP(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	rcv := newReceiver(t, srv)
	if got := post(t, srv, "/sandbox/fail-delivery", "", `{"webhook_event": "link.state_changed", "late_seconds": 30, "twice": true}`); got.status != 204 {
		t.Fatalf("got %+v", got)
	}
	if got := send(t, srv, "GET", "/sandbox/faults", nil, ""); !strings.Contains(got.body, `"delivery_faults":[{"webhook_event":"link.state_changed","times":1,"late_seconds":30,"twice":true}]`) {
		t.Errorf("got %s", got.body)
	}
	post(t, srv, "/sandbox/fail-delivery", "", `{"never": true, "times": 2}`)
	if got := send(t, srv, "DELETE", "/sandbox/faults", nil, ""); got.status != 204 || len(srv.DeliveryFaults()) != 0 {
		t.Errorf("got %+v", got)
	}
	post(t, srv, "/sandbox/fail-delivery", "", `{"webhook_event": "link.state_changed", "late_seconds": 30, "twice": true}`)
	link(t, srv, rcv.url)
	if got := post(t, srv, "/sandbox/advance", "", `{"seconds": 30}`); got.status != 204 {
		t.Fatalf("got %+v", got)
	}
	var got struct{ Deliveries []sandbox.Delivery }
	if err := json.Unmarshal([]byte(send(t, srv, "GET", "/sandbox/deliveries", nil, "").body), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Deliveries) != eventsOfOneLinking || got.Deliveries[0].State != "delivered" || len(got.Deliveries[0].Attempts) != 2 {
		t.Errorf("got %+v", got)
	}
}
