package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/moneykit/moneykit-go/internal/transport"
)

// A RetryPolicy sets the maximum number of attempts and the waits between them. A zero field has its default;
// RetryPolicy{MaxAttempts: 1} disables retries, except for the one after a 401.
//
// Which failures are retried is fixed:
//
//	failure                                               CreateLinkSession  ExchangeToken
//	no connection: DNS, dial, TLS                         retried            retried
//	no token: its endpoint unreachable, 429 or 5xx        retried            retried
//	HTTP/2 REFUSED_STREAM, or GOAWAY below the stream     retried            retried
//	429                                                   retried            retried
//	401, once, if there is another token                  retried            retried
//	503                                                   retried            retried, see below
//	502, 504; the connection broke or timed out after     retried            [ErrOutcomeUnknown]
//	  the request was sent, or within a 2xx
//	any other 5xx, 101, 303, a 2xx that cannot be read    returned           [ErrOutcomeUnknown]
//	any other 4xx, any other redirect                     returned           returned
//	the call's context ended before the request was sent  returned           returned
//	  and after it was sent                               returned           [ErrOutcomeUnknown]
//
// A 503 does not prove that an exchange was not processed: a proxy may have replaced the response. Once an exchange has
// got one, it ends with success or with [ErrOutcomeUnknown], whatever the next attempts return.
//
// The wait before retry n is random, between 0 and the shorter of BaseDelay·2ⁿ⁻¹ and MaxDelay, and at least as long as
// Retry-After says. If Retry-After exceeds MaxDelay, or the wait would outlast the call's context, the error is returned
// at once. The retry after a 401 does not wait and does not count. A failure to get a token counts.
type RetryPolicy struct {
	MaxAttempts int           // maximum number of attempts; 3 by default
	BaseDelay   time.Duration // upper bound of the first wait; 250 ms by default
	MaxDelay    time.Duration // upper bound of every wait; 10 s by default
}

func (p RetryPolicy) withDefaults() (RetryPolicy, error) {
	if p.MaxAttempts < 0 || p.BaseDelay < 0 || p.MaxDelay < 0 {
		return p, fmt.Errorf("WithRetryPolicy: %+v; no field may be negative, and 0 is the default", p)
	}
	p.MaxAttempts = cmp.Or(p.MaxAttempts, 3)
	p.BaseDelay = cmp.Or(p.BaseDelay, 250*time.Millisecond)
	p.MaxDelay = cmp.Or(p.MaxDelay, 10*time.Second)
	return p, nil
}

// A failure is what is known of a failed attempt. Whether it is retried, and whether its outcome is unknown, follows
// from it and from whether the operation is idempotent.
type failure struct {
	maybeProcessed bool // the server may have processed the request
	transient      bool // a retry may succeed
}

func (f failure) retriable(idempotent bool) bool {
	return f.transient && (idempotent || !f.maybeProcessed)
}

// failureOf is the failure that a response with this status is.
func failureOf(status int) failure {
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable: // for the 503 see repeat
		return failure{maybeProcessed: false, transient: true}
	case status == http.StatusBadGateway, status == http.StatusGatewayTimeout:
		return failure{maybeProcessed: true, transient: true}
	case status < 300, status == http.StatusSeeOther, status >= 500:
		return failure{maybeProcessed: true, transient: false}
	default:
		return failure{maybeProcessed: false, transient: false}
	}
}

// wait waits before retry n (from 1) of a call that failed with e, and reports whether to make it. ended is why ctx ended
// the wait.
func (p RetryPolicy) wait(ctx context.Context, n int, e *Error) (again bool, ended error) {
	if n >= p.MaxAttempts || e.RetryAfter > p.MaxDelay || ctx.Err() != nil && errors.Is(e, ctx.Err()) {
		return false, nil
	}
	bound := p.MaxDelay
	if p.BaseDelay <= p.MaxDelay>>(n-1) { // or doubling could overflow
		bound = p.BaseDelay << (n - 1)
	}
	delay := max(e.RetryAfter, rand.N(bound))
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= delay {
		return false, nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true, nil
	case <-ctx.Done():
		return false, fmt.Errorf("while waiting to retry: %w", transport.ContextError(ctx))
	}
}
