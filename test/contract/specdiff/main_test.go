package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const contract = `openapi: 3.0.3
info: {title: t, version: 0.1.0}
paths:
  /links:
    post:
      operationId: make
      requestBody:
        content: {application/json: {schema: {type: object, properties: {id: {type: string}, tag: {type: string}}}}}
      responses:
        '201':
          description: made
          content: {application/json: {schema: {type: object, required: [id], properties: {id: {type: string}}}}}
components: {schemas: {Link: {type: object}}}
`

const changelog = "# Changelog\n\n## [0.2.0] - unreleased\n\n## [0.1.0] - 2026-11-24\n"

func TestCompare(t *testing.T) {
	t.Parallel()
	replace := func(old, new string) string {
		changed := strings.Replace(contract, old, new, 1)
		if changed == contract {
			t.Fatalf("no %q", old)
		}
		return changed
	}
	for name, test := range map[string]struct {
		is      string
		printed string // expected in what is printed
		fails   string // expected in the error; empty for none
	}{
		"no change":           {contract, "0 breaking changes", ""},
		"an optional field":   {replace("tag: {type: string}", "tag: {type: string}, more: {type: string}"), "0 breaking changes", ""},
		"a required field":    {replace("type: object, properties: {id", "type: object, required: [tag], properties: {id"), "tag", "second number"},
		"an operation":        {replace("post:", "put:"), "POST /links", "second number"},
		"a type":              {replace("required: [id], properties: {id: {type: string}", "required: [id], properties: {id: {type: integer}"), "`id`", "second number"},
		"no longer required":  {replace("required: [id], ", ""), "`id`", "second number"},
		"broken and raised":   {strings.Replace(replace("post:", "put:"), "0.1.0", "0.2.0", 1), "0.1.0 → 0.2.0", ""},
		"broken, no section":  {strings.Replace(replace("post:", "put:"), "0.1.0", "0.3.0", 1), "1 breaking", `no section "## [0.3.0]"`},
		"broken, raised last": {strings.Replace(replace("post:", "put:"), "0.1.0", "0.1.1", 1), "1 breaking", "second number"},
		"a renamed schema":    {replace("Link:", "Account:"), "removed the schema `Link`", "second number"},
		"a further schema":    {replace("Link:", "Account: {type: object}, Link:"), "0 breaking changes", ""},
		"not a contract":      {"openapi: [", "", "openapi.yaml"},
	} {
		var out bytes.Buffer
		err := compare("base", []byte(contract), []byte(test.is), []byte(changelog), &out)
		if (err == nil) != (test.fails == "") || err != nil && !strings.Contains(err.Error(), test.fails) {
			t.Errorf("%s: error %v, want one with %q", name, err, test.fails)
		}
		if !strings.Contains(out.String(), test.printed) {
			t.Errorf("%s: no %q in\n%s", name, test.printed, &out)
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	is := strings.NewReplacer("tag: {type: string}", "tag: {type: integer}, more: {type: string}", "0.1.0", "0.2.0", "Link:", "Account:").Replace(contract)
	var out bytes.Buffer
	if err := list("base", []byte(contract), []byte(is), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# Changes of the contract, 0.1.0 → 0.2.0\n\n## Breaking\n\n- `POST /links`: ", "\n- removed the schema `Link`\n\n## Other\n\n- `POST /links`: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

func TestCheckVersion(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		before, after string
		ok            bool
	}{
		{"0.1.0", "0.2.0", true},
		{"0.1.0", "1.0.0", true},
		{"0.1.9", "0.1.10", false},
		{"0.2.0", "0.1.0", false},
		{"1.2.0", "1.3.0", false},
		{"1.2.0", "2.0.0", true},
		{"9.0.0", "10.0.0", true},
		{"1", "two", false},
	} {
		if err := checkVersion(test.before, test.after, []byte("## "+test.after+"\n")); (err == nil) != test.ok {
			t.Errorf("%s → %s: %v", test.before, test.after, err)
		}
	}
}

func TestBase(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	must := func(args ...string) {
		t.Helper()
		args = append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"}, args...)
		if _, err := git(root, args...); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	must("init", "-q")
	write("openapi.yaml", contract)
	write("CHANGELOG.md", changelog)
	must("add", ".")
	must("commit", "-qm", "first")
	write("openapi.yaml", strings.Replace(contract, "post:", "put:", 1))
	var out bytes.Buffer
	if err := run(root, "", false, &out); err == nil {
		t.Errorf("compared with the first commit, nothing breaks:\n%s", &out)
	}
	must("commit", "-qam", "second")
	must("tag", "v0.1.0")
	if err := run(root, "", false, &out); err != nil {
		t.Errorf("compared with the last tag: %v", err)
	}
	if err := run(root, "HEAD~1", false, &out); err == nil {
		t.Error("compared with HEAD~1, nothing breaks")
	}
	if err := run(root, "nosuch", false, &out); err == nil || !strings.Contains(err.Error(), "nosuch") {
		t.Errorf("no such ref: %v", err)
	}
}
