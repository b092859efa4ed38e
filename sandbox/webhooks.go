package sandbox

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox/internal/httpapi"
	"github.com/moneykit/moneykit-go/sandbox/internal/webhooks"
)

// WithWebhookHosts allows events to be sent to loopback hosts and to these hosts only, each without a port. By default
// every host is allowed, except those of published examples, such as yourdomain.com.
func WithWebhookHosts(hosts ...string) Option {
	return func(s *Sandbox) { s.webhookHosts = append([]string{}, hosts...) }
}

// WithWebhookClient sends events with hc. The default client follows no redirect, uses no proxy and waits for 10
// seconds. With a client of your own, a webhook's host need not exist.
func WithWebhookClient(hc *http.Client) Option {
	return func(s *Sandbox) { s.webhookClient = hc }
}

// checkWebhookHost returns an error if no events are sent to a host.
func (s *Sandbox) checkWebhookHost(host string) error {
	if s.webhookHosts == nil && s.webhookClient != nil {
		return nil
	}
	return webhooks.CheckHost(host, s.webhookHosts)
}

// WithLogger logs one line for each attempt to send an event. By default nothing is logged.
func WithLogger(l *slog.Logger) Option {
	return func(s *Sandbox) { s.logger = l }
}

// A DeliveryFault is what goes wrong with one attempt to send an event.
type DeliveryFault struct {
	// Late delays the attempt, by the sandbox's clock.
	Late time.Duration `json:"-"`
	// Twice sends the event again at once, whatever the response is.
	Twice bool `json:"twice,omitzero"`
	// OutOfOrder sends the event after the next event of the same link, if one is waiting.
	OutOfOrder bool `json:"out_of_order,omitzero"`
	// WrongSignature signs with another key than the one that the signature names.
	WrongSignature bool `json:"wrong_signature,omitzero"`
	// Stale signs as if it were an hour ago.
	Stale bool `json:"stale,omitzero"`
	// Lost does not send the event; the next attempt follows as after any other that failed.
	Lost bool `json:"lost,omitzero"`
	// Never does not send the event, now or later.
	Never bool `json:"never,omitzero"`
}

// A ScriptedDeliveryFault is a fault with the event and the number of attempts that it is for.
type ScriptedDeliveryFault struct {
	// Event is a webhook_event, or empty for every event.
	Event string
	Times int
	Fault DeliveryFault
}

// FailDelivery scripts a fault for the next attempts to send an event: a webhook_event such as link.state_changed, or ""
// for any. Faults that were scripted earlier come first. It returns an error, and scripts nothing, if an argument is
// invalid.
func (s *Sandbox) FailDelivery(event string, times int, fault DeliveryFault) error {
	if field, problem := checkDeliveryFault(event, times, fault); problem != "" {
		return fmt.Errorf("moneykit: invalid delivery fault: %s %s", field, problem)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deliveries.faults = append(s.deliveries.faults, ScriptedDeliveryFault{event, times, fault})
	return nil
}

func checkDeliveryFault(event string, times int, fault DeliveryFault) (field, problem string) {
	switch {
	case event != "" && !slices.Contains(eventNames, event):
		return "webhook_event", fmt.Sprintf("is %q; it must be one of %v, or empty for any", event, eventNames)
	case times < 1:
		return "times", fmt.Sprintf("is %d; it must be at least 1", times)
	case fault.Late < 0:
		return "late_seconds", fmt.Sprintf("is %v; it must not be negative", fault.Late.Seconds())
	case fault == DeliveryFault{}:
		return "fault", "is empty; set late, twice, out of order, wrong signature, stale, lost or never"
	case fault.Never && fault != DeliveryFault{Never: true}:
		return "never", "cannot be combined with anything else: the event is not sent"
	}
	return "", ""
}

// DeliveryFaults returns the scripted faults of deliveries that are left, in the order in which they were scripted.
func (s *Sandbox) DeliveryFaults() []ScriptedDeliveryFault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.deliveries.faults)
}

// fault returns the fault of the next attempt of d, zero for none.
func (q *deliveries) fault(d *delivery) DeliveryFault {
	if d.fault != nil {
		fault := *d.fault
		d.fault = nil
		return fault
	}
	i := slices.IndexFunc(q.faults, func(f ScriptedDeliveryFault) bool { return f.Event == "" || f.Event == d.Event })
	if i < 0 {
		return DeliveryFault{}
	}
	fault := q.faults[i].Fault
	if q.faults[i].Times--; q.faults[i].Times == 0 {
		q.faults = slices.Delete(q.faults, i, i+1)
	}
	return fault
}

// RotateKeys makes a new key that signs events from now on. The one before it stays in /.well-known/jwks.json.
func (s *Sandbox) RotateKeys() { s.keys.Rotate() }

// serveKeys serves GET /.well-known/jwks.json.
func (s *Sandbox) serveKeys(w http.ResponseWriter, _ *http.Request) {
	httpapi.WriteJSON(w, http.StatusOK, s.keys.Public())
}

const (
	linkStateChanged            = "link.state_changed"
	linkProductRefresh          = "link.product_refresh"
	transactionUpdatesAvailable = "transactions.updates_available"
	productStateChanged         = "product.state_changed" // has no schema in the contract
)

// eventSchemas are the contract's schemas of the events.
var eventSchemas = map[string]string{
	linkStateChanged:            "LinkStateChangedWebhook",
	linkProductRefresh:          "LinkProductRefreshWebhook",
	transactionUpdatesAvailable: "TransactionUpdatesAvailableWebhook",
}

var eventNames = []string{linkStateChanged, linkProductRefresh, transactionUpdatesAvailable, productStateChanged}

// An event is a body to be signed, and what of it the sandbox has to know.
type event struct {
	name, idempotencyKey, linkID string
	body                         []byte
}

// newEvent returns the event that payload is, with all that it lacks: its name, versions, idempotency key and time.
func (s *Sandbox) newEvent(now time.Time, payload any) (event, error) {
	at := gen.Timestamp{Time: now.Truncate(time.Second)}
	key := rand.Text()
	switch p := payload.(type) {
	case *gen.LinkStateChangedWebhook:
		return s.newEvent(now, *p)
	case *gen.LinkProductRefreshWebhook:
		return s.newEvent(now, *p)
	case *gen.TransactionUpdatesAvailableWebhook:
		return s.newEvent(now, *p)
	case gen.LinkStateChangedWebhook:
		setCommon(&p.WebhookEvent, linkStateChanged, &p.WebhookIdempotencyKey, key, &p.WebhookTimestamp, at, &p.WebhookMajorVersion, &p.LinkID, &p.LinkTags)
		setDefault(&p.State, gen.PublicLinkStateConnected)
		return s.encodeEvent(event{name: p.WebhookEvent, idempotencyKey: p.WebhookIdempotencyKey, linkID: p.LinkID}, p)
	case gen.LinkProductRefreshWebhook:
		setCommon(&p.WebhookEvent, linkProductRefresh, &p.WebhookIdempotencyKey, key, &p.WebhookTimestamp, at, &p.WebhookMajorVersion, &p.LinkID, &p.LinkTags)
		setDefault(&p.Product, gen.ProductAccounts)
		setDefault(&p.State, gen.LinkProductStateCompleted)
		setDefault(&p.StateChangedAt, at)
		return s.encodeEvent(event{name: p.WebhookEvent, idempotencyKey: p.WebhookIdempotencyKey, linkID: p.LinkID}, p)
	case gen.TransactionUpdatesAvailableWebhook:
		setCommon(&p.WebhookEvent, transactionUpdatesAvailable, &p.WebhookIdempotencyKey, key, &p.WebhookTimestamp, at, &p.WebhookMajorVersion, &p.LinkID, &p.LinkTags)
		return s.encodeEvent(event{name: p.WebhookEvent, idempotencyKey: p.WebhookIdempotencyKey, linkID: p.LinkID}, p)
	case []byte:
		return event{body: p}, nil
	}
	body, err := json.Marshal(payload)
	return event{body: body}, err
}

func setCommon(name *string, event string, key *string, newKey string, at *gen.Timestamp, now gen.Timestamp, major *int, linkID *string, tags *[]string) {
	setDefault(name, event)
	setDefault(key, newKey)
	setDefault(at, now)
	setDefault(major, 1)
	setDefault(linkID, "mk_"+newKey)
	if *tags == nil {
		*tags = []string{}
	}
}

// setDefault sets *field if it is zero.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// encodeEvent puts an event into the form that MoneyKit publishes, and validates it.
func (s *Sandbox) encodeEvent(e event, payload any) (event, error) {
	data, err := json.Marshal(payload)
	if err != nil {
		return event{}, err
	}
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return event{}, err
	}
	if ref := s.contract.doc.Components.Schemas[eventSchemas[e.name]]; ref != nil {
		value = published(ref.Value, value)
		if err := ref.Value.VisitJSON(value, validation.SchemaValidationOptions...); err != nil {
			return event{}, fmt.Errorf("moneykit: openapi.yaml does not allow the event %s: %w", e.name, err)
		}
	}
	e.body, err = json.Marshal(value)
	return e, err
}

// NewEvent returns a signed request as MoneyKit sends it, for unit tests of a handler without a server: pass it to
// ServeHTTP. target is a URL or a path. event is a gen.LinkStateChangedWebhook, gen.LinkProductRefreshWebhook or
// gen.TransactionUpdatesAvailableWebhook, in which zero fields get what is usual; a body as []byte; or any other value, which
// is encoded as JSON. The handler's webhook.Verifier needs the sandbox's URL (webhook.WithBaseURL) for the keys.
func (s *Sandbox) NewEvent(target string, event any) (*http.Request, error) {
	s.mu.Lock()
	now := s.now()
	s.mu.Unlock()
	e, err := s.newEvent(now, event)
	if err != nil {
		return nil, err
	}
	params, err := s.eventHeaders(e.body, "delivery_"+rand.Text(), 1, DeliveryFault{})
	if err != nil {
		return nil, err
	}
	return webhooks.NewLinkEventCallbackRequestWithBody(target, params, "application/json", bytes.NewReader(e.body))
}

// sendConnected sends the events that follow an exchange. The caller has locked s.mu.
func (s *Sandbox) sendConnected(link *Link) {
	if link.Webhook == "" {
		return
	}
	s.enqueueEvent(link, gen.LinkStateChangedWebhook{LinkID: link.LinkID, LinkTags: link.LinkTags, State: link.State})
	for _, product := range slices.Concat([]gen.Product{gen.ProductAccounts}, addable) {
		if link.fetchedAt(product) == link.LastSyncedAt {
			s.enqueueEvent(link, gen.LinkProductRefreshWebhook{LinkID: link.LinkID, LinkTags: link.LinkTags, Product: product, StateChangedAt: link.LastSyncedAt})
		}
	}
	if link.fetchedAt(gen.ProductTransactions) == link.LastSyncedAt {
		s.enqueueEvent(link, gen.TransactionUpdatesAvailableWebhook{LinkID: link.LinkID, LinkTags: link.LinkTags, HasHistory: link.Products.Transactions.HasHistory})
	}
	s.sendDue()
}

// fetchedAt returns when a product was last fetched.
func (l *Link) fetchedAt(product gen.Product) gen.Timestamp {
	if product == gen.ProductTransactions {
		return l.Products.Transactions.RefreshedAt
	}
	return l.product(product).RefreshedAt
}

// enqueueEvent adds an event of a link to those that sendDue sends. The caller has locked s.mu.
func (s *Sandbox) enqueueEvent(link *Link, payload any) (token string) {
	e, err := s.newEvent(s.now(), payload)
	if err != nil {
		s.violation(err.Error())
		return ""
	}
	return s.enqueue(e, link.Webhook)
}

// serveTestEvent serves POST /webhooks/test/link/{id}, which is not in the contract.
func (s *Sandbox) serveTestEvent(w http.ResponseWriter, r *http.Request) {
	if err := s.authenticate(r); err != nil {
		httpapi.WriteError(w, err)
		return
	}
	var body struct {
		Event string `json:"webhook_event"`
		Key   string `json:"webhook_idempotency_key"`
	}
	if err := httpapi.ReadJSON(r, &body); err != nil {
		httpapi.WriteError(w, err)
		return
	}
	var problems []gen.ValidationError
	if !slices.Contains(eventNames, body.Event) {
		problems = append(problems, invalidBody("value_error.enum", "must be one of "+strings.Join(eventNames, ", "), "webhook_event"))
	}
	if body.Key == "" {
		problems = append(problems, invalidBody("value_error.missing", "field required", "webhook_idempotency_key"))
	}
	if problems != nil {
		writeValidationErrors(w, problems)
		return
	}
	token, err := s.sendTestEvent(r.PathValue("id"), body.Event, body.Key)
	if err != nil {
		httpapi.WriteError(w, err)
		return
	}
	httpapi.WriteJSON(w, http.StatusOK, map[string]string{"delivery_token": token})
}

// sendTestEvent sends an event of a link with an idempotency key of the caller's.
func (s *Sandbox) sendTestEvent(linkID, name, key string) (deliveryToken string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	link := s.state.byID[linkID]
	switch {
	case link == nil || link.State == gen.PublicLinkStateAwaitingTokenExchange:
		return "", &httpapi.Error{Status: http.StatusNotFound, Code: "link_error.not_found", Message: "There is no link with this id."}
	case link.Webhook == "":
		return "", &httpapi.Error{Status: http.StatusBadRequest, Code: "link_error.bad_config", Message: "The link has no webhook."}
	}
	defer s.sendDue()
	switch name {
	case linkStateChanged:
		return s.enqueueEvent(link, gen.LinkStateChangedWebhook{WebhookIdempotencyKey: key, LinkID: link.LinkID, LinkTags: link.LinkTags, State: link.State}), nil
	case transactionUpdatesAvailable:
		return s.enqueueEvent(link, gen.TransactionUpdatesAvailableWebhook{WebhookIdempotencyKey: key, LinkID: link.LinkID, LinkTags: link.LinkTags, HasHistory: true}), nil
	default:
		return s.enqueueEvent(link, gen.LinkProductRefreshWebhook{WebhookEvent: name, WebhookIdempotencyKey: key, LinkID: link.LinkID, LinkTags: link.LinkTags}), nil
	}
}

// webhookRoutes are the methods about events over HTTP.
func (s *Sandbox) webhookRoutes(control func(method, path, description string, handle func(http.ResponseWriter, *http.Request) error) httpapi.Route) []httpapi.Route {
	return []httpapi.Route{
		control("GET", "deliveries", "the events sent or to be sent, with each attempt and its response", s.controlDeliveries),
		control("POST", "fail-delivery", `scripts a fault of an event: {"webhook_event": "link.state_changed", "times": 1, "twice": true}; also late_seconds, out_of_order, wrong_signature, stale, lost, never`, s.controlFailDelivery),
		control("POST", "rotate-keys", "makes a new key that signs events from now on", s.controlRotateKeys),
		control("POST", "new-event", `signs the body, an event of your own → {"header": {…}, "body": "…"}`, s.controlNewEvent),
	}
}

func (s *Sandbox) controlDeliveries(w http.ResponseWriter, _ *http.Request) error {
	httpapi.WriteJSON(w, http.StatusOK, map[string]any{"deliveries": s.Deliveries()})
	return nil
}

// jsonDeliveryFault is a scripted fault of a delivery in JSON.
type jsonDeliveryFault struct {
	Event       string  `json:"webhook_event"`
	Times       int     `json:"times"`
	LateSeconds float64 `json:"late_seconds,omitzero"`
	DeliveryFault
}

func (s *Sandbox) controlFailDelivery(w http.ResponseWriter, r *http.Request) error {
	body := jsonDeliveryFault{Times: 1}
	if err := httpapi.ReadJSON(r, &body); err != nil {
		return err
	}
	body.Late = seconds(body.LateSeconds)
	if field, problem := checkDeliveryFault(body.Event, body.Times, body.DeliveryFault); problem != "" {
		return httpapi.Invalid("The field %s %s.", field, problem)
	}
	if err := s.FailDelivery(body.Event, body.Times, body.DeliveryFault); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Sandbox) jsonDeliveryFaults() []jsonDeliveryFault {
	all := []jsonDeliveryFault{}
	for _, f := range s.DeliveryFaults() {
		all = append(all, jsonDeliveryFault{Event: f.Event, Times: f.Times, LateSeconds: f.Fault.Late.Seconds(), DeliveryFault: f.Fault})
	}
	return all
}

func (s *Sandbox) controlRotateKeys(w http.ResponseWriter, r *http.Request) error {
	if err := httpapi.CheckNoBody(r); err != nil {
		return err
	}
	s.RotateKeys()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Sandbox) controlNewEvent(w http.ResponseWriter, r *http.Request) error {
	var body json.RawMessage
	if err := httpapi.ReadJSON(r, &body); err != nil {
		return err
	}
	request, err := s.NewEvent("/", []byte(body))
	if err != nil {
		return err
	}
	header := map[string]string{}
	for name := range request.Header {
		header[name] = request.Header.Get(name)
	}
	httpapi.WriteJSON(w, http.StatusOK, map[string]any{"header": header, "body": string(body)})
	return nil
}
