package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/gen"
)

const (
	linkedBody  = `{"link_session_token":"s","link_id":"mk_1","link":{"link_id":"mk_1"}}`
	usedBody    = `{"error_code":"link_session_error.invalid_token_exchange","error_message":"used"}`
	exchangeOp  = "exchange_token"
	createOp    = "create_link_session"
	secretToken = "exchangeable-token-7f3a"
)

var bothOps = []string{createOp, exchangeOp}

// do calls op, and returns the link's id, or the session's token.
func do(ctx context.Context, c *api.Client, op string, opts ...api.CallOption) (string, error) {
	if op == createOp {
		s, err := c.CreateLinkSession(ctx, gen.CreateLinkSessionRequest{
			CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"}, RedirectURI: "https://yourdomain.com/oauth.html",
		}, opts...)
		if err != nil {
			return "", err
		}
		return s.LinkSessionToken, nil
	}
	r, err := c.ExchangeToken(ctx, gen.ExchangeTokenRequest{ExchangeableToken: secretToken}, opts...)
	if err != nil {
		return "", err
	}
	return r.Link.LinkID, nil
}

// linkedOnce processes the request and responds with a link.
var linkedOnce = h2Step{processes: true, do: func(s *h2Stream) { s.respond(201, linkedBody) }}

// usedToken responds that the token was exchanged before.
var usedToken = h2Step{do: func(s *h2Stream) { s.respond(400, usedBody) }}

// A stream that is reset after it was processed is not sent again by net/http, whatever HTTP/2 runs over: the repeat would
// get a 400 for a used token.
func TestHTTP2ResetAfterProcessingIsUnknown(t *testing.T) {
	t.Parallel()
	for _, kind := range h2Kinds {
		for name, code := range map[string]uint32{"PROTOCOL_ERROR": h2ProtocolError, "INTERNAL_ERROR": h2InternalError, "CANCEL": h2Cancel, "NO_ERROR": h2NoError, "ENHANCE_YOUR_CALM": h2EnhanceCalm} {
			t.Run(kind.name+" "+name, func(t *testing.T) {
				t.Parallel()
				srv, url, rt := kind.start(t, h2Step{processes: true, do: func(s *h2Stream) { s.reset(code) }}, usedToken)
				var info api.HTTPInfo
				_, err := do(t.Context(), newClient(t, url, rt), exchangeOp, api.WithHTTPInfo(&info))
				if !errors.Is(err, api.ErrOutcomeUnknown) || errors.Is(err, api.ErrInvalidTokenExchange) {
					t.Errorf("got %v, want ErrOutcomeUnknown", err)
				}
				if requests, _ := srv.counts(); requests != 1 || info.Attempts != 1 {
					t.Errorf("%d requests arrived, %d attempts; want 1", requests, info.Attempts)
				}
			})
		}
	}
}

// notProcessed are the ways in which an HTTP/2 server says that it has not processed a request (RFC 9113, sections 8.7 and
// 6.8), which net/http reports as such.
var notProcessed = map[string]h2Step{
	"REFUSED_STREAM":              {do: func(s *h2Stream) { s.reset(h2RefusedStream) }},
	"REFUSED_STREAM early":        {early: true, do: func(s *h2Stream) { s.reset(h2RefusedStream) }},
	"GOAWAY below the stream":     {do: func(s *h2Stream) { s.goAway(s.id-1, h2NoError) }},
	"GOAWAY below, early":         {early: true, do: func(s *h2Stream) { s.goAway(s.id-1, h2NoError) }},
	"GOAWAY below, twice":         {do: func(s *h2Stream) { s.goAway(1<<31-1, h2NoError); s.goAway(s.id-1, h2NoError) }},
	"GOAWAY below, then closed":   {do: func(s *h2Stream) { s.goAway(s.id-1, h2NoError); s.conn.Close() }},
	"GOAWAY below, with an error": {do: func(s *h2Stream) { s.goAway(s.id-1, h2EnhanceCalm) }},
}

// warmUp is a connection's first request, so that the next one is not its first stream.
var warmUp = h2Step{do: func(s *h2Stream) { s.respond(201, linkedBody) }}

// A request that the server says it has not processed is repeated, by the policy: each repeat is counted.
func TestHTTP2NotProcessedIsRepeated(t *testing.T) {
	t.Parallel()
	for _, kind := range h2Kinds {
		for name, step := range notProcessed {
			for _, op := range bothOps {
				t.Run(kind.name+" "+name+" "+op, func(t *testing.T) {
					t.Parallel()
					srv, url, rt := kind.start(t, warmUp, step, linkedOnce)
					client := newClient(t, url, rt)
					if _, err := do(t.Context(), client, createOp); err != nil {
						t.Fatal(err)
					}
					var info api.HTTPInfo
					_, err := do(t.Context(), client, op, api.WithHTTPInfo(&info))
					if err != nil || info.Attempts != 2 {
						t.Errorf("%d attempts, want 2: %v", info.Attempts, err)
					}
					if requests, processed := srv.counts(); requests != 3 || processed != 1 {
						t.Errorf("%d requests arrived, want 3; %d were processed, want 1", requests, processed)
					}
				})
			}
		}
	}
}

// Net/http has another error for a GOAWAY with an error code that meets the first stream of a connection.
func TestHTTP2NotProcessedOnFirstStream(t *testing.T) {
	t.Parallel()
	for _, kind := range h2Kinds {
		for name, step := range notProcessed {
			t.Run(kind.name+" "+name, func(t *testing.T) {
				t.Parallel()
				srv, url, rt := kind.start(t, step, linkedOnce)
				var info api.HTTPInfo
				id, err := do(t.Context(), newClient(t, url, rt), exchangeOp, api.WithHTTPInfo(&info))
				if _, processed := srv.counts(); err != nil || id != "mk_1" || info.Attempts != 2 || processed != 1 {
					t.Errorf("%d attempts, want 2; %d processed, want 1: %v", info.Attempts, processed, err)
				}
			})
		}
	}
}

// A transport that wraps net/http's errors hides nothing, and one that sends a request again by itself leaves the outcome
// unknown, even if its last try was refused.
func TestHTTP2NotProcessedBehindTransports(t *testing.T) {
	t.Parallel()
	send := func(base *http.Transport, times int) http.RoundTripper {
		return roundTripFunc(func(r *http.Request) (res *http.Response, err error) {
			data, err := io.ReadAll(r.Body)
			for range times {
				r = r.Clone(r.Context())
				r.Body, r.GetBody = io.NopCloser(bytes.NewReader(data)), nil
				if res, err = base.RoundTrip(r); err == nil {
					return res, nil
				}
			}
			return nil, fmt.Errorf("of a wrapper: %w", fmt.Errorf("twice: %w", err))
		})
	}
	refused := h2Step{do: func(s *h2Stream) { s.reset(h2RefusedStream) }}
	for _, kind := range h2Kinds {
		srv, url, rt := kind.start(t, refused, linkedOnce)
		if id, err := do(t.Context(), newClient(t, url, send(rt, 1)), exchangeOp); err != nil || id != "mk_1" {
			t.Errorf("%s: got %q, %v", kind.name, id, err)
		}
		srv.stop()
		rt.CloseIdleConnections()
		srv, url, rt = kind.start(t, h2Step{processes: true, do: func(s *h2Stream) { s.reset(h2InternalError) }}, refused, usedToken)
		_, err := do(t.Context(), newClient(t, url, send(rt, 2)), exchangeOp)
		if requests, _ := srv.counts(); !errors.Is(err, api.ErrOutcomeUnknown) || errors.Is(err, api.ErrInvalidTokenExchange) || requests != 2 {
			t.Errorf("%s, again: %d requests: %v", kind.name, requests, err)
		}
		rt.CloseIdleConnections()
	}
}

// Net/http may send a request again over HTTP/1.1, where it knows that nothing was processed. The first request of a
// connection to a server that has changed to HTTP/2 meanwhile is no such case.
func TestHTTP2AfterHTTP1IsNotRepeated(t *testing.T) {
	t.Parallel()
	serverTLS, clientTLS := testTLS(t, "h2", "http/1.1")
	old := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		sendReply(http.StatusCreated, linkedBody)(w, r)
	}))
	old.TLS = serverTLS.Clone()
	old.TLS.NextProtos = []string{"http/1.1"}
	old.StartTLS()
	t.Cleanup(old.Close)
	srv := startH2(t, serverTLS, h2Step{processes: true, do: func(s *h2Stream) { s.reset(h2ProtocolError) }}, usedToken)
	dials := 0
	rt := &http.Transport{TLSClientConfig: clientTLS, ForceAttemptHTTP2: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		addr := srv.listener.Addr()
		if dials++; dials == 1 {
			addr = old.Listener.Addr()
		}
		return new(net.Dialer).DialContext(ctx, network, addr.String())
	}}
	client := newClient(t, "https://"+srv.listener.Addr().String(), rt)
	if _, err := do(t.Context(), client, createOp); err != nil {
		t.Fatal(err)
	}
	_, err := do(t.Context(), client, exchangeOp)
	if requests, _ := srv.counts(); !errors.Is(err, api.ErrOutcomeUnknown) || requests != 1 {
		t.Errorf("%d requests arrived over HTTP/2, want 1: %v", requests, err)
	}
}

// A server that never processes a request is not asked more often than the policy says, and the error says that nothing
// was exchanged.
func TestHTTP2NotProcessedUsesUpAttempts(t *testing.T) {
	t.Parallel()
	for _, kind := range h2Kinds {
		for _, name := range []string{"REFUSED_STREAM", "GOAWAY below the stream"} {
			for _, op := range bothOps {
				t.Run(kind.name+" "+name+" "+op, func(t *testing.T) {
					t.Parallel()
					srv, url, rt := kind.start(t, notProcessed[name])
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // net/http's own repeats take minutes
					defer cancel()
					var info api.HTTPInfo
					_, err := do(ctx, newClient(t, url, rt), op, api.WithHTTPInfo(&info))
					if err == nil || errors.Is(err, api.ErrOutcomeUnknown) {
						t.Errorf("got %v, want an error that is not ErrOutcomeUnknown", err)
					}
					if requests, _ := srv.counts(); requests != 3 || info.Attempts != 3 {
						t.Errorf("%d requests arrived, %d attempts; want 3", requests, info.Attempts)
					}
				})
			}
		}
	}
}

// The same before the whole request went out: the body never got a window to be sent in.
func TestHTTP2NotProcessedBeforeBody(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"REFUSED_STREAM early", "GOAWAY below, early"} {
		srv, url, rt := h2Kinds[1].start(t, h2Step{do: func(s *h2Stream) { s.blockBodies(); s.respond(201, linkedBody) }}, notProcessed[name],
			h2Step{early: true, processes: true, do: func(s *h2Stream) { s.respond(201, linkedBody) }})
		client := newClient(t, url, rt)
		if _, err := do(t.Context(), client, createOp); err != nil {
			t.Fatal(err)
		}
		var info api.HTTPInfo
		if id, err := do(t.Context(), client, exchangeOp, api.WithHTTPInfo(&info)); err != nil || id != "mk_1" || info.Attempts != 2 {
			t.Errorf("%s: %d attempts, %q, %v", name, info.Attempts, id, err)
		}
		if requests, processed := srv.counts(); requests != 3 || processed != 1 {
			t.Errorf("%s: %d requests arrived, want 3; %d were processed, want 1", name, requests, processed)
		}
	}
}

// A GOAWAY whose last stream is ours or a later one says nothing about our request: where the response comes after it, it
// counts, and where the connection closes instead, the outcome is unknown.
func TestHTTP2GoAwayThatMayHaveProcessed(t *testing.T) {
	t.Parallel()
	for _, kind := range h2Kinds {
		for name, step := range map[string]h2Step{
			"ours, closed":  {processes: true, do: func(s *h2Stream) { s.goAway(s.id, h2NoError); s.conn.Close() }},
			"later, closed": {processes: true, do: func(s *h2Stream) { s.goAway(1<<31-1, h2NoError); s.conn.Close() }},
			"ours, reset":   {processes: true, do: func(s *h2Stream) { s.goAway(s.id, h2NoError); s.reset(h2ProtocolError) }},
			"closed":        {processes: true, do: func(s *h2Stream) { s.conn.Close() }},
		} {
			t.Run(kind.name+" "+name, func(t *testing.T) {
				t.Parallel()
				srv, url, rt := kind.start(t, warmUp, step, usedToken)
				client := newClient(t, url, rt)
				if _, err := do(t.Context(), client, createOp); err != nil {
					t.Fatal(err)
				}
				_, err := do(t.Context(), client, exchangeOp)
				if !errors.Is(err, api.ErrOutcomeUnknown) || errors.Is(err, api.ErrInvalidTokenExchange) {
					t.Errorf("got %v, want ErrOutcomeUnknown", err)
				}
				if requests, _ := srv.counts(); requests != 2 {
					t.Errorf("%d requests arrived, want 2", requests)
				}
			})
		}
		t.Run(kind.name+" then responds", func(t *testing.T) {
			t.Parallel()
			_, url, rt := kind.start(t, h2Step{do: func(s *h2Stream) { s.goAway(s.id, h2NoError); s.respond(201, linkedBody) }})
			if id, err := do(t.Context(), newClient(t, url, rt), exchangeOp); err != nil || id != "mk_1" {
				t.Errorf("got %q, %v", id, err)
			}
		})
	}
}

// Repeats of unprocessed requests end with the caller's deadline.
func TestHTTP2NotProcessedWithinDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, op := new(modelServer), exchangeOp
		for range 1000 {
			server.script = append(server.script, fault{refuses: true})
		}
		rt, stop := server.inMemory(true, &op)
		defer stop()
		client := newClient(t, memoryURL, rt, api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: 1000, BaseDelay: time.Second}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		_, err := do(ctx, client, op)
		if took := time.Since(start); err == nil || errors.Is(err, api.ErrOutcomeUnknown) || took > time.Minute || took < 30*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// Net/http repeats a POST with an idempotency key by itself when a connection that was used before breaks. MoneyKit knows
// no such key, so the header must not lead to a repeat, whoever sets it.
func TestIdempotencyKeyDoesNotRepeat(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		set := func(r *http.Request) { r.Header.Set(key, "k") }
		for name, options := range map[string]func(rt http.RoundTripper) (http.RoundTripper, []api.Option){
			"transport": func(rt http.RoundTripper) (http.RoundTripper, []api.Option) {
				return roundTripFunc(func(r *http.Request) (*http.Response, error) {
					r = r.Clone(r.Context())
					set(r)
					return rt.RoundTrip(r)
				}), nil
			},
			"editor": func(rt http.RoundTripper) (http.RoundTripper, []api.Option) {
				return rt, []api.Option{api.WithRequestEditor(func(_ context.Context, r *http.Request) error { set(r); return nil })}
			},
			"method": func(rt http.RoundTripper) (http.RoundTripper, []api.Option) {
				return rt, []api.Option{api.WithRequestEditor(func(_ context.Context, r *http.Request) error {
					r.Method = http.MethodGet // which net/http takes for safe to repeat
					return nil
				})}
			},
		} {
			t.Run(key+" "+name, func(t *testing.T) {
				t.Parallel()
				var requests atomic.Int64
				srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					switch requests.Add(1) {
					case 1:
						sendReply(http.StatusCreated, linkedBody)(w, r)
					case 2: // processed, and the connection breaks
						panic(http.ErrAbortHandler)
					default:
						sendReply(http.StatusBadRequest, usedBody)(w, r)
					}
				}))
				t.Cleanup(srv.Close)
				base := new(http.Transport)
				t.Cleanup(base.CloseIdleConnections)
				rt, opts := options(base)
				client := newClient(t, srv.URL, rt, opts...)
				if _, err := do(t.Context(), client, createOp); err != nil {
					t.Fatal(err)
				}
				_, err := do(t.Context(), client, exchangeOp)
				if !errors.Is(err, api.ErrOutcomeUnknown) || errors.Is(err, api.ErrInvalidTokenExchange) {
					t.Errorf("got %v, want ErrOutcomeUnknown", err)
				}
				if n := requests.Load(); n != 2 {
					t.Errorf("%d requests arrived, want 2", n)
				}
			})
		}
	}
}
