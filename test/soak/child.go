package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/rpc"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sharedtoken"
)

// A child is a process that makes calls. The process that started it, its parent, has everything else, and calls its
// methods by net/rpc over stdin and stdout.
type child struct {
	problems
	clients         []*api.Client // one for each way to MoneyKit
	shared          *sharedtoken.Source
	late            []*lateTransport
	end             []func()
	tokens, failed  atomic.Int64 // token requests that got a token, and the others
	loads, failures atomic.Int64 // requests to Redis, and those of them that failed
}

// The types that net/rpc sends have to be exported.
type (
	// Settings are of a run.
	Settings struct {
		ClientID, ClientSecret string
		URL, URLHTTP2          string
		Redis                  string // socket of the server with the shared token; "" for a token of its own
		Rate                   float64
		Workers                int
	}
	// A Call is a call to make: an exchange if there is something to exchange, and a session to create if not.
	Call struct {
		Way                int
		User, Tag, Webhook string
		Exchangeable       string
	}
	// A Reply is the result of a Call.
	Reply struct {
		Result        string // token of the session, or link_id
		Failure       string
		Unknown, Used bool // which failure it was
		Attempts      int
		Took          time.Duration
	}
	// Counts are what a child counted in a run.
	Counts struct {
		Tokens, TokenFailures, StoreRequests, StoreFailures, Late int64
		Problems                                                  []string
	}
	// Settled is what a child held before a run and after it.
	Settled struct {
		Before, After Footprint
		Problems      []string
	}
	// None is no argument or no result.
	None struct{}
)

// ways is how many ways to MoneyKit a child has: HTTP/1.1, HTTP/2 without TLS, and both through a transport that reads late.
const ways = 4

// callTimeout bounds a call with all its retries.
const callTimeout = 20 * time.Second

// serveParent is the main function of a child. It ends when the parent closes stdin.
func serveParent() error {
	redis.SetLogger(silent{}) // it logs each failed connection
	s := rpc.NewServer()
	if err := s.RegisterName("Child", &childService{}); err != nil {
		return err
	}
	s.ServeConn(pipes{os.Stdin, os.Stdout})
	return nil
}

// A childService has the methods that a parent calls.
type childService struct {
	*child // of the current run
	before Footprint
}

// Start begins a run.
func (s *childService) Start(c Settings, _ *None) (err error) {
	s.child, err = newChild(c)
	return err
}

func newChild(c Settings) (*child, error) {
	s := &child{}
	overHTTP1 := http.DefaultTransport.(*http.Transport).Clone()
	overHTTP1.MaxIdleConnsPerHost = c.Workers
	overHTTP1.IdleConnTimeout = 5 * time.Second // net/http keeps a broken HTTP/2 connection in memory for that long
	overHTTP2 := overHTTP1.Clone()
	overHTTP2.Protocols = new(http.Protocols)
	overHTTP2.Protocols.SetUnencryptedHTTP2(true)
	// Or a stalled connection would be used for ever.
	overHTTP2.HTTP2 = &http.HTTP2Config{SendPingTimeout: attemptTimeout / 2, PingTimeout: attemptTimeout / 2}
	s.late = []*lateTransport{{base: overHTTP1, rate: 2 * c.Rate}, {base: overHTTP2, rate: 2 * c.Rate}}
	s.end = append(s.end, overHTTP1.CloseIdleConnections, overHTTP2.CloseIdleConnections)

	source, err := s.source(c, overHTTP1)
	if err != nil {
		return nil, err
	}
	logger := slog.New(slog.NewJSONHandler(&s.problems, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, way := range [ways]struct {
		url       string
		transport http.RoundTripper
	}{{c.URL, overHTTP1}, {c.URLHTTP2, overHTTP2}, {c.URL, s.late[0]}, {c.URLHTTP2, s.late[1]}} {
		client, err := api.New(source, api.WithBaseURL(way.url), api.WithHTTPClient(&http.Client{Transport: way.transport, Timeout: attemptTimeout}),
			api.WithRetryPolicy(api.RetryPolicy{BaseDelay: 20 * time.Millisecond, MaxDelay: 2 * time.Second}),
			api.WithLogger(logger))
		if err != nil {
			return nil, err
		}
		s.clients = append(s.clients, client)
	}
	return s, nil
}

// source returns the shared token, or one of this process's own.
func (s *child) source(c Settings, transport http.RoundTripper) (*auth.Source, error) {
	opts := []auth.Option{auth.WithTokenURL(c.URL + "/auth/token"),
		auth.WithHTTPClient(&http.Client{Transport: countTokens{s, transport}, Timeout: attemptTimeout})}
	if c.Redis == "" {
		return auth.ClientCredentials(c.ClientID, c.ClientSecret, opts...)
	}
	rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: c.Redis})
	rdb.AddHook(countRequests{s})
	s.end = append(s.end, func() { rdb.Close() })
	var err error
	if s.shared, err = sharedtoken.New(rdb, c.ClientID, c.ClientSecret, opts...); err != nil {
		return nil, err
	}
	return auth.FromTokenSource(s.shared), nil
}

// Call makes a call. Its error is of net/rpc; what the client said is in the reply.
func (s *childService) Call(c Call, r *Reply) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	client := s.clients[c.Way]
	var info api.HTTPInfo
	start := time.Now()
	var err error
	if c.Exchangeable != "" {
		var link *gen.ExchangeTokenResponse
		if link, err = client.ExchangeToken(ctx, gen.ExchangeTokenRequest{ExchangeableToken: c.Exchangeable}, api.WithHTTPInfo(&info)); err == nil {
			r.Result = link.Link.LinkID
		}
	} else {
		var session *gen.CreateLinkSessionResponse
		if session, err = client.CreateLinkSession(ctx, gen.CreateLinkSessionRequest{
			CustomerUser: gen.LinkSessionCustomerUser{ID: c.User}, RedirectURI: "https://yourdomain.com/oauth.html",
			LinkTags: []string{"soak", c.Tag}, Webhook: c.Webhook,
		}, api.WithHTTPInfo(&info)); err == nil {
			r.Result = session.LinkSessionToken
		}
	}
	r.Took, r.Attempts = time.Since(start), max(1, info.Attempts)
	if err != nil {
		r.Failure = err.Error()
		r.Unknown, r.Used = errors.Is(err, api.ErrOutcomeUnknown), errors.Is(err, api.ErrInvalidTokenExchange)
		fmt.Fprintf(&s.problems, "%v %+v %#v", err, err, err)
		if !errors.As(err, new(*api.Error)) {
			s.check(fmt.Errorf("an error that is no *api.Error: %w", err))
		}
	}
	return nil
}

// Token asks Redis for the token, and returns a hash of it.
func (s *childService) Token(_ None, hash *string) error {
	t, err := s.shared.Token()
	if err == nil {
		*hash = fmt.Sprintf("%x", sha256.Sum256([]byte(t.AccessToken)))
	}
	return err
}

// Stop ends a run, and returns what it counted.
func (s *childService) Stop(_ None, c *Counts) error { //nolint:unparam // net/rpc requires the result
	for _, l := range s.late {
		l.running.Wait()
		c.Late += l.failed.Load()
		if n := l.sent.Load(); n > 0 {
			s.check(fmt.Errorf("%d exchanges were sent by a transport that had failed before", n))
		}
	}
	for _, end := range s.end {
		end()
	}
	for _, err := range s.list {
		c.Problems = append(c.Problems, err.Error())
	}
	c.Tokens, c.TokenFailures, c.StoreRequests, c.StoreFailures = s.tokens.Load(), s.failed.Load(), s.loads.Load(), s.failures.Load()
	s.child = nil
	return nil
}

// Measure measures what this process holds before a run.
func (s *childService) Measure(None, *None) error { //nolint:unparam // net/rpc requires the result
	s.before = steady()
	return nil
}

// Settle compares what this process holds with what Measure found.
func (s *childService) Settle(_ None, r *Settled) error { //nolint:unparam // net/rpc requires the result
	r.Before = s.before
	r.After, r.Problems = settle(s.before, 10*time.Second)
	return nil
}

// countTokens counts token requests.
type countTokens struct {
	*child
	base http.RoundTripper
}

func (c countTokens) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.base.RoundTrip(r)
	if err != nil {
		c.failed.Add(1)
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		c.failed.Add(1)
		return nil, err
	}
	res.Body = io.NopCloser(strings.NewReader(string(body)))
	if res.StatusCode == http.StatusCreated && strings.Contains(string(body), `"access_token"`) {
		c.tokens.Add(1)
	} else {
		c.failed.Add(1)
	}
	return res, nil
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// countRequests counts requests to Redis.
type countRequests struct{ *child }

func (c countRequests) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c countRequests) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		c.loads.Add(1)
		if err != nil && !redis.HasErrorPrefix(err, "NOSCRIPT") { // which the client repeats with the script
			c.failures.Add(1)
		}
		return err
	}
}

func (c countRequests) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
