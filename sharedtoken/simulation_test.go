package sharedtoken

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moneykit/moneykit-go/auth"
)

var (
	sizes = flag.Bool("fleet.all", false, "simulate up to 10,000 processes")
	out   = flag.String("fleet.out", "", "write the results as JSON to this `file`")
)

const (
	// Each process makes a call when it starts, and then one every callEvery, with jitter.
	callEvery = 10 * time.Second

	// The processes start within startWithin.
	startWithin = 500 * time.Millisecond

	simulated = 3*time.Hour + time.Minute
	plotted   = 15 * time.Minute
)

// A simulation is what became of a fleet. test/fleet reads it.
type simulation struct {
	Processes int
	Shared    bool
	Without   int           // calls without a token
	Late      int           // of them, after the first second
	Requests  int           // token requests, those with a 429 included
	Rejected  int           // those with a 429
	Served    time.Duration // when the last process had a token
	Store     int           // requests to the store
	Percent   []float64     // calls without a token, in each 10 seconds of the first 15 minutes
}

// simulate runs a fleet on a clock of its own, against an endpoint with the published limit of 300 requests a minute.
func simulate(t *testing.T, processes int, shared bool) simulation {
	r := simulation{Processes: processes, Shared: shared}
	var without, calls [plotted / callEvery]int
	synctest.Test(t, func(t *testing.T) {
		st, e := &memoryStore{}, newEndpoint()
		begin := time.Now()
		var mu sync.Mutex
		var all sync.WaitGroup
		for range processes {
			var src *auth.Source
			if shared {
				src = auth.FromTokenSource(newShared(t, st, e))
			} else {
				var err error
				if src, err = auth.ClientCredentials(clientID, clientSecret, auth.WithTokenURL(tokenURL), auth.WithHTTPClient(&http.Client{Transport: e})); err != nil {
					t.Fatal(err)
				}
			}
			all.Go(func() {
				time.Sleep(rand.N(startWithin)) //nolint:forbidigo // in a bubble
				served := false
				for time.Since(begin) < simulated {
					_, err := src.Token(t.Context())
					now := time.Since(begin)
					mu.Lock()
					if now < plotted {
						calls[now/callEvery]++
					}
					switch {
					case err != nil:
						r.Without++
						if now > time.Second {
							r.Late++
						}
						if now < plotted {
							without[now/callEvery]++
						}
					case !served:
						served = true
						r.Served = max(r.Served, now)
					}
					mu.Unlock()
					time.Sleep(callEvery/2 + rand.N(callEvery)) //nolint:forbidigo // in a bubble
				}
			})
		}
		all.Wait()
		issued, rejected := e.counts()
		r.Requests, r.Rejected, r.Store = issued+rejected, rejected, st.requests
	})
	for i := range calls {
		r.Percent = append(r.Percent, 100*float64(without[i])/float64(max(calls[i], 1)))
	}
	return r
}

// TestSimulation prints what make fleet is for: processes that start together, each with its own token, and with one.
func TestSimulation(t *testing.T) {
	fleets := []int{100}
	if *sizes {
		fleets = []int{300, 1000, 4000, 10000}
	}
	var results []simulation
	t.Logf("%s after a start within %s; each process makes a call every %s; 300 token requests a minute are allowed", simulated, startWithin, callEvery)
	t.Log("processes  tokens  calls without  after 1 s  token requests  429  all served after  store requests per process and token")
	for _, n := range fleets {
		for _, shared := range []bool{false, true} {
			r := simulate(t, n, shared)
			results = append(results, r)
			name, store := "own", "-"
			if shared {
				name, store = "shared", fmt.Sprintf("%.1f", float64(r.Store)/float64(n)/float64(max(r.Requests, 1)))
				// One token for each hour, each fetched a few minutes early.
				if want := int(simulated/time.Hour) + 1; r.Late != 0 || r.Without != 0 || r.Requests > want || r.Served > time.Second {
					t.Errorf("%d processes: %+v, want no call without a token and at most %d token requests", n, r, want)
				}
			} else if n <= 300 && r.Without != 0 {
				t.Errorf("%d processes: %d calls without a token, although the limit allows all", n, r.Without)
			} else if n >= 1000 && r.Without == 0 {
				t.Errorf("%d processes: no call without a token, although the limit is lower", n)
			}
			t.Logf("%9d  %-6s  %13d  %9d  %14d  %3d  %16s  %s", n, name, r.Without, r.Late, r.Requests, r.Rejected, r.Served.Round(10*time.Millisecond), store)
		}
	}
	if *out != "" {
		data, err := json.Marshal(results)
		if err == nil {
			err = os.WriteFile(*out, append(data, '\n'), 0o600)
		}
		if err != nil {
			t.Error(err)
		}
	}
}
