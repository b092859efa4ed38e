package api

import (
	"bytes"
	"context"
	"io"
	"net/http/httptrace"
	"sync/atomic"
)

// An upload is the body of one attempt. It notes when a server may have got any of it: the transport sends it in a
// goroutine of its own.
type upload struct {
	payload []byte
	sent    atomic.Bool

	// net/http's Transport tells by httptrace what it sends. It is then given a body of a type that it knows, which it
	// sends together with the header, rather than after it.
	traced bool
	asked  atomic.Bool // the transport was asked for a connection, and so it does tell
}

func (u *upload) trace(ctx context.Context) context.Context {
	u.traced = true
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { u.asked.Store(true) },
		WroteHeaders: func() { u.sent.Store(true) },
	})
}

// body returns the body from its beginning.
func (u *upload) body() (io.ReadCloser, error) {
	if u.traced {
		return io.NopCloser(bytes.NewReader(u.payload)), nil
	}
	b := &notingBody{upload: u}
	b.r.Reset(u.payload)
	return b, nil
}

// unsent tells whether surely no server got any of it.
func (u *upload) unsent() bool { return !u.sent.Load() && (!u.traced || u.asked.Load()) }

// A notingBody notes for itself when it is read.
type notingBody struct {
	r      bytes.Reader
	upload *upload
}

func (b *notingBody) Read(p []byte) (int, error) {
	b.upload.sent.Store(true)
	return b.r.Read(p)
}

func (b *notingBody) Close() error { return nil }
