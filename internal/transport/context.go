package transport

import (
	"context"
	"errors"
	"fmt"
)

// ContextError returns why ctx ended: context.Canceled or context.DeadlineExceeded, together with the cause that
// was given for it, if any.
func ContextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}
