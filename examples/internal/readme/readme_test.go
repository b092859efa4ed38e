// Package readme compiles the Go of the repository's pages, and follows their links.
package readme

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

const root = "../../.."

// pages are the Markdown files that git tracks at the root and in docs/.
func pages(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	if !slices.Contains(all, filepath.Join(root, "README.md")) {
		t.Fatalf("no README among %v", all)
	}
	return all
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var block = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")

// blocks returns the code of a language in a page. It returns none of other-languages.md, which make contract-page runs.
func blocks(t *testing.T, page, language string) (found []string) {
	if filepath.Base(page) == "other-languages.md" {
		return nil
	}
	for _, m := range block.FindAllStringSubmatch(read(t, page), -1) {
		if m[1] == language {
			found = append(found, m[2])
		}
	}
	return found
}

// imports are the packages that a fragment may use. A block that is a whole file has its own.
var imports = map[string]string{
	"api": "github.com/moneykit/moneykit-go/api", "auth": "github.com/moneykit/moneykit-go/auth",
	"gen": "github.com/moneykit/moneykit-go/gen", "sandbox": "github.com/moneykit/moneykit-go/sandbox",
	"sharedtoken": "github.com/moneykit/moneykit-go/sharedtoken", "redis": "github.com/redis/go-redis/v9",
	"webhook": "github.com/moneykit/moneykit-go/webhook", "oauth2": "golang.org/x/oauth2", "sql": "database/sql",
	"context": "context", "errors": "errors", "fmt": "fmt", "http": "net/http", "httptest": "net/http/httptest", "log": "log", "slog": "log/slog", "testing": "testing", "time": "time",
}

// file returns the source file for a block. The variables that fragments use (ctx, client, src …) are parameters of the
// function around it.
func file(code string) string {
	if strings.HasPrefix(code, "package ") {
		return code
	}
	if !strings.HasPrefix(code, "func ") {
		code = "func _(ctx context.Context, client *api.Client, src *auth.Source, tokenSource oauth2.TokenSource,\n" +
			"r *http.Request, clientID, clientSecret, exchangeableToken string, req gen.CreateLinkSessionRequest) error {\n{\n" + code + "\n}\nreturn nil\n}\n"
	}
	out := "package fragment\n"
	for name, path := range imports {
		if regexp.MustCompile(`\b` + name + `\.`).MatchString(code) {
			out += fmt.Sprintf("import %s %q\n", name, path)
		}
	}
	return out + code
}

func TestGoBlocksCompile(t *testing.T) {
	t.Parallel()
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	overlay := map[string][]byte{}
	source := map[string]string{}
	var patterns []string
	for _, page := range pages(t) {
		for i, code := range blocks(t, page, "go") {
			dir := filepath.Join(here, fmt.Sprintf("block%d_%s", i, strings.TrimSuffix(filepath.Base(page), ".md")))
			overlay[filepath.Join(dir, "block.go")] = []byte(file(code))
			source[dir] = fmt.Sprintf("%s, Go block %d", filepath.Base(page), i+1)
			patterns = append(patterns, dir)
		}
	}
	loaded, err := packages.Load(&packages.Config{
		Mode:    packages.NeedName | packages.NeedFiles | packages.NeedTypes | packages.NeedSyntax | packages.NeedImports | packages.NeedDeps | packages.NeedTypesInfo,
		Overlay: overlay,
		Context: t.Context(),
	}, patterns...)
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded) != len(patterns) || len(loaded) < 5 {
		t.Fatalf("%d packages of %d blocks", len(loaded), len(patterns))
	}
	for _, pkg := range loaded {
		for _, e := range pkg.Errors {
			if strings.Contains(e.Msg, "declared and not used") {
				continue // a fragment may end with a declaration
			}
			t.Errorf("%s: %v", source[filepath.Dir(strings.SplitN(e.Pos, ":", 2)[0])], e)
		}
	}
}

var comment = regexp.MustCompile(`(?m)^\s*#.*$`)

// CI runs each command of a page. test/consumer/check takes go mod init, go get and go install from README.md itself.
func TestCommandsAreRun(t *testing.T) {
	t.Parallel()
	ci := comment.ReplaceAllString(read(t, filepath.Join(root, ".ci/run"))+read(t, filepath.Join(root, "test/consumer/check")), "")
	for _, page := range pages(t) {
		for _, code := range blocks(t, page, "sh") {
			for line := range strings.Lines(code) {
				line = strings.TrimSpace(line)
				installed := filepath.Base(page) == "README.md" && (strings.HasPrefix(line, "go mod init ") || strings.HasPrefix(line, "go get ") || strings.HasPrefix(line, "go install "))
				if line != "" && !installed && !strings.Contains(ci, line) {
					t.Errorf("%s: CI does not run %q", filepath.Base(page), line)
				}
			}
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)#\s]+)`)

func TestLinks(t *testing.T) {
	t.Parallel()
	n := 0
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			n++
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: %v", filepath.Base(page), err)
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d links were found", n)
	}
}
