package main

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/sandbox"
)

func TestChoose(t *testing.T) {
	t.Parallel()
	name := func(c client) string { return c.name }
	if all, err := choose(clients, name, nil); err != nil || len(all) != len(clients) {
		t.Errorf("no names: %v, %v", all, err)
	}
	if one, err := choose(clients, name, []string{"ruby"}); err != nil || len(one) != 1 || one[0].name != "ruby" {
		t.Errorf("ruby: %v, %v", one, err)
	}
	if _, err := choose(clients, name, []string{"cobol"}); err == nil || !strings.Contains(err.Error(), "typescript, python") {
		t.Errorf("cobol: %v", err)
	}
}

func TestReadGenerator(t *testing.T) {
	t.Parallel()
	for output, want := range map[string]int{
		"generator: g 1\n[main] INFO o.o.c.TemplateManager - writing file /model/Error.java\n": 0,
		"generator: g 1\nWarningless\n":            0,
		"generator: g 1\nWARN twice\nWARN twice\n": 1,
		"generator: g 1\n[main] WARN  o.o.codegen.utils.ModelUtils - Failed to get the schema name\n": 1,
		"generator: g 1\nWarning(s) encountered while generating.\nWARNING parsing POST\n":            2,
		"generator: g 1\n⚠  ambiguous\nERROR\tno\n":                                                   2,
	} {
		name, warnings := readGenerator([]byte(output))
		if name != "g 1" || len(warnings) != want {
			t.Errorf("%q: got %q, %q, want %d warnings", output, name, warnings, want)
		}
	}
}

func TestCountPassed(t *testing.T) {
	t.Parallel()
	const pytest = "...   [100%]\n3 passed in 0.43s\n"
	for _, c := range clients {
		output := map[string]string{
			"typescript": "1..7\n# tests 3\n# pass 3\n# fail 0\n# cancelled 0\n",
			"python":     pytest,
			"sdk-0.2.3":  pytest,
			"sdk-0.1.15": pytest,
			"ruby":       "Finished\n\n3 runs, 12 assertions, 0 failures, 0 errors, 0 skips\n",
			"java":       "[INFO] Tests run: 3, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 1 s\n[INFO] Tests run: 3, Failures: 0, Errors: 0, Skipped: 0\n",
			"go":         "--- PASS: TestA (0.00s)\n--- PASS: TestB (0.00s)\n    --- PASS: TestB/c (0.00s)\n--- PASS: TestD (0.00s)\nPASS\n",
		}[c.name]
		if n, err := c.countPassed([]byte(output)); n != 3 || err != nil {
			t.Errorf("%s: %d, %v", c.name, n, err)
		}
		if _, err := c.countPassed([]byte("0 tests\n")); err == nil {
			t.Errorf("%s: a run without tests passes", c.name)
		}
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	good := result{client: "ruby", generator: "g 1", passed: 7, elapsed: 3 * time.Second}
	var out bytes.Buffer
	if err := report(&out, []result{good}); err != nil || !strings.Contains(out.String(), "\n7 passed, 0 failed\n") {
		t.Errorf("%v\n%s", err, &out)
	}
	bad := result{client: "java", warnings: []string{"WARN mind this"}, err: errors.New("no such file")}
	out.Reset()
	err := report(&out, []result{good, bad})
	if err == nil {
		t.Error("a failure is not reported")
	}
	for _, want := range []string{"FAILED", "java: no such file", "WARN mind this", "\n7 passed, 1 failed\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

func TestCheckRequests(t *testing.T) {
	t.Parallel()
	var generated, official = client{}, client{sdk: "0.2.3"}
	all := func() []sandbox.Request {
		header := http.Header{"Moneykit-Version": {"2023-02-18"}}
		minimal := `{"redirect_uri":"https://yourdomain.com/oauth.html","customer_user":{"id":"user-42"}}`
		full := strings.Replace(string(everyField), "11Z", "11.000+00:00", 1)
		return []sandbox.Request{
			{Operation: sandbox.Token, Status: 201},
			{Operation: sandbox.CreateLinkSession, Status: 201, Header: header, Body: minimal},
			{Operation: sandbox.CreateLinkSession, Status: 201, Header: header, Body: full},
			{Operation: sandbox.CreateLinkSession, Status: 401, Header: header},
			{Operation: sandbox.CreateLinkSession, Status: 422, Header: header},
			{Operation: sandbox.CreateLinkSession, Status: 429, Header: header},
			{Operation: sandbox.ExchangeToken, Status: 201, Header: header},
			{Operation: sandbox.ExchangeToken, Status: 400, Header: header},
			{Path: "/sandbox/complete", Status: 200},
		}
	}
	if err := generated.checkRequests(all()); err != nil {
		t.Fatal(err)
	}
	if official.checkRequests(all()) == nil {
		t.Error("a 403 is not missed")
	}
	forbidden := sandbox.Request{Operation: sandbox.CreateLinkSession, Status: 403, Header: all()[1].Header}
	if err := official.checkRequests(append(all(), forbidden)); err != nil {
		t.Error(err)
	}
	for i := range all()[:8] {
		if generated.checkRequests(append(all()[:i:i], all()[i+1:]...)) == nil {
			t.Errorf("request %d is not missed", i)
		}
	}
	for name, spoil := range map[string]func([]sandbox.Request){
		"version":      func(r []sandbox.Request) { r[6].Header = nil },
		"null":         func(r []sandbox.Request) { r[1].Body = `{"webhook":null,` + r[1].Body[1:] },
		"field absent": func(r []sandbox.Request) { r[2].Body = strings.Replace(r[2].Body, `"webhook"`, `"hook"`, 1) },
		"other time":   func(r []sandbox.Request) { r[2].Body = strings.Replace(r[2].Body, `09:14:11Z`, `04:14:11Z`, 1) },
		"no link": func(r []sandbox.Request) {
			r[2].Body = strings.Replace(r[2].Body, `a link that the test created`, ``, 1)
		},
	} {
		requests := all()
		spoil(requests)
		if generated.checkRequests(requests) == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
}
