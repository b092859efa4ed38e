package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/moneykit/moneykit-go/auth"
)

// HTTPInfo is what [WithHTTPInfo] tells of a call.
type HTTPInfo struct {
	StatusCode int         // of the last attempt's answer; 0 for none
	Header     http.Header // of the last attempt's answer
	Attempts   int         // how many requests were made for the operation itself
}

// A CallOption changes one call.
type CallOption func(*callOptions)

type callOptions struct {
	info  *HTTPInfo
	spare HTTPInfo // for a caller who asks for none
}

// WithHTTPInfo fills info, whether or not the call succeeds. A nil info is ignored.
func WithHTTPInfo(info *HTTPInfo) CallOption {
	return func(o *callOptions) { o.info = info }
}

// call carries out op, as often as the policy allows.
func call[Req, Res any](ctx context.Context, c *Client, op *operation[Req, Res], req *Req, opts []CallOption) (*Res, error) {
	var o callOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	if o.info == nil {
		o.info = &o.spare
	}
	*o.info = HTTPInfo{}
	switch {
	case c.source == nil:
		return nil, &Error{err: errors.New("the Client is nil or zero; make it with New or FromEnv")}
	case ctx == nil:
		return nil, op.fail(final, errors.New("the context is nil"))
	}
	if e := op.incomplete(req); e != nil {
		return nil, e
	}
	payload, err := json.Marshal(req)
	if err != nil {
		return nil, op.fail(final, fmt.Errorf("the request cannot be written as JSON: %w", err))
	}

	var denied *Error        // the 401 that sent us for another token
	var rejected *auth.Token // the token it was about
	var unavailable bool     // a 503 came, from whoever
	for attempt := 1; ; attempt++ {
		tok, err := c.source.Token(ctx)
		var e *Error
		switch {
		case err != nil:
			e = op.noToken(err)
		case denied != nil && tok.Value() == rejected.Value():
			return nil, denied
		default:
			var res *Res
			if res, e = op.attempt(ctx, c, req, payload, tok, o.info); e == nil {
				return res, nil
			}
			if unavailable && e.Code == codeInvalidExchange { // the token was used, and perhaps by the call that got the 503
				e.fate = unknown
			}
			unavailable = unavailable || e.StatusCode == http.StatusServiceUnavailable
			if e.StatusCode == http.StatusUnauthorized && denied == nil {
				denied, rejected = e, tok
				c.source.Invalidate(tok)
				attempt--
				continue
			}
		}
		if e.fate != repeatable || ctx.Err() != nil {
			return nil, e
		}
		if err := c.retry.wait(ctx, attempt, e); err != nil {
			return nil, err
		}
	}
}
