package harness

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// Goroutines are how many callers share a client.
var Goroutines = []int{1, 8, 64}

// RoundEnv numbers the rounds of a comparison; each starts with another contender.
const RoundEnv = "MONEYKIT_BENCH_ROUND"

// RejectedKey is the prefix of the configuration key under which Benchmark prints what a client rejects.
const RejectedKey = "rejected-"

// Rejected returns the kinds of response that MoneyKit sends and a contender does not decode.
func Rejected(contender Make) (name string, rejected []string, err error) {
	for _, input := range []struct{ base, name string }{
		{Plain, ""}, {Zoneless, "times without a zone"}, {Unknown, "values that the contract does not list"},
	} {
		c, err := contender(Memory(), input.base)
		if err != nil {
			return "", nil, err
		}
		name = c.Name
		switch id, err := c.Exchange(context.Background()); {
		case err == nil && id == LinkID:
		case input.base != Plain:
			rejected = append(rejected, input.name)
		case err != nil:
			return "", nil, fmt.Errorf("%s: %w", name, err)
		default:
			return "", nil, fmt.Errorf("%s: got link %q", name, id)
		}
	}
	return name, rejected, nil
}

// Benchmark measures both calls, each over three nets, each with every number of callers, and within that one
// contender after the other, so that whatever slows the machine for a while slows them all.
func Benchmark(b *testing.B, makes []Make) {
	http1, http2, stop, err := Loopback()
	if err != nil {
		b.Fatal(err)
	}
	defer stop()
	for _, contender := range makes {
		name, rejected, err := Rejected(contender)
		if err != nil {
			b.Fatal(err)
		}
		if rejected != nil { // as configuration in the Go benchmark format
			fmt.Printf("%s%s: %s\n", RejectedKey, name, strings.Join(rejected, ", "))
		}
	}
	round, _ := strconv.Atoi(os.Getenv(RoundEnv))
	for _, call := range []string{"create", "exchange"} {
		for _, n := range []Net{Memory(), http1, http2} {
			for _, goroutines := range Goroutines {
				for i := range makes {
					c, err := makes[(i+round)%len(makes)](n, Plain)
					if err != nil {
						b.Fatal(err)
					}
					do, want := c.Create, LinkSessionToken
					if call == "exchange" {
						do, want = c.Exchange, LinkID
					}
					b.Run(fmt.Sprintf("call=%s/net=%s/goroutines=%d/client=%s", call, n.Name, goroutines, c.Name), func(b *testing.B) {
						Share(b, goroutines, func() error {
							got, err := do(context.Background())
							if err == nil && got != want {
								err = fmt.Errorf("got %q, want %q", got, want)
							}
							return err
						})
					})
				}
			}
		}
	}
}

// Share has goroutines callers share b.N calls of do, after one call of each to warm up.
func Share(b *testing.B, goroutines int, do func() error) {
	var left atomic.Int64
	run := func() {
		if goroutines == 1 {
			for range left.Load() {
				if err := do(); err != nil {
					b.Error(err)
					return
				}
			}
			return
		}
		var callers sync.WaitGroup
		for range goroutines {
			callers.Go(func() {
				for left.Add(-1) >= 0 {
					if err := do(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		callers.Wait()
	}
	left.Store(int64(goroutines))
	run()
	left.Store(int64(b.N))
	b.ReportAllocs()
	b.ResetTimer()
	defer CPU(b)()
	run()
}

// CPU has b report, once what it returns is called, what the processor does for each of its operations in this process:
// without the server's part, and whatever else the machine runs.
func CPU(b *testing.B) (report func()) {
	before := cpu()
	return func() { b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op") }
}

// cpu returns the processor time that this process has used, in nanoseconds.
func cpu() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
