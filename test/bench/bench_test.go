package bench

import (
	"os"
	"testing"

	"github.com/moneykit/moneykit-go/test/bench/rig"
)

func TestMain(m *testing.M) {
	rig.ServeIfAsked()
	os.Exit(m.Run())
}

func BenchmarkCalls(b *testing.B) { rig.Benchmark(b, rig.Own) }
