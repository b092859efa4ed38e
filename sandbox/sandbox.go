package sandbox

import (
	"bytes"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/moneykit/moneykit-go/sandbox/internal/webhooks"
)

const (
	// maxBody is the maximum length of a request body that is read. The contract's longest valid bodies are far shorter.
	maxBody = 1 << 20
	// maxTime is the maximum of a token's lifetime, and of how far the clock can be ahead. Their sum still fits into
	// a token.
	maxTime = 100 * 365 * 24 * time.Hour

	defaultTokenLifetime  = time.Hour
	defaultRedirectOrigin = "https://yourdomain.com"
	defaultMaxLinks       = 10_000
)

// A Sandbox is a MoneyKit in memory: an [http.Handler] with the token endpoint, the operations of the contract and
// Connect, and with its own methods as endpoints under /sandbox/. It is safe for concurrent use.
type Sandbox struct {
	// ClientID and ClientSecret are the credentials that the token endpoint accepts. Do not change them.
	ClientID, ClientSecret string

	tokenLifetime time.Duration
	origins       []string
	hosts         []string
	limits        RateLimits
	legacyUserIDs bool
	maxLinks      int
	tokenKey      []byte
	contract      *contract
	routes        []route
	mux           *http.ServeMux
	violation     func(message string)
	keys          *webhooks.Keys
	webhookHosts  []string // nil: all
	webhookClient *http.Client
	sender        *http.Client // webhookClient, or the default
	logger        *slog.Logger

	mu       sync.Mutex // guards what follows
	offset   time.Duration
	state    state
	counters counters
	faults   []ScriptedFault
	requests []*Request

	deliveries *deliveries
}

// An Option changes how [New] and [Start] set up a sandbox.
type Option func(*Sandbox)

// WithCredentials sets the credentials that the token endpoint accepts. An empty one is generated, as both are by
// default.
func WithCredentials(clientID, clientSecret string) Option {
	return func(s *Sandbox) { s.ClientID, s.ClientSecret = clientID, clientSecret }
}

// WithTokenLifetime sets how long an access token is valid, in whole seconds; the default is an hour, and the maximum
// 100 years. With zero or less, every token has expired when it is issued.
func WithTokenLifetime(d time.Duration) Option {
	return func(s *Sandbox) { s.tokenLifetime = min(max(d, 0), maxTime).Truncate(time.Second) }
}

// WithRedirectOrigins replaces the registered redirect origins, each written scheme://host[:port]. The default is
// https://yourdomain.com. In addition, http and https on localhost and loopback addresses are always registered, on
// every port.
func WithRedirectOrigins(origins ...string) Option {
	return func(s *Sandbox) { s.origins = origins }
}

// WithHosts adds host names, without a port, by which the endpoints under /sandbox/ can be reached. Requests to them
// with another Host than localhost, a loopback address or one of these get a 403.
func WithHosts(hosts ...string) Option {
	return func(s *Sandbox) { s.hosts = append(s.hosts, hosts...) }
}

// WithRateLimits turns rate limits on; by default there are none. See [PublishedRateLimits] for MoneyKit's.
func WithRateLimits(limits RateLimits) Option {
	return func(s *Sandbox) { s.limits = limits }
}

// WithLegacyUserIDs makes customer_user.id match ^[a-zA-Z0-9_-]+$, as MoneyKit required before August 2024. By default
// any id of 4 to 150 characters is valid.
func WithLegacyUserIDs() Option {
	return func(s *Sandbox) { s.legacyUserIDs = true }
}

// WithMaxLinks sets how many links, and how many link sessions, are kept; the default is 10,000 each. Beyond it the
// oldest is removed for each new one.
func WithMaxLinks(n int) Option {
	return func(s *Sandbox) { s.maxLinks = max(n, 1) }
}

// New returns a sandbox to be served by an [http.Server] of your own. In a test, use [Start].
func New(opts ...Option) *Sandbox { return newSandbox(embeddedContract(), opts) }

func newSandbox(c *contract, opts []Option) *Sandbox {
	s := &Sandbox{
		tokenLifetime: defaultTokenLifetime,
		origins:       []string{defaultRedirectOrigin},
		maxLinks:      defaultMaxLinks,
		tokenKey:      []byte(rand.Text()),
		contract:      c,
		violation:     func(string) {},
		keys:          webhooks.NewKeys(),
	}
	for _, opt := range opts {
		if opt != nil {
			opt(s)
		}
	}
	if s.ClientID == "" {
		s.ClientID = "sandbox_" + rand.Text()
	}
	if s.ClientSecret == "" {
		s.ClientSecret = "sandbox_secret_" + rand.Text()
	}
	if s.sender = s.webhookClient; s.sender == nil {
		s.sender = webhooks.NewClient(s.webhookHosts)
	}
	s.deliveries = newDeliveries(&s.mu)
	s.Reset()
	s.route()
	return s
}

// Reset removes all link sessions, links, events, scripted faults and recorded requests, sets the clock to the present and
// starts the rate limits anew. The credentials and the access tokens issued before stay valid.
func (s *Sandbox) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset = 0
	s.state = newState(s.maxLinks)
	s.counters = counters{}
	s.faults = nil
	s.requests = nil
	s.deliveries.close()
	s.deliveries = newDeliveries(&s.mu)
}

// Advance moves the sandbox's clock forward by d: access tokens, link sessions and exchangeable tokens expire, and
// rate limits start anew, as if d had passed. It makes the attempts to send events that are due until then, and waits
// for them; it must not be called while one is received. The clock stops at 100 years ahead, and a negative d does not move it.
func (s *Sandbox) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance(min(max(d, 0), maxTime-s.offset))
}

// now returns the sandbox's time. The caller has locked s.mu.
func (s *Sandbox) now() time.Time { return time.Now().Add(s.offset).UTC() }

// ServeHTTP responds to one request: with a fault that is scripted for its operation, or else from the state.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	requestID := "req_" + rand.Text()
	w.Header().Set("X-Request-Id", requestID)
	// The body is read first: only then does the server notice that a client disconnects during a delay.
	var body []byte
	var bodyErr error
	if r.Body != nil { // as it is when a test passes a client's request
		body, bodyErr = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	}
	r = r.WithContext(r.Context()) // a copy, so that the caller's keeps its body
	r.Body = &readBody{Reader: bytes.NewReader(body), err: bodyErr}

	handler, operation := s.handler(r)
	entry := s.record(r, operation, body)
	fault, scripted := s.takeFault(operation)
	res := newResponse()
	res.header.Set("X-Request-Id", requestID)
	if scripted {
		fault.serve(w, res, r, handler)
	} else {
		handler.ServeHTTP(res, r)
	}
	s.recordStatus(entry, res.status)
	res.send(w)
}

// readBody is a request body that was read already, with the error that reading ended with.
type readBody struct {
	*bytes.Reader
	err error
}

func (b *readBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF && b.err != nil {
		err = b.err
	}
	return n, err
}

func (b *readBody) Close() error { return nil }

// A response is not sent yet, so that it can be validated, replaced or lost.
type response struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newResponse() *response { return &response{header: http.Header{}} }

func (r *response) Header() http.Header { return r.header }

func (r *response) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *response) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

// reset removes all that was written.
func (r *response) reset() {
	r.header, r.status = http.Header{}, 0
	r.body.Reset()
}

func (r *response) send(w http.ResponseWriter) {
	for name, values := range r.header {
		w.Header()[name] = values
	}
	w.WriteHeader(r.status)
	w.Write(r.body.Bytes()) // an error here means that the client has disconnected
}
