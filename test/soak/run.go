package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
)

type config struct {
	duration time.Duration
	workers  int
	rate     float64
	seed     uint64
}

const (
	tokenLifetime  = 3 * time.Second
	attemptTimeout = 400 * time.Millisecond

	// connectionBytes is how long a connection lasts on average, in bytes one way: some dozens of calls.
	connectionBytes = 32 << 10
	// thinkTime is the longest pause of a worker between two flows, which bounds what the sandbox has to remember.
	thinkTime = 100 * time.Millisecond
	// clockStep is how far the sandbox's clock is moved on now and then, so that tokens end before their time.
	clockStep = 2 * time.Second
)

// A report is what a run counted, and what was wrong.
type report struct {
	config
	calls, attempts, failed, tokenRequests atomic.Int64
	http2                                  atomic.Int64 // requests that reached the sandbox over HTTP/2
	injected, broken, late, refused        int64
	audit
	latencies []time.Duration
	problems  []error

	mu sync.Mutex
}

func (r *report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v with %d workers: %d calls, %d retries, %d token requests\n",
		r.duration, r.workers, r.calls.Load(), r.attempts.Load()-r.calls.Load(), r.tokenRequests.Load())
	fmt.Fprintf(&b, "faults: %d injected, %d connections broken, %d HTTP/2 connections refused or sent away, %d transports read late; %d calls failed for good\n",
		r.injected, r.broken, r.refused, r.late, r.failed.Load())
	fmt.Fprintf(&b, "requests over HTTP/2: %d\n", r.http2.Load())
	slices.Sort(r.latencies)
	fmt.Fprintf(&b, "a call took %v (p50), %v (p99), %v at most\n", r.percentile(50), r.percentile(99), r.percentile(100))
	fmt.Fprintf(&b, "links: %d handed out; outcome unknown: %d (%d had taken effect, as a second call found; %d had, and %d had not, which nobody found)\n",
		r.links, r.tookEffect+r.effects+r.noEffect, r.tookEffect, r.effects, r.noEffect)
	return b.String()
}

func (r *report) percentile(p int) time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}
	return r.latencies[(len(r.latencies)-1)*p/100].Round(10 * time.Microsecond)
}

func (r *report) wrong(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, err)
}

// secrets are what every secret of the sandbox begins with.
var secrets = [][]byte{[]byte("sandbox_secret_"), []byte("sandbox_access_"), []byte("sandbox_exchangeable_"), []byte("sandbox_session_")}

// Write takes what the client logs, and what its errors print.
func (r *report) Write(p []byte) (int, error) {
	for _, secret := range secrets {
		if bytes.Contains(p, secret) {
			r.wrong(fmt.Errorf("a secret was printed: %s", p))
		}
	}
	return len(p), nil
}

// run runs c once. Its error is of the setting up; what the client did wrong is in the report.
func run(c config) (*report, error) {
	r := &report{config: c}
	box := sandbox.New(sandbox.WithTokenLifetime(tokenLifetime), sandbox.WithMaxLinks(math.MaxInt32))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Protocols: protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/auth/token" {
			r.tokenRequests.Add(1)
		}
		if req.ProtoMajor == 2 {
			r.http2.Add(1)
		}
		box.ServeHTTP(w, req)
	})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	between, err := newProxy(l.Addr().String(), connectionBytes, rand.New(rand.NewPCG(c.seed, 0)))
	if err != nil {
		return nil, err
	}
	// An HTTP/2 connection carries the requests of many workers, and would hardly ever end.
	betweenHTTP2, err := newProxy(l.Addr().String(), connectionBytes/8, rand.New(rand.NewPCG(c.seed, 1)))
	if err != nil {
		return nil, err
	}
	// Over HTTP/1.1, over HTTP/2 without TLS, and over either through a transport that reads late.
	overHTTP1 := http.DefaultTransport.(*http.Transport).Clone()
	overHTTP1.MaxIdleConnsPerHost = c.workers
	overHTTP2 := overHTTP1.Clone()
	overHTTP2.Protocols = new(http.Protocols)
	overHTTP2.Protocols.SetUnencryptedHTTP2(true)
	// Or a stalled connection would be used for ever.
	overHTTP2.HTTP2 = &http.HTTP2Config{SendPingTimeout: attemptTimeout / 2, PingTimeout: attemptTimeout / 2}
	late := []*lateTransport{{base: overHTTP1, rate: 2 * c.rate}, {base: overHTTP2, rate: 2 * c.rate}}
	url, urlHTTP2 := "http://"+between.Addr().String(), "http://"+betweenHTTP2.Addr().String()
	source, err := auth.ClientCredentials(box.ClientID, box.ClientSecret, auth.WithTokenURL(url+"/auth/token"),
		auth.WithHTTPClient(&http.Client{Transport: overHTTP1, Timeout: attemptTimeout}))
	if err != nil {
		return nil, err
	}
	var clients []*api.Client
	for _, way := range []struct {
		url       string
		transport http.RoundTripper
	}{{url, overHTTP1}, {urlHTTP2, overHTTP2}, {url, late[0]}, {urlHTTP2, late[1]}} {
		client, err := api.New(source, api.WithBaseURL(way.url), api.WithHTTPClient(&http.Client{Transport: way.transport, Timeout: attemptTimeout}),
			api.WithRetryPolicy(api.RetryPolicy{BaseDelay: 20 * time.Millisecond, MaxDelay: 2 * time.Second}),
			api.WithLogger(slog.New(slog.NewJSONHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		if err != nil {
			return nil, err
		}
		clients = append(clients, client)
	}

	books := &ledger{results: map[string]result{}}
	ctx, cancel := context.WithTimeout(context.Background(), c.duration)
	defer cancel()
	var working sync.WaitGroup
	var injected atomic.Int64
	for worker := range c.workers {
		working.Go(func() {
			for flow := 0; ctx.Err() == nil; flow++ {
				for _, op := range []sandbox.Operation{sandbox.CreateLinkSession, sandbox.ExchangeToken} {
					if inject(box, op, c.rate) {
						injected.Add(1)
					}
				}
				r.link(clients[worker%len(clients)], box, books, fmt.Sprintf("user-%d-%d", worker, flow))
				pause(ctx, rand.N(thinkTime))
			}
		})
	}
	working.Go(func() {
		for ctx.Err() == nil {
			pause(ctx, rand.N(tokenLifetime))
			if inject(box, sandbox.Token, 4*c.rate) { // there are few token requests
				injected.Add(1)
			}
			box.Advance(clockStep)
		}
	})
	working.Wait()
	for _, l := range late {
		l.running.Wait()
		r.late += l.failed.Load()
		if n := l.sent.Load(); n > 0 {
			r.wrong(fmt.Errorf("%d exchanges were sent by a transport that had failed before", n))
		}
	}
	overHTTP1.CloseIdleConnections()
	overHTTP2.CloseIdleConnections()
	between.stop()
	betweenHTTP2.stop()
	server.Close()
	serving.Wait()

	r.injected, r.broken, r.refused = injected.Load(), between.broken.Load()+betweenHTTP2.broken.Load(), betweenHTTP2.refused.Load()
	var problems []error
	r.audit, problems = books.compare(box.Links())
	r.problems = append(r.problems, problems...)
	if r.links == 0 || r.http2.Load() == 0 || r.late == 0 || r.failed.Load() > r.calls.Load()/2 { // or else all of the above may be so because nothing happened
		r.wrong(fmt.Errorf("%d of %d calls failed", r.failed.Load(), r.calls.Load()))
	}
	// Each refused token and each failure may cost a request, and each token two in its lifetime; more is a loop.
	if most := 2*int64(c.duration/tokenLifetime+1) + r.failed.Load() + r.injected + r.broken + 2*int64(c.duration/time.Second+1); r.tokenRequests.Load() > most {
		r.wrong(fmt.Errorf("%d token requests, which is more than %d", r.tokenRequests.Load(), most))
	}
	return r, nil
}

// link plays one end user's flow.
func (r *report) link(client *api.Client, box *sandbox.Sandbox, books *ledger, user string) {
	// An application that shuts down in the middle of a flow loses links by itself; so flows end on their own.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var session *gen.CreateLinkSessionResponse
	err := r.call(func(opts ...api.CallOption) (err error) {
		session, err = client.CreateLinkSession(ctx, gen.CreateLinkSessionRequest{
			CustomerUser: gen.LinkSessionCustomerUser{ID: user}, RedirectURI: "https://yourdomain.com/oauth.html", LinkTags: []string{"soak"},
		}, opts...)
		return err
	})
	if err != nil {
		if errors.Is(err, api.ErrOutcomeUnknown) {
			r.wrong(fmt.Errorf("a session whose outcome is unknown: %w", err))
		}
		return
	}
	exchangeable, err := box.Complete(session.LinkSessionToken)
	if err != nil {
		r.wrong(fmt.Errorf("the session of %s is none: %w", user, err))
		return
	}
	t := r.exchange(ctx, client, exchangeable)
	if t.outcome == refused && errors.Is(t.err, api.ErrInvalidTokenExchange) {
		r.wrong(fmt.Errorf("%s lost a link: %w", user, t.err))
	}
	if t.outcome == unknown { // what the documentation says to do
		switch second := r.exchange(ctx, client, exchangeable); {
		case second.outcome == linked:
			t = second
		case errors.Is(second.err, api.ErrInvalidTokenExchange):
			t.outcome = tookEffect
		}
	}
	books.record(user, t)
}

func (r *report) exchange(ctx context.Context, client *api.Client, exchangeable string) result {
	var link *gen.ExchangeTokenResponse
	err := r.call(func(opts ...api.CallOption) (err error) {
		link, err = client.ExchangeToken(ctx, gen.ExchangeTokenRequest{ExchangeableToken: exchangeable}, opts...)
		return err
	})
	switch {
	case err == nil:
		return result{outcome: linked, linkID: link.Link.LinkID}
	case errors.Is(err, api.ErrOutcomeUnknown):
		return result{outcome: unknown, err: err}
	default:
		return result{outcome: refused, err: err}
	}
}

// call makes a call, and counts it.
func (r *report) call(f func(...api.CallOption) error) error {
	var info api.HTTPInfo
	start := time.Now()
	err := f(api.WithHTTPInfo(&info))
	took := time.Since(start)
	r.calls.Add(1)
	r.attempts.Add(int64(max(1, info.Attempts)))
	if err != nil {
		r.failed.Add(1)
		fmt.Fprintf(r, "%v %+v %#v", err, err, err)
		if !errors.As(err, new(*api.Error)) {
			r.wrong(fmt.Errorf("an error that is no *api.Error: %w", err))
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latencies = append(r.latencies, took)
	return err
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
