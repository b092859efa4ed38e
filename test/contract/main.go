// Contract proves that openapi.yaml serves other languages: for each one it generates a client with the generator that
// people of that language use, starts a sandbox, runs the tests of that language against it, and looks at what arrived
// there.
//
//	go run . [language]...
//
// It is run in its own folder, by make contract. Without arguments it runs all languages. A language is a folder here
// with three scripts: install.sh fetches what it needs, generate.sh compiles ../../openapi.yaml into its folder generated,
// test.sh runs its tests with MONEYKIT_URL, MONEYKIT_CLIENT_ID and MONEYKIT_CLIENT_SECRET set. The scripts find a
// folder for what they fetch in CACHE. The exit code is 1 if a script fails, no test ran, the generator warned, or the
// sandbox did not see what it should have.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "contract:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string, out io.Writer) error {
	chosen, err := choose(names)
	if err != nil {
		return err
	}
	cache, err := filepath.Abs("../../.cache/contract")
	if err != nil {
		return err
	}
	var results []result
	for _, l := range chosen {
		fmt.Fprintf(out, "%s …\n", l.name)
		results = append(results, l.run(ctx, cache))
		if ctx.Err() != nil {
			break
		}
	}
	return report(out, results)
}

// choose returns the languages that names name, all of them if there are none.
func choose(names []string) ([]language, error) {
	if len(names) == 0 {
		return languages, nil
	}
	var chosen []language
	for _, name := range names {
		i := slices.IndexFunc(languages, func(l language) bool { return l.name == name })
		if i < 0 {
			var known []string
			for _, l := range languages {
				known = append(known, l.name)
			}
			return nil, fmt.Errorf("language %q is not one of %s", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, languages[i])
	}
	return chosen, nil
}

// report prints a table of results and what went wrong. It returns an error if anything did.
func report(out io.Writer, results []result) error {
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "\nlanguage\tgenerator\ttests passed\tseconds\twarnings\t")
	passed, failed := 0, 0
	for _, r := range results {
		verdict := ""
		passed += r.passed
		if r.err != nil {
			failed++
			verdict = "FAILED"
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%.0f\t%d\t%s\n", r.language, r.generator, r.passed, r.elapsed.Seconds(), len(r.warnings), verdict)
	}
	table.Flush()
	for _, r := range results {
		for _, warning := range r.warnings {
			fmt.Fprintf(out, "\n%s: the generator warns: %s\n", r.language, warning)
		}
		if r.err != nil {
			fmt.Fprintf(out, "\n%s: %v\n", r.language, r.err)
		}
	}
	fmt.Fprintf(out, "\n%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		return errors.New("the contract does not serve every language")
	}
	return nil
}
