package sandbox

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/moneykit/moneykit-go/sandbox/internal/server"
)

//go:generate env GOWORK=off go tool -modfile=../tools/go.mod oapi-codegen -config oapi-codegen.yaml ../openapi.yaml

const (
	// maxBody is how much of a request body is read. The contract's longest valid bodies are far smaller.
	maxBody = 1 << 20

	defaultTokenLifetime  = time.Hour
	defaultRedirectOrigin = "https://yourdomain.com"
)

// A Sandbox is a MoneyKit in memory: an [http.Handler] with the token endpoint, both operations of the contract,
// and, under /sandbox/, what its methods do for clients that are not in this process. It is safe for concurrent use.
type Sandbox struct {
	// ClientID and ClientSecret are the credentials that the token endpoint accepts. They are to be read only.
	ClientID, ClientSecret string

	tokenLifetime time.Duration
	origins       []string
	limits        RateLimits
	tokenKey      []byte
	routes        []route
	violation     func(message string)

	mu       sync.Mutex // guards what follows
	offset   time.Duration
	state    state
	counters counters
	faults   map[Operation][]script
	journal  []*Request
}

// An Option changes how [New] and [Start] set a sandbox up.
type Option func(*Sandbox)

// WithCredentials sets the credentials that the token endpoint accepts. One that is empty is made up, as both are
// by default.
func WithCredentials(clientID, clientSecret string) Option {
	return func(s *Sandbox) { s.ClientID, s.ClientSecret = clientID, clientSecret }
}

// WithTokenLifetime sets how long an access token works, in whole seconds; the default is an hour. With zero or
// less, every token has expired when it is handed out.
func WithTokenLifetime(d time.Duration) Option {
	return func(s *Sandbox) { s.tokenLifetime = max(d, 0).Truncate(time.Second) }
}

// WithRedirectOrigins replaces the registered redirect origins, each written scheme://host[:port]. The default is
// https://yourdomain.com. Besides them, http and https on localhost and loopback addresses are always registered,
// on every port.
func WithRedirectOrigins(origins ...string) Option {
	return func(s *Sandbox) { s.origins = origins }
}

// WithRateLimits switches rate limits on; the default is none. [PublishedRateLimits] has MoneyKit's own.
func WithRateLimits(limits RateLimits) Option {
	return func(s *Sandbox) { s.limits = limits }
}

// New returns a sandbox to be served by an [http.Server] of yours. Tests are better off with [Start].
func New(opts ...Option) *Sandbox {
	s := &Sandbox{
		tokenLifetime: defaultTokenLifetime,
		origins:       []string{defaultRedirectOrigin},
		tokenKey:      []byte(rand.Text()),
		violation:     func(string) {},
		state:         newState(),
		counters:      counters{},
		faults:        map[Operation][]script{},
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
	s.routes = s.newRoutes()
	return s
}

// Advance moves the sandbox's clock forward by d: access tokens, link sessions and exchangeable tokens expire, and
// rate limits open again, as if d had passed.
func (s *Sandbox) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
}

// now is the sandbox's time. The caller holds s.mu.
func (s *Sandbox) now() time.Time { return time.Now().Add(s.offset).UTC() }

// ServeHTTP answers one request: from the faults scripted for its operation if there are any, else from the state.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	requestID := "req_" + rand.Text()
	w.Header().Set("X-Request-Id", requestID)
	// The body is read first: only then does the server notice that a client goes away during a delay.
	var body []byte
	var bodyErr error
	if r.Body != nil { // as it is when a test hands over a client's request
		body, bodyErr = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	}
	r = r.WithContext(r.Context()) // a copy: the caller's keeps its body
	r.Body = &bufferedBody{Reader: bytes.NewReader(body), err: bodyErr}

	rt := s.route(r)
	entry := s.record(r, rt.operation, body)
	fault, faulty := s.takeFault(rt.operation)
	a := newAnswer()
	a.header.Set("X-Request-Id", requestID)
	switch {
	case !faulty:
		rt.handler.ServeHTTP(a, r)
	case fault.After:
		rt.handler.ServeHTTP(a, r)
		fault.apply(r.Context(), a)
	default:
		if !fault.apply(r.Context(), a) {
			rt.handler.ServeHTTP(a, r)
		}
	}
	s.recordStatus(entry, a.status)
	a.send(w)
}

// contractServer is the generated server on top of the operations in operations.go.
func (s *Sandbox) contractServer() http.Handler {
	return server.Handler(server.NewStrictHandlerWithOptions(operations{s}, nil, server.StrictHTTPServerOptions{
		// The contract's validation lets nothing through that does not decode; if it did, this would say so.
		RequestErrorHandlerFunc: func(w http.ResponseWriter, _ *http.Request, _ error) {
			writeFaults(w, []fault422{bodyFault("value_error", "is not what this operation takes")})
		},
		ResponseErrorHandlerFunc: func(w http.ResponseWriter, _ *http.Request, err error) {
			s.reportViolation(w, err.Error())
		},
	}))
}

// bufferedBody is a request body that was read already, with the error that reading ended with.
type bufferedBody struct {
	*bytes.Reader
	err error
}

func (b *bufferedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF && b.err != nil {
		err = b.err
	}
	return n, err
}

func (b *bufferedBody) Close() error { return nil }

// An answer is a response that is not sent yet, so that it can be validated, replaced or lost.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newAnswer() *answer { return &answer{header: http.Header{}} }

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// reset forgets all but the headers that every answer has.
func (a *answer) reset() {
	a.header, a.status = http.Header{}, 0
	a.body.Reset()
}

func (a *answer) send(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	w.Write(a.body.Bytes()) // an error here means that the client is gone
}
