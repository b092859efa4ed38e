package transport

import (
	"context"
	"errors"
	"fmt"
)

// ContextError returns why ctx ended: context.Canceled or context.DeadlineExceeded, together with the cause given for
// it, if any.
func ContextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// WithContextError adds to err why ctx ended, if it has ended: net/http returns the error of the context over HTTP/2
// and its cause over HTTP/1.1.
func WithContextError(ctx context.Context, err error) error {
	if ctx.Err() == nil || errors.Is(err, ctx.Err()) && errors.Is(err, context.Cause(ctx)) {
		return err
	}
	ended := ContextError(ctx)
	if errors.Is(ended, err) {
		return ended
	}
	return fmt.Errorf("%w: %w", ended, err)
}
