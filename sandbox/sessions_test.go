package sandbox

import (
	"fmt"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox/internal/connect"
	"github.com/moneykit/moneykit-go/sandbox/internal/institution"
)

// What is over is removed, so that a sandbox that runs for long does not grow with its traffic.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	s := New()
	now := time.Now()
	for i := range 100 {
		token := s.state.open(now, gen.CreateLinkSessionRequest{})
		ses, err := s.state.complete(now, token, connect.Choice{Institution: institution.ByID("")})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if _, err := s.state.exchange(now, ses.exchangeable); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.state.open(now.Add(forgetAfter+time.Second), gen.CreateLinkSessionRequest{})
	if n, m, o := len(s.state.sessions), len(s.state.byToken), len(s.state.byExchangeable); n != 1 || m != 1 || o != 0 {
		t.Errorf("%d sessions, %d by token, %d by exchangeable token", n, m, o)
	}
	// Links that can no longer be exchanged are removed too; the one that was exchanged stays.
	if n, m := len(s.state.links), len(s.state.byID); n != 1 || m != 1 {
		t.Errorf("%d links, %d by id", n, m)
	}
	for i := range pruneAt {
		s.counters.allow(now, fmt.Sprint(i), 1)
	}
	s.counters.allow(now.Add(time.Minute), "another", 1)
	if len(s.counters) != 1 {
		t.Errorf("%d windows", len(s.counters))
	}
}

// Windows that are not over yet stay when others are removed.
func TestPruningKeepsLiveWindows(t *testing.T) {
	t.Parallel()
	c := counters{}
	now := time.Now()
	for i := range pruneAt - 1 {
		c.allow(now, fmt.Sprint(i), 1)
	}
	later := now.Add(time.Minute - time.Second)
	c.allow(later, "live", 1)
	c.allow(now.Add(time.Minute), "another", 1)
	if err := c.allow(now.Add(time.Minute), "live", 1); err == nil || len(c) != 2 {
		t.Errorf("%v, %d windows", err, len(c))
	}
}

func TestMaxLinks(t *testing.T) {
	t.Parallel()
	s := New(WithMaxLinks(3))
	for i := range 5 {
		token := s.state.open(time.Now(), gen.CreateLinkSessionRequest{CustomerUser: gen.LinkSessionCustomerUser{ID: fmt.Sprint("user-", i)}})
		exchangeable, err := s.Complete(token)
		if err == nil {
			_, err = s.exchange(exchangeable)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	links := s.Links()
	if len(links) != 3 || links[0].CustomerUserID != "user-2" || len(s.state.byID) != 3 || len(s.state.sessions) != 3 || len(s.state.byToken) != 3 || len(s.state.byExchangeable) != 3 {
		t.Errorf("%d links, %d by id, %d sessions", len(links), len(s.state.byID), len(s.state.sessions))
	}
	// The exchange of a session whose link was removed fails like that of any token that is no longer valid.
	token := s.state.open(time.Now(), gen.CreateLinkSessionRequest{ExistingLinkID: "mk_removed"})
	exchangeable, err := s.Complete(token)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.exchange(exchangeable); err == nil {
		t.Error("a link that was removed was exchanged")
	}
}

// Timestamps are to the second.
func TestTimestampsOfALink(t *testing.T) {
	t.Parallel()
	s := New()
	now := time.Date(2026, 2, 16, 9, 14, 59, 999_999_999, time.UTC)
	ses, err := s.state.complete(now, s.state.open(now, gen.CreateLinkSessionRequest{}), connect.Choice{Institution: institution.ByID("")})
	if err != nil {
		t.Fatal(err)
	}
	link, err := s.state.exchange(now, ses.exchangeable)
	want := time.Date(2026, 2, 16, 9, 14, 59, 0, time.UTC)
	if err != nil || !link.LastSyncedAt.Equal(want) || !link.Products.Accounts.RefreshedAt.Equal(want) || !link.Products.Accounts.LastAttemptedAt.Equal(want) {
		t.Errorf("%v, %+v", err, link)
	}
}
