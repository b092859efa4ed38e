package transport_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/internal/transport"
)

func TestRedactorKnowsEveryForm(t *testing.T) {
	t.Parallel()
	const secret = `a"b\c<d>&e`
	redactor := transport.NewRedactor(secret)
	encoded, _ := json.Marshal(secret)
	for name, text := range map[string]string{
		"itself": secret, "%q": fmt.Sprintf("%q", "x "+secret+" y"), "JSON": string(encoded), "a form": url.QueryEscape(secret),
		"%q of JSON": fmt.Sprintf("%q", "x "+string(encoded[1:len(encoded)-1])+" y"),
	} {
		if got := redactor.Clean("x " + text + " y"); strings.Trim(got, `"xy `) != transport.Redacted {
			t.Errorf("%s: %s became %s", name, text, got)
		}
	}
	for _, r := range []rune{'\u2028', '\u2029', '\u202e', '\u2066', '\u200f', '\u061c', '\x00', '\x7f', '\u0085'} {
		if got := redactor.Clean("a" + string(r) + "b"); got != "a b" {
			t.Errorf("%U became %q", r, got)
		}
	}
}

func TestCleanError(t *testing.T) {
	t.Parallel()
	redactor := transport.NewRedactor("the-secret")
	plain := fmt.Errorf("plain: %w", io.EOF)
	if got := redactor.CleanError(plain); got != plain {
		t.Errorf("an error that needs no cleaning became %v", got)
	}
	for _, text := range []string{"two\nlines", strings.Repeat("long ", 1000)} {
		got := redactor.CleanError(fmt.Errorf("%s: %w", text, io.EOF))
		if !errors.Is(got, io.EOF) || strings.Contains(got.Error(), "\n") || len(got.Error()) > 600 || !strings.HasPrefix(got.Error(), text[:3]) {
			t.Errorf("%.20q became %v", text, got)
		}
	}
	got := redactor.CleanError(fmt.Errorf("the-secret: %w", io.EOF))
	if got == nil || errors.Is(got, io.EOF) || got.Error() != transport.Redacted+": EOF" {
		t.Errorf("an error with a secret became %v", got)
	}
}

// A URL that cannot be parsed is not repeated: its query may hold a secret.
func TestUnparsableURLIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"https://host:port?key=hunter2", "https://host/%zz?key=hunter2", "https://ho st?key=hunter2"} {
		if _, err := transport.ParseURL("the base URL", raw, false); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", raw, err)
		}
	}
}
