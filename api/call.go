package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/internal/transport"
)

// An operation is what the contract does not say about one of its operations, whose success is a T.
type operation[T any] struct {
	id         string // operationId
	idempotent bool   // processing a request twice does no harm

	// decode reads the body of a 2xx response. A T together with an error is a response of which a part is missing.
	decode func(body []byte) (*T, error)
}

// An input is what the caller of an operation passes to it.
type input struct {
	missing *Error // that a required field is empty
	secret  string // must not be printed
	send    sendFunc
}

// A sendFunc is a call of the generated client.
type sendFunc func(context.Context, *gen.Client, []gen.RequestEditorFn) (*http.Response, error)

// A field is a required field of a request body. Its path is like customer_user.id.
type field struct{ path, value string }

// call sends an operation's request through the generated client until it succeeds, or its failure is final.
func call[T any](ctx context.Context, c *Client, op *operation[T], opts []CallOption, in input) (*T, error) {
	switch {
	case c == nil || c.generated == nil:
		return nil, &Error{Op: op.id, err: errors.New("the Client is nil or zero; make it with FromCredentials, FromEnv or New")}
	case ctx == nil:
		return nil, &Error{Op: op.id, err: errors.New("the context is nil")}
	}
	d := doer{client: c, settings: c.settings, op: op.id, idempotent: op.idempotent, secret: in.secret}
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt.apply(&d.settings); err != nil {
			return nil, &Error{Op: op.id, err: err}
		}
	}
	if d.info == nil {
		d.info = &d.ownInfo
	}
	if in.missing != nil {
		return nil, in.missing
	}
	var out *T
	d.decode = func(body []byte) (ok bool, err error) {
		out, err = op.decode(transport.TrimBOM(body))
		return out != nil, err
	}
	if e := d.repeat(ctx, in.send); e != nil {
		return nil, e
	}
	return out, nil
}

// repeat makes attempts as long as the failures can be retried.
func (d *doer) repeat(ctx context.Context, send sendFunc) *Error {
	d.generated = *d.client.generated
	d.generated.Client = d
	d.editors = append(d.editors, d.client.bearer) // the token last, so that the caller's editors do not see it

	var unauthorized *Error // the 401 after which another token was needed
	var unavailable bool    // there was a 503
	for n := 1; ; n++ {
		d.lastAttempt, d.info.StatusCode, d.info.Header = lastAttempt{start: time.Now()}, 0, nil
		_, err := send(ctx, &d.generated, d.editors) //nolint:bodyclose // Do has read it
		e, f := d.result(ctx, err)
		if e == nil {
			return nil
		}
		if errors.Is(err, errSameToken) {
			e = unauthorized
			d.info.StatusCode, d.info.Header = e.StatusCode, e.Header
		}
		// After a 503 the token may be used up, since a proxy may have replaced the response: a retry does no harm,
		// but its failure does not prove that there is no link.
		unavailable = unavailable || e.StatusCode == http.StatusServiceUnavailable
		e.OutcomeUnknown = !d.idempotent && (f.maybeProcessed || unavailable)
		if e.StatusCode == http.StatusUnauthorized && unauthorized == nil {
			unauthorized, d.rejected = e, d.authorization
			d.client.source.InvalidateRequest(d.request)
			n--
			continue
		}
		if !f.retriable(d.idempotent) {
			return e
		}
		if again, ended := d.retry.wait(ctx, n, e); !again {
			if ended != nil {
				e.addCause(d.redactor().CleanError(ended))
			}
			return e
		}
	}
}
