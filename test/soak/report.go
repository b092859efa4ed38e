package main

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

// A report is what a run counted, and what was wrong.
type report struct {
	config
	problems
	calls, attempts, failed   atomic.Int64
	http2                     atomic.Int64 // requests that reached the sandbox over HTTP/2
	injected, broken, refused int64
	events                    struct{ received, rejected, repeated, rotations int64 }
	audit
	recovery
	tokenCauses
	processes []Counts
	latencies []time.Duration
}

// tokenCauses are why processes that share a token fetch another one.
type tokenCauses struct {
	renewals     int64 // at most
	revocations  int64 // of all tokens at the same time
	unauthorized int64 // 401s for a valid token
	outages      int64 // of Redis
}

// total adds up what the processes counted.
func (r *report) total() (t Counts) {
	for _, c := range r.processes {
		t.Tokens += c.Tokens
		t.TokenFailures += c.TokenFailures
		t.StoreRequests += c.StoreRequests
		t.StoreFailures += c.StoreFailures
		t.Late += c.Late
	}
	return t
}

// mostTokens is how many tokens the processes fetch at most, however many they are: each cause ends the one token that they
// share. A process whose request to Redis fails may fetch one for itself.
func (r *report) mostTokens() int64 {
	c := r.tokenCauses
	return 1 + c.renewals + c.revocations + c.unauthorized + c.outages + r.total().StoreFailures
}

func (r *report) String() string {
	var b strings.Builder
	t := r.total()
	fmt.Fprintf(&b, "%v with %d workers: %d calls, %d retries\n", r.duration, r.workers, r.calls.Load(), r.attempts.Load()-r.calls.Load())
	fmt.Fprintf(&b, "faults: %d injected, %d connections broken, %d HTTP/2 connections refused or sent away, %d transports read late; %d calls failed for good\n",
		r.injected, r.broken, r.refused, t.Late, r.failed.Load())
	fmt.Fprintf(&b, "requests over HTTP/2: %d\n", r.http2.Load())
	slices.Sort(r.latencies)
	fmt.Fprintf(&b, "a call took %v (p50), %v (p99), %v at most\n", percentile(r.latencies, 50), percentile(r.latencies, 99), percentile(r.latencies, 100))
	fmt.Fprintf(&b, "links: %d handed out; outcome unknown after the last call: %d (%d had taken effect, as a second call found; %d had, and %d had not, which no call found)\n",
		r.links, r.tookEffect+r.effects+r.noEffect, r.tookEffect, r.effects, r.noEffect)
	fmt.Fprintf(&b, "events: %d received, %d rejected, %d repeated; keys rotated %d times\n", r.events.received, r.events.rejected, r.events.repeated, r.events.rotations)
	fmt.Fprintf(&b, "%v", r.recovery)
	fmt.Fprintf(&b, "tokens fetched: %d, at most %d expected: 1 and %d renewals, %d revocations, %d times a 401 for a valid token, %d outages of Redis, %d failed requests to it\n",
		t.Tokens, r.mostTokens(), r.renewals, r.revocations, r.unauthorized, r.outages, t.StoreFailures)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "process\texchanges\tunknown\trecovered\ttokens fetched\tfailed token requests\trequests to Redis\tfailed\t")
	row := func(name any, s share, c Counts) {
		fmt.Fprintf(w, "%v\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name, s.exchanges, s.unknown, s.recovered, c.Tokens, c.TokenFailures, c.StoreRequests, c.StoreFailures)
	}
	var all share
	for i, c := range r.processes {
		s := r.shares[i+1]
		row(i+1, s, c)
		all = share{all.exchanges + s.exchanges, all.unknown + s.unknown, all.recovered + s.recovered}
	}
	row("all", all, t)
	w.Flush()
	return b.String()
}
