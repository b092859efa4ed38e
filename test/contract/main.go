// Contract proves that openapi.yaml serves other languages and that the sandbox serves MoneyKit's own SDK. For each
// client it runs tests in the client's language against a sandbox and checks the requests that the sandbox recorded.
//
//	go run . [client]...
//	go run . -page [section]...
//	go run . -schemathesis
//	go run . -generators [-update]
//
// It runs in its own folder, by make contract, contract-page, schemathesis and generators. Without names it runs all.
// With -page it pastes the blocks of docs/other-languages.md into an empty folder, and serves what make dist built where
// the page downloads a release. With -generators it counts the
// warnings of more generators and compares them with the table on that page.
//
// A client has a folder here with these scripts, which find a folder for downloads in CACHE:
//
//   - install.sh fetches what it needs.
//   - generate.sh generates the client from ../../openapi.yaml into the folder generated. MoneyKit's SDK has none: the
//     version in SDK is installed from PyPI.
//   - test.sh runs the tests with MONEYKIT_URL, MONEYKIT_CLIENT_ID and MONEYKIT_CLIENT_SECRET set.
//
// The exit code is 1 if a script fails, no test ran, a generator warned, or a request that the tests should have sent
// is missing.
package main

import (
	"context"
	"errors"
	"flag"
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
	page := flag.Bool("page", false, "paste the sections of docs/other-languages.md")
	schemathesis := flag.Bool("schemathesis", false, "run Schemathesis against a sandbox")
	generators := flag.Bool("generators", false, "count the warnings of all generators")
	update := flag.Bool("update", false, "with -generators: write the table into docs/other-languages.md")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	cache, err := filepath.Abs("../../.cache/contract")
	switch {
	case err != nil:
	case *generators:
		err = runGenerators(ctx, cache, *update, os.Stdout)
	case *page:
		err = runPage(ctx, flag.Args(), os.Stdout)
	case *schemathesis:
		err = report(os.Stdout, []result{runSchemathesis(ctx, cache)})
	default:
		err = runClients(ctx, cache, flag.Args(), os.Stdout)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "contract:", err)
		os.Exit(1)
	}
}

func runClients(ctx context.Context, cache string, names []string, out io.Writer) error {
	chosen, err := choose(clients, func(c client) string { return c.name }, names)
	if err != nil {
		return err
	}
	var results []result
	for _, c := range chosen {
		fmt.Fprintf(out, "%s …\n", c.name)
		results = append(results, c.run(ctx, cache))
		if ctx.Err() != nil {
			break
		}
	}
	return report(out, results)
}

func runPage(ctx context.Context, names []string, out io.Writer) error {
	page, err := os.ReadFile(pageFile)
	if err != nil {
		return err
	}
	sections, err := readPage(string(page))
	if err != nil {
		return fmt.Errorf("%s: %w", pageFile, err)
	}
	// The first section starts the sandbox, and downloads the contract for each of the others.
	if len(sections) == 0 || sections[0].name != "start" || len(sections[0].blocks) != 2 {
		return fmt.Errorf("%s: it does not begin with a section Start … of two blocks", pageFile)
	}
	chosen, err := choose(sections[1:], func(s section) string { return s.name }, names)
	if err != nil {
		return err
	}
	release, stopRelease, err := serveRelease()
	if err != nil {
		return err
	}
	defer stopRelease()
	first := release.download(sections[0])
	env, stopSandbox, err := first.blocks[0].start(ctx)
	if err != nil {
		return err
	}
	defer stopSandbox()
	var results []result
	for _, s := range chosen {
		fmt.Fprintf(out, "%s …\n", s.name)
		s.blocks = slices.Insert(s.blocks, 0, first.blocks[1])
		results = append(results, s.paste(ctx, env))
		if ctx.Err() != nil {
			break
		}
	}
	return report(out, results)
}

// choose returns the values with these names, or all of them without names.
func choose[T any](all []T, name func(T) string, names []string) ([]T, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []T
	for _, wanted := range names {
		i := slices.IndexFunc(all, func(v T) bool { return name(v) == wanted })
		if i < 0 {
			var known []string
			for _, v := range all {
				known = append(known, name(v))
			}
			return nil, fmt.Errorf("%q is not one of %s", wanted, strings.Join(known, ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// report prints a table of the results and the errors. It returns an error if there are any.
func report(out io.Writer, results []result) error {
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "\nname\tgenerator\tpassed\tseconds\twarnings\t")
	passed, failed := 0, 0
	for _, r := range results {
		verdict := ""
		passed += r.passed
		if r.err != nil {
			failed++
			verdict = "FAILED"
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%.0f\t%d\t%s\n", r.client, r.generator, r.passed, r.elapsed.Seconds(), len(r.warnings), verdict)
	}
	table.Flush()
	for _, r := range results {
		for _, warning := range r.warnings {
			fmt.Fprintf(out, "\n%s: warning of the generator: %s\n", r.client, warning)
		}
		if r.err != nil {
			fmt.Fprintf(out, "\n%s: %v\n", r.client, r.err)
		}
	}
	fmt.Fprintf(out, "\n%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		return errors.New("not all passed")
	}
	return nil
}
