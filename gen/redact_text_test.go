package gen_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/gen"
)

// What hides its token still prints what it is.
func TestRedactedText(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]any{
		"{ExchangeableToken:[redacted]}": gen.ExchangeTokenRequest{ExchangeableToken: "secret"},
		"{LinkSessionToken:[redacted]}":  gen.CreateLinkSessionResponse{LinkSessionToken: "secret"},
	} {
		if got := fmt.Sprintf("%v|%+v|%#v|%s", v, v, v, v); got != strings.Join([]string{want, want, want, want}, "|") {
			t.Errorf("prints as %s, want %s", got, want)
		}
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", v)
		if !strings.Contains(log.String(), "v="+want) {
			t.Errorf("logged %s", log.String())
		}
	}
}
