package transport_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/moneykit/moneykit-go/internal/transport"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in, want string
		secrets  []string
	}{
		{"plain", "plain", nil},
		{"plain", "plain", []string{""}},
		{"token s3cret, again s3cret", "token [redacted], again [redacted]", []string{"s3cret"}},
		{"aaaa bbbb", "[redacted] [redacted]", []string{"aaaa", "bbbb"}},
		{"x abcd1234 y", "x [redacted] y", []string{"abcd", "abcd1234"}},
		{"invalid_token", "invalid_token", []string{"t", "id", "tok"}},
		{"the s3cret", "the [redacted]", []string{"the", "s3cret"}},
		{"line\r\nforged\tline\x1b[31m\u2028", "line  forged line [31m ", nil},
		{"grüße", "grüße", nil},
	} {
		if got := transport.NewRedactor(tt.secrets...).Clean(tt.in); got != tt.want {
			t.Errorf("Clean(%q, %q) = %q, want %q", tt.in, tt.secrets, got, tt.want)
		}
	}
	long := transport.Redactor{}.Clean(strings.Repeat("ü", 10_000))
	if n := utf8.RuneCountInString(long); n != 501 || !strings.HasSuffix(long, "…") {
		t.Errorf("a long text keeps %d runes", n)
	}
	if exact := strings.Repeat("x", 500); (transport.Redactor{}).Clean(exact) != exact {
		t.Error("a text of 500 runes is cut")
	}
}

func TestTrimBOM(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"\ufeff{}": "{}", "{}": "{}", "": "", "{\ufeff": "{\ufeff"} {
		if got := string(transport.TrimBOM([]byte(in))); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
}
