package main

import (
	"strings"
	"testing"
)

func TestEveryAttemptIsASpan(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	want := `HTTP POST 201 child of the call: true
HTTP POST 503 child of the call: true
HTTP POST 201 child of the call: true
link a bank  child of the call: false
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}
