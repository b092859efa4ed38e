package secrettest

import (
	"errors"
	"fmt"
	"log"
	"log/slog"
	"testing"
)

const secret = `s3cr3t "value" & more`

type careless struct{ Body []byte }

func (c *careless) Error() string { return "careless" }

// Every way of letting a secret out is noticed, or the tests that rely on a Guard would prove nothing.
func TestGuardNotices(t *testing.T) {
	for name, show := range map[string]func(*Guard){
		"string":          func(g *Guard) { g.Show("it is " + secret) },
		"error":           func(g *Guard) { g.Show(errors.New(secret)) },
		"cause":           func(g *Guard) { g.Show(fmt.Errorf("hidden: %w", &careless{[]byte(secret)})) },
		"joined":          func(g *Guard) { g.Show(errors.Join(errors.New("a"), errors.New(secret))) },
		"field":           func(g *Guard) { g.Show(struct{ s string }{secret}) },
		"pointer":         func(g *Guard) { g.Show(&struct{ s *careless }{&careless{[]byte(secret)}}, &careless{[]byte(secret)}) },
		"bytes":           func(g *Guard) { g.Show([]byte(secret)) },
		"log message":     func(g *Guard) { g.Logger().Debug(secret) },
		"log attribute":   func(g *Guard) { g.Logger().Info("x", slog.Any("y", careless{[]byte(secret)})) },
		"package log":     func(*Guard) { log.Print(secret) },
		"added afterward": func(g *Guard) { g.Show("later"); g.Add("later") },
	} {
		g := &Guard{secrets: []string{secret}}
		show(g)
		if leaks, _ := g.leaks(); len(leaks) == 0 {
			t.Errorf("%s: not noticed", name)
		}
		standard.shown.Reset()
	}
}

func TestGuardIsQuietOtherwise(t *testing.T) {
	t.Parallel()
	g := New(t, secret)
	g.Show("nothing", errors.New("to"), &careless{}, nil)
	g.Logger().Info("see here")
}

func TestGuardWantsSomethingToLookAt(t *testing.T) {
	t.Parallel()
	if _, seen := (&Guard{secrets: []string{secret}}).leaks(); seen != 0 {
		t.Errorf("an unused guard has seen %d bytes", seen)
	}
}
