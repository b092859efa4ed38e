package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"sync/atomic"
)

// An upload is the body of one attempt that must not be carried out twice. It notes how far the transport, which sends
// it in a goroutine of its own, has come with it.
type upload struct {
	payload []byte
	first   bytes.Reader // the body itself; the transport asks for another to start over

	asked   atomic.Bool // for a connection: the transport supports httptrace
	started atomic.Bool // the header is on its way
	whole   atomic.Bool // all of it is on its way
	http2   atomic.Bool // the connection is HTTP/2

	replaced bool // by a request editor, so that first is not what is sent
}

func newUpload(payload []byte) *upload {
	u := &upload{payload: payload}
	u.first.Reset(payload)
	return u
}

// trace makes the transport tell how far it has come. It is not told by the body, because net/http sends a body of a
// type that it knows together with the header, and any other after it.
func (u *upload) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { u.asked.Store(true) },
		GotConn: func(info httptrace.GotConnInfo) {
			c, ok := info.Conn.(*tls.Conn)
			u.http2.Store(ok && c.ConnectionState().NegotiatedProtocol == "h2")
		},
		WroteHeaders: func() { u.started.Store(true) },
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err == nil {
				u.whole.Store(true)
			}
		},
	})
}

// again is http.Request.GetBody. net/http repeats a request by itself when it thinks that no server has acted on it. Over
// HTTP/1.1 it knows, because nothing was written; but it takes an HTTP/2 stream that was reset for one, too.
func (u *upload) again() (io.ReadCloser, error) {
	if u.http2.Load() && u.whole.Load() {
		return nil, errors.New("the connection broke after the request was sent")
	}
	return io.NopCloser(bytes.NewReader(u.payload)), nil
}

// unsent tells, of a request that failed with err, whether surely no server has got any of it. A transport that does not
// support httptrace must at least not have read it, or have failed to connect.
func (u *upload) unsent(err error) bool {
	if u.started.Load() { // in an earlier try of the transport's own, it may be
		return false
	}
	return u.asked.Load() || isDial(err) || !u.replaced && u.first.Len() == len(u.payload)
}

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
