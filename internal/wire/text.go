package wire

import (
	"strings"
	"unicode"
)

// Redacted stands where a secret would.
const Redacted = "[redacted]"

// maxText is how much of a text from outside is kept, in runes.
const maxText = 500

// Clean makes text from outside fit for an error and a log: every occurrence of a secret is replaced, control
// characters become spaces, and what is too long to read is cut.
func Clean(text string, secrets ...string) string {
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, Redacted)
		}
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
	n := 0
	for i := range text {
		if n++; n > maxText {
			return text[:i] + "…"
		}
	}
	return text
}
