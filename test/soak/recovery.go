package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
)

// A share is what one process did of an app's exchanges.
type share struct {
	exchanges int // not counting second calls
	unknown   int // those whose outcome was unknown
	recovered int // links of these that the app knows in the end
}

// A recovery counts what an app knows in the end of the attempts to link whose outcome was unknown.
type recovery struct {
	unknown    int // all of them
	byEvent    int // an event brought the link_id
	byCall     int // a second call brought it
	noLink     int // there is no link, and the app knows
	lost       int // there is one, and the app believes that there is none
	wrong      int // the app believes in a link that is not there or is another one's
	undecided  int // the app did not know it within eventsWithin
	eventFirst int // of byEvent, those that were known before the outcome was unknown

	took   []time.Duration // of byEvent, from when the outcome was unknown
	shares map[int]share   // by process
}

func (c recovery) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "outcome unknown: %d; recovered: %d by an event, %d by a second call; no link: %d; lost: %d, wrong: %d, undecided: %d\n",
		c.unknown, c.byEvent, c.byCall, c.noLink, c.lost, c.wrong, c.undecided)
	fmt.Fprintf(&b, "from loss to recovery by an event, by the sandbox's clock: %v (p50), %v (p99), %v at most; %d events came before the loss was noticed\n",
		percentile(c.took, 50), percentile(c.took, 99), percentile(c.took, 100), c.eventFirst)
	return b.String()
}

// recovered compares what the app knows now with the links that the sandbox holds.
func (a *app) recovered(links []sandbox.Link) (c recovery, problems []error) {
	connected := map[string]string{} // link_id by user
	for _, link := range links {
		if link.State == gen.PublicLinkStateConnected {
			connected[link.CustomerUserID] = link.LinkID
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	c.shares = map[int]share{}
	count := func(n *int, t *attempt, what string) {
		if *n++; *n == 1 { // one of each kind is enough to see why
			problems = append(problems, fmt.Errorf("%s: %s: the app has the link %q, the sandbox %q", t.user, what, t.linkID, connected[t.user]))
		}
	}
	var twice, otherwise int
	for _, t := range a.attempts {
		linkID := connected[t.user]
		unknown := !t.lostAt.IsZero()
		of := c.shares[t.process]
		if t.exchanged {
			of.exchanges++
		}
		if unknown {
			c.unknown++
			of.unknown++
		}
		if t.err != nil {
			problems = append(problems, t.err)
		}
		if t.events > 1 {
			count(&twice, t, "an event was processed twice")
		}
		took := max(0, t.linkedAt.Sub(t.lostAt))
		switch {
		case t.linkID != "" && t.linkID != linkID && unknown:
			count(&c.wrong, t, "wrong")
		case t.linkID != "" && t.linkID != linkID:
			count(&otherwise, t, "wrong, though the outcome was known")
		case !unknown:
		case t.undecided(now) || t.linkID != "" && took > eventsWithin:
			count(&c.undecided, t, "undecided for two hours")
		case t.linkID == "" && linkID != "":
			count(&c.lost, t, "lost")
		case t.linkID == "":
			c.noLink++
		case !t.byEvent:
			c.byCall++
			of.recovered++
		default:
			c.byEvent++
			of.recovered++
			if took == 0 {
				c.eventFirst++
			}
			c.took = append(c.took, took)
		}
		c.shares[t.process] = of
	}
	slices.Sort(c.took)
	return c, problems
}

// percentile returns the p-th percentile of what is sorted, zero for none.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)-1)*p/100].Round(10 * time.Microsecond)
}
