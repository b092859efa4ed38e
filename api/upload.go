package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
)

// An upload records how far a transport, which sends in goroutines of its own, came with a request that must not be
// processed twice, and prevents net/http from sending it again by itself where a server may have processed it.
type upload struct {
	data []byte
	body bytes.Reader

	traced   atomic.Bool  // the transport supports httptrace
	http2    atomic.Bool  // HTTP/2 header fields were written
	keyed    atomic.Bool  // an idempotency key was written, for which net/http takes a request to be idempotent
	begun    atomic.Int32 // number of times that the header was written
	sealable bool         // the body is a sealedBody
	mu       sync.Mutex   // guards what follows
	read     bool         // the body, or a part of it
	sealed   bool
}

// trace makes the transport report to u.
func (u *upload) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { u.traced.Store(true) },
		WroteHeaderField: func(name string, _ []string) {
			switch strings.ToLower(name) {
			case ":method": // whatever the connection is, this is HTTP/2 (RFC 9113, section 8.3.1)
				u.http2.Store(true)
				u.begun.Add(1)
			case "idempotency-key", "x-idempotency-key":
				u.keyed.Store(true)
			}
		},
		WroteHeaders: func() {
			if !u.http2.Load() {
				u.begun.Add(1)
			}
		},
	})
}

// attach replaces the body of r, which is sent through rt.
func (u *upload) attach(r *http.Request, rt http.RoundTripper, http1 bool) error {
	if r.Body == nil {
		return nil
	}
	var err error
	if u.data, err = io.ReadAll(r.Body); err != nil {
		return err
	}
	_ = r.Body.Close()
	_, isNetHTTP := rt.(*http.Transport)
	u.sealable = !isNetHTTP
	u.body.Reset(u.data)
	r.Body, r.ContentLength = u.reader(&u.body), int64(len(u.data))
	r.GetBody = nil
	if http1 && r.Method == http.MethodPost {
		r.GetBody = u.getBody
	}
	return nil
}

// reader returns a request body. net/http writes a *bytes.Reader together with the header.
func (u *upload) reader(r *bytes.Reader) io.ReadCloser {
	if u.sealable {
		return &sealedBody{u, r}
	}
	return io.NopCloser(r)
}

// getBody is http.Request.GetBody.
func (u *upload) getBody() (io.ReadCloser, error) {
	if !u.traced.Load() || u.http2.Load() || u.keyed.Load() {
		return nil, errors.New("the connection broke after the request was sent")
	}
	u.begun.Store(0) // net/http wrote nothing
	return u.reader(bytes.NewReader(u.data)), nil
}

// maybeProcessed reports whether a server may have got the request, although the transport failed with err. Afterwards
// the body can no longer be read.
func (u *upload) maybeProcessed(err error) bool {
	read := u.seal()
	switch begun := u.begun.Load(); {
	case begun > 0:
		return begun > 1 || !u.http2.Load() || !isRefusedStream(err)
	case isConnectError(err), u.traced.Load() && isTLSAlert(err):
		return false
	case u.sealable:
		return read
	default: // net/http looked for a connection, or did not get that far; or it left the request to a registered protocol
		return !u.traced.Load() && !strings.HasPrefix(err.Error(), "net/http: invalid ")
	}
}

// repeated reports whether the transport sent the request more than once: then the response does not say what the first
// one led to. Afterwards the body can no longer be read.
func (u *upload) repeated() bool {
	u.seal()
	return u.begun.Load() > 1
}

// isConnectError reports whether err is that of a connection that was never established: a failed dial, or a certificate
// that was rejected.
func isConnectError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" || errors.As(err, new(*tls.CertificateVerificationError))
}

// isTLSAlert reports whether err is a TLS alert. One before a request header was written ended the handshake.
func isTLSAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error")
}

// isRefusedStream reports whether err is an HTTP/2 stream that the server certainly did not process: it was reset with
// REFUSED_STREAM (RFC 9113, section 8.7), or is above the last stream of a GOAWAY (section 6.8). net/http has no types
// for them.
func isRefusedStream(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		text := err.Error()
		if reason, ok := strings.CutPrefix(text, "http2: Transport: cannot retry err ["); ok {
			return strings.HasPrefix(reason, "http2: Transport received Server's graceful shutdown GOAWAY]") ||
				strings.HasPrefix(reason, "stream error: ") && strings.Contains(reason, "; REFUSED_STREAM")
		}
		if strings.HasPrefix(text, "http2: Transport received GOAWAY from server ErrCode:") {
			return true
		}
	}
	return false
}

// A sealedBody is a request body for transports other than net/http's, which may read it even after they returned.
type sealedBody struct {
	*upload
	reader *bytes.Reader
}

func (b *sealedBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sealed {
		return 0, errors.New("moneykit: the attempt that this request body is of has ended")
	}
	b.read = true
	return b.reader.Read(p)
}

func (b *sealedBody) Close() error { return nil }

// seal ends reading, and reports whether anything was read.
func (u *upload) seal() (read bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sealed = true
	return u.read
}
