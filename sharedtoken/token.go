package sharedtoken

import (
	"math"
	"time"
)

const (
	// A token is due for renewal when it has less than renewBefore left, or half its lifetime if that is less. The
	// cache of auth asks a minute before the Expiry that it got. That is up to spread early, at random, so that one
	// process comes first.
	renewBefore = 3 * time.Minute
	spread      = 2 * time.Minute

	// reserve is how much a token must have left to be used, or a tenth of its lifetime if that is less.
	reserve = 5 * time.Second
)

// A token is an access token as this process sees it.
type token struct {
	value    string
	expires  time.Time // by the clock of this process; zero for never
	lifetime time.Duration
}

func (t *token) left() time.Duration {
	if t.expires.IsZero() {
		return math.MaxInt64
	}
	return time.Until(t.expires)
}

func (t *token) usable() bool { return t.left() > min(reserve, t.lifetime/10) }

func (t *token) due() bool { return t.left() <= min(renewBefore, t.lifetime/2) }
