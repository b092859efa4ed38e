package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
)

// The model-based test: an oracle that knows nothing but the table of RetryPolicy says what must come of each sequence of
// up to 4 faults, and a server does these faults and records what it processed.

// A fault is what the server does with one request.
type fault struct {
	name       string
	status     int // of the response; 0 for a connection that breaks or stalls
	body       string
	retryAfter bool
	processes  bool // the operation takes place all the same
	stalls     bool // no response comes
	refuses    bool // HTTP/2 says that the request was not processed; HTTP/1.1 has no way to
}

var (
	modelFaults = []fault{
		{name: "201", status: 201, body: linkedBody, processes: true},
		{name: "401 unauthorized", status: 401, body: `{"error_code":"api_error.auth.unauthorized"}`},
		{name: "401 expired", status: 401, body: `{"error_code":"api_error.auth.expired_access_token"}`},
		{name: "429", status: 429, body: `{"error_code":"api_error.rate_limit_exceeded"}`},
		{name: "429 Retry-After", status: 429, retryAfter: true},
		{name: "503", status: 503},
		{name: "503 processed", status: 503, processes: true},
		{name: "503 Retry-After", status: 503, retryAfter: true},
		{name: "503 Retry-After processed", status: 503, retryAfter: true, processes: true},
		{name: "500", status: 500},
		{name: "500 processed", status: 500, processes: true},
		{name: "502", status: 502},
		{name: "502 processed", status: 502, processes: true},
		{name: "reset before", refuses: true},
		{name: "reset after", processes: true},
		{name: "timeout", stalls: true},
		{name: "timeout processed", stalls: true, processes: true},
	}
	// alreadyUsed is what the server says of a token that was exchanged.
	alreadyUsed = fault{name: "400 used", status: 400, body: usedBody}
)

// An outcome is what the oracle expects of a call.
type outcome struct {
	requests int // that arrive, each of them counted in HTTPInfo.Attempts
	ok       bool
	status   int
	unknown  bool
}

// expect reads the table.
func expect(op string, http2 bool, faults []fault, maxAttempts int, anotherToken bool) outcome {
	exchange := op == exchangeOp
	var seen503, linked bool
	for requests, left := 1, maxAttempts; ; requests++ {
		f := modelFaults[0]
		if requests <= len(faults) {
			f = faults[requests-1]
		}
		if f.status == 201 && linked && exchange {
			f = alreadyUsed
		}
		linked = linked || f.processes
		var repeat, maybeProcessed bool
		switch {
		case f.status == 201:
			return outcome{requests, true, 201, false}
		case f.status == 401: // repeated once, with another token
			if anotherToken {
				anotherToken = false
				continue
			}
		case f.status == 429, f.refuses && http2:
			repeat = true
		case f.status == 503:
			repeat, seen503 = true, true
		case f.status == 500:
			maybeProcessed = true
		case f.status == 400:
		default: // 502, a connection that breaks or stalls
			repeat, maybeProcessed = !exchange, true
		}
		if left--; repeat && left > 0 {
			continue
		}
		return outcome{requests, false, f.status, exchange && (maybeProcessed || seen503)}
	}
}

// A modelServer does the faults of a script, one for each request, and succeeds after that. Its token can be exchanged
// once.
type modelServer struct {
	mu     sync.Mutex
	script []fault
	log    []fault
	linked bool
}

func (s *modelServer) reset(script []fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script, s.log, s.linked = script, nil, false
}

// next is what to do with the n-th request of a call, from 1.
func (s *modelServer) next(exchange bool) (f fault, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f = modelFaults[0]
	if len(s.log) < len(s.script) {
		f = s.script[len(s.log)]
	}
	if f.status == 201 && s.linked && exchange {
		f = alreadyUsed
	}
	s.linked = s.linked || f.processes
	s.log = append(s.log, f)
	return f, len(s.log)
}

// ServeHTTP is the server over HTTP/1.1.
func (s *modelServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	f, _ := s.next(strings.HasSuffix(r.URL.Path, "/exchange-token"))
	switch {
	case f.stalls:
		<-r.Context().Done()
	case f.status == 0:
		panic(http.ErrAbortHandler)
	}
	if f.retryAfter {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(f.status)
	_, _ = io.WriteString(w, f.body)
}

// step is the server over HTTP/2, for the requests of op.
func (s *modelServer) step(op *string) h2Step {
	return h2Step{do: func(stream *h2Stream) {
		f, n := s.next(*op == exchangeOp)
		switch {
		case f.stalls:
		case f.refuses:
			stream.reset(h2RefusedStream)
		case f.status == 0:
			stream.reset([]uint32{h2InternalError, h2ProtocolError, h2Cancel}[n%3])
		case f.retryAfter:
			stream.respond(f.status, f.body, "retry-after", "1")
		default:
			stream.respond(f.status, f.body)
		}
	}}
}

// check makes a call that meets faults, and compares what came of it with what the oracle expects, and with the promises.
func (s *modelServer) check(t *testing.T, ctx context.Context, client *api.Client, op string, http2 bool, faults []fault, maxAttempts int, anotherToken bool) outcome {
	t.Helper()
	s.reset(faults)
	var info api.HTTPInfo
	id, err := do(ctx, client, op, api.WithHTTPInfo(&info))
	want := expect(op, http2, faults, maxAttempts, anotherToken)

	s.mu.Lock()
	defer s.mu.Unlock()
	got := outcome{len(s.log), err == nil, 201, errors.Is(err, api.ErrOutcomeUnknown)}
	var e *api.Error
	if errors.As(err, &e) {
		got.status = e.StatusCode
	}
	var wrong []string
	if got != want {
		wrong = append(wrong, fmt.Sprintf("got %+v, want %+v", got, want))
	}
	if info.Attempts != got.requests || info.StatusCode != got.status {
		wrong = append(wrong, fmt.Sprintf("info says %d attempts and status %d", info.Attempts, info.StatusCode))
	}
	if op == exchangeOp {
		done := false // by a request that must not have been repeated
		for _, f := range s.log {
			if done {
				wrong = append(wrong, "a request was sent after one that may have been processed")
				break
			}
			done = f.processes && f.status != 503
		}
		if err != nil && !got.unknown && s.linked {
			wrong = append(wrong, "the token was exchanged, and the error does not say that it may be")
		}
		if len(s.log) > 0 && s.log[len(s.log)-1].status == 201 && (err != nil || id != "mk_1") {
			wrong = append(wrong, "a link arrived, and was lost")
		}
	}
	if wrong != nil {
		names := make([]string, len(faults))
		for i, f := range faults {
			names[i] = f.name
		}
		t.Errorf("%s [%s]: %s: %v", op, strings.Join(names, ", "), strings.Join(wrong, "; "), err)
	}
	return want
}

// everySequence checks every sequence of up to 4 faults, with -short of up to 3. One that ends a call is not continued: what would come next never
// arrives.
func (s *modelServer) everySequence(t *testing.T, client *api.Client, op string, http2 bool, maxAttempts int, anotherToken bool) (checked int) {
	longest := 4
	if testing.Short() {
		longest = 3
	}
	var extend func(faults []fault)
	extend = func(faults []fault) {
		if t.Failed() && checked > 2000 {
			return // enough to see what is wrong
		}
		checked++
		want := s.check(t, t.Context(), client, op, http2, faults, maxAttempts, anotherToken)
		if len(faults) == longest || want.requests <= len(faults) {
			return
		}
		for _, f := range modelFaults {
			if op == createOp && f.processes && f.status != 201 && f.name != "reset after" {
				continue // a session that was created twice harms nobody, and nobody sees it
			}
			extend(append(faults[:len(faults):len(faults)], f))
		}
	}
	extend(nil)
	return checked
}

func TestModel(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		for _, op := range bothOps {
			for _, policy := range []struct {
				maxAttempts  int
				anotherToken bool
			}{{1, true}, {3, true}, {5, false}} {
				t.Run(fmt.Sprintf("%s, HTTP/2 %v, %+v", op, http2, policy), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						source := auth.StaticToken("static-access-token")
						if policy.anotherToken {
							source = anotherToken()
						}
						server := new(modelServer)
						rt, stop := server.inMemory(http2, &op)
						defer stop()
						client, err := api.New(source, api.WithBaseURL(memoryURL), api.WithHTTPClient(&http.Client{Transport: rt}),
							api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: policy.maxAttempts}), api.WithTimeout(5*time.Second))
						if err != nil {
							t.Fatal(err)
						}
						n := server.everySequence(t, client, op, http2, policy.maxAttempts, policy.anotherToken)
						t.Logf("%d sequences", n)
					})
				})
			}
		}
	}
}

// inMemory starts s behind net/http's transport, on connections that need no network, so that it can be in a bubble.
func (s *modelServer) inMemory(http2 bool, op *string) (rt *http.Transport, stop func()) {
	l := newMemoryListener()
	if http2 {
		rt = h2c()
		rt.DialContext = func(context.Context, string, string) (net.Conn, error) {
			client, server := memoryConns()
			return client, l.deliver(server)
		}
		srv := &h2Server{listener: l, steps: []h2Step{s.step(op)}}
		srv.start()
		return rt, func() { rt.CloseIdleConnections(); srv.stop() }
	}
	rt = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		client, server := memoryConns()
		return client, l.deliver(server)
	}}
	srv := &http.Server{Handler: s, ErrorLog: quiet}
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.Serve(l) })
	return rt, func() { rt.CloseIdleConnections(); srv.Close(); serving.Wait() }
}

// A sample of the same over TCP and TLS, without the faults that take their time.
func TestModelOverNetwork(t *testing.T) {
	t.Parallel()
	var faults []fault
	for _, f := range modelFaults {
		if !f.stalls {
			f.retryAfter = false
			faults = append(faults, f)
		}
	}
	for _, op := range bothOps {
		run := func(name string, http2 bool, start func(*testing.T, *modelServer) (url string, rt *http.Transport)) {
			t.Run(name+" "+op, func(t *testing.T) {
				t.Parallel()
				server := new(modelServer)
				url, rt := start(t, server)
				t.Cleanup(rt.CloseIdleConnections)
				client, err := api.New(anotherToken(), api.WithBaseURL(url), api.WithHTTPClient(&http.Client{Transport: rt}),
					api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: 3, BaseDelay: 1}))
				if err != nil {
					t.Fatal(err)
				}
				random := rand.New(rand.NewPCG(1, 2))
				for range 100 {
					sequence := make([]fault, random.IntN(5))
					for i := range sequence {
						sequence[i] = faults[random.IntN(len(faults))]
					}
					server.check(t, t.Context(), client, op, http2, sequence, 3, true)
				}
			})
		}
		run("HTTP/1.1", false, func(t *testing.T, s *modelServer) (string, *http.Transport) {
			srv := httptest.NewUnstartedServer(s)
			srv.Config.ErrorLog = quiet
			srv.Start()
			t.Cleanup(srv.Close)
			return srv.URL, new(http.Transport)
		})
		for _, kind := range h2Kinds {
			run("HTTP/2 "+kind.name, true, func(t *testing.T, s *modelServer) (string, *http.Transport) {
				_, url, rt := kind.start(t, s.step(&op))
				return url, rt
			})
		}
	}
}

// A memoryNetwork is for bubbles: servers and clients on it need no network.
type memoryNetwork map[string]*memoryListener

func (n memoryNetwork) listen(testing.TB) net.Listener {
	l := newMemoryListener()
	l.addr.Port = len(n) + 1
	n[l.addr.String()] = l
	return l
}

func (n memoryNetwork) dial(_ context.Context, _, addr string) (net.Conn, error) {
	client, server := memoryConns()
	return client, n[addr].deliver(server)
}

func listenLoopback(tb testing.TB) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// A memoryListener accepts what deliver gives it.
type memoryListener struct {
	addr   net.TCPAddr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemoryListener() *memoryListener {
	return &memoryListener{addr: net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *memoryListener) deliver(conn net.Conn) error {
	select {
	case l.conns <- conn:
		return nil
	case <-l.closed:
		return net.ErrClosed
	}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *memoryListener) Addr() net.Addr { return &l.addr }

// memoryConns returns both ends of a connection that, unlike net.Pipe's, takes what is written at once: peers of HTTP/2
// write at the same time.
func memoryConns() (a, b net.Conn) {
	x, y := newMemoryBuffer(), newMemoryBuffer()
	return &memoryConn{in: x, out: y}, &memoryConn{in: y, out: x}
}

type memoryBuffer struct {
	mu     sync.Mutex
	filled *sync.Cond
	data   bytes.Buffer
	closed bool
	late   bool // the deadline for reading has passed
}

func newMemoryBuffer() *memoryBuffer {
	b := new(memoryBuffer)
	b.filled = sync.NewCond(&b.mu)
	return b
}

func (b *memoryBuffer) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.filled.Broadcast()
}

type memoryConn struct {
	in, out *memoryBuffer
}

func (c *memoryConn) Read(p []byte) (int, error) {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	for c.in.data.Len() == 0 && !c.in.closed && !c.in.late {
		c.in.filled.Wait()
	}
	if c.in.late {
		return 0, os.ErrDeadlineExceeded
	}
	return c.in.data.Read(p)
}

func (c *memoryConn) Write(p []byte) (int, error) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.out.closed {
		return 0, net.ErrClosed
	}
	c.out.filled.Broadcast()
	return c.out.data.Write(p)
}

// SetReadDeadline knows only the past and never, which is all that net/http's server sets by itself: to wake a reader, and to
// go on.
func (c *memoryConn) SetReadDeadline(deadline time.Time) error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.late = !deadline.IsZero()
	c.in.filled.Broadcast()
	return nil
}

func (c *memoryConn) Close() error                     { c.in.close(); c.out.close(); return nil }
func (c *memoryConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *memoryConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *memoryConn) SetDeadline(time.Time) error      { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }
