package gen

import (
	"fmt"
	"io"
	"log/slog"
)

// The two models that contain nothing but a token do not print it, since requests and responses get logged. Their JSON is
// not changed.

const (
	redactedRequest  = "{ExchangeableToken:[redacted]}"
	redactedResponse = "{LinkSessionToken:[redacted]}"
)

// Format prints no token, for every verb of package fmt.
func (ExchangeTokenRequest) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redactedRequest) }

// LogValue shows no token.
func (ExchangeTokenRequest) LogValue() slog.Value { return slog.StringValue(redactedRequest) }

// Format prints no token, for every verb of package fmt.
func (CreateLinkSessionResponse) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, redactedResponse)
}

// LogValue shows no token.
func (CreateLinkSessionResponse) LogValue() slog.Value { return slog.StringValue(redactedResponse) }
