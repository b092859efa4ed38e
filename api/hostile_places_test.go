package api_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/internal/secrettest"
)

// A redirect to another host takes nothing there: no bearer, no secret, no body, not even a connection.
func TestRedirectsLeadNowhere(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"} {
		for _, on := range []target{onCreate, onExchange, onToken} {
			t.Run(status+" of "+on.name, func(t *testing.T) {
				t.Parallel()
				elsewhere := newHostileServer(t, listenLoopback(t), nil, func(string) string { return "{}" }, inResponse(asJSON))
				want := refused(300 + int(status[2]-'0'))
				if status[2] == '3' {
					want.exchange.is = []error{api.ErrOutcomeUnknown}
				}
				row := hostileRow{want: want, fault: statusOf(status, "Location: "+elsewhere.url()+"/auth/token\r\n", "")}
				row.run(t, on)
				elsewhere.stop(t)
				if conns, requests := elsewhere.got(); conns != 0 || len(requests) != 0 {
					t.Errorf("%d connections with the requests %+v came to the other host", conns, requests)
				}
			})
		}
	}
}

// A server that repeats what it is sent, wherever a response has room for it, gets no secret printed.
func TestEchoedSecrets(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(c *hostileConn, echo string){
		"instead of HTTP":          func(c *hostileConn, echo string) { c.write(echo + "\r\n\r\n") },
		"as the HTTP version":      func(c *hostileConn, echo string) { c.write("HTTP/" + echo + " 201 Created\r\n\r\n") },
		"as the status":            func(c *hostileConn, echo string) { c.write("HTTP/1.1 " + echo + "\r\n\r\n") },
		"as the reason":            func(c *hostileConn, echo string) { c.respond("500 "+echo, "", "") },
		"in a field without colon": func(c *hostileConn, echo string) { c.write("HTTP/1.1 201 Created\r\n" + echo + "\r\n\r\n") },
		"as a field name":          func(c *hostileConn, echo string) { c.respond("400 Bad", echo+": x\r\n", "") },
		"as the length": func(c *hostileConn, echo string) {
			c.write("HTTP/1.1 201 Created\r\nContent-Length: " + echo + "\r\n\r\n")
		},
		"as the encoding": func(c *hostileConn, echo string) {
			c.write("HTTP/1.1 201 Created\r\nTransfer-Encoding: " + echo + "\r\n\r\n")
		},
		"as a chunk length": func(c *hostileConn, echo string) {
			c.write("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n" + echo + "\r\n")
		},
		"as the trailer":    func(c *hostileConn, echo string) { c.write("HTTP/1.1 201 Created\r\nTrailer: " + echo + "\r\n\r\n{}") },
		"as the request ID": func(c *hostileConn, echo string) { c.respond("400 Bad", "X-Request-Id: "+echo+"\r\n", "") },
		"as Retry-After":    func(c *hostileConn, echo string) { c.respond("429 Busy", "Retry-After: "+echo+"\r\n", "") },
		"as Location":       func(c *hostileConn, echo string) { c.respond("307 Go", "Location: "+echo+"\r\n", "") },
		"as a bad Location": func(c *hostileConn, echo string) { c.respond("307 Go", "Location: http://["+echo+"\r\n", "") },
		"as a cookie":       func(c *hostileConn, echo string) { c.respond("400 Bad", "Set-Cookie: s="+echo+"\r\n", "") },
		"as content type":   func(c *hostileConn, echo string) { c.respond("400 Bad", "Content-Type: "+echo+"\r\n", "{}") },
		"as HTML":           func(c *hostileConn, echo string) { c.respond("502 Bad", "Content-Type: text/html\r\n", echo) },
		"as a success":      func(c *hostileConn, echo string) { asJSON(c, echo) },
		"as a string":       func(c *hostileConn, echo string) { asJSON(c, fmt.Sprintf("%q", echo)) },
		"as a key":          func(c *hostileConn, echo string) { asJSON(c, fmt.Sprintf("{%q:1}", echo)) },
		"as the token type": func(c *hostileConn, echo string) {
			asJSON(c, fmt.Sprintf(`{"access_token":"t","token_type":%q}`, echo))
		},
		"as expires_in": func(c *hostileConn, echo string) {
			asJSON(c, fmt.Sprintf(`{"access_token":"t","expires_in":%q}`, echo))
		},
		"as a bad token": func(c *hostileConn, echo string) { asJSON(c, fmt.Sprintf(`{"access_token":"\n%s"}`, echo)) },
		"as a timestamp": func(c *hostileConn, echo string) { asJSON(c, fmt.Sprintf(`{"link":{"last_synced_at":%q}}`, echo)) },
		"as an OAuth error": func(c *hostileConn, echo string) {
			c.respond("401 No", jsonType, fmt.Sprintf(`{"error":%q,"error_description":%[1]q}`, echo))
		},
		"as an OAuth 200": func(c *hostileConn, echo string) { c.respond("200 OK", jsonType, fmt.Sprintf(`{"error":%q}`, echo)) },
		"as MoneyKit's error": func(c *hostileConn, echo string) {
			c.respond("403 No", jsonType, fmt.Sprintf(`{"error_code":%q,"error_message":%[1]q,"documentation_url":%[1]q}`, echo))
		},
		"as a validation error": func(c *hostileConn, echo string) {
			c.respond("422 No", jsonType, fmt.Sprintf(`{"error_code":"x","error_message":"m","validation_errors":[
				{"location":["body",%q,{"deep":[%[1]q]},[%[1]q]],"message":%[1]q,"type":%[1]q}]}`, echo))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, on := range []target{onCreate, onExchange, onToken} {
				// One secret at a time, in the form in which it was sent and as it is.
				for _, find := range []func(hostileRequest) string{
					func(r hostileRequest) string { return r.header.Get("Authorization") },
					func(r hostileRequest) string { return r.body },
					func(r hostileRequest) string { _, s, _ := strings.Cut(r.body, "client_secret="); return s },
				} {
					row := hostileRow{fault: afterRequest(func(c *hostileConn, r hostileRequest) { fault(c, find(r)) })}
					r := newHarness(t, on, row, nil)
					err := r.call(t.Context())
					r.guard.Show(err)
					r.release()
				}
			}
		})
	}
}

// Where there is no server, nothing is sent, and that is certain.
func TestNoServer(t *testing.T) {
	t.Parallel()
	for name, dial := range map[string]struct {
		fail  error
		cause error
	}{
		"refused":      {&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}, syscall.ECONNREFUSED},
		"unreachable":  {&net.OpError{Op: "dial", Net: "tcp", Err: syscall.EHOSTUNREACH}, syscall.EHOSTUNREACH},
		"no such host": {&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}}, nil},
	} {
		for _, on := range []target{onCreate, onExchange, onToken} {
			t.Run(name+" for "+on.name, func(t *testing.T) {
				t.Parallel()
				var r *harness
				dials := 0
				r = newHarness(t, on, hostileRow{}, func(tr *http.Transport) {
					real := tr.DialContext
					tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
						if addr == r.bad.host {
							dials++
							return nil, dial.fail
						}
						return real(ctx, network, addr)
					}
				})
				err := r.call(t.Context())
				r.guard.Show(err)
				w := on.want(notSent(dial.cause))
				if dials != w.attempts {
					t.Errorf("%d dials, want %d", dials, w.attempts)
				}
				if on.name != onToken.name {
					var e *net.OpError
					if !errors.As(err, &e) {
						t.Errorf("no *net.OpError in %v", err)
					}
				}
				r.check(w, err)
				r.release()
			})
		}
	}
}

// A port that nobody listens on refuses for real.
func TestConnectionRefused(t *testing.T) {
	t.Parallel()
	r := newHarness(t, onExchange, hostileRow{}, nil)
	dial, refusing := r.transport.DialContext, refusingAddr(t)
	r.transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == r.bad.listener.Addr().String() {
			addr = refusing
		}
		return dial(ctx, network, addr)
	}
	err := r.call(t.Context())
	r.guard.Show(err)
	r.check(onExchange.want(notSent(syscall.ECONNREFUSED)), err)
	r.release()
}

func TestTLS(t *testing.T) {
	t.Parallel()
	good := certificate(t, "127.0.0.1", time.Now().Add(time.Hour))
	for name, tc := range map[string]struct {
		server  *tls.Config
		trusted tls.Certificate
		want    func() any // what errors.As finds
	}{
		"expired certificate": {
			server: &tls.Config{Certificates: []tls.Certificate{certificate(t, "127.0.0.1", time.Now().Add(-time.Hour))}},
			want:   func() any { return new(x509.CertificateInvalidError) },
		},
		"certificate of another host": {
			server: &tls.Config{Certificates: []tls.Certificate{certificate(t, "192.0.2.1", time.Now().Add(time.Hour))}},
			want:   func() any { return new(x509.HostnameError) },
		},
		"certificate of an unknown authority": {
			server:  &tls.Config{Certificates: []tls.Certificate{certificate(t, "127.0.0.1", time.Now().Add(time.Hour))}},
			trusted: good,
			want:    func() any { return new(x509.UnknownAuthorityError) },
		},
		"TLS 1.1": {
			server: &tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
			want:   func() any { return new(*net.OpError) }, // the client's own alert
		},
	} {
		for _, on := range []target{onCreate, onExchange, onToken} {
			t.Run(name+" for "+on.name, func(t *testing.T) {
				t.Parallel()
				r, conf := tlsHarness(t, on, tc.server, tc.trusted)
				var err error
				underLabel(t, t.Name(), func(ctx context.Context) { err = r.call(ctx) }, r.release)
				r.guard.Show(err)
				w := on.want(notSent(nil))
				r.check(w, err)
				if !errors.As(err, tc.want()) {
					t.Errorf("no %T in %v", tc.want(), err)
				}
				if conns, requests := r.bad.got(); conns != w.attempts || len(requests) != 0 {
					t.Errorf("%d connections with %d requests, want %d with none", conns, len(requests), w.attempts)
				}
				if conf.MinVersion != 0 {
					t.Errorf("the client's own TLS configuration was changed")
				}
			})
		}
	}

	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			r, _ := tlsHarness(t, onExchange, &tls.Config{Certificates: []tls.Certificate{good}, MinVersion: version, MaxVersion: version}, good)
			err := r.call(t.Context())
			r.guard.Show(err)
			r.check(onExchange.want(ok(201)), err)
			r.release()
		})
	}
}

// tlsHarness is a harness whose server under attack speaks TLS with server, and whose client trusts trusted, or else the
// server's certificate.
func tlsHarness(t *testing.T, on target, server *tls.Config, trusted tls.Certificate) (*harness, *tls.Config) {
	if trusted.Leaf == nil {
		trusted = server.Certificates[0]
	}
	roots := x509.NewCertPool()
	roots.AddCert(trusted.Leaf)
	conf := &tls.Config{RootCAs: roots}
	return newTLSHarness(t, on, hostileRow{fault: inResponse(asJSON)}, server, func(tr *http.Transport) { tr.TLSClientConfig = conf }), conf
}

func certificate(t *testing.T, ip string, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: rand.Text()},
		NotBefore: until.Add(-24 * time.Hour), NotAfter: until,
		IPAddresses: []net.IP{net.ParseIP(ip)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// net/http repeats some requests on its own when a connection that it kept turns out dead. An exchange that has gone
// out is never one of them, whatever header an editor adds.
func TestNoHiddenRepeat(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*http.Request){
		"as it is":          func(*http.Request) {},
		"Idempotency-Key":   func(r *http.Request) { r.Header.Set("Idempotency-Key", "k") },
		"X-Idempotency-Key": func(r *http.Request) { r.Header["X-Idempotency-Key"] = nil },
		"a body of its own": func(r *http.Request) {
			r.Header.Set("Idempotency-Key", "k")
			body := `{"exchangeable_token":"other"}`
			r.Body, r.ContentLength = http.NoBody, int64(len(body))
			fresh, err := http.NewRequest(http.MethodPost, r.URL.String(), strings.NewReader(body))
			if err == nil {
				r.Body, r.GetBody = fresh.Body, fresh.GetBody
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			guard := secrettest.New(t, "static-token-1")
			// Every connection responds once, stays open, and dies of the second request.
			server := newHostileServer(t, listenLoopback(t), nil, nil, func(c *hostileConn) {
				if _, ok := c.request(); ok {
					body := `{"link_id":"mk_1","link":{"link_id":"mk_1"}}`
					c.write(fmt.Sprintf("HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
					c.request()
				}
			})
			transport := http.DefaultTransport.(*http.Transport).Clone()
			client, err := api.New(auth.StaticToken("static-token-1"), api.WithBaseURL(server.url()), api.WithLogger(guard.Logger()),
				api.WithHTTPClient(&http.Client{Transport: transport}),
				api.WithRequestEditor(func(_ context.Context, r *http.Request) error { edit(r); return nil }))
			if err != nil {
				t.Fatal(err)
			}
			exchange := func() (int, error) {
				var info api.HTTPInfo
				_, err := client.ExchangeToken(t.Context(), gen.ExchangeTokenRequest{ExchangeableToken: "exchangeable-1"}, api.WithHTTPInfo(&info))
				guard.Show(err)
				return info.Attempts, err
			}
			if _, err := exchange(); err != nil {
				t.Fatal(err)
			}
			if n, err := exchange(); !errors.Is(err, api.ErrOutcomeUnknown) || n != 1 {
				t.Errorf("%d attempts: %v", n, err)
			}
			if conns, requests := server.got(); conns != 1 || len(requests) != 2 {
				t.Errorf("%d connections and %d requests came, want 1 and 2", conns, len(requests))
			}
			transport.CloseIdleConnections()
			server.stop(t)
		})
	}
}

// A server that closes an idle connection costs no exchange: net/http notices, and nothing has been sent.
func TestIdleConnectionThatEnds(t *testing.T) {
	t.Parallel()
	var closed = make(chan struct{}, 2)
	server := newHostileServer(t, listenLoopback(t), nil, nil, func(c *hostileConn) {
		if _, ok := c.request(); ok {
			body := `{"link_id":"mk_1","link":{"link_id":"mk_1"}}`
			c.write(fmt.Sprintf("HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
			_ = c.tcp.CloseWrite()
			c.untilGone() // the client has closed it too
			closed <- struct{}{}
		}
	})
	client, err := api.New(auth.StaticToken("static-token-1"), api.WithBaseURL(server.url()),
		api.WithHTTPClient(&http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := client.ExchangeToken(t.Context(), gen.ExchangeTokenRequest{ExchangeableToken: "exchangeable-1"}); err != nil {
			t.Error(err)
		}
		<-closed
	}
	server.stop(t)
}

// HTTP/2 in place of HTTP/1.1 changes no outcome.
func TestHTTP2StreamsThatBreak(t *testing.T) {
	t.Parallel()
	for _, on := range []target{onCreate, onExchange} {
		t.Run(on.name, func(t *testing.T) {
			t.Parallel()
			cert := certificate(t, "127.0.0.1", time.Now().Add(time.Hour))
			var seen []string
			l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}})
			if err != nil {
				t.Fatal(err)
			}
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen = append(seen, r.Proto)
				panic(http.ErrAbortHandler)
			})}
			done := make(chan struct{})
			go func() { defer close(done); _ = server.Serve(l) }()
			roots := x509.NewCertPool()
			roots.AddCert(cert.Leaf)
			transport := http.DefaultTransport.(*http.Transport).Clone()
			transport.TLSClientConfig = &tls.Config{RootCAs: roots}
			client, err := api.New(auth.StaticToken("static-token-1"), api.WithBaseURL("https://"+l.Addr().String()),
				api.WithHTTPClient(&http.Client{Transport: transport}),
				api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: attempts, BaseDelay: 1, MaxDelay: 1}))
			if err != nil {
				t.Fatal(err)
			}
			r := &harness{t: t, on: on, client: client, guard: secrettest.New(t, "static-token-1"), exchangeable: "exchangeable-1"}
			err = r.call(t.Context())
			r.guard.Show(err)
			w := on.want(noResponse(nil))
			r.check(w, err)
			transport.CloseIdleConnections()
			server.Close()
			<-done
			if len(seen) != w.attempts || slices.Contains(seen, "HTTP/1.1") {
				t.Errorf("the server saw %q", seen)
			}
		})
	}
}
