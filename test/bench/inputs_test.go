package bench

import (
	"testing"

	"github.com/moneykit/moneykit-go/test/bench/harness"
)

func TestInputs(t *testing.T) {
	t.Parallel()
	for _, contender := range harness.Own {
		if name, rejected, err := harness.Rejected(contender); err != nil || rejected != nil {
			t.Errorf("%s rejects %v (%v), and MoneyKit sends it", name, rejected, err)
		}
	}
}
