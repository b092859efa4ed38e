package transport

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Redacted stands where a secret would.
const Redacted = "[redacted]"

// maxText is how much of a text from outside is kept, in runes.
const maxText = 500

// minSecret is the length below which a "secret" is a made-up one, and part of too many words.
const minSecret = 4

// Clean makes text from outside fit for an error and a log: every occurrence of a secret is replaced, as it is and as
// %q writes it, control characters become spaces, and what is too long to read is cut.
func Clean(text string, secrets ...string) string {
	for _, s := range longestFirst(secrets) { // or what is left of one that holds another would show
		if len(s) >= minSecret {
			quoted := strconv.Quote(s)
			text = strings.NewReplacer(s, Redacted, quoted[1:len(quoted)-1], Redacted).Replace(text)
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

func longestFirst(secrets []string) []string {
	return slices.SortedFunc(slices.Values(secrets), func(a, b string) int { return cmp.Compare(len(b), len(a)) })
}

// CleanError makes an error from outside fit to print, such as net/http's, which quotes what is not HTTP. It returns
// err itself, unless Clean has something to clean: then it returns the text alone, for a cause would print it again.
func CleanError(err error, secrets ...string) error {
	text := err.Error()
	if cleaned := Clean(text, secrets...); cleaned != text {
		return errors.New(cleaned)
	}
	return err
}

// TrimBOM removes a byte order mark, which JSON readers may ignore (RFC 8259, section 8.1).
func TrimBOM(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\ufeff")) }
