package bench

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
)

// responses are a success and every kind of failure. After each, the connection must be reused.
var responses = []struct {
	status int
	header http.Header
	body   string
}{
	{201, nil, `{"link_session_token": "s"}`},
	{201, nil, `{"link_session_token": `},
	{204, nil, ""},
	{302, http.Header{"Location": {"/elsewhere"}}, "<html>moved</html>"},
	{401, nil, `{"error_code": "api_error.auth.unauthorized", "error_message": "no"}`},
	{403, nil, `{"error_code": "link_session_error.forbidden_config", "error_message": "no"}`},
	{422, nil, `{"error_code": "api_error.request.validation_failed", "error_message": "no", "validation_errors": []}`},
	{429, http.Header{"Retry-After": {"60"}}, `{"error_code": "api_error.rate_limit_exceeded", "error_message": "no"}`},
	{500, nil, ""},
	{502, nil, "<html>bad gateway</html>"},
	{503, nil, string(make([]byte, 64<<10))},
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		http2   bool
		callers int
		conns   int64
	}{
		{"HTTP1/1", false, 1, 1},
		{"HTTP1/64", false, 64, 64},
		{"HTTP2/1", true, 1, 1},
		{"HTTP2/64", true, 64, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var conns, calls atomic.Int64
			var together sync.WaitGroup // holds the first call of each caller until all callers have come
			together.Add(tt.callers)
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				n := int(calls.Add(1)) - 1
				if 0 < n && n <= tt.callers {
					together.Done()
					together.Wait()
				}
				a := responses[n%len(responses)]
				for k, v := range a.header {
					w.Header()[k] = v
				}
				w.WriteHeader(a.status)
				_, _ = io.WriteString(w, a.body)
			}))
			srv.Config.ErrorLog = log.New(io.Discard, "", 0)
			srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
				if s == http.StateNew {
					conns.Add(1)
				}
			}
			opts := []api.Option{api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: 1})}
			if tt.http2 {
				srv.EnableHTTP2 = true
				srv.StartTLS()
				opts = append(opts, api.WithHTTPClient(srv.Client()))
			} else {
				srv.Start() // and the client has the transport of its own that it has by default
			}
			defer srv.Close()
			client, err := api.New(auth.StaticToken("t"), append(opts, api.WithBaseURL(srv.URL))...)
			if err != nil {
				t.Fatal(err)
			}

			call := func() {
				var info api.HTTPInfo
				_, err := client.CreateLinkSession(context.Background(), gen.CreateLinkSessionRequest{
					CustomerUser: gen.LinkSessionCustomerUser{ID: "user-1"}, RedirectURI: "https://yourdomain.com",
				}, api.WithHTTPInfo(&info))
				if info.StatusCode == 0 {
					t.Errorf("no response: %v", err)
				}
			}
			call() // alone, since many callers at once dial before they know that HTTP/2 needs one connection
			var all sync.WaitGroup
			for range tt.callers {
				all.Go(func() {
					for range 3 * len(responses) {
						call()
					}
				})
			}
			all.Wait()
			if got := conns.Load(); got != tt.conns {
				t.Errorf("%d calls by %d callers took %d connections, want %d", calls.Load(), tt.callers, got, tt.conns)
			}
		})
	}
}
