package main

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moneykit/moneykit-go/api"
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
	// Redis is killed once in each outageEvery, and started again empty after outageTime, in which every process needs a token.
	outageEvery = 20 * time.Second
	outageTime  = tokenLifetime
)

// A fleet is the processes that make the calls, and the Redis server with the token that they share, if they do.
type fleet struct {
	processes []*process
	redis     *redisServer // nil for one process with a token of its own
}

// run runs c once. It returns an error if it cannot start; what the client did wrong is in the report.
func run(c config, f fleet) (*report, error) {
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
		if req.ProtoMajor == 2 {
			r.http2.Add(1)
		}
		box.ServeHTTP(w, req)
	})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	logger := slog.New(slog.NewJSONHandler(&r.problems, &slog.HandlerOptions{Level: slog.LevelDebug}))
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
	settings := Settings{ClientID: box.ClientID, ClientSecret: box.ClientSecret, Rate: c.rate, Workers: c.workers,
		URL: "http://" + between.Addr().String(), URLHTTP2: "http://" + betweenHTTP2.Addr().String()}
	if f.redis != nil {
		settings.Redis = f.redis.socket()
	}
	start := time.Now()
	for _, p := range f.processes {
		if err := p.do("Start", settings, &None{}); err != nil {
			return nil, err
		}
	}

	books := &ledger{results: map[string]result{}}
	ctx, cancel := context.WithTimeout(context.Background(), c.duration)
	defer cancel()
	var working sync.WaitGroup
	var injected, unauthorized atomic.Int64
	meetFault := func(op sandbox.Operation, rate float64) {
		if fault, ok := inject(box, op, rate); ok {
			injected.Add(1)
			if fault.Status == http.StatusUnauthorized && op != sandbox.Token {
				unauthorized.Add(1)
			}
		}
	}
	for worker := range c.workers {
		working.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				meetFault(sandbox.CreateLinkSession, c.rate)
				meetFault(sandbox.ExchangeToken, c.rate)
				injectDelivery(box)
				f := flow{report: r, process: f.processes[worker%len(f.processes)], way: worker / len(f.processes) % ways, box: box, app: app,
					user: fmt.Sprintf("user-%d-%d", worker, n), id: crand.Text(), webhook: webhookURL, direct: direct, again: n%2 == 0}
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
			meetFault(sandbox.Token, 4*c.rate) // there are few token requests
			// All tokens end before their time, as if they had been revoked.
			clock.advance(tokenLifetime)
			r.revocations++
		}
	})
	if f.redis != nil {
		working.Go(func() {
			n := max(1, c.duration/outageEvery)
			down := min(outageTime, c.duration/4)
			up := (c.duration/n - down) / 2
			for range n {
				pause(ctx, up)
				f.redis.kill()
				pause(ctx, down)
				r.check(f.redis.start())
				r.outages++
				pause(ctx, up)
			}
		})
	}
	working.Wait()
	if f.redis != nil {
		r.check(f.agree())
	}
	for _, p := range f.processes {
		var n Counts
		r.check(p.do("Stop", None{}, &n))
		r.processes = append(r.processes, n)
		for _, text := range n.Problems {
			r.check(fmt.Errorf("process %d: %s", p.number, text))
		}
	}
	// A token is renewed when half its lifetime is left, or earlier by the time that requests to Redis took.
	r.renewals = int64(time.Since(start) / (tokenLifetime / 3))
	between.stop()
	betweenHTTP2.stop()
	calls.Lock() // nothing more is processed
	r.rotate(box)
	clock.advance(tokenLifetime)
	r.check(app.restart())
	clock.advance(eventsWithin)
	var lost []error
	r.recovery, lost = app.recovered(box.Links())
	r.check(errors.Join(lost...))
	r.events.received, r.events.rejected, r.events.repeated = app.received.Load(), app.received.Load()-app.verified.Load(), app.repeated.Load()
	appServer.Close()
	server.Close()
	serving.Wait()

	r.injected, r.broken, r.refused = injected.Load(), between.broken.Load()+betweenHTTP2.broken.Load(), betweenHTTP2.refused.Load()
	r.unauthorized = unauthorized.Load()
	var wrong []error
	r.audit, wrong = books.compare(box.Links())
	r.check(errors.Join(wrong...))
	t := r.total()
	if r.links == 0 || r.http2.Load() == 0 || t.Late == 0 || r.failed.Load() > r.calls.Load()/2 { // a run in which little happened proves nothing
		r.check(fmt.Errorf("%d of %d calls failed", r.failed.Load(), r.calls.Load()))
	}
	if r.byEvent == 0 || r.noLink == 0 || r.events.repeated == 0 || r.events.rejected == 0 || r.events.rotations < 2 {
		r.check(errors.New("nothing was recovered, or nothing went wrong with events"))
	}
	if most := r.mostTokens(); t.Tokens == 0 || t.Tokens > most {
		r.check(fmt.Errorf("%d tokens were fetched, want 1 to %d", t.Tokens, most))
	}
	// After a failure a process waits for half a second at least.
	if most := t.Tokens + int64(len(f.processes))*int64(time.Since(start)/(500*time.Millisecond)+1); t.TokenFailures > most {
		r.check(fmt.Errorf("%d token requests failed, which is more than %d", t.TokenFailures, most))
	}
	if f.redis != nil && (t.StoreFailures == 0 || t.StoreFailures == t.StoreRequests) {
		r.check(fmt.Errorf("%d of %d requests to Redis failed", t.StoreFailures, t.StoreRequests))
	}
	return r, nil
}

func (r *report) rotate(box *sandbox.Sandbox) {
	box.RotateKeys()
	r.events.rotations++
}

// agree waits until all processes have the same token.
func (f fleet) agree() error {
	var last error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); pause(context.Background(), 100*time.Millisecond) {
		different := map[string]bool{}
		last = nil
		for _, p := range f.processes {
			var hash string
			last = errors.Join(last, p.do("Token", None{}, &hash))
			different[hash] = true
		}
		if last == nil && len(different) == 1 {
			return nil
		}
	}
	return fmt.Errorf("a minute later the processes do not share a token again: %w", last)
}

// A flow is one end user's attempt to link a bank.
type flow struct {
	*report
	process  *process
	way      int
	box      *sandbox.Sandbox
	app      *app
	user, id string // the id is the attempt's
	webhook  string
	direct   *http.Client
	again    bool // after an unknown outcome a second call is made
}

// run reports whether there was a session.
func (f *flow) run(books *ledger) bool {
	f.app.create(f.id, f.user, f.process.number)
	session, err := f.call(Call{User: f.user, Tag: attemptTag + f.id, Webhook: f.webhook})
	if err != nil {
		if errors.Is(err, api.ErrOutcomeUnknown) {
			f.check(fmt.Errorf("a session whose outcome is unknown: %w", err))
		}
		return false
	}
	exchangeable, err := f.box.Complete(session)
	if err != nil {
		f.check(fmt.Errorf("the session of %s is unknown: %w", f.user, err))
		return false
	}
	t := f.exchange(exchangeable)
	if t.outcome == refused && errors.Is(t.err, api.ErrInvalidTokenExchange) {
		f.check(fmt.Errorf("%s lost a link: %w", f.user, t.err))
	}
	if t.outcome == unknown {
		f.check(forge(f.direct, f.box, f.webhook, f.id))
	}
	if t.outcome == unknown && f.again { // the documentation has this and waiting for the event
		switch second := f.exchange(exchangeable); {
		case second.outcome == linked:
			t = second
		case errors.Is(second.err, api.ErrInvalidTokenExchange):
			t.outcome = tookEffect
		}
	}
	books.record(f.user, t)
	return true
}

func (f *flow) exchange(exchangeable string) result {
	f.app.begin(f.id)
	linkID, err := f.call(Call{Exchangeable: exchangeable})
	f.check(f.app.end(f.id, linkID, err))
	switch {
	case err == nil:
		return result{outcome: linked, linkID: linkID}
	case errors.Is(err, api.ErrOutcomeUnknown):
		return result{outcome: unknown, err: err}
	default:
		return result{outcome: refused, err: err}
	}
}

// call has the process make a call, and counts it.
func (f *flow) call(c Call) (string, error) {
	c.Way = f.way
	r, err := f.process.call(c)
	f.calls.Add(1)
	f.attempts.Add(int64(r.Attempts))
	if err != nil {
		f.failed.Add(1)
		if !errors.As(err, new(*failure)) {
			f.check(err)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latencies = append(f.latencies, r.Took)
	return r.Result, err
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
