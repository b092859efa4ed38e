package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/internal/transport"
)

func TestContextErrorPrintsOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := transport.ContextError(ctx).Error(); got != "context canceled" {
		t.Errorf("got %q", got)
	}
	cause := errors.New("shutting down")
	ctx, stop := context.WithCancelCause(t.Context())
	stop(cause)
	if err := transport.ContextError(ctx); !errors.Is(err, cause) || !errors.Is(err, context.Canceled) || strings.Count(err.Error(), "shutting down") != 1 {
		t.Errorf("got %v", err)
	}
	ctx, stop = context.WithCancelCause(t.Context())
	stop(fmt.Errorf("%w: by us", context.Canceled))
	if err := transport.ContextError(ctx); strings.Count(err.Error(), "context canceled") != 1 {
		t.Errorf("got %v", err)
	}
}

// Whatever a transport returned, the error of the context, its cause and the transport's own error are found in it, and
// each is printed once.
func TestWithContextError(t *testing.T) {
	t.Parallel()
	if err := transport.WithContextError(t.Context(), io.EOF); err != io.EOF {
		t.Errorf("a context that goes on: %v", err)
	}
	cause := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	for _, returned := range []error{
		context.Canceled, cause, io.ErrClosedPipe, fmt.Errorf("read: %w", cause), fmt.Errorf("read: %w", context.Canceled),
		fmt.Errorf("%w: %w", context.Canceled, cause), fmt.Errorf("read: %w: %w", cause, context.Canceled),
	} {
		err := transport.WithContextError(ctx, returned)
		for _, want := range []error{context.Canceled, cause, returned} {
			if !errors.Is(err, want) {
				t.Errorf("%v became %v, in which %v is not found", returned, err, want)
			}
		}
	}
	for _, complete := range []error{context.Canceled, cause, fmt.Errorf("read: %w: %w", cause, context.Canceled)} {
		text := transport.WithContextError(ctx, complete).Error()
		if strings.Count(text, "shutting down") != 1 || strings.Count(text, "context canceled") != 1 {
			t.Errorf("%v became %s", complete, text)
		}
	}
}
