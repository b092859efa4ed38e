package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A lateTransport sometimes reports a failure before it has read the request, reads it later all the same, as an
// http.RoundTripper may, and sends what it got.
type lateTransport struct {
	base    http.RoundTripper
	rate    float64
	failed  atomic.Int64
	sent    atomic.Int64 // exchanges, after the failure was reported
	running sync.WaitGroup
}

func (l *lateTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if rand.Float64() >= l.rate {
		return l.base.RoundTrip(r)
	}
	l.failed.Add(1)
	l.running.Go(func() {
		defer r.Body.Close()
		pause(context.Background(), rand.N(20*time.Millisecond))
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), attemptTimeout)
		defer cancel()
		late := r.Clone(ctx)
		late.Body, late.GetBody = io.NopCloser(bytes.NewReader(body)), nil
		if strings.HasSuffix(r.URL.Path, "/exchange-token") {
			l.sent.Add(1)
		}
		if res, err := l.base.RoundTrip(late); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	})
	return nil, errors.New("the transport failed before it read the request")
}
