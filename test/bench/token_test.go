package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/test/bench/harness"
)

// endpoint responds to token requests in memory once open is closed.
type endpoint struct {
	requests atomic.Int64
	open     chan struct{}
}

func (e *endpoint) RoundTrip(req *http.Request) (*http.Response, error) {
	n := e.requests.Add(1)
	<-e.open
	body := fmt.Sprintf(`{"access_token": "token-%d", "token_type": "bearer", "expires_in": 3600}`, n)
	return &http.Response{
		StatusCode: http.StatusCreated, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: req,
	}, nil
}

func TestManyCallersOfAnExpiredToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const callers = 10_000
		e := new(endpoint)
		src, err := auth.ClientCredentials("id", "secret", auth.WithHTTPClient(&http.Client{Transport: e}))
		if err != nil {
			t.Fatal(err)
		}
		run := func(call func()) {
			e.open = make(chan struct{})
			var all sync.WaitGroup
			for range callers {
				all.Go(call)
			}
			synctest.Wait() // until each of them waits
			close(e.open)
			all.Wait()
		}
		run(func() { <-e.open }) // so that the runtime has its goroutines
		if _, err := src.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := heap()

		<-time.After(2 * time.Hour)
		run(func() {
			if tok, err := src.Token(t.Context()); err != nil || tok.Value() != "token-2" {
				t.Errorf("got %v, %v", tok, err)
			}
		})
		synctest.Wait() // and synctest.Test fails if a goroutine is left
		if got := e.requests.Load(); got != 2 {
			t.Errorf("%d token requests, want the first and one more", got)
		}
		grown := heap() - before
		t.Logf("%d callers: the heap grew by %d bytes for good", callers, grown)
		if grown > 64<<10 {
			t.Errorf("the heap grew by %d bytes for good", grown)
		}
		runtime.KeepAlive(src)
	})
}

func TestIdleClient(t *testing.T) {
	const clients = 1000
	n := harness.Memory()
	kept := make([]*api.Client, 0, clients)
	before := heap()
	for range clients {
		src, err := auth.ClientCredentials("id", "secret", auth.WithHTTPClient(n.HTTP))
		if err != nil {
			t.Fatal(err)
		}
		c, err := api.New(src, api.WithHTTPClient(n.HTTP))
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, c)
	}
	each := (heap() - before) / clients
	t.Logf("%d bytes of heap for a client with its token source", each)
	if each > 4<<10 {
		t.Errorf("%d bytes of heap for an idle client with its token source, want at most 4096", each)
	}
	runtime.KeepAlive(kept)
}

// heap returns how many bytes of the heap are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what a sync.Pool keeps survives the first
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkToken measures what a call pays for a token that is cached.
func BenchmarkToken(b *testing.B) {
	n := harness.Memory()
	ours, err := auth.ClientCredentials("id", "secret", auth.WithTokenURL(n.URL+"/auth/token"), auth.WithHTTPClient(n.HTTP))
	if err != nil {
		b.Fatal(err)
	}
	theirs := n.Tokens()
	ctx := context.Background()
	for _, goroutines := range harness.Goroutines {
		for _, c := range []struct {
			name string
			hit  func() error
		}{
			{"x/oauth2", func() error { _, err := theirs.Token(); return err }},
			{"auth", func() error { _, err := ours.Token(ctx); return err }},
		} {
			b.Run(fmt.Sprintf("goroutines=%d/client=%s", goroutines, strings.ReplaceAll(c.name, "/", "-")), func(b *testing.B) {
				b.ReportAllocs()
				defer harness.CPU(b)()
				if goroutines == 1 {
					for b.Loop() {
						if err := c.hit(); err != nil {
							b.Fatal(err)
						}
					}
					return
				}
				b.SetParallelism(max(1, goroutines/runtime.GOMAXPROCS(0)))
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := c.hit(); err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		}
	}
}
