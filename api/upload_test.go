package api_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
)

// A countingConn counts what is written at once.
type countingConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countingConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

func TestRequestIsOneWrite(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"link": {"link_id": "l"}}`)
	}))
	defer srv.Close()
	var writes atomic.Int64
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return countingConn{conn, &writes}, err
	}}
	defer transport.CloseIdleConnections()
	client, err := api.New(auth.StaticToken("t"), api.WithBaseURL(srv.URL), api.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	const calls = 10
	for range calls {
		if _, err := client.ExchangeToken(t.Context(), gen.ExchangeTokenRequest{ExchangeableToken: "e"}); err != nil {
			t.Fatal(err)
		}
	}
	if got := writes.Load(); got != calls {
		t.Errorf("%d writes for %d requests, want header and body in one", got, calls)
	}
}

// A refusing transport fails after it has read the body, or before.
type refusing struct{ read bool }

func (f refusing) RoundTrip(req *http.Request) (*http.Response, error) {
	if f.read {
		_, _ = io.Copy(io.Discard, req.Body)
	}
	return nil, errors.New("failed")
}

// Whatever the transport, a body that may have been sent is never said to be unsent.
func TestOutcomeOfForeignTransports(t *testing.T) {
	t.Parallel()
	registered := func(rt http.RoundTripper) http.RoundTripper {
		t := new(http.Transport)
		t.RegisterProtocol("http", rt)
		return t
	}
	for name, tt := range map[string]struct {
		transport http.RoundTripper
		unknown   bool
	}{
		"reads and fails":             {refusing{read: true}, true},
		"fails":                       {refusing{}, false},
		"registered, reads and fails": {registered(refusing{read: true}), true},
		"registered, and fails":       {registered(refusing{}), true}, // it may still read the body
	} {
		client, err := api.New(auth.StaticToken("t"), api.WithBaseURL("http://localhost"),
			api.WithHTTPClient(&http.Client{Transport: tt.transport}),
			api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: 1}))
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.ExchangeToken(t.Context(), gen.ExchangeTokenRequest{ExchangeableToken: "e"})
		if err == nil || errors.Is(err, api.ErrOutcomeUnknown) != tt.unknown {
			t.Errorf("%s: %v; want ErrOutcomeUnknown: %v", name, err, tt.unknown)
		}
	}
}

// Before a header was written, it depends on the error whether the request may have been sent by a transport of which
// httptrace does not see everything.
func TestOutcomeBeforeHeader(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err     error
		traced  bool
		unknown bool
	}{
		"dial":                         {errRefusedDial, false, false},
		"certificate":                  {&tls.CertificateVerificationError{Err: errors.New("expired")}, false, false},
		"alert of the server, traced":  {&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}, true, false},
		"alert of the client, traced":  {&net.OpError{Op: "local error", Err: errors.New("tls: no application protocol")}, true, false},
		"alert, not traced":            {&net.OpError{Op: "remote error", Err: errors.New("tls: internal error")}, false, true},
		"connection broke, traced":     {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true, true},
		"connection broke, not traced": {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, false, true},
		"anything else, traced":        {errors.New("failed"), true, true},
	} {
		rt, requests := inMemory(func(r *http.Request) (*http.Response, error) {
			if trace := httptrace.ContextClientTrace(r.Context()); tt.traced && trace.GetConn != nil {
				trace.GetConn("localhost:80")
			}
			return failsRead(tt.err)(r)
		})
		_, err := do(t.Context(), newClient(t, memoryURL, rt), exchangeOp)
		if errors.Is(err, api.ErrOutcomeUnknown) != tt.unknown || (requests() == 1) != tt.unknown {
			t.Errorf("%s: %d requests: %v; want ErrOutcomeUnknown: %v", name, requests(), err, tt.unknown)
		}
	}
}

// A body that an editor put in place of ours is closed, and one that it took away is not sent.
func TestEditedBodies(t *testing.T) {
	t.Parallel()
	edited := &closeRecorder{Reader: strings.NewReader("{}")}
	for want, body := range map[string]io.ReadCloser{"{}": edited, "": nil, "x": io.NopCloser(strings.NewReader("x"))} {
		var got []byte
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got, _ = io.ReadAll(r.Body)
			sendReply(http.StatusCreated, linkedBody)(w, r)
		}))
		client := newClient(t, srv.URL, new(http.Transport), api.WithRequestEditor(func(_ context.Context, r *http.Request) error {
			r.Body, r.ContentLength = body, int64(len(want))
			return nil
		}))
		if id, err := do(t.Context(), client, exchangeOp); err != nil || id != "mk_1" || string(got) != want {
			t.Errorf("%q: sent %q: %q, %v", want, got, id, err)
		}
		srv.Close()
	}
	if !edited.closed {
		t.Error("the body was not closed")
	}
}

// What ends before the request goes out leaves nothing open, also when the token is there already.
func TestNothingSentNothingUnknown(t *testing.T) {
	t.Parallel()
	client := serve(t, reply(http.StatusCreated, linked), api.WithRequestEditor(func(ctx context.Context, r *http.Request) error {
		if v, ok := ctx.Value(tenant{}).(string); ok {
			r.Header.Set("X-Tenant", v)
		}
		return nil
	}))
	if _, err := client.ExchangeToken(t.Context(), exchangeRequest()); err != nil {
		t.Fatal(err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := client.ExchangeToken(canceled, exchangeRequest())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	only(t, "canceled", err)
	_, err = client.ExchangeToken(context.WithValue(t.Context(), tenant{}, "a\nb"), exchangeRequest())
	if err == nil || !strings.Contains(err.Error(), "invalid header field value") {
		t.Errorf("got %v", err)
	}
	only(t, "invalid header", err)
}

type tenant struct{}

// Net/http takes an HTTP/2 stream that is reset with PROTOCOL_ERROR for one that nobody has acted on, and would repeat
// it, although the request had been received whole.
func TestHTTP2ResetIsNotRepeated(t *testing.T) {
	t.Parallel()
	cert := certificate(t, "127.0.0.1", time.Now().Add(time.Hour))
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	var requests atomic.Int64
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				resetStreams(conn, &requests)
			})
		}
	})
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	client, err := api.New(auth.StaticToken("t"), api.WithBaseURL("https://"+l.Addr().String()), api.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.ExchangeToken(t.Context(), exchangeRequest())
	only(t, "reset", err, api.ErrOutcomeUnknown)
	transport.CloseIdleConnections()
	l.Close()
	conns.Wait()
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests were sent, want 1", n)
	}
}

// resetStreams is an HTTP/2 server (RFC 9113) that resets each stream with PROTOCOL_ERROR once the request is whole.
func resetStreams(conn net.Conn, requests *atomic.Int64) {
	const (
		data, rstStream, settings = 0x0, 0x3, 0x4
		endStream, ack            = 0x1, 0x1
	)
	frame := func(kind, flags byte, stream uint32, payload ...byte) {
		head := []byte{0, 0, byte(len(payload)), kind, flags}
		_, _ = conn.Write(append(binary.BigEndian.AppendUint32(head, stream), payload...))
	}
	if _, err := io.ReadFull(conn, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
		return
	}
	frame(settings, 0, 0)
	head := make([]byte, 9)
	for {
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}
		size := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
		if _, err := io.CopyN(io.Discard, conn, size); err != nil {
			return
		}
		switch kind, flags := head[3], head[4]; {
		case kind == settings && flags&ack == 0:
			frame(settings, ack, 0)
		case kind == data && flags&endStream != 0:
			requests.Add(1)
			frame(rstStream, 0, binary.BigEndian.Uint32(head[5:]), 0, 0, 0, 1)
		}
	}
}

// A 503 asks to come again, and the exchange may have taken place all the same: the repeat then finds the token used.
func TestUsedAfterUnavailable(t *testing.T) {
	t.Parallel()
	calls := 0
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls == 1 {
			reply(http.StatusServiceUnavailable, "", "Retry-After", "0")(w, r)
			return
		}
		reply(http.StatusBadRequest, coded("link_session_error.invalid_token_exchange"))(w, r)
	}, api.WithRetryPolicy(api.RetryPolicy{BaseDelay: 1}))
	_, err := client.ExchangeToken(t.Context(), exchangeRequest())
	only(t, "used", err, api.ErrInvalidTokenExchange, api.ErrOutcomeUnknown)
	if calls != 2 {
		t.Errorf("%d calls, want 2", calls)
	}
}

// A connection that the server has given up takes nothing: the request goes out over another one, and nothing is unknown.
func TestConnectionThatTakesNothing(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(reply(http.StatusCreated, linked))
	defer srv.Close()
	var gone atomic.Bool
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return &mortalConn{Conn: conn, gone: &gone}, err
	}}
	defer transport.CloseIdleConnections()
	client, err := api.New(auth.StaticToken("t"), api.WithBaseURL(srv.URL), api.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var info api.HTTPInfo
		if _, err := client.ExchangeToken(t.Context(), exchangeRequest(), api.WithHTTPInfo(&info)); err != nil || info.Attempts != 1 {
			t.Errorf("%d attempts: %v", info.Attempts, err)
		}
		gone.Store(true) // for the connection that is idle now
	}
}

// A mortalConn takes nothing more once it has been used and is gone.
type mortalConn struct {
	net.Conn
	used bool
	gone *atomic.Bool
}

func (c *mortalConn) Write(p []byte) (int, error) {
	if c.used && c.gone.Load() {
		return 0, syscall.EPIPE
	}
	c.used = true
	return c.Conn.Write(p)
}

func TestEditorWithoutURL(t *testing.T) {
	t.Parallel()
	client := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") },
		api.WithRequestEditor(func(_ context.Context, r *http.Request) error {
			r.URL, r.Header = nil, nil
			return nil
		}))
	if _, err := client.ExchangeToken(t.Context(), exchangeRequest()); err == nil || !strings.Contains(err.Error(), "there is no URL") {
		t.Errorf("got %v", err)
	}
}

func TestEditorCannotSendInTheClear(t *testing.T) {
	t.Parallel()
	client := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") },
		api.WithRequestEditor(func(_ context.Context, r *http.Request) error {
			r.URL.Host = "api.moneykit.com"
			return nil
		}))
	_, err := client.ExchangeToken(t.Context(), exchangeRequest())
	if err == nil || !strings.Contains(err.Error(), "http to api.moneykit.com would send secrets unencrypted") {
		t.Errorf("got %v", err)
	}
	only(t, "in the clear", err)
}
