package api

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/moneykit/moneykit-go/internal/transport"
)

// A RetryPolicy says how often a call is repeated, and how long to wait before. A field that is zero has its default;
// RetryPolicy{MaxAttempts: 1} repeats nothing.
//
// What is repeated is not a choice, because it follows from what repeating could break:
//
//	what happened                                         CreateLinkSession  ExchangeToken
//	no connection: DNS, dial, refused, TLS                repeated           repeated
//	no token: its endpoint unreachable, 429 or 5xx        repeated           repeated
//	429; 503 with Retry-After                             repeated           repeated
//	401, once, if there is another token                  repeated           repeated
//	502, 503, 504; the connection broke, or timed out,    repeated           [ErrOutcomeUnknown]
//	  after the request went out or within the answer
//	any other 5xx, or a 2xx that cannot be read           returned           [ErrOutcomeUnknown]
//	any other 4xx, a redirect                             returned           returned
//	the call's context ended before the request went out  returned           returned
//	  and after it did                                    returned           [ErrOutcomeUnknown]
//
// The wait before repeat n is random, between nothing and BaseDelay·2ⁿ⁻¹ or MaxDelay, whichever is shorter, but no
// shorter than a Retry-After asks for. When Retry-After asks for more than MaxDelay, or the wait would outlast the
// call's context, the error is returned at once. A 401 is repeated without a wait and is no attempt of the policy.
type RetryPolicy struct {
	MaxAttempts int           // how often a call is sent at most; 3 by default
	BaseDelay   time.Duration // the longest first wait; 250 ms by default
	MaxDelay    time.Duration // the longest wait; 10 s by default
}

func (p RetryPolicy) withDefaults() (RetryPolicy, error) {
	switch {
	case p.MaxAttempts < 0:
		return p, fmt.Errorf("WithRetryPolicy: MaxAttempts is %d; want 1 or more, or 0 for the default", p.MaxAttempts)
	case p.BaseDelay < 0:
		return p, fmt.Errorf("WithRetryPolicy: BaseDelay is %v; want more than 0, or 0 for the default", p.BaseDelay)
	case p.MaxDelay < 0:
		return p, fmt.Errorf("WithRetryPolicy: MaxDelay is %v; want more than 0, or 0 for the default", p.MaxDelay)
	}
	if p.MaxAttempts == 0 {
		p.MaxAttempts = 3
	}
	if p.BaseDelay == 0 {
		p.BaseDelay = 250 * time.Millisecond
	}
	if p.MaxDelay == 0 {
		p.MaxDelay = 10 * time.Second
	}
	return p, nil
}

// wait waits before repeat n (from 1) of a call that failed with e. It returns nil once the time has come, or the
// error that ends the call.
func (p RetryPolicy) wait(ctx context.Context, n int, e *Error) error {
	if n >= p.MaxAttempts || e.RetryAfter > p.MaxDelay {
		return e
	}
	longest := p.MaxDelay
	if p.BaseDelay <= p.MaxDelay>>(n-1) { // or doubling would pass MaxDelay, and perhaps the largest Duration
		longest = p.BaseDelay << (n - 1)
	}
	delay := max(e.RetryAfter, rand.N(longest))
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= delay {
		return e
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		ended := *e
		ended.err = fmt.Errorf("waiting to try again: %w", transport.ContextError(ctx))
		if e.err != nil {
			ended.err = fmt.Errorf("%w; %w", e.err, ended.err)
		}
		return &ended
	}
}
