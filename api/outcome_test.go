package api_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/oauth2"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
)

// A memoryStep is what a transport does with a request.
type memoryStep func(*http.Request) (*http.Response, error)

// responds reads the request and responds. Header fields are name, value, ….
func responds(status int, body string, header ...string) memoryStep {
	return func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
		res := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}
		for i := 0; i < len(header); i += 2 {
			res.Header.Set(header[i], header[i+1])
		}
		return res, nil
	}
}

// failsUnread returns err without having read the request.
func failsUnread(err error) memoryStep {
	return func(r *http.Request) (*http.Response, error) { r.Body.Close(); return nil, err }
}

// failsRead returns err after it has read the request.
func failsRead(err error) memoryStep {
	return func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
		return nil, err
	}
}

// inMemory is a transport that does one step after the other, the last one again and again.
func inMemory(steps ...memoryStep) (rt http.RoundTripper, requests func() int) {
	var mu sync.Mutex
	n := 0
	rt = roundTripFunc(func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		n++
		step := steps[min(n, len(steps))-1]
		mu.Unlock()
		return step(r)
	})
	return rt, func() int { mu.Lock(); defer mu.Unlock(); return n }
}

const memoryURL = "http://localhost"

var (
	errRefusedDial = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	linkedStep     = responds(http.StatusCreated, linkedBody)
)

// anotherToken returns a source that has another token each time.
func anotherToken() *auth.Source {
	n := 0
	return auth.FromTokenSource(tokenFunc(func() (*oauth2.Token, error) {
		n++
		return &oauth2.Token{AccessToken: fmt.Sprintf("access-token-%d", n), TokenType: "bearer"}, nil
	}))
}

type tokenFunc func() (*oauth2.Token, error)

func (f tokenFunc) Token() (*oauth2.Token, error) { return f() }

// A 503 does not say whether the call was processed. It is repeated, and then an exchange that does not succeed may still
// have taken place, whatever the last response was.
func TestNothingIsKnownAfter503(t *testing.T) {
	t.Parallel()
	busy := responds(503, "", "Retry-After", "0")
	bare := responds(503, "")
	for name, steps := range map[string][]memoryStep{
		"503 with Retry-After for ever":      {busy},
		"503 for ever":                       {bare},
		"503 with a long Retry-After":        {responds(503, "", "Retry-After", "3600")},
		"503, 503":                           {bare, busy, responds(400, usedBody)},
		"429":                                {busy, responds(429, "")},
		"429 with a long Retry-After":        {busy, responds(429, "", "Retry-After", "3600")},
		"503, 429, 400 with a code":          {busy, responds(429, "", "Retry-After", "0"), responds(400, usedBody)},
		"503, 429, 429":                      {bare, responds(429, "")},
		"400 with a code":                    {bare, responds(400, usedBody)},
		"400 without a code":                 {busy, responds(400, "")},
		"400 that breaks off":                {busy, brokenBody(400)},
		"401":                                {busy, responds(401, "")},
		"401 for an expired token":           {busy, responds(401, `{"error_code":"api_error.auth.expired_access_token"}`)},
		"403":                                {busy, responds(403, "")},
		"404":                                {busy, responds(404, "")},
		"422":                                {busy, responds(422, "")},
		"307":                                {busy, responds(307, "", "Location", "/")},
		"no connection":                      {busy, failsUnread(errRefusedDial)},
		"a connection that broke":            {busy, failsRead(io.ErrUnexpectedEOF)},
		"no TLS":                             {busy, failsUnread(&tls.CertificateVerificationError{Err: errors.New("expired")})},
		"500":                                {busy, responds(500, "")},
		"502":                                {busy, responds(502, "")},
		"an empty 201":                       {busy, responds(201, "")},
		"429 first, then 503, then 400":      {responds(429, ""), busy, responds(400, usedBody)},
		"401 first, then 503, then 401":      {responds(401, ""), busy, responds(401, "")},
		"no connection first, 503, then 404": {failsUnread(errRefusedDial), busy, responds(404, "")},
	} {
		for _, op := range bothOps {
			t.Run(name+" "+op, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					rt, _ := inMemory(steps...)
					client, err := api.New(anotherToken(), api.WithBaseURL(memoryURL), api.WithHTTPClient(&http.Client{Transport: rt}))
					if err != nil {
						t.Fatal(err)
					}
					_, err = do(t.Context(), client, op)
					if err == nil {
						t.Fatal("no error")
					}
					if got := errors.Is(err, api.ErrOutcomeUnknown); got != (op == exchangeOp) || got != strings.Contains(err.Error(), "outcome unknown") {
						t.Errorf("ErrOutcomeUnknown: %v, of: %v", got, err)
					}
				})
			})
		}
	}
}

func brokenBody(status int) memoryStep {
	return func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		body := io.MultiReader(strings.NewReader(`{"error_code":"link_session_error.inv`), failingReader{io.ErrUnexpectedEOF})
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(body), Request: r}, nil
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// The same where the second attempt is never sent.
func TestNothingIsKnownAfter503AndNoRequest(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, steps ...memoryStep) error{
		"the policy allows one attempt": func(t *testing.T, steps ...memoryStep) error {
			rt, _ := inMemory(steps...)
			_, err := do(t.Context(), newClient(t, memoryURL, rt, api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: 1})), exchangeOp)
			return err
		},
		"the context is canceled during the wait": func(t *testing.T, steps ...memoryStep) error {
			rt, _ := inMemory(steps...)
			ctx, cancel := context.WithCancel(t.Context())
			defer time.AfterFunc(time.Nanosecond, cancel).Stop()
			_, err := do(ctx, newClient(t, memoryURL, rt, api.WithRetryPolicy(api.RetryPolicy{BaseDelay: time.Hour, MaxDelay: time.Hour})), exchangeOp)
			return err
		},
		"the deadline is before the repeat": func(t *testing.T, steps ...memoryStep) error {
			rt, _ := inMemory(responds(503, "", "Retry-After", "5"), steps[1])
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := do(ctx, newClient(t, memoryURL, rt), exchangeOp)
			return err
		},
		"there is no token any more": func(t *testing.T, steps ...memoryStep) error {
			rt, _ := inMemory(steps...)
			n := 0
			source := auth.FromTokenSource(tokenFunc(func() (*oauth2.Token, error) {
				if n++; n > 1 {
					return nil, errors.New("no token for you")
				}
				return &oauth2.Token{AccessToken: "access-token", Expiry: time.Now()}, nil
			}))
			client, err := api.New(source, api.WithBaseURL(memoryURL), api.WithHTTPClient(&http.Client{Transport: rt}))
			if err != nil {
				t.Fatal(err)
			}
			_, err = do(t.Context(), client, exchangeOp)
			return err
		},
		"a request editor fails": func(t *testing.T, steps ...memoryStep) error {
			rt, _ := inMemory(steps...)
			n := 0
			_, err := do(t.Context(), newClient(t, memoryURL, rt, api.WithRequestEditor(func(context.Context, *http.Request) error {
				if n++; n > 1 {
					return errors.New("no")
				}
				return nil
			})), exchangeOp)
			return err
		},
	}
	for name, call := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				steps := []memoryStep{responds(503, "", "Retry-After", "0"), linkedStep}
				if err := call(t, steps...); err == nil || !errors.Is(err, api.ErrOutcomeUnknown) {
					t.Errorf("got %v, want ErrOutcomeUnknown", err)
				}
			})
		})
	}
}

func TestSuccessAfter503(t *testing.T) {
	t.Parallel()
	for _, op := range bothOps {
		for _, step := range []memoryStep{responds(503, "", "Retry-After", "0"), responds(503, "")} {
			rt, requests := inMemory(step, step, linkedStep)
			if id, err := do(t.Context(), newClient(t, memoryURL, rt), op); err != nil || id == "" || requests() != 3 {
				t.Errorf("%s: %d requests: %q, %v", op, requests(), id, err)
			}
		}
	}
}

// 303 says "see elsewhere for what came of it".
func TestSeeOtherIsUnknown(t *testing.T) {
	t.Parallel()
	for _, op := range bothOps {
		rt, requests := inMemory(responds(303, "", "Location", "/done"))
		_, err := do(t.Context(), newClient(t, memoryURL, rt), op)
		if err == nil || errors.Is(err, api.ErrOutcomeUnknown) != (op == exchangeOp) || requests() != 1 {
			t.Errorf("%s: %d requests: %v", op, requests(), err)
		}
	}
}

// A RoundTripper may read and close the body after it has returned. An exchange that it sends then is never one that the
// client has given up and sent again.
func TestTransportReadsAfterItReturned(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	for name, read := range map[string]func(body io.Reader, returned <-chan struct{}) ([]byte, error){
		"after it returned": func(body io.Reader, returned <-chan struct{}) ([]byte, error) {
			<-returned
			return io.ReadAll(body)
		},
		"after the call": func(body io.Reader, _ <-chan struct{}) ([]byte, error) {
			<-time.After(time.Hour)
			return io.ReadAll(body)
		},
		"while it returns": func(body io.Reader, _ <-chan struct{}) ([]byte, error) { return io.ReadAll(body) },
		"byte by byte, all the while": func(body io.Reader, _ <-chan struct{}) (all []byte, err error) {
			for b := make([]byte, 1); ; {
				n, err := body.Read(b)
				if all = append(all, b[:n]...); err == io.EOF {
					return all, nil
				} else if err != nil {
					return all, err
				}
				<-time.After(time.Millisecond)
			}
		},
	} {
		for _, cause := range []error{failed, errRefusedDial, context.DeadlineExceeded} {
			if cause == errRefusedDial && !strings.HasPrefix(name, "after") {
				continue // one that says it could not connect, and sends the body meanwhile, cannot be helped
			}
			t.Run(fmt.Sprint(name, " ", cause), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					var mu sync.Mutex
					processed := 0
					var late sync.WaitGroup
					rt := roundTripFunc(func(r *http.Request) (*http.Response, error) {
						returned := make(chan struct{})
						defer close(returned)
						late.Go(func() {
							defer r.Body.Close()
							body, err := read(r.Body, returned)
							if err == nil && bytes.Contains(body, []byte(secretToken)) {
								mu.Lock()
								processed++
								mu.Unlock()
							}
						})
						return nil, cause
					})
					_, err := do(t.Context(), newClient(t, memoryURL, rt), exchangeOp)
					late.Wait()
					if processed > 1 {
						t.Errorf("%d exchanges were processed", processed)
					}
					if err == nil || processed > 0 && !errors.Is(err, api.ErrOutcomeUnknown) {
						t.Errorf("%d exchanges were processed: %v", processed, err)
					}
				})
			})
		}
	}
}

// One that reads the body after it has responded sends nothing any more either, so that a retry is the only request.
func TestTransportReadsAfterItResponded(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 401, 400} {
		synctest.Test(t, func(t *testing.T) {
			var processed atomic.Int32
			var late sync.WaitGroup
			rt, _ := inMemory(func(r *http.Request) (*http.Response, error) {
				late.Go(func() {
					<-time.After(time.Second)
					if body, err := io.ReadAll(r.Body); err == nil && bytes.Contains(body, []byte(secretToken)) {
						processed.Add(1)
					}
				})
				return &http.Response{StatusCode: status}, nil
			}, linkedStep)
			client, err := api.New(anotherToken(), api.WithBaseURL(memoryURL), api.WithHTTPClient(&http.Client{Transport: rt}))
			if err != nil {
				t.Fatal(err)
			}
			_, err = do(t.Context(), client, exchangeOp)
			late.Wait()
			if processed.Load() != 0 || (err == nil) != (status != 400) || errors.Is(err, api.ErrOutcomeUnknown) {
				t.Errorf("%d: %d exchanges were processed beside the retry: %v", status, processed.Load(), err)
			}
		})
	}
}

// A transport that makes a request of its own out of ours gives net/http a GetBody, with which it sends an HTTP/2 request
// again that was reset after it was processed. The second response says nothing about the first request.
func TestTransportThatRebuildsRequests(t *testing.T) {
	t.Parallel()
	for _, kind := range h2Kinds {
		srv, url, base := kind.start(t, h2Step{processes: true, do: func(s *h2Stream) { s.reset(h2ProtocolError) }}, usedToken)
		rebuilds := roundTripFunc(func(r *http.Request) (*http.Response, error) {
			data, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			own, err := http.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), bytes.NewReader(data))
			if err != nil {
				return nil, err
			}
			own.Header = r.Header.Clone()
			return base.RoundTrip(own)
		})
		_, err := do(t.Context(), newClient(t, url, rebuilds), exchangeOp)
		if requests, _ := srv.counts(); !errors.Is(err, api.ErrOutcomeUnknown) || errors.Is(err, api.ErrInvalidTokenExchange) != (requests == 2) {
			t.Errorf("%s: %d requests: %v; want ErrOutcomeUnknown", kind.name, requests, err)
		}
		base.CloseIdleConnections()
	}
}

// A transport that closes the body late, and reads nothing, is no race either.
func TestTransportClosesAfterItReturned(t *testing.T) {
	t.Parallel()
	var late sync.WaitGroup
	rt := roundTripFunc(func(r *http.Request) (*http.Response, error) {
		late.Go(func() { r.Body.Close(); _, _ = r.Body.Read(make([]byte, 1)) })
		return nil, errRefusedDial
	})
	_, err := do(t.Context(), newClient(t, memoryURL, rt), exchangeOp)
	late.Wait()
	if !errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, api.ErrOutcomeUnknown) {
		t.Errorf("got %v", err)
	}
}

// A transport may send what GetBody returns and leave Body alone, as one that repeats requests does.
func TestTransportSendsGetBody(t *testing.T) {
	t.Parallel()
	processed := 0
	rt := roundTripFunc(func(r *http.Request) (*http.Response, error) {
		defer r.Body.Close()
		if r.GetBody == nil {
			return nil, errors.New("no GetBody")
		}
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		defer body.Close()
		if data, err := io.ReadAll(body); err == nil && bytes.Contains(data, []byte(secretToken)) {
			processed++
		}
		return nil, errors.New("failed")
	})
	_, err := do(t.Context(), newClient(t, memoryURL, rt), exchangeOp)
	if processed > 1 || err == nil || processed == 1 && !errors.Is(err, api.ErrOutcomeUnknown) {
		t.Errorf("%d exchanges were processed: %v", processed, err)
	}
}

// What a transport returns is judged as it is, and its causes stay, however long it is and however many lines it has.
func TestCausesSurviveLongErrors(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", 200)
	for name, tt := range map[string]struct {
		step     memoryStep
		is       error
		as       any
		repeated bool // by an exchange
	}{
		"deadline, joined":       {failsRead(errors.Join(errors.New("proxy"), context.DeadlineExceeded)), context.DeadlineExceeded, nil, false},
		"deadline, long":         {failsRead(fmt.Errorf("%s: %w", long, context.DeadlineExceeded)), context.DeadlineExceeded, nil, false},
		"reset, long":            {failsRead(fmt.Errorf("%s: %w", long, syscall.ECONNRESET)), syscall.ECONNRESET, nil, false},
		"dial, joined":           {failsRead(errors.Join(errors.New("first"), errRefusedDial)), syscall.ECONNREFUSED, new(*net.OpError), true},
		"dial, long":             {failsRead(fmt.Errorf("%s: %w", long, errRefusedDial)), syscall.ECONNREFUSED, new(*net.OpError), true},
		"dial with a line break": {failsRead(&net.OpError{Op: "dial", Err: errors.New("a\nb")}), nil, new(*net.OpError), true},
		"certificate, joined":    {failsUnread(errors.Join(errors.New("first"), &tls.CertificateVerificationError{Err: errors.New("x")})), nil, new(*tls.CertificateVerificationError), true},
		"DNS, long":              {failsRead(&net.OpError{Op: "dial", Err: &net.DNSError{Err: long, Name: "host"}}), nil, new(*net.DNSError), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rt, requests := inMemory(tt.step)
			_, err := do(t.Context(), newClient(t, memoryURL, rt), exchangeOp)
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || tt.as != nil && !errors.As(err, tt.as) {
				t.Errorf("the cause is lost: %v", err)
			}
			if errors.Is(err, api.ErrOutcomeUnknown) == tt.repeated || (requests() == 3) != tt.repeated {
				t.Errorf("%d requests: %v", requests(), err)
			}
			printable(t, err)
		})
	}
}

// printable checks that an error is one line that can be read.
func printable(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err)} {
		if strings.ContainsFunc(text, func(r rune) bool {
			return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
		}) {
			t.Errorf("%q has a control character", text)
		}
		if utf8.RuneCountInString(text) > 3000 {
			t.Errorf("%d runes: %.300s…", utf8.RuneCountInString(text), text)
		}
	}
}

// Where a secret was found in a cause, the cause is dropped: it would print the secret. It is judged all the same.
func TestCauseWithSecretIsDropped(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]memoryStep{
		"first": failsRead(&net.OpError{Op: "dial", Err: errors.New("cannot send " + secretToken)}),
		"last":  failsRead(&net.OpError{Op: "dial", Err: errors.New(strings.Repeat("long\n", 200) + secretToken)}),
	} {
		rt, requests := inMemory(step)
		_, err := do(t.Context(), newClient(t, memoryURL, rt), exchangeOp)
		if err == nil || errors.As(err, new(*net.OpError)) || strings.Contains(fmt.Sprintf("%+v %#v", err, err), secretToken) {
			t.Errorf("%s: the secret is shown: %v", name, err)
		}
		if errors.Is(err, api.ErrOutcomeUnknown) || requests() != 3 {
			t.Errorf("%s: %d requests: %v", name, requests(), err)
		}
	}
}

// A certificate for 40 other names makes a long error: its type is still found, by api and by auth.
func TestCertificateWithManyNames(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "many"}, NotAfter: time.Now().Add(time.Hour)}
	for i := range 40 {
		template.DNSNames = append(template.DNSNames, fmt.Sprintf("host-number-%d.example.com", i))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = quiet
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	rt := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "elsewhere.example.com"}}
	t.Cleanup(rt.CloseIdleConnections)

	var info api.HTTPInfo
	_, err = do(t.Context(), newClient(t, srv.URL, rt), exchangeOp, api.WithHTTPInfo(&info))
	if !errors.As(err, new(*tls.CertificateVerificationError)) || !errors.As(err, new(x509.HostnameError)) || errors.Is(err, api.ErrOutcomeUnknown) || info.Attempts != 3 {
		t.Errorf("api, %d attempts: %v", info.Attempts, err)
	}
	printable(t, err)
	source, err := auth.ClientCredentials("id", "the-client-secret", auth.WithTokenURL(srv.URL+"/auth/token"), auth.WithHTTPClient(&http.Client{Transport: rt}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = source.Token(t.Context()); !errors.As(err, new(*tls.CertificateVerificationError)) {
		t.Errorf("auth: %v", err)
	}
	printable(t, err)
}

// A context that ends with a cause: an error holds the cause and the context's own error, wherever the call was.
func TestCancelCause(t *testing.T) {
	t.Parallel()
	cause := errors.New("another worker failed")
	stops := map[string]func(context.Context) (context.Context, func(), error){
		"cancel": func(ctx context.Context) (context.Context, func(), error) {
			ctx, cancel := context.WithCancelCause(ctx)
			return ctx, func() { cancel(cause) }, context.Canceled
		},
		"timeout": func(ctx context.Context) (context.Context, func(), error) {
			d := newManualDeadline(ctx, cause)
			return d, d.cancel, context.DeadlineExceeded
		},
	}
	// Each runs a call, and stops it when it is in the middle of something.
	paths := map[string]struct {
		sent bool
		run  func(t *testing.T, ctx context.Context, stop func(), op string) error
	}{
		"before the call": {false, func(t *testing.T, ctx context.Context, stop func(), op string) error {
			stop()
			rt, _ := inMemory(linkedStep)
			_, err := do(ctx, newClient(t, memoryURL, rt), op)
			return err
		}},
		"HTTP/1.1, no response yet": {true, func(t *testing.T, ctx context.Context, stop func(), op string) error {
			srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				stop()
				<-r.Context().Done()
			}))
			defer srv.Close()
			rt := new(http.Transport)
			defer rt.CloseIdleConnections()
			_, err := do(ctx, newClient(t, srv.URL, rt), op)
			return err
		}},
		"HTTP/1.1, within the response": {true, func(t *testing.T, ctx context.Context, stop func(), op string) error {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(201)
				_, _ = io.WriteString(w, `{"link":`)
				_ = http.NewResponseController(w).Flush()
				stop()
				<-r.Context().Done()
			}))
			defer srv.Close()
			rt := new(http.Transport)
			defer rt.CloseIdleConnections()
			_, err := do(ctx, newClient(t, srv.URL, rt), op)
			return err
		}},
		"HTTP/2, no response yet": {true, func(t *testing.T, ctx context.Context, stop func(), op string) error {
			_, url, rt := h2Kinds[0].start(t, h2Step{do: func(*h2Stream) { stop() }})
			_, err := do(ctx, newClient(t, url, rt), op)
			return err
		}},
		"HTTP/2 without TLS": {true, func(t *testing.T, ctx context.Context, stop func(), op string) error {
			_, url, rt := h2Kinds[1].start(t, h2Step{do: func(*h2Stream) { stop() }})
			_, err := do(ctx, newClient(t, url, rt), op)
			return err
		}},
		"dialing": {false, func(t *testing.T, ctx context.Context, stop func(), op string) error {
			rt := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				stop()
				<-ctx.Done()
				return nil, &net.OpError{Op: "dial", Err: ctx.Err()}
			}}
			_, err := do(ctx, newClient(t, memoryURL, rt), op)
			return err
		}},
		"during a wait": {false, func(t *testing.T, ctx context.Context, stop func(), op string) error {
			rt, _ := inMemory(func(r *http.Request) (*http.Response, error) {
				time.AfterFunc(10*time.Millisecond, stop)
				return responds(429, "", "Retry-After", "10")(r)
			})
			_, err := do(ctx, newClient(t, memoryURL, rt), op)
			return err
		}},
		"during a token fetch": {false, func(t *testing.T, ctx context.Context, stop func(), op string) error {
			release := make(chan struct{})
			tokens := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stop(); <-release }))
			defer tokens.Close()
			defer close(release)
			rt := new(http.Transport)
			defer rt.CloseIdleConnections()
			source, err := auth.ClientCredentials("id", "the-client-secret", auth.WithTokenURL(tokens.URL), auth.WithHTTPClient(&http.Client{Transport: rt}))
			if err != nil {
				t.Fatal(err)
			}
			client, err := api.New(source, api.WithBaseURL(memoryURL), api.WithHTTPClient(&http.Client{Transport: rt}))
			if err != nil {
				t.Fatal(err)
			}
			_, err = do(ctx, client, op)
			return err
		}},
	}
	for stopName, newStop := range stops {
		for pathName, path := range paths {
			for _, op := range bothOps {
				t.Run(stopName+" "+pathName+" "+op, func(t *testing.T) {
					t.Parallel()
					ctx, stop, want := newStop(t.Context())
					defer stop()
					err := path.run(t, ctx, stop, op)
					if !errors.Is(err, want) || !errors.Is(err, cause) {
						t.Errorf("got %v; want %q and %q", err, want, cause)
					}
					if errors.Is(err, api.ErrOutcomeUnknown) != (path.sent && op == exchangeOp) {
						t.Errorf("ErrOutcomeUnknown is %v: %v", !path.sent, err)
					}
				})
			}
		}
	}
}

// A manualDeadline is a context whose deadline passes when expire is called, with a cause.
type manualDeadline struct {
	context.Context // has the cause
	cancel          func()
	done            chan struct{} // other than Context's, or package context would take Context's error
}

func newManualDeadline(parent context.Context, cause error) *manualDeadline {
	ctx, cancel := context.WithCancelCause(parent)
	d := &manualDeadline{Context: ctx, done: make(chan struct{})}
	d.cancel = sync.OnceFunc(func() { cancel(cause); close(d.done) })
	return d
}

func (d *manualDeadline) Done() <-chan struct{} { return d.done }

func (d *manualDeadline) Err() error {
	select {
	case <-d.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// The token endpoint's 401 means the same in the form of RFC 6749, section 5.2, as in MoneyKit's.
func TestInvalidClientIsUnauthorized(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"error":"invalid_client"}`,
		`{"error":"invalid_client","error_description":"Client authentication failed"}`,
		`{"error_code":"api_error.auth.unauthorized","error_message":"no"}`,
		`<html>`, ``,
	} {
		tokens := httptest.NewServer(sendReply(http.StatusUnauthorized, body, "WWW-Authenticate", "Basic"))
		source, err := auth.ClientCredentials("id", "the-client-secret", auth.WithTokenURL(tokens.URL))
		if err != nil {
			t.Fatal(err)
		}
		rt, requests := inMemory(linkedStep)
		client, err := api.New(source, api.WithBaseURL(memoryURL), api.WithHTTPClient(&http.Client{Transport: rt}))
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range bothOps {
			if _, err := do(t.Context(), client, op); !errors.Is(err, api.ErrUnauthorized) || errors.Is(err, api.ErrOutcomeUnknown) {
				t.Errorf("%s, %s: %v", op, body, err)
			}
		}
		if requests() != 0 {
			t.Errorf("%d requests without a token", requests())
		}
		tokens.Close()
	}
}

// A transport of another kind that is registered with net/http's may read late, too.
func TestRegisteredTransportReadsAfterItReturned(t *testing.T) {
	t.Parallel()
	var late sync.WaitGroup
	var mu sync.Mutex
	processed := 0
	rt := new(http.Transport)
	rt.RegisterProtocol("http", roundTripFunc(func(r *http.Request) (*http.Response, error) {
		late.Go(func() {
			defer r.Body.Close()
			body, err := io.ReadAll(r.Body)
			if err == nil && bytes.Contains(body, []byte(secretToken)) {
				mu.Lock()
				processed++
				mu.Unlock()
			}
		})
		return nil, errors.New("failed")
	}))
	_, err := do(t.Context(), newClient(t, memoryURL, rt), exchangeOp)
	late.Wait()
	if processed > 1 || err == nil || processed > 0 && !errors.Is(err, api.ErrOutcomeUnknown) {
		t.Errorf("%d exchanges were processed: %v", processed, err)
	}
}

// A transport that wraps net/http's, and keeps the body to log or sign it, does not make a request unknown that never left.
func TestWrappedTransportThatBuffers(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = quiet
	srv.StartTLS()
	t.Cleanup(srv.Close)
	base := new(http.Transport) // which does not know the server's certificate
	t.Cleanup(base.CloseIdleConnections)
	rt := roundTripFunc(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body.Close()
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
		return base.RoundTrip(r)
	})
	var info api.HTTPInfo
	_, err := do(t.Context(), newClient(t, srv.URL, rt), exchangeOp, api.WithHTTPInfo(&info))
	if !errors.As(err, new(*tls.CertificateVerificationError)) || errors.Is(err, api.ErrOutcomeUnknown) || info.Attempts != 3 {
		t.Errorf("%d attempts: %v", info.Attempts, err)
	}
}
