package bench

import (
	"testing"

	"github.com/moneykit/moneykit-go/test/bench/rig"
)

func TestInputs(t *testing.T) {
	t.Parallel()
	for _, contender := range rig.Own {
		if name, refused, err := rig.Refused(contender); err != nil || refused != nil {
			t.Errorf("%s refuses %v (%v), and MoneyKit sends it", name, refused, err)
		}
	}
}
