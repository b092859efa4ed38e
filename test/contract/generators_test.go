package main

import (
	"regexp"
	"strings"
	"testing"
)

func TestGeneratorWarnings(t *testing.T) {
	t.Parallel()
	g := generator{language: "l", command: `echo "generator: g 1"; echo "WARN x renamed"; echo "[main] INFO fine"; touch "$OUT"`,
		expected: regexp.MustCompile(`renamed$`), remark: "why"}
	if r := g.run(t.Context()); r.err != nil || len(r.warnings) != 1 || r.generator != "g 1" {
		t.Errorf("an expected warning: %+v", r)
	}
	g.command += `; echo "WARN x is odd"`
	if r := g.run(t.Context()); r.err == nil || r.err.Error() != "WARN x is odd" {
		t.Errorf("another warning: %+v", r)
	}
	g.command = "echo reason; exit 1"
	if r := g.run(t.Context()); r.err == nil || !strings.Contains(r.err.Error(), "reason") {
		t.Errorf("a failure: %+v", r)
	}
}

func TestFillTable(t *testing.T) {
	t.Parallel()
	const page = "a\n<!-- generators -->\nold\n<!-- end -->\nb\n<!-- end -->\n"
	results := []result{{client: "l", generator: "g $1"}, {client: "m", generator: "h 2", warnings: []string{"w"}, remark: "why"}}
	filled, err := fillTable([]byte(page), table(results))
	want := "a\n<!-- generators -->\n| generator | language | warnings |\n| --- | --- | --- |\n| g $1 | l | 0 |\n| h 2 | m | 1: why |\n<!-- end -->\nb\n<!-- end -->\n"
	if string(filled) != want || err != nil {
		t.Errorf("got %v\n%s\nwant\n%s", err, filled, want)
	}
	if _, err := fillTable([]byte("no table\n"), ""); err == nil {
		t.Error("a page without a table: no error")
	}
}
