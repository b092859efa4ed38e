package gen_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/gen"
)

func TestTokensAreNotPrinted(t *testing.T) {
	t.Parallel()
	const token = "exchangeable-or-session-token"
	request, response := gen.ExchangeTokenRequest{ExchangeableToken: token}, gen.CreateLinkSessionResponse{LinkSessionToken: token}
	for _, v := range []any{request, &request, response, &response, []any{request, response}, struct{ Nested any }{response}} {
		var shown strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&shown, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&shown, nil)).Info("x", "v", v)
		if strings.Contains(shown.String(), token) || strings.Contains(shown.String(), fmt.Sprintf("%x", token)) || !strings.Contains(shown.String(), "[redacted]") {
			t.Errorf("%T prints as %s", v, &shown)
		}
	}
	for want, v := range map[string]any{
		`{"exchangeable_token":"` + token + `"}`: request,
		`{"link_session_token":"` + token + `"}`: response,
	} {
		if data, err := json.Marshal(v); err != nil || string(data) != want {
			t.Errorf("marshals to %s (%v), want %s", data, err, want)
		}
		var logged strings.Builder
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "v", v)
		if strings.Contains(logged.String(), token) {
			t.Errorf("%T is logged as %s", v, &logged)
		}
	}
}
