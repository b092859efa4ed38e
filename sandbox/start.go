package sandbox

import (
	"net"
	"net/http"
	"sync"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/sandbox/internal/server"
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
	// URL is the base URL, without a slash at the end: http://127.0.0.1:PORT.
	URL string

	t TB
}

// Start starts a sandbox for a test and stops it when the test ends. It fails the test if the sandbox ever sends a
// response that the contract does not allow.
func Start(t TB, opts ...Option) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("moneykit: the sandbox cannot listen: %v", err)
		return nil
	}
	return start(t, listener, opts)
}

func start(t TB, listener net.Listener, opts []Option) *Server {
	s := New(opts...)
	s.violation = func(message string) { t.Errorf("moneykit: sandbox: %s", message) }

	var serving sync.RWMutex // handlers read-lock it, so that the end of the test can wait for them
	srv := server.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !serving.TryRLock() {
			panic(http.ErrAbortHandler) // closing
		}
		defer serving.RUnlock()
		s.ServeHTTP(w, r)
	}))
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(listener)
	}()
	t.Cleanup(func() {
		srv.Close() // ends scripted delays too, as their clients are disconnected
		<-done
		serving.Lock()
		s.closeDeliveries()
	})
	return &Server{Sandbox: s, URL: "http://" + listener.Addr().String(), t: t}
}

// Client returns a client of the sandbox with its credentials. It fails the test if that is not possible.
func (s *Server) Client() *api.Client {
	s.t.Helper()
	client, err := api.FromCredentials(s.ClientID, s.ClientSecret, api.WithBaseURL(s.URL))
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	return client
}

// FailDelivery is [Sandbox.FailDelivery], and fails the test if the fault is invalid.
func (s *Server) FailDelivery(event string, times int, fault DeliveryFault) {
	s.t.Helper()
	if err := s.Sandbox.FailDelivery(event, times, fault); err != nil {
		s.t.Fatalf("%v", err)
	}
}

// NewEvent is [Sandbox.NewEvent], and fails the test if there is no such event.
func (s *Server) NewEvent(target string, event any) *http.Request {
	s.t.Helper()
	r, err := s.Sandbox.NewEvent(target, event)
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	return r
}

// Fail is [Sandbox.Fail], and fails the test if the fault is invalid.
func (s *Server) Fail(op Operation, times int, fault Fault) {
	s.t.Helper()
	if err := s.Sandbox.Fail(op, times, fault); err != nil {
		s.t.Fatalf("%v", err)
	}
}
