// Contract proves that openapi.yaml serves other languages and that the sandbox serves MoneyKit's own SDK. For each
// client it runs tests in the client's language against a sandbox and checks the requests that the sandbox recorded.
//
//	go run . [client]...
//
// It runs in its own folder, by make contract. Without arguments it runs all clients. A client has a folder here with
// these scripts, which find a folder for downloads in CACHE:
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
	for _, c := range chosen {
		fmt.Fprintf(out, "%s …\n", c.name)
		results = append(results, c.run(ctx, cache))
		if ctx.Err() != nil {
			break
		}
	}
	return report(out, results)
}

// choose returns the clients with these names, or all of them without names.
func choose(names []string) ([]client, error) {
	if len(names) == 0 {
		return clients, nil
	}
	var chosen []client
	for _, name := range names {
		i := slices.IndexFunc(clients, func(c client) bool { return c.name == name })
		if i < 0 {
			var known []string
			for _, c := range clients {
				known = append(known, c.name)
			}
			return nil, fmt.Errorf("client %q is not one of %s", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, clients[i])
	}
	return chosen, nil
}

// report prints a table of the results and the errors. It returns an error if there are any.
func report(out io.Writer, results []result) error {
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "\nclient\tgenerator\ttests passed\tseconds\twarnings\t")
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
	fmt.Fprintf(out, "\n%d tests passed, %d clients failed\n", passed, failed)
	if failed > 0 {
		return errors.New("not every client works with the contract and the sandbox")
	}
	return nil
}
