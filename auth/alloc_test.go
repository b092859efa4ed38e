//go:build !race

package auth_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/moneykit/moneykit-go/auth"
)

// TestAllocs: a token that is cached costs nothing but the slice that a header's value is kept in. The race detector
// allocates too, so make allocs runs this without it.
func TestAllocs(t *testing.T) {
	src := auth.StaticToken("t")
	ctx := context.Background()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.moneykit.com/link-session", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		do   func() error
		want float64
	}{
		{"Token", func() error { _, err := src.Token(ctx); return err }, 0},
		{"RequestEditor", func() error { return src.RequestEditor(ctx, req) }, 1},
	} {
		if got := testing.AllocsPerRun(200, func() {
			if err := tt.do(); err != nil {
				t.Fatal(err)
			}
		}); got != tt.want {
			t.Errorf("%s: %v allocations, want %v", tt.name, got, tt.want)
		}
	}
}
