// Soak runs the client against a sandbox in which everything fails now and then, and afterwards compares the result of each call
// with what the sandbox did. An application behind it gets the sandbox's events, many of them late, twice, out of order, lost
// at first or with a wrong signature, so that two hours later, by the sandbox's clock, it knows of each exchange whose outcome
// was unknown which link there is, or that there is none. It listens on, and connects to, loopback only, and ends by itself.
//
//	GOWORK=off go run ./soak -duration 2m
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
)

func main() {
	var c config
	flag.DurationVar(&c.duration, "duration", 2*time.Minute, "how long to run")
	flag.IntVar(&c.workers, "workers", 64, "how many link flows at a time")
	flag.Float64Var(&c.rate, "faults", 0.05, "which share of requests meets a fault")
	flag.Uint64Var(&c.seed, "seed", 1, "which faults")
	flag.Parse()
	if err := soak(c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// soak runs c, and returns an error if anything was lost, reported wrongly or left behind.
func soak(c config, out io.Writer) error {
	// What the process sets up once and keeps is not what a run leaves behind.
	warmUp := c
	warmUp.duration = 300 * time.Millisecond
	if _, err := run(warmUp); err != nil {
		return err
	}
	before := steady()
	problems, err := runAndPrint(c, out)
	if err != nil {
		return err
	}
	after, left := settle(before, 10*time.Second)
	fmt.Fprintf(out, "before  %v\nafter   %v\n", before, after)
	return errors.Join(append(problems, left...)...)
}

// runAndPrint keeps nothing of a run but its problems.
func runAndPrint(c config, out io.Writer) ([]error, error) {
	r, err := run(c)
	if err != nil {
		return nil, err
	}
	fmt.Fprint(out, r)
	return r.problems, nil
}

// A footprint is what a process holds.
type footprint struct {
	goroutines, files int
	heap              uint64
}

// heapSlack is how much of the heap may be the runtime's, and pools' that the next collection empties.
const heapSlack = 4 << 20

func (f footprint) String() string {
	return fmt.Sprintf("%d goroutines, %d open files, %.1f MiB of heap", f.goroutines, f.files, float64(f.heap)/(1<<20))
}

func measure() footprint {
	runtime.GC()
	runtime.GC() // what the first one found to be finalized
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f := footprint{goroutines: runtime.NumGoroutine(), heap: m.HeapAlloc}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil { // where there is no /proc, the goroutines are enough
		f.files = len(open)
	}
	return f
}

// steady measures until nothing more ends.
func steady() footprint {
	last := measure()
	for {
		pause(context.Background(), 100*time.Millisecond)
		now := measure()
		if now.goroutines >= last.goroutines && now.files >= last.files {
			return now
		}
		last = now
	}
}

// settle measures until all is as it was before, but for no longer than patience: what is about to end needs a moment.
func settle(before footprint, patience time.Duration) (after footprint, problems []error) {
	for deadline := time.Now().Add(patience); ; {
		problems = nil
		after = measure()
		if after.goroutines > before.goroutines {
			stacks := make([]byte, 1<<16)
			problems = append(problems, fmt.Errorf("%d goroutines more than before:\n%s", after.goroutines-before.goroutines, stacks[:runtime.Stack(stacks, true)]))
		}
		if after.files > before.files {
			problems = append(problems, fmt.Errorf("%d open files more than before", after.files-before.files))
		}
		if after.heap > before.heap+heapSlack {
			problems = append(problems, fmt.Errorf("%d bytes of heap more than before", after.heap-before.heap))
		}
		if problems == nil || time.Now().After(deadline) {
			return after, problems
		}
		pause(context.Background(), 50*time.Millisecond)
	}
}
