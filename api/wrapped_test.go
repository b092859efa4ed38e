package api_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
)

func clientThrough(t *testing.T, url string, rt http.RoundTripper, opts ...api.Option) *api.Client {
	t.Helper()
	client, err := api.New(auth.StaticToken("static-token"), append([]api.Option{api.WithBaseURL(url), api.WithHTTPClient(&http.Client{Transport: rt}),
		api.WithRetryPolicy(api.RetryPolicy{BaseDelay: 1, MaxDelay: 1})}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// An untraced transport wraps net/http's and drops the values of the context, and with them the trace.
type untraced struct{ *http.Transport }

func (u untraced) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(context.Background())
	context.AfterFunc(r.Context(), cancel)
	return u.Transport.RoundTrip(r.WithContext(ctx))
}

// With an idempotency key, net/http would repeat a request on a kept connection. It does not, even if it cannot be traced.
func TestUntracedTransportDoesNotRepeat(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch requests.Add(1) {
		case 1:
			reply(201, linked)(w, r)
		case 2: // processed, and the connection breaks
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			conn.Close()
		default:
			reply(400, coded("link_session_error.invalid_token_exchange"))(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	client := clientThrough(t, srv.URL, untraced{transport}, api.WithRequestEditor(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Idempotency-Key", "k")
		return nil
	}))
	if _, err := client.ExchangeToken(t.Context(), exchangeRequest()); err != nil {
		t.Fatal(err)
	}
	_, err := client.ExchangeToken(t.Context(), exchangeRequest())
	if n := requests.Load(); n != 2 || !errors.Is(err, api.ErrOutcomeUnknown) {
		t.Errorf("the second exchange was received %d times: %v", n-1, err)
	}
}

// A registered protocol that is net/http again, untraced, may fail after the request was processed.
func TestRegisteredTransportTimesOut(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		requests.Add(1)
		<-r.Context().Done()
	}))
	t.Cleanup(srv.Close)
	inner := &http.Transport{ResponseHeaderTimeout: 20 * time.Millisecond}
	t.Cleanup(inner.CloseIdleConnections)
	registered := new(http.Transport)
	registered.RegisterProtocol("http", untraced{inner})
	_, err := clientThrough(t, srv.URL, registered).ExchangeToken(t.Context(), exchangeRequest())
	if n := requests.Load(); n != 1 || !errors.Is(err, api.ErrOutcomeUnknown) {
		t.Errorf("received %d times: %v", n, err)
	}
}

// A signing transport reads the body before it sends a copy.
type signing struct{ *http.Transport }

func (s signing) RoundTrip(r *http.Request) (*http.Response, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(data))
	r.Header.Set("X-Signature", fmt.Sprint(len(data)))
	return s.Transport.RoundTrip(r)
}

// A TLS alert comes before anything is sent, also through a transport that has read the body.
func TestTLSAlertThroughSigningTransport(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = quiet
	srv.TLS = &tls.Config{MaxVersion: tls.VersionTLS12}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	client := clientThrough(t, srv.URL, signing{&http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13}}})
	var info api.HTTPInfo
	_, err := client.ExchangeToken(t.Context(), exchangeRequest(), api.WithHTTPInfo(&info))
	if err == nil || errors.Is(err, api.ErrOutcomeUnknown) || info.Attempts != 3 {
		t.Errorf("%d attempts: %v", info.Attempts, err)
	}
}

// WithTimeout is named only if it was the timeout of the attempt that ended it.
func TestOtherTimeouts(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	t.Cleanup(srv.Close)
	for name, rt := range map[string]*http.Transport{
		"dialer":          {DialContext: (&net.Dialer{Timeout: time.Nanosecond}).DialContext},
		"response header": {ResponseHeaderTimeout: 10 * time.Millisecond},
	} {
		t.Cleanup(rt.CloseIdleConnections)
		_, err := clientThrough(t, srv.URL, rt).ExchangeToken(t.Context(), exchangeRequest())
		if err == nil || strings.Contains(err.Error(), "WithTimeout") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The cause of a context that ends a wait is redacted as everything else is.
func TestCauseWhileWaitingIsRedacted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		client := clientThrough(t, "http://localhost", &script{steps: []step{says(429, "", "Retry-After", "1")}},
			api.WithRetryPolicy(api.RetryPolicy{MaxDelay: 5 * time.Second}))
		time.AfterFunc(time.Millisecond, func() { cancel(errors.New("gave up\non " + exchangeRequest().ExchangeableToken)) })
		_, err := client.ExchangeToken(ctx, exchangeRequest())
		if err == nil || strings.Contains(err.Error(), exchangeRequest().ExchangeableToken) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v", err)
		}
	})
}

// A secret is redacted in the form that forms and URLs have it in, too.
func TestURLEncodedSecretIsRedacted(t *testing.T) {
	t.Parallel()
	client := serve(t, reply(400, `{"error_code":"x","error_message":"bad exchangeable_token=ab%2Bcd%2Fef%3D%3D"}`))
	req := exchangeRequest()
	req.ExchangeableToken = "ab+cd/ef=="
	if _, err := client.ExchangeToken(t.Context(), req); err == nil || strings.Contains(err.Error(), "ab%2Bcd") {
		t.Errorf("got %v", err)
	}
}

// A 401 costs one token, even with tokens that have expired before they are used.
func TestRejectedTokenCostsOneFetch(t *testing.T) {
	t.Parallel()
	fetches := 0
	src := auth.FromTokenSource(tokenFunc(func() (*oauth2.Token, error) {
		fetches++
		return &oauth2.Token{AccessToken: fmt.Sprint("token-", fetches), Expiry: time.Now().Add(-time.Hour)}, nil
	}))
	transport := &script{steps: []step{says(401, ""), good}}
	client, err := api.New(src, api.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.ExchangeToken(t.Context(), exchangeRequest()); err != nil || fetches != 2 {
		t.Errorf("%d tokens for %d requests: %v", fetches, len(transport.times), err)
	}
}

func TestTrailingSlash(t *testing.T) {
	t.Parallel()
	if _, err := api.FromCredentials("id", "secret", api.WithBaseURL("https://api.moneykit.com/")); err != nil {
		t.Error(err)
	}
}

// A call that gets no token is in the log.
func TestFailedTokenRequestIsLogged(t *testing.T) {
	t.Parallel()
	tokens := httptest.NewServer(reply(503, ""))
	t.Cleanup(tokens.Close)
	var log bytes.Buffer
	client, err := api.FromCredentials("id", "secret", api.WithBaseURL(tokens.URL), api.WithLogger(slogTo(&log)),
		api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: 1}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.ExchangeToken(t.Context(), exchangeRequest())
	if err == nil || strings.Count(log.String(), "level=WARN") != 1 || !strings.Contains(log.String(), "503 Service Unavailable") {
		t.Errorf("%v; log: %s", err, &log)
	}
}

func slogTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
