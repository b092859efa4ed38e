// Package secrettest finds secrets in what a program shows of itself. Only tests use it.
package secrettest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/url"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// A Guard collects log lines, errors and renderings. When its test ends, it fails the test if a secret is in any of
// them, or in what went through package log meanwhile, and also if there was nothing to look at. It is safe for
// concurrent use.
type Guard struct {
	mu      sync.Mutex
	secrets []string
	shown   bytes.Buffer
}

// standard is what went through package log since the process began: net/http prints there too.
var standard Guard

func init() { log.SetOutput(io.MultiWriter(os.Stderr, &standard)) }

// New returns a Guard for t. Secrets that are made later come with Add.
func New(t testing.TB, secrets ...string) *Guard {
	g := &Guard{secrets: secrets}
	t.Cleanup(func() {
		leaks, seen := g.leaks()
		if seen == 0 {
			t.Error("secrettest: nothing was shown, so nothing was checked")
		}
		for _, leak := range leaks {
			t.Errorf("secrettest: a secret was shown: %s", leak)
		}
	})
	return g
}

// Add has g look for more secrets, also in what it has already got.
func (g *Guard) Add(secrets ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.secrets = append(g.secrets, secrets...)
}

// Write takes what is printed. A Guard can be the output of a logger.
func (g *Guard) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shown.Write(p)
}

// Logger returns a logger for every level, whose lines g collects. They also go to each w.
func (g *Guard) Logger(w ...io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(io.MultiWriter(append(w, g)...), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Show renders values in every way that a program would: with fmt, also what they point to, with encoding/json, and with
// log/slog as text and as JSON. Of an error it also shows each cause.
func (g *Guard) Show(values ...any) {
	for _, v := range values {
		g.render(v, "%v", "%+v", "%#v", "%s", "%q", "%x", "%d")
		g.render(struct{ unexported any }{v}, "%v", "%+v", "%#v") // within which fmt calls no method
		if p := reflect.ValueOf(v); p.Kind() == reflect.Pointer && !p.IsNil() {
			// A verb that a pointer does not have would print all that the value holds, while others change it.
			g.render(p.Elem().Interface(), "%v", "%+v", "%#v")
		}
		switch err := v.(type) {
		case interface{ Unwrap() error }:
			if cause := err.Unwrap(); cause != nil {
				g.Show(cause)
			}
		case interface{ Unwrap() []error }:
			for _, cause := range err.Unwrap() {
				g.Show(cause)
			}
		}
	}
}

func (g *Guard) render(v any, verbs ...string) {
	for _, verb := range verbs {
		fmt.Fprintf(g, verb+"\n", v)
	}
	if data, err := json.Marshal(v); err == nil {
		_, _ = g.Write(append(data, '\n'))
	}
	for _, handler := range []slog.Handler{slog.NewJSONHandler(g, nil), slog.NewTextHandler(g, nil)} {
		slog.New(handler).Info("rendering", "value", v)
	}
}

// leaks returns the lines with a secret in them, shortened, and how many bytes were searched.
func (g *Guard) leaks() (leaks []string, seen int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	standard.mu.Lock()
	shown := standard.shown.String() + g.shown.String()
	standard.mu.Unlock()
	for _, secret := range g.secrets {
		for _, form := range forms(secret) {
			if i := strings.Index(shown, form); i >= 0 {
				from, to := max(0, i-200), min(len(shown), i+len(form)+50)
				leaks = append(leaks, fmt.Sprintf("%q in %q", form, shown[from:to]))
			}
		}
	}
	return leaks, g.shown.Len()
}

// forms are the ways in which a secret may be written and still be one.
func forms(secret string) []string {
	quoted, _ := json.Marshal(secret)
	return []string{
		secret,
		strings.Trim(string(quoted), `"`),
		strings.Trim(fmt.Sprintf("%q", secret), `"`),
		url.QueryEscape(secret),
		base64.StdEncoding.EncodeToString([]byte(secret)),
		fmt.Sprintf("%x", secret),
		strings.Trim(fmt.Sprintf("%v", []byte(secret)), "[]"),
		strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", []byte(secret)), "[]byte{"), "}"),
	}
}

var _ io.Writer = (*Guard)(nil)
