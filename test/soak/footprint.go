package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"
)

// A Footprint is what a process holds.
type Footprint struct {
	Goroutines, Files int
	Heap              uint64
}

// heapSlack is how much of the heap may be the runtime's, and pools' that the next collection empties.
const heapSlack = 4 << 20

func (f Footprint) String() string {
	return fmt.Sprintf("%d goroutines, %d open files, %.1f MiB of heap", f.Goroutines, f.Files, float64(f.Heap)/(1<<20))
}

func measure() Footprint {
	runtime.GC()
	runtime.GC() // what the first one found to be finalized
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f := Footprint{Goroutines: runtime.NumGoroutine(), Heap: m.HeapAlloc}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil { // where there is no /proc, the goroutines are enough
		f.Files = len(open)
	}
	return f
}

// steady measures until nothing more ends.
func steady() Footprint {
	last := measure()
	for {
		pause(context.Background(), 100*time.Millisecond)
		now := measure()
		if now.Goroutines >= last.Goroutines && now.Files >= last.Files {
			return now
		}
		last = now
	}
}

// settle measures until all is as it was before, but for no longer than patience: what is about to end needs a moment.
func settle(before Footprint, patience time.Duration) (after Footprint, problems []string) {
	for deadline := time.Now().Add(patience); ; {
		problems = nil
		after = measure()
		if after.Goroutines > before.Goroutines {
			stacks := make([]byte, 1<<16)
			problems = append(problems, fmt.Sprintf("%d goroutines more than before:\n%s", after.Goroutines-before.Goroutines, stacks[:runtime.Stack(stacks, true)]))
		}
		if after.Files > before.Files {
			problems = append(problems, fmt.Sprintf("%d open files more than before", after.Files-before.Files))
		}
		if after.Heap > before.Heap+heapSlack {
			problems = append(problems, fmt.Sprintf("%d bytes of heap more than before", after.Heap-before.Heap))
		}
		if problems == nil || time.Now().After(deadline) {
			return after, problems
		}
		pause(context.Background(), 50*time.Millisecond)
	}
}
