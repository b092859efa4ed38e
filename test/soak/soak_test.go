package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
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

// What is left behind is noticed. It is not parallel: it counts what the process holds.
func TestSettle(t *testing.T) {
	before := measure()
	kept := make([]byte, 2*heapSlack)
	stop := make(chan struct{})
	go func() { <-stop }()
	time.AfterFunc(150*time.Millisecond, func() { close(stop) })
	after, problems := settle(footprint{goroutines: before.goroutines, files: before.files, heap: before.heap + uint64(len(kept))}, 5*time.Second)
	if problems != nil {
		t.Errorf("what ends a little later is reported: %v", problems)
	}
	leak := make(chan struct{})
	defer close(leak)
	go func() { <-leak }()
	low := footprint{goroutines: after.goroutines, files: after.files - 1, heap: 0}
	if _, problems := settle(low, 0); len(problems) != 3 {
		t.Errorf("problems: %v, want all three", problems)
	}
	runtime.KeepAlive(kept)
}
