package sandbox_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/sandbox"
)

// A fakeTB is a test that can be ended by hand.
type fakeTB struct {
	cleanups []func()
	fatal    string
}

func (f *fakeTB) Helper()                   {}
func (f *fakeTB) Cleanup(fn func())         { f.cleanups = append(f.cleanups, fn) }
func (f *fakeTB) Errorf(string, ...any)     {}
func (f *fakeTB) Fatalf(s string, a ...any) { f.fatal = fmt.Sprintf(s, a...) }

func TestStartEndsWithItsTest(t *testing.T) {
	t.Parallel()
	fake := &fakeTB{}
	srv := sandbox.Start(fake, nil) // a nil option changes nothing
	if res, err := http.Get(srv.URL); err != nil || res.StatusCode != 200 {
		t.Fatal(err)
	}
	for _, cleanup := range fake.cleanups {
		cleanup()
	}
	if _, err := http.Get(srv.URL); err == nil {
		t.Error("it still listens")
	}
}

func TestStartedFailFailsTheTest(t *testing.T) {
	t.Parallel()
	fake := &fakeTB{}
	srv := sandbox.Start(fake)
	t.Cleanup(fake.cleanups[0])
	srv.Fail("exchange", 1, sandbox.Fault{Status: 500})
	if !strings.Contains(fake.fatal, `"exchange"`) {
		t.Errorf("got %q", fake.fatal)
	}
}
