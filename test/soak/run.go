package main

import (
	"bytes"
	"context"
	crand "crypto/rand"
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
	"github.com/moneykit/moneykit-go/webhook"
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
	// retryTime is the longest pause after a flow that did not get a session. While there is no access token a call fails
	// at once, and without it most calls would be such ones.
	retryTime = 2 * time.Second
	// clockStep is how far the sandbox's clock is moved on now and then, so that tokens end before their time.
	clockStep = 2 * time.Second
)

// A report is what a run counted, and what was wrong.
type report struct {
	config
	calls, attempts, failed, tokenRequests atomic.Int64
	http2                                  atomic.Int64 // requests that reached the sandbox over HTTP/2
	injected, broken, late, refused        int64
	exchanges                              atomic.Int64 // of link flows, not counting second calls
	events                                 struct{ received, rejected, repeated, rotations int64 }
	audit
	recovery
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
	fmt.Fprintf(&b, "a call took %v (p50), %v (p99), %v at most\n", percentile(r.latencies, 50), percentile(r.latencies, 99), percentile(r.latencies, 100))
	fmt.Fprintf(&b, "links: %d handed out; outcome unknown after the last call: %d (%d had taken effect, as a second call found; %d had, and %d had not, which no call found)\n",
		r.links, r.tookEffect+r.effects+r.noEffect, r.tookEffect, r.effects, r.noEffect)
	fmt.Fprintf(&b, "events: %d received, %d rejected, %d repeated; keys rotated %d times\n", r.events.received, r.events.rejected, r.events.repeated, r.events.rotations)
	fmt.Fprintf(&b, "exchanges: %d; %v", r.exchanges.Load(), r.recovery)
	return b.String()
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
	// Events are sent to loopback only.
	overLoopback := http.DefaultTransport.(*http.Transport).Clone()
	defer overLoopback.CloseIdleConnections()
	direct := &http.Client{Transport: overLoopback, Timeout: 10 * time.Second}
	box := sandbox.New(sandbox.WithTokenLifetime(tokenLifetime), sandbox.WithMaxLinks(math.MaxInt32),
		sandbox.WithWebhookClient(direct), sandbox.WithWebhookHosts())
	defer box.Reset() // ends its timer
	clock := &clock{box: box}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	var calls sync.RWMutex // read-locked by each call, so that the end of the load can wait for them
	server := &http.Server{Protocols: protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodPost { // all but the keys
			if !calls.TryRLock() {
				panic(http.ErrAbortHandler)
			}
			defer calls.RUnlock()
		}
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
	logger := slog.New(slog.NewJSONHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
	app, err := newApp(clock.now, func() (*webhook.Verifier, error) {
		// No proxy is between: a verifier whose fetch has failed waits for 5 minutes, which do not pass by the sandbox's clock.
		return webhook.NewVerifier(webhook.WithBaseURL("http://"+l.Addr().String()), webhook.WithHTTPClient(direct), webhook.WithLogger(logger))
	})
	if err != nil {
		return nil, err
	}
	lApp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	appServer := &http.Server{Handler: app}
	serving.Go(func() { _ = appServer.Serve(lApp) })
	webhookURL := "http://" + lApp.Addr().String() + webhookPath
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
			api.WithLogger(logger))
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
			for n := 0; ctx.Err() == nil; n++ {
				for _, op := range []sandbox.Operation{sandbox.CreateLinkSession, sandbox.ExchangeToken} {
					if inject(box, op, c.rate) {
						injected.Add(1)
					}
				}
				injectDelivery(box)
				f := flow{report: r, client: clients[worker%len(clients)], box: box, app: app, user: fmt.Sprintf("user-%d-%d", worker, n), id: crand.Text(),
					webhook: webhookURL, direct: direct, again: n%2 == 0}
				if f.run(books) {
					pause(ctx, rand.N(thinkTime))
				} else {
					pause(ctx, rand.N(retryTime))
				}
			}
		})
	}
	working.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			pause(ctx, rand.N(tokenLifetime))
			// A verifier fetches the keys again after 5 minutes, which the clock does not move. So it rejects a new key until the
			// app is restarted.
			switch n % 4 {
			case 0:
				r.rotate(box)
			case 1:
				r.check(app.restart())
			}
			if inject(box, sandbox.Token, 4*c.rate) { // there are few token requests
				injected.Add(1)
			}
			clock.advance(clockStep)
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
	calls.Lock() // nothing more is processed
	r.rotate(box)
	clock.advance(clockStep)
	r.check(app.restart())
	clock.advance(eventsWithin)
	var lost []error
	r.recovery, lost = app.recovered(box.Links())
	r.problems = append(r.problems, lost...)
	r.events.received, r.events.rejected, r.events.repeated = app.received.Load(), app.received.Load()-app.verified.Load(), app.repeated.Load()
	appServer.Close()
	server.Close()
	serving.Wait()

	r.injected, r.broken, r.refused = injected.Load(), between.broken.Load()+betweenHTTP2.broken.Load(), betweenHTTP2.refused.Load()
	var problems []error
	r.audit, problems = books.compare(box.Links())
	r.problems = append(r.problems, problems...)
	if r.links == 0 || r.http2.Load() == 0 || r.late == 0 || r.failed.Load() > r.calls.Load()/2 { // or else all of the above may be so because nothing happened
		r.wrong(fmt.Errorf("%d of %d calls failed", r.failed.Load(), r.calls.Load()))
	}
	if r.byEvent == 0 || r.noLink == 0 || r.events.repeated == 0 || r.events.rejected == 0 || r.events.rotations < 2 {
		r.wrong(errors.New("nothing was recovered, or nothing went wrong with events"))
	}
	// Each refused token and each failure may cost a request, and each token two in its lifetime; more is a loop.
	if most := 2*int64(c.duration/tokenLifetime+1) + r.failed.Load() + r.injected + r.broken + 2*int64(c.duration/time.Second+1); r.tokenRequests.Load() > most {
		r.wrong(fmt.Errorf("%d token requests, which is more than %d", r.tokenRequests.Load(), most))
	}
	return r, nil
}

func (r *report) check(err error) {
	if err != nil {
		r.wrong(err)
	}
}

func (r *report) rotate(box *sandbox.Sandbox) {
	box.RotateKeys()
	r.events.rotations++
}

// A flow is one end user's attempt to link a bank.
type flow struct {
	*report
	client   *api.Client
	box      *sandbox.Sandbox
	app      *app
	user, id string // the id is the attempt's
	webhook  string
	direct   *http.Client
	again    bool // after an unknown outcome a second call is made
}

// run reports whether there was a session.
func (f *flow) run(books *ledger) bool {
	// An application that shuts down in the middle of a flow loses links by itself; so flows end on their own.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	f.app.create(f.id, f.user)
	var session *gen.CreateLinkSessionResponse
	err := f.call(func(opts ...api.CallOption) (err error) {
		session, err = f.client.CreateLinkSession(ctx, gen.CreateLinkSessionRequest{
			CustomerUser: gen.LinkSessionCustomerUser{ID: f.user}, RedirectURI: "https://yourdomain.com/oauth.html",
			LinkTags: []string{"soak", attemptTag + f.id}, Webhook: f.webhook,
		}, opts...)
		return err
	})
	if err != nil {
		if errors.Is(err, api.ErrOutcomeUnknown) {
			f.wrong(fmt.Errorf("a session whose outcome is unknown: %w", err))
		}
		return false
	}
	exchangeable, err := f.box.Complete(session.LinkSessionToken)
	if err != nil {
		f.wrong(fmt.Errorf("the session of %s is none: %w", f.user, err))
		return false
	}
	f.exchanges.Add(1)
	t := f.exchange(ctx, exchangeable)
	if t.outcome == refused && errors.Is(t.err, api.ErrInvalidTokenExchange) {
		f.wrong(fmt.Errorf("%s lost a link: %w", f.user, t.err))
	}
	if t.outcome == unknown {
		f.check(forge(f.direct, f.box, f.webhook, f.id))
	}
	if t.outcome == unknown && f.again { // the documentation has this and waiting for the event
		switch second := f.exchange(ctx, exchangeable); {
		case second.outcome == linked:
			t = second
		case errors.Is(second.err, api.ErrInvalidTokenExchange):
			t.outcome = tookEffect
		}
	}
	books.record(f.user, t)
	return true
}

func (f *flow) exchange(ctx context.Context, exchangeable string) result {
	f.app.begin(f.id)
	var link *gen.ExchangeTokenResponse
	err := f.call(func(opts ...api.CallOption) (err error) {
		link, err = f.client.ExchangeToken(ctx, gen.ExchangeTokenRequest{ExchangeableToken: exchangeable}, opts...)
		return err
	})
	f.check(f.app.end(f.id, link, err))
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
