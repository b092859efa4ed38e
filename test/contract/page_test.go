package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "copy into docs/other-languages.md what it shows")

// What the page shows is what make contract runs.
func TestPage(t *testing.T) {
	t.Parallel()
	is, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	want, err := fillPage(is, os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(is, want) {
		return
	}
	if !*update {
		t.Fatalf("%s differs from the files that it copies: run make docs-page", pageFile)
	}
	if err := os.WriteFile(pageFile, want, 0o644); err != nil {
		t.Fatal(err)
	}
}

// A link of the page leads to something.
func TestPageLinks(t *testing.T) {
	t.Parallel()
	is, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\]\((\.\.[^)#]*)`).FindAllSubmatch(is, -1) {
		if _, err := os.Stat(filepath.Join(filepath.Dir(pageFile), string(m[1]))); err != nil {
			t.Error(err)
		}
	}
}

func TestFillPage(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"a.py": "x\n# docs:begin one\n  if x:\n\n      y\n# docs:end\n# docs:begin two\nz\n# docs:end\n",
		"b.sh": "#!/bin/sh\n",
	}
	read := func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, fmt.Errorf("no file %s", name)
	}
	in := "# Page\n<!-- copy a.py one -->\nold\n<!-- end -->\nbetween\n<!-- copy b.sh -->\n<!-- end -->\n"
	want := "# Page\n<!-- copy a.py one -->\n```python\nif x:\n\n    y\n```\n<!-- end -->\nbetween\n<!-- copy b.sh -->\n```sh\n#!/bin/sh\n```\n<!-- end -->\n"
	got, err := fillPage([]byte(in), read)
	if err != nil || string(got) != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
	for _, bad := range []string{"<!-- copy c.go -->\n<!-- end -->\n", "<!-- copy a.py three -->\n<!-- end -->\n", "<!-- copy a.py one -->\n"} {
		if _, err := fillPage([]byte(bad), read); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

var (
	copyMark = regexp.MustCompile(`(?ms)^<!-- copy (\S+)(?: (\S+))? -->\n(.*?)^<!-- end -->$`)
	syntax   = map[string]string{".sh": "sh", ".ts": "ts", ".py": "python", ".rb": "ruby", ".java": "java", ".go": "go",
		".yaml": "yaml", ".jinja": "jinja", ".mustache": "mustache"}
)

// fillPage puts between each "<!-- copy file [name] -->" and the "<!-- end -->" after it what the file has between
// "docs:begin name" and "docs:end", or all of it.
func fillPage(page []byte, read func(string) ([]byte, error)) ([]byte, error) {
	var failed error
	filled := copyMark.ReplaceAllFunc(page, func(block []byte) []byte {
		m := copyMark.FindSubmatch(block)
		file, name := string(m[1]), string(m[2])
		text, err := piece(read, file, name)
		if err != nil {
			failed = err
			return block
		}
		mark, _, _ := bytes.Cut(block, []byte("\n"))
		return fmt.Appendf(nil, "%s\n```%s\n%s\n```\n<!-- end -->", mark, syntax[filepath.Ext(file)], text)
	})
	if begun, ended := bytes.Count(page, []byte("<!-- copy ")), len(copyMark.FindAll(page, -1)); failed == nil && begun != ended {
		failed = fmt.Errorf("%d pieces begin and %d end", begun, ended)
	}
	return filled, failed
}

// piece returns the piece of a file between its marks, without the indentation that all its lines share.
func piece(read func(string) ([]byte, error), file, name string) (string, error) {
	data, err := read(file)
	if err != nil {
		return "", err
	}
	text := string(data)
	if name != "" {
		m := regexp.MustCompile(`(?ms)^[^\n]*\bdocs:begin ` + regexp.QuoteMeta(name) + `\n(.*?)^[^\n]*\bdocs:end$`).FindStringSubmatch(text)
		if m == nil {
			return "", fmt.Errorf("%s has no piece between docs:begin %s and docs:end", file, name)
		}
		text = m[1]
	}
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	indent := -1
	for _, line := range lines {
		if n := len(line) - len(strings.TrimLeft(line, " \t")); line != "" && (indent < 0 || n < indent) {
			indent = n
		}
	}
	for i, line := range lines {
		lines[i] = line[min(indent, len(line)):]
	}
	return strings.Join(lines, "\n"), nil
}

func TestReadPage(t *testing.T) {
	t.Parallel()
	sections, err := readPage("# Page\n```sh\nexit 1\n```\n## Alpha, with beta\n```sh\na=1\n```\nThis is `one.txt`:\n\n<!-- copy x -->\n" +
		"```\nsome `text`\n\n```\n```sh\ncat one.txt\necho $a\n```\n```text\nsome …\n\n1\n```\nShown:\n```go\nx\n```\n## Gamma\ntext\n")
	if err != nil || len(sections) != 2 || sections[1].name != "alpha" {
		t.Fatalf("%+v, %v", sections, err)
	}
	want := []block{{text: "a=1\n"}, {file: "one.txt", text: "some `text`\n\n"},
		{text: "cat one.txt\necho $a\n", output: "some …\n\n1\n"}}
	if got := sections[1].blocks; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, bad := range []string{"```sh\n", "## A\n```text\n1\n```\n"} {
		if _, err := readPage(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestPaste(t *testing.T) {
	t.Parallel()
	file := block{file: "folder/one.txt", text: "it's $HOME\n"}
	for name, test := range map[string]struct {
		blocks []block
		err    string
	}{
		"one shell":       {[]block{{text: "a=1\n"}, file, {text: "cat folder/one.txt; echo $a\n", output: "it's $HOME\n1\n"}}, ""},
		"environment":     {[]block{{text: "echo $MONEYKIT_URL\n", output: "http://127.0.0.1:…\n"}}, ""},
		"other output":    {[]block{{text: "echo 2\n", output: "1\n"}}, "the output is"},
		"failure":         {[]block{{text: "echo reason; false\n"}, {text: "echo 1\n", output: "1\n"}}, "reason"},
		"too late":        {[]block{{text: "cat folder/one.txt\n", output: "…"}, file}, "exit status 1"},
		"no output known": {[]block{{text: "echo 1\n"}}, "expects no output"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := section{blocks: test.blocks}.paste(t.Context(), []string{"MONEYKIT_URL=http://127.0.0.1:1"})
			if fmt.Sprint(r.err) == "<nil>" != (test.err == "") || !strings.Contains(fmt.Sprint(r.err), test.err) {
				t.Errorf("got %v, want %q", r.err, test.err)
			}
		})
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	release, stop, err := serveRelease()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	program := "echo '# comment'; for name in A B C; do echo export $name=1; done; sleep 600\n"
	download := release.download(section{blocks: []block{{text: "curl -fsSLO " + releases + "/openapi.yaml\ngrep -q ^openapi: openapi.yaml\n" + program}}})
	env, stopProgram, err := download.blocks[0].start(t.Context())
	if err != nil || !slices.Equal(env, []string{"A=1", "B=1", "C=1"}) {
		t.Fatalf("got %v, %v", env, err)
	}
	stopProgram()
	for want, text := range map[string]string{
		"printed 1 export lines":            "echo export A=1\n",
		"printed 0 export lines, want 3\ne": "echo export >&2\nfalse\n" + program,
		"The requested URL returned error":  "curl -fsSLO " + release.url + "/none.tar.gz\n" + program,
	} {
		if env, _, err := (block{text: text}).start(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v, want %q", env, err, want)
		}
	}
}
