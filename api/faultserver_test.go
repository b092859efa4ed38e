package api_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
)

// HTTP/2 error codes (RFC 9113, section 7).
const (
	h2NoError       = 0x0
	h2ProtocolError = 0x1
	h2InternalError = 0x2
	h2RefusedStream = 0x7
	h2Cancel        = 0x8
	h2EnhanceCalm   = 0xb
)

// An h2Server is an HTTP/2 server at the level of frames, for what net/http's server never sends. It handles one request
// at a time: request n (from 0, over all connections) with steps[n], and later ones with the last step.
type h2Server struct {
	listener net.Listener
	steps    []h2Step

	mu        sync.Mutex
	requests  int // whose header arrived
	processed int // by steps that process
	conns     map[net.Conn]bool
	running   sync.WaitGroup
}

// An h2Step is what the server does with a request: with its header, or once it is complete.
type h2Step struct {
	early     bool // as soon as the header is there
	processes bool
	do        func(*h2Stream)
}

// An h2Stream is a request on its connection.
type h2Stream struct {
	conn net.Conn
	id   uint32
}

func (s *h2Stream) frame(kind, flags byte, stream uint32, payload []byte) {
	head := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	_, _ = s.conn.Write(append(binary.BigEndian.AppendUint32(head, stream), payload...))
}

// reset sends RST_STREAM.
func (s *h2Stream) reset(code uint32) {
	s.frame(0x3, 0, s.id, binary.BigEndian.AppendUint32(nil, code))
}

// goAway sends GOAWAY.
func (s *h2Stream) goAway(lastStream, code uint32) {
	s.frame(0x7, 0, 0, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, lastStream), code))
}

// blockBodies sets the window of new streams to zero, so that no body can follow a header.
func (s *h2Stream) blockBodies() { s.frame(0x4, 0, 0, []byte{0, 4, 0, 0, 0, 0}) }

// respond sends a response. Header fields are name, value, …; names are lower-case.
func (s *h2Stream) respond(status int, body string, header ...string) {
	literal := func(b []byte, text string) []byte { return append(append(b, byte(len(text))), text...) } // shorter than 127
	block := literal([]byte{0x08}, strconv.Itoa(status))                                                 // :status, not indexed
	for i := 0; i < len(header); i += 2 {
		block = literal(literal(append(block, 0), header[i]), header[i+1])
	}
	s.frame(0x1, 0x4, s.id, block)
	s.frame(0x0, 0x1, s.id, []byte(body))
}

// startH2 starts an h2Server; a nil conf is HTTP/2 without TLS (h2c). It ends with its test, or in stop.
func startH2(tb testing.TB, conf *tls.Config, steps ...h2Step) *h2Server {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	if conf != nil {
		l = tls.NewListener(l, conf)
	}
	s := &h2Server{listener: l, steps: steps}
	s.start()
	tb.Cleanup(s.stop)
	return s
}

func (s *h2Server) start() {
	s.conns = map[net.Conn]bool{}
	s.running.Go(func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[conn] = true
			s.mu.Unlock()
			s.running.Go(func() { s.serve(conn) })
		}
	})
}

func (s *h2Server) stop() {
	s.listener.Close()
	s.mu.Lock()
	for conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}

// counts returns how many requests arrived, and how many were processed.
func (s *h2Server) counts() (requests, processed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests, s.processed
}

// next is the step for the request whose header arrived.
func (s *h2Server) next() h2Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	return s.steps[min(s.requests, len(s.steps))-1]
}

func (s *h2Server) run(step h2Step, stream *h2Stream) {
	if step.processes {
		s.mu.Lock()
		s.processed++
		s.mu.Unlock()
	}
	step.do(stream)
}

func (s *h2Server) serve(conn net.Conn) {
	defer func() {
		conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	const (
		data, headers, settings, ping, windowUpdate = 0x0, 0x1, 0x4, 0x6, 0x8
		endStream, ack                              = 0x1, 0x1
	)
	if _, err := io.ReadFull(conn, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
		return
	}
	connection := &h2Stream{conn: conn}
	connection.frame(settings, 0, 0, nil)
	open := map[uint32]h2Step{}
	head := make([]byte, 9)
	for {
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(conn, payload); err != nil {
			return
		}
		kind, flags, id := head[3], head[4], binary.BigEndian.Uint32(head[5:])
		stream := &h2Stream{conn: conn, id: id}
		switch {
		case kind == settings && flags&ack == 0:
			connection.frame(settings, ack, 0, nil)
		case kind == ping && flags&ack == 0:
			connection.frame(ping, ack, 0, payload)
		case kind == headers:
			step := s.next()
			if step.early {
				s.run(step, stream)
			} else {
				open[id] = step
			}
		}
		if kind == data && len(payload) > 0 { // for later requests on this connection
			connection.frame(windowUpdate, 0, 0, binary.BigEndian.AppendUint32(nil, uint32(len(payload))))
		}
		if step, ok := open[id]; ok && (kind == data || kind == headers) && flags&endStream != 0 {
			delete(open, id)
			s.run(step, stream)
		}
	}
}

// testTLS returns a server's and a client's configuration for 127.0.0.1.
func testTLS(tb testing.TB, protocols ...string) (server, client *tls.Config) {
	tb.Helper()
	srv := httptest.NewUnstartedServer(nil)
	srv.StartTLS()
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	return &tls.Config{Certificates: srv.TLS.Certificates, NextProtos: protocols}, &tls.Config{RootCAs: roots, NextProtos: protocols}
}

// An h2Kind is one way to speak HTTP/2.
type h2Kind struct {
	name  string
	start func(tb testing.TB, steps ...h2Step) (srv *h2Server, baseURL string, rt *http.Transport)
}

// h2c returns a transport that speaks HTTP/2 without TLS.
func h2c() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Transport{Protocols: protocols}
}

// Over TLS; without TLS, as to a sidecar; and over a connection that does TLS by itself, which is no *tls.Conn to net/http.
var h2Kinds = []h2Kind{
	{"TLS", func(tb testing.TB, steps ...h2Step) (*h2Server, string, *http.Transport) {
		server, client := testTLS(tb, "h2")
		srv := startH2(tb, server, steps...)
		return srv, "https://" + srv.listener.Addr().String(), &http.Transport{TLSClientConfig: client, ForceAttemptHTTP2: true}
	}},
	{"h2c", func(tb testing.TB, steps ...h2Step) (*h2Server, string, *http.Transport) {
		srv := startH2(tb, nil, steps...)
		return srv, "http://" + srv.listener.Addr().String(), h2c()
	}},
	{"wrapped", func(tb testing.TB, steps ...h2Step) (*h2Server, string, *http.Transport) {
		server, client := testTLS(tb, "h2")
		srv := startH2(tb, server, steps...)
		rt := h2c()
		rt.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&tls.Dialer{Config: client}).DialContext(ctx, network, addr)
			return struct{ net.Conn }{conn}, err
		}
		return srv, "http://" + srv.listener.Addr().String(), rt
	}},
}

// newClient returns a client with a static token. Unless opts say otherwise, waits between attempts are next to nothing.
func newClient(tb testing.TB, baseURL string, rt http.RoundTripper, opts ...api.Option) *api.Client {
	tb.Helper()
	client, err := api.New(auth.StaticToken("static-access-token"), append([]api.Option{
		api.WithBaseURL(baseURL), api.WithHTTPClient(&http.Client{Transport: rt}),
		api.WithRetryPolicy(api.RetryPolicy{BaseDelay: 1}),
	}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	if t, ok := rt.(*http.Transport); ok {
		tb.Cleanup(t.CloseIdleConnections)
	}
	return client
}

// roundTripFunc is an http.RoundTripper.
type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// sendReply responds with a status, a body and header fields (name, value, …).
func sendReply(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// quiet is for servers whose clients are meant to break.
var quiet = log.New(io.Discard, "", 0)
