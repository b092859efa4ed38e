package transport

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Redacted is printed in place of a secret.
const Redacted = "[redacted]"

// maxText is how many runes of a text from outside are kept.
const maxText = 500

// minSecret is the length of the shortest secret that is redacted; anything shorter is part of too many words.
const minSecret = 4

// A Redactor makes texts and errors from outside fit for errors and logs. The zero Redactor knows no secrets.
type Redactor struct {
	secrets []string // in every form in which they may be printed, the longest first
}

// NewRedactor returns a Redactor of secrets: as they are, as encoding/json and forms write them, and as %q prints these.
func NewRedactor(secrets ...string) Redactor {
	var r Redactor
	for _, s := range secrets {
		if len(s) < minSecret {
			continue
		}
		encoded, _ := json.Marshal(s) // a string never fails
		for _, form := range []string{s, string(encoded[1 : len(encoded)-1]), url.QueryEscape(s)} {
			quoted := strconv.Quote(form)
			r.secrets = append(r.secrets, form, quoted[1:len(quoted)-1])
		}
	}
	slices.SortFunc(r.secrets, func(a, b string) int { // one may be part of another
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	r.secrets = slices.Compact(r.secrets)
	return r
}

// Clean replaces every secret in text, replaces control and bidirectional formatting characters by spaces, and cuts
// what is longer than 500 runes.
func (r Redactor) Clean(text string) string { return printable(r.redact(text)) }

// CleanError returns err if its text needs no cleaning. Otherwise it returns an error with the clean text, which wraps
// err unless a secret was found: printing the cause would print the secret.
func (r Redactor) CleanError(err error) error {
	text := err.Error()
	redacted := r.redact(text)
	clean := printable(redacted)
	switch {
	case redacted != text:
		return errors.New(clean)
	case clean != text:
		return &cleanError{clean, err}
	default:
		return err
	}
}

func (r Redactor) redact(text string) string {
	for _, s := range r.secrets {
		text = strings.ReplaceAll(text, s, Redacted)
	}
	return text
}

func printable(text string) string {
	n := 0
	for i := range text {
		if n++; n > maxText {
			text = text[:i] + "…"
			break
		}
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
}

// A cleanError prints a clean text in place of its cause's.
type cleanError struct {
	text  string
	cause error
}

func (e *cleanError) Error() string { return e.text }
func (e *cleanError) Unwrap() error { return e.cause }

// TrimBOM removes a byte order mark, which JSON parsers may ignore (RFC 8259, section 8.1).
func TrimBOM(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\ufeff")) }
