// Compare runs a compiled benchmark binary for a number of rounds and prints its results as one table, each client
// beside the baseline. Within a round the clients run one after the other in each setting, and each round starts with
// another of them.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"

	"github.com/moneykit/moneykit-go/test/bench/harness"
)

// The units of the samples, as benchfmt has them.
const (
	wall      = "sec/op"
	cpu       = "cpu-sec/op"
	allocated = "B/op"
	allocs    = "allocs/op"
)

func main() {
	log.SetFlags(0)
	binary := flag.String("binary", "", "the benchmark binary (go test -c)")
	rounds := flag.Int("rounds", 10, "how many `times` to run it")
	benchtime := flag.String("benchtime", "100ms", "-test.benchtime of each benchmark")
	match := flag.String("bench", ".", "-test.bench, which benchmarks to run")
	baseline := flag.String("baseline", harness.Baseline, "the `client` to compare with")
	flag.Parse()

	t := table{rejected: map[string]string{}}
	for round := range *rounds {
		fmt.Fprintf(os.Stderr, "\rround %d of %d", round+1, *rounds)
		out, err := run(*binary, *match, *benchtime, round)
		if err == nil {
			err = t.read(bytes.NewReader(out))
		}
		if err != nil {
			log.Fatalf("\ncompare: round %d: %v\n%s", round+1, err, out)
		}
	}
	fmt.Fprintln(os.Stderr)
	if len(t.rows) == 0 {
		log.Fatalf("compare: no benchmark matches %s", *match)
	}
	t.print(os.Stdout, *baseline)
}

func run(binary, match, benchtime string, round int) ([]byte, error) {
	cmd := exec.Command(binary, "-test.run=^$", "-test.bench="+match, "-test.benchtime="+benchtime)
	cmd.Env = append(os.Environ(), harness.RoundEnv+"="+strconv.Itoa(round))
	return cmd.CombinedOutput()
}

// A row is one client in one setting. Its samples have a value per round.
type row struct {
	setting, client string
	samples         map[string][]float64 // by unit
}

// A table has its rows in the order in which the first round measured their settings.
type table struct {
	rows     []*row
	rejected map[string]string // by client, what it does not read although MoneyKit sends it
}

func (t *table) row(setting, client string) *row {
	after := len(t.rows)
	for i, r := range t.rows {
		if r.setting == setting {
			if r.client == client {
				return r
			}
			after = i + 1
		}
	}
	r := &row{setting, client, map[string][]float64{}}
	t.rows = append(t.rows[:after], append([]*row{r}, t.rows[after:]...)...)
	return r
}

// read adds the results of one round.
func (t *table) read(in io.Reader) error {
	results := benchfmt.NewReader(in, "")
	for results.Scan() {
		switch rec := results.Result().(type) {
		case *benchfmt.SyntaxError:
			return rec
		case *benchfmt.Result:
			_, parts := rec.Name.Parts()
			var setting []string
			var client string
			for _, p := range parts {
				key, value, _ := strings.Cut(strings.TrimPrefix(string(p), "/"), "=")
				switch {
				case key == "client":
					client = value
				case key == "goroutines":
					setting = append(setting, "×"+value)
				case value != "":
					setting = append(setting, value)
				}
			}
			r := t.row(strings.Join(setting, "\t"), client)
			if rejected := rec.GetConfig(harness.RejectedKey + client); rejected != "" {
				t.rejected[client] = rejected
			}
			for _, v := range rec.Values {
				r.samples[v.Unit] = append(r.samples[v.Unit], v.Value)
			}
		}
	}
	return results.Err()
}

// print prints the table, whose ratios are to the baseline, with a star where a client is measured with simpler responses than MoneyKit sends.
func (t *table) print(out io.Writer, baseline string) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, strings.Repeat("\t", strings.Count(t.rows[0].setting, "\t"))+"\tclient\tns\t±\tCPU ns\tB\tallocs\ttime ratio\t95 %\tCPU ratio\t95 %\t")
	for i, r := range t.rows {
		if i > 0 && r.setting != t.rows[i-1].setting {
			fmt.Fprintln(w)
		}
		client := r.client
		if t.rejected[client] != "" && strings.Contains(r.setting, "exchange") {
			client = "*" + client
		}
		ns := median(r.samples[wall])
		base := t.row(r.setting, baseline).samples
		fmt.Fprintf(w, "%s\t%s\t%.0f\t%s\t%.0f\t%.0f\t%.0f\t%s\t%s\t\n", r.setting, client, ns.Center*1e9, ns.PctRangeString(),
			median(r.samples[cpu]).Center*1e9, median(r.samples[allocated]).Center, median(r.samples[allocs]).Center,
			ratio(r.samples[wall], base[wall]), ratio(r.samples[cpu], base[cpu]))
	}
	w.Flush()
	for _, client := range slices.Sorted(maps.Keys(t.rejected)) {
		fmt.Fprintf(out, "* %s rejects %s, so its responses here have none.\n", client, t.rejected[client])
	}
}

// ratio returns two cells: the median of the rounds' ratios, so that a round that ran slowly does not count against
// anyone, and where it is with 95 % confidence.
func ratio(values, baseline []float64) string {
	if len(values) != len(baseline) {
		return "\t"
	}
	ratios := make([]float64, len(values))
	for i := range values {
		ratios[i] = values[i] / baseline[i]
	}
	m := median(ratios)
	return fmt.Sprintf("%.2f\t%.2f–%.2f", m.Center, m.Lo, m.Hi)
}

func median(values []float64) benchmath.Summary {
	if len(values) == 0 {
		return benchmath.Summary{}
	}
	return benchmath.AssumeNothing.Summary(benchmath.NewSample(values, &benchmath.DefaultThresholds), 0.95)
}
