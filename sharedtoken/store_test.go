package sharedtoken

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestMemoryStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		testStore(t, func() store { return &memoryStore{} }, func(d time.Duration) { time.Sleep(d) }) //nolint:forbidigo // in a bubble
	})
}

// testStore compares a store with what the interface says. wait lets time pass for it.
func testStore(t *testing.T, empty func() store, wait func(time.Duration)) {
	t.Helper()
	ctx := t.Context()
	load := func(s store, q query, token, lock string, locked bool) {
		t.Helper()
		asked := time.Now().Truncate(time.Millisecond)
		got, err := s.load(ctx, q)
		if err != nil || got.token != token || got.lock != lock || got.locked != locked {
			t.Errorf("load(%+v) = %+v, %v, want %q, %q, %v", q, got, err, token, lock, locked)
		}
		if got.now.Before(asked) || got.now.After(time.Now()) {
			t.Errorf("the time is %v, want %v or a little later", got.now, asked)
		}
	}
	save := func(s store, owner, token string, ttl time.Duration, want bool) {
		t.Helper()
		if got, err := s.save(ctx, owner, token, ttl); err != nil || got != want {
			t.Errorf("save(%q, %q) = %v, %v, want %v", owner, token, got, err, want)
		}
	}
	release := func(s store, owner, failure string, ttl time.Duration) {
		t.Helper()
		if err := s.release(ctx, owner, failure, ttl); err != nil {
			t.Errorf("release(%q): %v", owner, err)
		}
	}

	s := empty()
	load(s, query{owner: "a"}, "", "a", true)
	load(s, query{owner: "a"}, "", "a", true) // again, after its reply was lost
	load(s, query{owner: "b"}, "", "a", false)
	save(s, "a", "token-a", time.Hour, true)
	save(s, "a", "token-a", time.Hour, true) // again
	load(s, query{owner: "b"}, "token-a", "", false)
	save(s, "a", "late", time.Hour, false) // the lock is gone, and there is a token
	load(s, query{owner: "b", due: "other"}, "token-a", "", false)
	load(s, query{owner: "b", due: "token-a"}, "token-a", "b", true)
	load(s, query{owner: "c", due: "token-a"}, "token-a", "b", false)
	save(s, "a", "late", time.Hour, false) // the lock is another's, and there is a token
	save(s, "b", "token-b", time.Hour, true)
	load(s, query{owner: "c", rejected: "token-a", due: "token-a"}, "token-b", "", false)
	load(s, query{owner: "c", rejected: "token-b"}, "", "c", true)
	load(s, query{owner: "d", rejected: "token-b"}, "", "c", false)

	release(s, "d", "", 0) // not its lock
	load(s, query{owner: "d"}, "", "c", false)
	release(s, "c", "", 0)
	load(s, query{owner: "d"}, "", "d", true)
	release(s, "d", "failed", time.Hour)
	load(s, query{owner: "e"}, "", "failed", false)
	release(s, "d", "", 0)
	load(s, query{owner: "e"}, "", "failed", false)

	s = empty()
	save(s, "nobody", "published", time.Hour, true) // no lock and no token
	load(s, query{owner: "a"}, "published", "", false)

	s = empty()
	load(s, query{owner: "fast"}, "", "fast", true)
	save(s, "slow", "token-slow", time.Hour, true) // the lock is another's, and there is no token
	load(s, query{owner: "a"}, "token-slow", "fast", false)
	save(s, "fast", "token-fast", time.Hour, true)
	load(s, query{owner: "a"}, "token-fast", "", false)

	// Everything expires.
	s = empty()
	load(s, query{owner: "dead"}, "", "dead", true)
	wait(lockTTL)
	load(s, query{owner: "a"}, "", "a", true)
	release(s, "a", "failed", 20*time.Millisecond)
	wait(20 * time.Millisecond)
	load(s, query{owner: "b"}, "", "b", true)
	save(s, "b", "token-b", 20*time.Millisecond, true)
	load(s, query{owner: "c"}, "token-b", "", false)
	wait(20 * time.Millisecond)
	load(s, query{owner: "c"}, "", "c", true)
}

// A cluster keeps keys with the same text in braces on the same node.
func TestKeysOfCluster(t *testing.T) {
	t.Parallel()
	tags := map[string]bool{}
	for _, key := range newRedisStore(nil, "name").keys {
		_, rest, _ := strings.Cut(key, "{")
		tag, _, _ := strings.Cut(rest, "}")
		tags[tag] = true
	}
	if len(tags) != 1 || !tags["name"] {
		t.Errorf("the keys are in %v", tags)
	}
}

// instant is a Redis client that does not send anything.
type instant struct{ redis.UniversalClient }

func (instant) EvalSha(ctx context.Context, _ string, _ []string, _ ...any) *redis.Cmd {
	cmd := redis.NewCmd(ctx)
	cmd.SetVal(int64(1))
	return cmd
}

// A reply counts, however close it is to the end of its context.
func TestReplyAtOnce(t *testing.T) {
	t.Parallel()
	s := newRedisStore(instant{}, "name")
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			for range 200 {
				if saved, err := s.save(t.Context(), "owner", "token", time.Hour); !saved || err != nil {
					t.Errorf("%v, %v", saved, err)
				}
			}
		})
	}
	all.Wait()
}

// hung is a Redis client that neither replies nor looks at the context.
type hung struct {
	redis.UniversalClient
	until chan struct{}
}

func (h hung) EvalSha(ctx context.Context, _ string, _ []string, _ ...any) *redis.Cmd {
	<-h.until
	return redis.NewCmd(ctx)
}

func TestHungClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		until := make(chan struct{})
		defer close(until)
		start := time.Now()
		err := newRedisStore(hung{until: until}, "name").release(t.Context(), "owner", "", 0)
		if err == nil || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
