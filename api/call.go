package api

import (
	"context"
	"errors"
	"net/http"

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
	a := attempt{client: c, settings: c.settings, op: op.id, idempotent: op.idempotent, secret: in.secret}
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt.apply(&a.settings); err != nil {
			return nil, &Error{Op: op.id, err: err}
		}
	}
	if a.info == nil {
		a.info = &a.ownInfo
	}
	*a.info = HTTPInfo{}
	if in.missing != nil {
		return nil, in.missing
	}
	var out *T
	a.decode = func(body []byte) (ok bool, err error) {
		out, err = op.decode(transport.TrimBOM(body))
		return out != nil, err
	}
	if e := a.repeat(ctx, in.send); e != nil {
		return nil, e
	}
	return out, nil
}

// repeat makes attempts as long as the failures can be retried.
func (a *attempt) repeat(ctx context.Context, send sendFunc) *Error {
	a.generated = *a.client.generated
	a.generated.Client = a
	editors := append(a.editors, a.client.bearer) // the token last, so that the caller's editors do not see it

	var rejected *Error  // the 401 after which another token was needed
	var unavailable bool // there was a 503
	for n := 1; ; n++ {
		a.reset()
		_, err := send(ctx, &a.generated, editors)
		e, f := a.result(ctx, err)
		if e == nil {
			return nil
		}
		if errors.Is(err, errSameToken) {
			e = rejected
		}
		// After a 503 the token may be used up, since a proxy may have replaced the response: a retry does no harm,
		// but its failure does not prove that there is no link.
		unavailable = unavailable || e.StatusCode == http.StatusServiceUnavailable
		e.OutcomeUnknown = !a.idempotent && (f.processed || unavailable)
		if e.StatusCode == http.StatusUnauthorized && rejected == nil {
			rejected, a.rejected = e, a.authorization
			a.client.invalidate(ctx, a.authorization)
			n--
			continue
		}
		if !f.retriable(a.idempotent) {
			return e
		}
		if e := a.retry.wait(ctx, n, e); e != nil {
			return e
		}
	}
}

// invalidate makes the token source forget the token of an Authorization header that was rejected.
func (c *Client) invalidate(ctx context.Context, authorization string) {
	if tok, err := c.source.Token(ctx); err == nil && authorization == bearerPrefix+tok.Value() {
		c.source.Invalidate(tok)
	}
}
