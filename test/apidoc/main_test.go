package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

func TestPage(t *testing.T) {
	t.Parallel()
	want, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, "docs", "LinkSessionApi.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/LinkSessionApi.md is not what make api-page writes: run it and commit what it changes")
	}
}

// program runs each example of the page against a sandbox of its own. The functions take its place.
const program = `package main

func main() {
	for _, e := range examples {
		box := sandbox.New()
		srv := httptest.NewServer(box)
		os.Setenv("MONEYKIT_URL", srv.URL)
		os.Setenv("MONEYKIT_CLIENT_ID", box.ClientID)
		os.Setenv("MONEYKIT_CLIENT_SECRET", box.ClientSecret)
		ctx := context.Background()
		client := fromEnv()
		session, err := client.CreateLinkSession(ctx, gen.CreateLinkSessionRequest{
			CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"}, RedirectURI: "https://yourdomain.com/oauth.html"})
		if err != nil {
			log.Fatal(err)
		}
		exchangeable, err := box.Complete(session.LinkSessionToken)
		if err != nil {
			log.Fatal(err)
		}
		if strings.HasSuffix(e.name, "_errors") {
			_, _ = client.ExchangeToken(ctx, gen.ExchangeTokenRequest{ExchangeableToken: exchangeable})
		}
		fmt.Println("==", e.name)
		e.run(ctx, client, exchangeable)
		srv.Close()
	}
}
`

// What a server of the tests in package api responds with, and a sandbox with values of its own.
var ids = regexp.MustCompile(`mk_1|session-token`)

func TestExamplesRun(t *testing.T) {
	t.Parallel()
	examples, err := readExamples(filepath.Join(root, "api", "example_operations_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	code := program + "\nfunc fromEnv() *api.Client {\n" + examples["FromEnv_client"].code + "\nreturn client\n}\n" +
		"\nvar examples = []struct{ name string; run func(context.Context, *api.Client, string) }{\n"
	want := ""
	for _, name := range slices.Sorted(maps.Keys(examples)) {
		if e := examples[name]; strings.HasPrefix(name, "Client_") {
			code += fmt.Sprintf("{%q, func(ctx context.Context, client *api.Client, exchangeableToken string) {\n%s}},\n", name, e.code)
			want += "== " + name + "\n" + e.output
		}
	}
	out := run(t, withImports(code+"}\n"))
	pattern := "^" + ids.ReplaceAllString(regexp.QuoteMeta(want), `\S+`) + "$"
	pattern = strings.ReplaceAll(pattern, regexp.QuoteMeta("session-token"), `\S+`)
	if !regexp.MustCompile(pattern).MatchString(out) {
		t.Errorf("against the sandbox:\n%s\nwant:\n%s", out, want)
	}
}

// withImports adds the imports that code needs.
func withImports(code string) string {
	imports := ""
	for name, path := range map[string]string{
		"api": "github.com/moneykit/moneykit-go/api", "gen": "github.com/moneykit/moneykit-go/gen",
		"sandbox": "github.com/moneykit/moneykit-go/sandbox", "context": "context", "errors": "errors", "fmt": "fmt",
		"httptest": "net/http/httptest", "log": "log", "os": "os", "strings": "strings", "time": "time", "http": "net/http",
	} {
		if regexp.MustCompile(`\b` + name + `\.`).MatchString(code) {
			imports += fmt.Sprintf("import %q\n", path)
		}
	}
	return strings.Replace(code, "package main\n", "package main\n"+imports, 1)
}

// run runs a program as a package of this module that is nowhere on disk.
func run(t *testing.T, code string) string {
	t.Helper()
	dir := t.TempDir()
	source, overlay := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json")
	here, err := filepath.Abs("examples")
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, "main.go"): source}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(source, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, data, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "run", "-overlay", overlay, "./examples")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, code)
	}
	return string(out)
}
