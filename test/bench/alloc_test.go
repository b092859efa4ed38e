//go:build !race

package bench

import (
	"context"
	"testing"

	"github.com/moneykit/moneykit-go/test/bench/harness"
)

// TestAllocs compares what a call allocates with what the code written by hand does. The race detector would count its
// own work, so make allocs runs this without it.
func TestAllocs(t *testing.T) {
	n := harness.Memory()
	byHand, err := harness.Hand(n, harness.Plain)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := harness.API(n, harness.Plain)
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range []struct {
		name       string
		ours, hand func(context.Context) (string, error)
	}{
		{"create", ours.Create, byHand.Create},
		{"exchange", ours.Exchange, byHand.Exchange},
	} {
		got, limit := allocs(t, call.ours), allocs(t, call.hand)
		t.Logf("%s: %v allocations; by hand %v", call.name, got, limit)
		if got > limit+moreAllocs {
			t.Errorf("%s: %v allocations, want at most %d more than the %v of the code written by hand", call.name, got, moreAllocs, limit)
		}
	}
}

func allocs(t *testing.T, do func(context.Context) (string, error)) float64 {
	t.Helper()
	return testing.AllocsPerRun(200, func() {
		if _, err := do(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}
