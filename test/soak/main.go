// Soak runs the client against a sandbox in which everything fails now and then, and afterwards compares the result of each call
// with what the sandbox did. Several processes make the calls and share an access token through a Redis server, which is killed
// and restarted. An application behind them gets the sandbox's events, many of them late, twice, out of order, lost at first or
// with a wrong signature. Two hours later, by the sandbox's clock, it has to know for each exchange with an unknown outcome
// which link it led to, if any. It listens on, and connects to, loopback only, and ends by itself.
//
//	GOWORK=off go run ./soak -duration 2m
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == childArgument {
		exitOn(serveParent())
		return
	}
	var c config
	flag.DurationVar(&c.duration, "duration", 2*time.Minute, "how long to run")
	flag.IntVar(&c.workers, "workers", 64, "how many link flows at a time")
	flag.Float64Var(&c.rate, "faults", 0.05, "which share of requests meets a fault")
	flag.Uint64Var(&c.seed, "seed", 1, "which faults")
	processes := flag.Int("processes", 4, "how many processes share a token; 1 has a token of its own, and needs no Redis")
	flag.Parse()
	exitOn(soak(c, *processes, os.Stdout))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// soak runs c, and returns an error if anything was lost, reported wrongly or left behind.
func soak(c config, processes int, out io.Writer) (err error) {
	if processes < 1 {
		return fmt.Errorf("-processes is %d, want 1 or more", processes)
	}
	var f fleet
	if processes > 1 {
		if f.redis, err = startRedis(); err != nil {
			return err
		}
		defer f.redis.remove()
	}
	for i := range processes {
		p, err := startProcess(i + 1)
		if err != nil {
			return err
		}
		f.processes = append(f.processes, p)
		defer func() { err = errors.Join(err, p.stop()) }()
	}
	// What a process sets up once and keeps is not what a run leaves behind.
	warmUp := c
	warmUp.duration = 300 * time.Millisecond
	if _, err := run(warmUp, f); err != nil {
		return err
	}
	for _, p := range f.processes {
		if err := p.do("Measure", None{}, &None{}); err != nil {
			return err
		}
	}
	before := steady()
	wrong, err := runAndPrint(c, f, out)
	if err != nil {
		return err
	}
	compare := func(name string, s Settled) {
		fmt.Fprintf(out, "%s: before %v; after %v\n", name, s.Before, s.After)
		for _, text := range s.Problems {
			wrong = append(wrong, fmt.Errorf("%s: %s", name, text))
		}
	}
	for _, p := range f.processes {
		var s Settled
		if err := p.do("Settle", None{}, &s); err != nil {
			return err
		}
		compare(fmt.Sprintf("process %d", p.number), s)
	}
	after, left := settle(before, 10*time.Second)
	compare("the sandbox and the application", Settled{before, after, left})
	return errors.Join(wrong...)
}

// runAndPrint keeps nothing of a run but its problems.
func runAndPrint(c config, f fleet, out io.Writer) ([]error, error) {
	r, err := run(c, f)
	if err != nil {
		return nil, err
	}
	fmt.Fprint(out, r)
	return r.list, nil
}
