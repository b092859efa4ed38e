package bench

import (
	"testing"

	"github.com/moneykit/moneykit-go/test/bench/harness"
)

func TestInputs(t *testing.T) {
	t.Parallel()
	for _, contender := range harness.Own {
		if name, refused, err := harness.Refused(contender); err != nil || refused != nil {
			t.Errorf("%s refuses %v (%v), and MoneyKit sends it", name, refused, err)
		}
	}
}
