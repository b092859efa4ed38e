package main

import (
	"fmt"
	"sync"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
)

// What an application learned of an exchange.
type outcome int

const (
	linked     outcome = iota // here is the link
	refused                   // it was not processed
	unknown                   // it may have been processed
	tookEffect                // it may have been; a second call then said that it was
)

// A ledger has what each end user's application learned. A user links once.
type ledger struct {
	mu      sync.Mutex
	results map[string]result
}

type result struct {
	outcome outcome
	linkID  string
	err     error
}

func (l *ledger) record(user string, t result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.results[user] = t
}

// An audit counts what became of the exchanges whose outcome was unknown.
type audit struct {
	links               int // handed out
	tookEffect, effects int // found by a second call; found by nobody
	noEffect            int
}

// compare compares what applications learned with the links that the sandbox holds.
func (l *ledger) compare(links []sandbox.Link) (a audit, problems []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	held := map[string]sandbox.Link{}
	for _, link := range links {
		if _, twice := held[link.CustomerUserID]; twice {
			wrong("%s has two links", link.CustomerUserID)
		}
		held[link.CustomerUserID] = link
	}
	for user, t := range l.results {
		link, ok := held[user]
		connected := ok && link.State == gen.PublicLinkStateConnected
		switch t.outcome {
		case linked:
			a.links++
			if !connected || link.LinkID != t.linkID {
				wrong("%s got the link %q, and the sandbox holds %q (%s)", user, t.linkID, link.LinkID, link.State)
			}
		case refused:
			if connected {
				wrong("%s got an error that says there is no link, and the sandbox holds %q: %w", user, link.LinkID, t.err)
			}
		case tookEffect:
			a.tookEffect++
			if !connected {
				wrong("%s found that the token had been exchanged, and it had not: %w", user, t.err)
			}
		case unknown:
			if connected {
				a.effects++
			} else {
				a.noEffect++
			}
		}
	}
	for user, link := range held {
		if _, ok := l.results[user]; !ok && link.State == gen.PublicLinkStateConnected {
			wrong("%s got nothing, and the sandbox holds %q", user, link.LinkID)
		}
	}
	return a, problems
}
