package moneykit_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Each test that SECURITY.md names exists in the file that it links to.
func TestSecurityClaims(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile("\\[`?([^]`]+)`?\\]\\(([^):]+)\\)").FindAllStringSubmatch(string(text), -1)
	if len(links) < 20 {
		t.Fatalf("only %d links were found", len(links))
	}
	for _, link := range links {
		name, path := link[1], link[2]
		source, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if strings.HasPrefix(name, "Test") && !strings.Contains(string(source), "func "+name+"(t *testing.T)") ||
			strings.HasPrefix(name, "Fuzz") && !strings.Contains(string(source), "func "+name+"(f *testing.F)") {
			t.Errorf("%s is not in %s", name, path)
		}
	}
	if names := regexp.MustCompile("`(?:Test|Fuzz)[A-Za-z0-9]+`").FindAllString(string(text), -1); len(names) > len(links) {
		t.Errorf("%d names of tests, and only %d links", len(names), len(links))
	}
	for _, row := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(row, "| ") && !strings.HasPrefix(row, "| Promise") && !strings.HasPrefix(row, "| --") && !strings.Contains(row, "](") {
			t.Errorf("nothing proves this: %s", row)
		}
	}
}
