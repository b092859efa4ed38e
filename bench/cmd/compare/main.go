// Compare runs a compiled benchmark binary for a number of rounds and prints its results as one table, each client
// beside the yardstick. Within a round the clients run one after the other in each setting, and each round starts with
// another of them.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"text/tabwriter"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"

	"github.com/moneykit/moneykit-go/bench/rig"
)

func main() {
	log.SetFlags(0)
	binary := flag.String("binary", "", "the benchmark binary (go test -c)")
	rounds := flag.Int("rounds", 10, "how many `times` to run it")
	benchtime := flag.String("benchtime", "100ms", "-test.benchtime of each benchmark")
	match := flag.String("bench", ".", "-test.bench, which benchmarks to run")
	yardstick := flag.String("yardstick", rig.Yardstick, "the `client` to compare with")
	flag.Parse()

	var t table
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
	t.print(os.Stdout, *yardstick)
}

func run(binary, match, benchtime string, round int) ([]byte, error) {
	cmd := exec.Command(binary, "-test.run=^$", "-test.bench="+match, "-test.benchtime="+benchtime)
	cmd.Env = append(os.Environ(), rig.RoundEnv+"="+strconv.Itoa(round))
	return cmd.CombinedOutput()
}

// A row is one client in one setting. Its samples have a value per round.
type row struct {
	setting, client string
	samples         map[string][]float64 // by unit
}

// A table has its rows in the order in which the first round measured their settings.
type table struct{ rows []*row }

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
			base, parts := rec.Name.Parts()
			setting, client := []string{strings.ToLower(string(base))}, ""
			for _, p := range parts {
				key, value, _ := strings.Cut(strings.TrimPrefix(string(p), "/"), "=")
				switch {
				case key == "client":
					client = value
				case value != "":
					setting = append(setting, value)
				}
			}
			r := t.row(strings.Join(setting, "\t"), client)
			for _, v := range rec.Values {
				r.samples[v.Unit] = append(r.samples[v.Unit], v.Value)
			}
		}
	}
	return results.Err()
}

func (t *table) print(out io.Writer, yardstick string) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer w.Flush()
	fmt.Fprintln(w, "benchmark\tsetting\tclient\tns/op\t±\tB/op\tallocs/op\tratio of times\t95 % interval\t")
	for i, r := range t.rows {
		if i > 0 && r.setting != t.rows[i-1].setting {
			fmt.Fprintln(w, strings.Repeat("\t", strings.Count(r.setting, "\t")+8))
		}
		ns := median(r.samples["sec/op"])
		ratio := median(ratios(r.samples["sec/op"], t.row(r.setting, yardstick).samples["sec/op"]))
		fmt.Fprintf(w, "%s\t%s\t%.0f\t%s\t%.0f\t%.0f\t%.3f\t%.3f–%.3f\t\n", r.setting, r.client, ns.Center*1e9,
			ns.PctRangeString(), median(r.samples["B/op"]).Center, median(r.samples["allocs/op"]).Center,
			ratio.Center, ratio.Lo, ratio.Hi)
	}
}

// ratios has a ratio per round, so that a round that ran slowly does not count against anyone.
func ratios(values, yardstick []float64) []float64 {
	out := make([]float64, min(len(values), len(yardstick)))
	for i := range out {
		out[i] = values[i] / yardstick[i]
	}
	return out
}

func median(values []float64) benchmath.Summary {
	if len(values) == 0 {
		return benchmath.Summary{}
	}
	return benchmath.AssumeNothing.Summary(benchmath.NewSample(values, &benchmath.DefaultThresholds), 0.95)
}
