package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// A generator is run on the contract to count its warnings; its output is not compiled.
type generator struct {
	language string
	command  string         // with OUT as the folder for its output
	expected *regexp.Regexp // matches the warnings that are no defect of the contract
	remark   string         // why they are not
}

func openAPIGenerator(language string) generator {
	return generator{language: language, command: `java -jar "$OPENAPI_GENERATOR_JAR" generate -i ../../openapi.yaml -o "$OUT" -g ` + language +
		` && echo "generator: openapi-generator $(java -jar "$OPENAPI_GENERATOR_JAR" version)"`}
}

// generators are those that no client is generated with.
func generators() []generator {
	python, rust := openAPIGenerator("python"), openAPIGenerator("rust")
	python.expected = regexp.MustCompile(`Failed to get the schema name: null$`)
	python.remark = "printed for every contract, however small"
	rust.expected = regexp.MustCompile(`cannot be used as an? [\w/ ]+ name\. Renamed to`)
	rust.remark = "names that it formats its own way, and `type`, MoneyKit's own name, which is a keyword of Rust"
	return []generator{
		{language: "typescript", command: `cd typescript && npx openapi-ts -i ../../../openapi.yaml -o "$OUT" && echo "generator: @hey-api/openapi-ts $(npx openapi-ts --version)"`},
		python,
		openAPIGenerator("kotlin"), openAPIGenerator("csharp"), openAPIGenerator("php"), openAPIGenerator("go"),
		openAPIGenerator("typescript-fetch"), openAPIGenerator("swift6"),
		rust,
	}
}

// run runs g, and returns an error for a warning that is not expected.
func (g generator) run(ctx context.Context) (r result) {
	r.client, r.remark = g.language, g.remark
	out, err := os.MkdirTemp("", "contract-")
	if err != nil {
		r.err = err
		return r
	}
	defer os.RemoveAll(out)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	command := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", g.command)
	command.Env = append(os.Environ(), "OUT="+filepath.Join(out, "generated"))
	output, err := command.CombinedOutput()
	if err != nil {
		r.err = fmt.Errorf("%w\n%s", err, output)
		return r
	}
	r.generator, r.warnings = readGenerator(output)
	for _, warning := range r.warnings {
		if g.expected == nil || !g.expected.MatchString(warning) {
			r.err = errors.Join(r.err, errors.New(warning))
		}
	}
	return r
}

// runGenerators runs all generators, those of the clients too, and compares the table of their warnings with the page,
// or writes it there.
func runGenerators(ctx context.Context, cache string, update bool, out io.Writer) error {
	var results []result
	add := func(r result) {
		fmt.Fprintf(out, "%s: %s, %d warnings\n", r.client, r.generator, len(r.warnings))
		results = append(results, r)
	}
	for _, c := range clients {
		if c.sdk == "" {
			cache := filepath.Join(cache, c.name)
			add(c.generate(ctx, append(os.Environ(), "CACHE="+cache), cache))
		}
	}
	for _, g := range generators() {
		add(g.run(ctx))
	}
	var failed []error
	for _, r := range results {
		if r.err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", r.client, r.err))
		}
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	page, err := os.ReadFile(pageFile)
	if err != nil {
		return err
	}
	filled, err := fillTable(page, table(results))
	if err != nil || bytes.Equal(page, filled) {
		return err
	}
	if update {
		return os.WriteFile(pageFile, filled, 0o644)
	}
	return fmt.Errorf("the table of generators in docs/other-languages.md differs: run make generators UPDATE=1\n%s", table(results))
}

func table(results []result) string {
	var b strings.Builder
	b.WriteString("| generator | language | warnings |\n| --- | --- | --- |\n")
	for _, r := range results {
		warnings := fmt.Sprint(len(r.warnings))
		if r.remark != "" {
			warnings += ": " + r.remark
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r.generator, r.client, warnings)
	}
	return b.String()
}

var tableMark = regexp.MustCompile(`(?s)<!-- generators -->\n.*?<!-- end -->`)

// fillTable puts table between its marks in page.
func fillTable(page []byte, table string) ([]byte, error) {
	if len(tableMark.FindAll(page, -1)) != 1 {
		return nil, errors.New("the page has no place for the table of generators")
	}
	return tableMark.ReplaceAllLiteral(page, []byte("<!-- generators -->\n"+table+"<!-- end -->")), nil
}
