package api_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

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
		"reads and fails":                 {refusing{read: true}, true},
		"fails":                           {refusing{}, false},
		"registered, reads and fails":     {registered(refusing{read: true}), true},
		"registered, and cannot be asked": {registered(refusing{}), true},
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
