package main

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
	"github.com/moneykit/moneykit-go/webhook"
)

// Whatever an application learned wrongly is noticed.
func TestLedger(t *testing.T) {
	t.Parallel()
	link := func(user, id string, state gen.PublicLinkState) sandbox.Link {
		return sandbox.Link{LinkCommon: gen.LinkCommon{LinkID: id, State: state}, CustomerUserID: user}
	}
	connected := link("u", "mk_1", gen.PublicLinkStateConnected)
	waiting := link("u", "mk_1", gen.PublicLinkStateAwaitingTokenExchange)
	for name, tc := range map[string]struct {
		results map[string]result
		links   []sandbox.Link
		wrong   string // empty: all is well
	}{
		"linked":                    {map[string]result{"u": {linked, "mk_1", nil}}, []sandbox.Link{connected}, ""},
		"refused":                   {map[string]result{"u": {refused, "", io.EOF}}, []sandbox.Link{waiting}, ""},
		"unknown, processed":        {map[string]result{"u": {unknown, "", io.EOF}}, []sandbox.Link{connected}, ""},
		"unknown, not processed":    {map[string]result{"u": {unknown, "", io.EOF}}, []sandbox.Link{waiting}, ""},
		"took effect":               {map[string]result{"u": {tookEffect, "", io.EOF}}, []sandbox.Link{connected}, ""},
		"no exchange":               {nil, []sandbox.Link{waiting}, ""},
		"another link":              {map[string]result{"u": {linked, "mk_2", nil}}, []sandbox.Link{connected}, "got the link"},
		"linked, and is not":        {map[string]result{"u": {linked, "mk_1", nil}}, []sandbox.Link{waiting}, "got the link"},
		"linked, and is nowhere":    {map[string]result{"u": {linked, "mk_1", nil}}, nil, "got the link"},
		"refused, and is linked":    {map[string]result{"u": {refused, "", io.EOF}}, []sandbox.Link{connected}, "got an error that says there is no link"},
		"took effect, and did not":  {map[string]result{"u": {tookEffect, "", io.EOF}}, []sandbox.Link{waiting}, "had been exchanged"},
		"linked, and nobody got it": {nil, []sandbox.Link{connected}, "got nothing"},
		"two links of one user":     {map[string]result{"u": {linked, "mk_1", nil}}, []sandbox.Link{connected, connected}, "two links"},
	} {
		_, problems := (&ledger{results: tc.results}).compare(tc.links)
		if text := fmt.Sprint(errors.Join(problems...)); (len(problems) > 0) != (tc.wrong != "") || !strings.Contains(text, tc.wrong) {
			t.Errorf("%s: %v", name, text)
		}
	}
}

// Whatever an app knows wrongly is noticed, whether a response or an event came first.
func TestRecovery(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_700_000_000, 0)
	unknown := fmt.Errorf("lost: %w", api.ErrOutcomeUnknown)
	processed := []sandbox.Link{{LinkCommon: gen.LinkCommon{LinkID: "mk_1", State: gen.PublicLinkStateConnected}, CustomerUserID: "u"}}
	notProcessed := []sandbox.Link{{LinkCommon: gen.LinkCommon{LinkID: "mk_1", State: gen.PublicLinkStateAwaitingTokenExchange}, CustomerUserID: "u"}}
	type step = func(a *app)
	lose := func(a *app) { a.begin("a"); _ = a.end("a", "", unknown) }
	fail := func(a *app) { a.begin("a"); _ = a.end("a", "", api.ErrInvalidTokenExchange) }
	again := func(a *app) { a.begin("a"); _ = a.end("a", "mk_1", nil) }
	event := func(key, tag, id string) step {
		return func(a *app) {
			_ = a.process(t.Context(), &webhook.Event{LinkID: id, IdempotencyKey: key, LinkTags: []string{"soak", tag},
				Payload: &gen.LinkStateChangedWebhook{State: gen.PublicLinkStateConnected}})
		}
	}
	after := func(d time.Duration) step {
		return func(a *app) { at := a.now().Add(d); a.now = func() time.Time { return at } }
	}
	later := after(eventsWithin + 1)
	for name, tc := range map[string]struct {
		steps []step
		links []sandbox.Link
		want  recovery // without took
		wrong string   // empty: all is well
	}{
		"event":                       {[]step{lose, after(time.Minute), event("k", "attempt:a", "mk_1"), later}, processed, recovery{unknown: 1, byEvent: 1}, ""},
		"event first":                 {[]step{event("k", "attempt:a", "mk_1"), lose}, processed, recovery{unknown: 1, byEvent: 1, eventFirst: 1}, ""},
		"event repeated":              {[]step{lose, event("k", "attempt:a", "mk_1"), event("k", "attempt:a", "mk_1")}, processed, recovery{unknown: 1, byEvent: 1, eventFirst: 1}, ""},
		"event, then invalid token":   {[]step{lose, event("k", "attempt:a", "mk_1"), fail}, processed, recovery{unknown: 1, byEvent: 1, eventFirst: 1}, ""},
		"second call, then event":     {[]step{lose, again, event("k", "attempt:a", "mk_1")}, processed, recovery{unknown: 1, byCall: 1}, ""},
		"no link":                     {[]step{lose, fail, later}, notProcessed, recovery{unknown: 1, noLink: 1}, ""},
		"never unknown":               {[]step{again, event("k", "attempt:a", "mk_1")}, processed, recovery{}, ""},
		"no event":                    {[]step{lose, later}, processed, recovery{unknown: 1, lost: 1}, "lost"},
		"event with another tag":      {[]step{lose, event("k", "attempt:b", "mk_1"), later}, processed, recovery{unknown: 1, lost: 1}, "lost"},
		"too early":                   {[]step{lose, after(eventsWithin)}, notProcessed, recovery{unknown: 1, undecided: 1}, "undecided"},
		"too late":                    {[]step{lose, later, event("k", "attempt:a", "mk_1")}, processed, recovery{unknown: 1, undecided: 1}, "undecided"},
		"another's link":              {[]step{lose, event("k", "attempt:a", "mk_2")}, processed, recovery{unknown: 1, wrong: 1}, "wrong"},
		"link where there is none":    {[]step{lose, event("k", "attempt:a", "mk_1")}, notProcessed, recovery{unknown: 1, wrong: 1}, "wrong"},
		"another's link, known":       {[]step{event("k", "attempt:a", "mk_2")}, processed, recovery{}, "wrong"},
		"two links":                   {[]step{again, event("k", "attempt:a", "mk_2")}, processed, recovery{}, "has the link"},
		"the same event, not deduped": {[]step{lose, event("k", "attempt:a", "mk_1"), event("k2", "attempt:a", "mk_1")}, processed, recovery{unknown: 1, byEvent: 1, eventFirst: 1}, "twice"},
	} {
		a, err := newApp(func() time.Time { return start }, func() (*webhook.Verifier, error) { return webhook.NewVerifier() })
		if err != nil {
			t.Fatal(err)
		}
		a.create("a", "u", 2)
		for _, step := range tc.steps {
			step(a)
		}
		got, problems := a.recovered(tc.links)
		if len(got.took) != got.byEvent {
			t.Errorf("%s: %v", name, got.took)
		}
		if of := got.shares[2]; got.unknown == 1 && of != (share{exchanges: 1, unknown: 1, recovered: got.byEvent + got.byCall}) {
			t.Errorf("%s: the share of the process is %+v", name, of)
		}
		got.took, got.shares = nil, nil
		if text := fmt.Sprint(errors.Join(problems...)); !reflect.DeepEqual(got, tc.want) || (len(problems) > 0) != (tc.wrong != "") || !strings.Contains(text, tc.wrong) {
			t.Errorf("%s: %+v, want %+v; %s", name, got, tc.want, text)
		}
	}
}

// What is left behind is noticed. It is not parallel: it counts what the process holds.
func TestSettle(t *testing.T) {
	before := measure()
	kept := make([]byte, 2*heapSlack)
	stop := make(chan struct{})
	go func() { <-stop }()
	time.AfterFunc(150*time.Millisecond, func() { close(stop) })
	after, problems := settle(Footprint{Goroutines: before.Goroutines, Files: before.Files, Heap: before.Heap + uint64(len(kept))}, 5*time.Second)
	if problems != nil {
		t.Errorf("what ends a little later is reported: %v", problems)
	}
	leak := make(chan struct{})
	defer close(leak)
	go func() { <-leak }()
	low := Footprint{Goroutines: after.Goroutines, Files: after.Files - 1, Heap: 0}
	if _, problems := settle(low, 0); len(problems) != 3 {
		t.Errorf("problems: %v, want all three", problems)
	}
	runtime.KeepAlive(kept)
}
