package sharedtoken

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// lockTTL is how long a process may take to fetch a token before another one tries.
	lockTTL = 5 * time.Second

	// storeTimeout bounds a request to the store, whatever the timeouts and retries of the Redis client are.
	storeTimeout = time.Second
)

// A store holds the token and the lock. Each method can be called again after an error, which leaves open whether it took
// effect: Redis clients do that by themselves.
type store interface {
	// load returns what is stored. First it removes the token if that is q.rejected. It takes the lock for q.owner if
	// there is no token, or if the token is q.due.
	load(ctx context.Context, q query) (state, error)
	// save stores the token for ttl and gives the lock back, if owner has it. Without the lock, the token is stored only if
	// there is none: a process that was slow replaces no other's token.
	save(ctx context.Context, owner, token string, ttl time.Duration) (saved bool, err error)
	// release gives the lock back if owner has it. With a failure, the lock stays for ttl, and load returns the failure.
	release(ctx context.Context, owner, failure string, ttl time.Duration) error
}

type query struct{ owner, rejected, due string }

type state struct {
	token  string    // "" for none
	lock   string    // what the lock holds: an owner, or a failure
	locked bool      // by q.owner
	now    time.Time // by the clock of the store
}

var (
	loadScript = redis.NewScript(`
local token = redis.call('GET', KEYS[1])
if token and token == ARGV[2] then
	redis.call('DEL', KEYS[1])
	token = false
end
if not token or token == ARGV[3] then
	redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[4])
end
local now = redis.call('TIME')
return {token or '', redis.call('GET', KEYS[2]) or '', now[1] * 1000 + now[2] / 1000}`)

	saveScript = redis.NewScript(`
if redis.call('GET', KEYS[2]) == ARGV[1] then
	redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
	redis.call('DEL', KEYS[2])
else
	redis.call('SET', KEYS[1], ARGV[2], 'NX', 'PX', ARGV[3])
end
return redis.call('GET', KEYS[1]) == ARGV[2] and 1 or 0`)

	releaseScript = redis.NewScript(`
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
	return 0
elseif ARGV[2] == '' then
	return redis.call('DEL', KEYS[2])
end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1`)
)

// A redisStore is a store in Redis or Valkey. Each of its methods is one script, so that it is one atomic step.
type redisStore struct {
	client redis.UniversalClient
	keys   []string
}

// newRedisStore names the keys so that a cluster keeps both in one slot.
func newRedisStore(client redis.UniversalClient, name string) *redisStore {
	key := "moneykit:token:{" + name + "}"
	return &redisStore{client: client, keys: []string{key, key + ":lock"}}
}

func (s *redisStore) load(ctx context.Context, q query) (state, error) {
	reply, err := s.run(ctx, loadScript, q.owner, q.rejected, q.due, lockTTL.Milliseconds())
	if err != nil {
		return state{}, err
	}
	values, _ := reply.([]any)
	if len(values) != 3 {
		return state{}, fmt.Errorf("the script returned %T, want 3 values", reply)
	}
	token, _ := values[0].(string)
	lock, _ := values[1].(string)
	now, _ := values[2].(int64)
	return state{token: token, lock: lock, locked: lock == q.owner, now: time.UnixMilli(now)}, nil
}

func (s *redisStore) save(ctx context.Context, owner, token string, ttl time.Duration) (bool, error) {
	reply, err := s.run(ctx, saveScript, owner, token, max(ttl.Milliseconds(), 1))
	saved, _ := reply.(int64)
	return saved == 1, err
}

func (s *redisStore) release(ctx context.Context, owner, failure string, ttl time.Duration) error {
	_, err := s.run(ctx, releaseScript, owner, failure, max(ttl.Milliseconds(), 1))
	return err
}

// run waits no longer than storeTimeout. It does not rely on the Redis client for that: by default the client ignores
// the deadline of a context, and tries again after its own timeouts.
func (s *redisStore) run(ctx context.Context, script *redis.Script, args ...any) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	type result struct {
		reply any
		err   error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil { // a client that is nil, for example
				r.err = fmt.Errorf("the Redis client panicked: %v", p)
			}
			done <- r
		}()
		r.reply, r.err = script.Run(ctx, s.client, s.keys, args...).Result()
	}()
	select {
	case r := <-done:
		return r.reply, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
