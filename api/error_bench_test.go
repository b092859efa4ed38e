package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/internal/transport"
)

// BenchmarkErrorBody reads error bodies as long as the longest of which the validation errors are parsed, and as long as
// the longest that a client accepts by default.
func BenchmarkErrorBody(b *testing.B) {
	for _, size := range []int{maxFieldBytes, DefaultMaxBodySize} {
		b.Run(fmt.Sprint(size>>10, " KiB"), func(b *testing.B) { benchmarkErrorBody(b, size) })
	}
}

func benchmarkErrorBody(b *testing.B, size int) {
	fill := func(before, element, after string) string {
		n := (size - len(before) - len(after)) / (len(element) + 1)
		return before + strings.Repeat(element+",", n-1) + element + after
	}
	const begin = `{"error_code":"api_error.request.validation_failed","error_message":"`
	for name, body := range map[string]string{
		"empty validation errors": fill(begin+`","validation_errors":[`, `{}`, `]}`),
		"nested arrays":           fill(begin+`","validation_errors":[`, `[[[]]]`, `]}`),
		"one long location":       fill(begin+`","validation_errors":[{"location":[`, `1`, `]}]}`),
		"long locations":          fill(begin+`","validation_errors":[`, `{"location":["a","b",1,2,3]}`, `]}`),
		"one long message":        begin + strings.Repeat("secret-of-call x", (size-len(begin)-2)/16) + `"}`,
		"many members":            fill(`{`, `"error_code":"x"`, `}`),
		"HTML":                    strings.Repeat("<p>error</p>", size/12),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			redactor := transport.NewRedactor("the-access-token", "secret-of-call")
			res := &http.Response{StatusCode: http.StatusUnprocessableEntity, Header: http.Header{}}
			for b.Loop() {
				e := new(Error)
				e.read(res, []byte(body), redactor)
				_ = fmt.Sprint(e)
			}
		})
	}
}
