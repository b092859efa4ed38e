package api_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"
)

// A hostileServer listens on loopback and serves every connection with a fault, byte by byte.
type hostileServer struct {
	listener net.Listener
	host     string
	tls      *tls.Config
	fault    func(*hostileConn)
	good     func(path string) string // the right body for a path
	running  sync.WaitGroup

	mu       sync.Mutex
	accepted int
	open     int
	requests []hostileRequest
}

// A hostileRequest is a request that arrived whole.
type hostileRequest struct {
	method, path string
	header       http.Header
	body         string
}

// A hostileConn is one connection to a hostileServer. What it cannot write it drops: the client may leave at any time.
type hostileConn struct {
	net.Conn
	tcp    *net.TCPConn // nil for a connection in memory
	in     *bufio.Reader
	server *hostileServer
}

func newHostileServer(t *testing.T, l net.Listener, conf *tls.Config, good func(path string) string, fault func(*hostileConn)) *hostileServer {
	t.Helper()
	s := &hostileServer{listener: l, host: l.Addr().String(), tls: conf, fault: fault, good: good}
	s.running.Go(s.accept)
	t.Cleanup(func() { l.Close() })
	return s
}

func (s *hostileServer) url() string {
	if s.tls != nil {
		return "https://" + s.host
	}
	return "http://" + s.host
}

func (s *hostileServer) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.accepted++
		s.open++
		s.mu.Unlock()
		s.running.Go(func() {
			tcp, _ := conn.(*net.TCPConn)
			c := &hostileConn{Conn: conn, tcp: tcp, server: s}
			if s.tls != nil {
				c.Conn = tls.Server(conn, s.tls)
			}
			c.in = bufio.NewReader(c.Conn)
			s.fault(c)
			c.Close()
			s.mu.Lock()
			s.open--
			s.mu.Unlock()
		})
	}
}

// stop ends s, and reports the connections that the client has not closed.
func (s *hostileServer) stop(t *testing.T) {
	t.Helper()
	s.listener.Close()
	gone := make(chan struct{})
	go func() { s.running.Wait(); close(gone) }()
	select {
	case <-gone:
	case <-time.After(20 * time.Second): // only ever reached by a failing test
		s.mu.Lock()
		defer s.mu.Unlock()
		t.Errorf("%d connections left", s.open)
	}
}

// got returns how many connections came, and the requests.
func (s *hostileServer) got() (int, []hostileRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted, s.requests
}

// request reads a request whole, or returns false.
func (c *hostileConn) request() (hostileRequest, bool) {
	r, err := http.ReadRequest(c.in)
	if err != nil {
		return hostileRequest{}, false
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return hostileRequest{}, false
	}
	req := hostileRequest{r.Method, r.URL.Path, r.Header, string(body)}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.server.requests = append(c.server.requests, req)
	return req, true
}

func (c *hostileConn) write(s string) bool {
	_, err := io.WriteString(c.Conn, s)
	return err == nil
}

// response writes a well-formed response. header is the rest of the header, if any, each line with its line end.
func (c *hostileConn) respond(status, header, body string) {
	c.write(fmt.Sprintf("HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %d\r\n%s\r\n%s", status, len(body), header, body))
}

// reset ends the connection with a TCP reset.
func (c *hostileConn) reset() {
	_ = c.tcp.SetLinger(0)
	c.tcp.Close()
}

// untilGone waits for the client to close the connection.
func (c *hostileConn) untilGone() { _, _ = io.Copy(io.Discard, c.in) }

// forever writes s again and again until the client closes the connection.
func (c *hostileConn) forever(s string) {
	for c.write(s) {
	}
}

// slowly writes s a byte at a time, and then nothing, until the client closes the connection.
func (c *hostileConn) slowly(s string) {
	gone := make(chan struct{})
	go func() { c.untilGone(); close(gone) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-gone:
			return
		case <-tick.C:
			if i < len(s) {
				c.write(s[i : i+1])
			}
		}
	}
}

// afterRequest runs fault on every connection on which a whole request arrives.
func afterRequest(fault func(*hostileConn, hostileRequest)) func(*hostileConn) {
	return func(c *hostileConn) {
		if r, ok := c.request(); ok {
			fault(c, r)
		}
	}
}

// bytesOf responds with these bytes and closes.
func bytesOf(s string) func(*hostileConn) {
	return afterRequest(func(c *hostileConn, _ hostileRequest) { c.write(s) })
}

// statusOf responds well-formed.
func statusOf(status, header, body string) func(*hostileConn) {
	return afterRequest(func(c *hostileConn, _ hostileRequest) { c.respond(status, header, body) })
}

// inResponse makes a fault of the right response for the request.
func inResponse(fault func(c *hostileConn, good string)) func(*hostileConn) {
	return afterRequest(func(c *hostileConn, r hostileRequest) { fault(c, c.server.good(r.path)) })
}

const jsonType = "Content-Type: application/json\r\n"

func asJSON(c *hostileConn, body string) { c.respond("201 Created", jsonType, body) }

// underLabel runs f such that all goroutines which it starts can be told apart from others, and reports those that are left.
func underLabel(t *testing.T, label string, f func(context.Context), release func()) {
	t.Helper()
	pprof.Do(t.Context(), pprof.Labels("hostile", label), f)
	release()
	mark := []byte(fmt.Sprintf("%q:%q", "hostile", label))
	var stacks bytes.Buffer
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for range 5000 { // goroutines that are ending need a moment for it
		stacks.Reset()
		_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
		if !bytes.Contains(stacks.Bytes(), mark) {
			return
		}
		<-tick.C
	}
	for stack := range strings.SplitSeq(stacks.String(), "\n\n") {
		if strings.Contains(stack, string(mark)) {
			t.Errorf("goroutines left:\n%s", stack)
		}
	}
}
