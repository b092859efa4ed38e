package bench

import (
	"os"
	"testing"

	"github.com/moneykit/moneykit-go/test/bench/harness"
)

func TestMain(m *testing.M) {
	harness.ServeIfAsked()
	os.Exit(m.Run())
}

func BenchmarkCalls(b *testing.B) { harness.Benchmark(b, harness.Own) }
