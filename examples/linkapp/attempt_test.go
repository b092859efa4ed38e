package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/gen"
)

// Every order in which up to three exchanges of one token can begin and end, checked against what MoneyKit did.
func TestEveryOrder(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	var sequences int
	// processed: MoneyKit has made the link. knows: a response said so.
	var walk func(a attempt, path string, running, began int, processed, knows, invalid bool)
	walk = func(a attempt, path string, running, began int, processed, knows, invalid bool) {
		sequences++
		want := statusReady
		switch {
		case began == 0:
			want = statusNone
		case knows:
			want = statusLinked
		case a.Open > 0:
			want = statusUnconfirmed
		case invalid:
			want = statusNone
		}
		if got := a.status(now); got != want {
			t.Fatalf("%s: %q, want %q: %+v", path, got, want, a)
		}
		if processed && !knows && a.status(now) != statusUnconfirmed {
			t.Fatalf("%s: the link is lost: %+v", path, a)
		}
		if knows && (a.ExchangeableToken != "" || a.Open != 0) {
			t.Fatalf("%s: the token is kept: %+v", path, a)
		}
		if began < 3 {
			b := a
			if b.begin("token", "Bank", now) == knows {
				t.Fatalf("%s: begin", path)
			}
			if !knows {
				walk(b, path+" begin", running+1, began+1, processed, knows, false)
			}
		}
		if running == 0 {
			return
		}
		end := func(what string, response *gen.ExchangeTokenResponse, err error, processed, knows, invalid bool) {
			b := a
			if err := b.end("token", response, err, now); err != nil {
				t.Fatalf("%s %s: %v", path, what, err)
			}
			walk(b, path+" "+what, running-1, began, processed, knows, invalid)
		}
		if !processed {
			end("linked", &gen.ExchangeTokenResponse{Link: gen.LinkCommon{LinkID: "mk_1", State: "connected"}}, nil, true, true, invalid)
			end("lost-response", nil, api.ErrOutcomeUnknown, true, knows, invalid)
			end("lost-request", nil, api.ErrOutcomeUnknown, false, knows, invalid)
			end("rate-limited", nil, api.ErrRateLimited, false, knows, invalid)
		}
		end("invalid", nil, api.ErrInvalidTokenExchange, processed, knows, true)
	}
	walk(attempt{ID: "a"}, "", 0, 0, false, false, false)
	if sequences < 300 {
		t.Errorf("only %d sequences", sequences)
	}
}

// A late rejection of a token says nothing about the next one.
func TestRejectionOfEarlierToken(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	a := attempt{ID: "a"}
	for _, step := range []func() bool{
		func() bool { return a.begin("first", "", now) }, // two clicks
		func() bool { return a.begin("first", "", now) },
		func() bool { return a.end("first", nil, api.ErrInvalidTokenExchange, now) == nil },
		func() bool { return a.begin("second", "", now) },
		func() bool { return a.end("first", nil, api.ErrInvalidTokenExchange, now) == nil },
		func() bool { return a.end("second", nil, api.ErrRateLimited, now) == nil },
	} {
		if !step() {
			t.Fatalf("%+v", a)
		}
	}
	if a.ExchangeableToken != "second" || a.status(now) != statusReady {
		t.Errorf("%+v", a)
	}
}

func TestStatusLater(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	a := attempt{ID: "a"}
	a.begin("token", "", now.Add(-time.Hour))
	if err := a.end("token", nil, fmt.Errorf("lost: %w", api.ErrOutcomeUnknown), now); err != nil {
		t.Error(err)
	}
	for after, want := range map[time.Duration]status{0: statusUnconfirmed, eventsWithin: statusUnconfirmed, eventsWithin + 1: statusLost} {
		if got := a.status(now.Add(after)); got != want {
			t.Errorf("after %s: %q", after, got)
		}
	}
	link := gen.LinkCommon{LinkID: "mk_1", State: "connected", InstitutionName: "Bank"}
	if err := a.link(link, now); err != nil || a.status(now.Add(time.Hour)) != statusLinked {
		t.Errorf("%v, %+v", err, a)
	}
	link.LinkID = "mk_2"
	if err := a.link(link, now); err == nil || a.LinkID != "mk_1" {
		t.Errorf("another link: %v, %+v", err, a)
	}
}
