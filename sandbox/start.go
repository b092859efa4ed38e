package sandbox

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// TB is what [Start] needs of a *testing.T, *testing.B or *testing.F.
type TB interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// A Server is a [Sandbox] that listens on a loopback port.
type Server struct {
	*Sandbox
	// URL is where it listens, without a slash at the end: http://127.0.0.1:PORT.
	URL string

	t TB
}

// Start starts a sandbox for a test. It ends with the test, and fails it if the sandbox ever gives an answer that
// the contract does not allow.
func Start(t TB, opts ...Option) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("sandbox: %v", err)
		return nil
	}
	s := New(opts...)
	s.violation = func(message string) { t.Errorf("sandbox: %s", message) }

	var serving sync.RWMutex // handlers read-lock it, so that the end of the test can wait for them
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !serving.TryRLock() {
				panic(http.ErrAbortHandler) // closing
			}
			defer serving.RUnlock()
			s.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: 10 * time.Second,
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(listener)
	}()
	t.Cleanup(func() {
		server.Close() // ends scripted delays too, as their clients are cut off
		<-done
		serving.Lock()
	})
	return &Server{Sandbox: s, URL: "http://" + listener.Addr().String(), t: t}
}

// Fail is [Sandbox.Fail]; it fails the test if the fault is not what it should be.
func (s *Server) Fail(op Operation, n int, fault Fault) {
	s.t.Helper()
	if err := s.Sandbox.Fail(op, n, fault); err != nil {
		s.t.Fatalf("sandbox: cannot script a fault: %v", err)
	}
}
