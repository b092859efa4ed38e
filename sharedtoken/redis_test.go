//go:build redis

package sharedtoken

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/moneykit/moneykit-go/auth"
)

// program is what the tests start: redis-server, or what REDIS_SERVER says, such as valkey-server.
var program = cmp.Or(os.Getenv("REDIS_SERVER"), "redis-server")

// A redisServer is a Redis of a test's own, on a port of loopback.
type redisServer struct {
	t    *testing.T
	addr string
	cmd  *exec.Cmd
}

func startRedis(t *testing.T) *redisServer {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Fatalf("%s is missing. On Debian: apt-get install redis-server", program)
	}
	var failed error
	for range 5 { // somebody else may take the port first
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := &redisServer{t: t, addr: l.Addr().String()}
		l.Close()
		if failed = s.start(); failed == nil {
			t.Cleanup(s.kill)
			return s
		}
	}
	t.Fatal(failed)
	return nil
}

// start starts the server, without the data of an earlier one.
func (s *redisServer) start() error {
	_, port, _ := net.SplitHostPort(s.addr)
	s.cmd = exec.Command(program, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.t.TempDir())
	if err := s.cmd.Start(); err != nil {
		return err
	}
	client := redis.NewClient(&redis.Options{Addr: s.addr, MaxRetries: -1})
	defer client.Close()
	var err error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-time.After(10 * time.Millisecond) {
		if err = client.Ping(context.Background()).Err(); err == nil {
			return nil
		}
	}
	s.kill()
	return fmt.Errorf("%s does not respond at %s: %w", program, s.addr, err)
}

func (s *redisServer) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *redisServer) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// client returns a client with the defaults of go-redis.
func (s *redisServer) client() *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: s.addr})
	s.t.Cleanup(func() { client.Close() })
	return client
}

// calls returns how often the server ran a command.
func (s *redisServer) calls(command string) (n int) {
	s.t.Helper()
	info, err := s.client().Info(s.t.Context(), "commandstats").Result()
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(info) {
		if rest, ok := strings.CutPrefix(line, "cmdstat_"+command+":calls="); ok {
			_, _ = fmt.Sscanf(rest, "%d", &n)
		}
	}
	return n
}

// fastEndpoint serves from this process, without a network.
func fastEndpoint() *endpoint {
	e := newEndpoint()
	e.latency = 50 * time.Millisecond
	return e
}

func sharing(t *testing.T, rdb redis.UniversalClient, rt http.RoundTripper, secret string) *Source {
	t.Helper()
	s, err := New(rdb, clientID, secret, auth.WithTokenURL(tokenURL), auth.WithHTTPClient(&http.Client{Transport: rt}))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// redisFleet returns n processes, each with its own connection.
func redisFleet(t *testing.T, n int, server *redisServer, rt http.RoundTripper) (shared []*Source, processes []*auth.Source) {
	t.Helper()
	for range n {
		s := sharing(t, server.client(), rt, clientSecret)
		shared, processes = append(shared, s), append(processes, auth.FromTokenSource(s))
	}
	return shared, processes
}

// allTokens asks the store for every process, whatever the cache of auth has, and returns how long the slowest took.
func allTokens(t *testing.T, shared []*Source) (values map[string]int, slowest time.Duration) {
	t.Helper()
	values = map[string]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, s := range shared {
		all.Go(func() {
			start := time.Now()
			tok, err := s.Token()
			mu.Lock()
			defer mu.Unlock()
			slowest = max(slowest, time.Since(start))
			if err != nil {
				t.Error(err)
				return
			}
			values[tok.AccessToken]++
		})
	}
	all.Wait()
	return values, slowest
}

func TestRedisStore(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	client := server.client()
	n := 0
	testStore(t, func() store {
		n++
		return newRedisStore(client, fmt.Sprint("test-", n))
	}, func(d time.Duration) { <-time.After(d + 5*time.Millisecond) })
}

// It is not parallel, so that nothing else takes the processors that it measures.
func TestRedisThroughput(t *testing.T) {
	server, e := startRedis(t), fastEndpoint()
	shared, _ := redisFleet(t, 32, server, e)
	mustToken(t, shared[0])
	var requests atomic.Int64
	var all sync.WaitGroup
	start := time.Now()
	for _, s := range shared {
		all.Go(func() {
			for time.Since(start) < time.Second {
				if tok, err := s.Token(); err != nil || tok.AccessToken != "access-1" {
					t.Errorf("got %v, %v", tok, err)
					return
				}
				requests.Add(1)
			}
		})
	}
	all.Wait()
	t.Logf("one Redis serves %.0f requests a second to %d processes on this machine; each process needs one for each token",
		float64(requests.Load())/time.Since(start).Seconds(), len(shared))
}

// The commands that the package documentation lists are enough.
func TestRedisPermissions(t *testing.T) {
	t.Parallel()
	server, e := startRedis(t), fastEndpoint()
	rules := strings.Fields("ACL SETUSER app on >password ~moneykit:token:* -@all +eval +evalsha +get +set +del +time")
	var command []any
	for _, rule := range rules {
		command = append(command, rule)
	}
	if err := server.client().Do(t.Context(), command...).Err(); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: server.addr, Username: "app", Password: "password"})
	t.Cleanup(func() { client.Close() })
	first, second := sharing(t, client, e, clientSecret), sharing(t, client, e, clientSecret)
	for _, want := range []string{"access-1", "access-2"} {
		for _, s := range []*Source{first, second} {
			if got := mustToken(t, s).AccessToken; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		second.Invalidate(mustToken(t, second))
		mustToken(t, second)
	}
}

func TestRedisFleet(t *testing.T) {
	t.Parallel()
	const n = 100
	server, e := startRedis(t), fastEndpoint()
	_, processes := redisFleet(t, n, server, e)
	start := time.Now()
	if values, failures := tokens(t, processes); failures != nil || !maps.Equal(values, map[string]int{"access-1": n}) {
		t.Fatalf("got %v, %v", values, failures)
	}
	scripts := server.calls("evalsha") + server.calls("eval")
	t.Logf("%d processes that start together: 1 token request, all have it after %v, %.1f requests to the store per process",
		n, time.Since(start).Round(time.Millisecond), float64(scripts)/n)

	_, later := redisFleet(t, n, server, e)
	if values, failures := tokens(t, later); failures != nil || !maps.Equal(values, map[string]int{"access-1": n}) {
		t.Fatalf("got %v, %v", values, failures)
	}
	again := server.calls("evalsha") + server.calls("eval") - scripts
	t.Logf("%d processes that start later: no token request, %.1f requests to the store per process", n, float64(again)/n)
	if again != n {
		t.Errorf("%d requests to the store, want one for each process", again)
	}
	for range 1000 {
		tokens(t, later[:1])
	}
	if more := server.calls("evalsha") + server.calls("eval") - scripts - again; more != 0 {
		t.Errorf("%d requests to the store for cached tokens", more)
	}

	// All of them get a 401.
	for _, p := range append(processes, later...) {
		tok, err := p.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.Invalidate(tok)
	}
	deleted := server.calls("del")
	if values, failures := tokens(t, append(processes, later...)); failures != nil || !maps.Equal(values, map[string]int{"access-2": 2 * n}) {
		t.Errorf("after 401: %v, %v", values, failures)
	}
	if removed := server.calls("del") - deleted; removed != 2 { // and one DEL of the lock
		t.Errorf("%d DEL, want one of the token and one of the lock", removed)
	}

	client := server.client()
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) == 0 {
		t.Fatal(keys, err)
	}
	for _, key := range keys {
		value, err := client.Get(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{clientSecret, clientID, "access-"} {
			if strings.Contains(key+value, secret) {
				t.Errorf("%q is in %q = %q", secret, key, value)
			}
		}
		if ttl, err := client.PTTL(t.Context(), key).Result(); err != nil || ttl <= 0 || ttl > time.Hour {
			t.Errorf("%s expires in %v (%v)", key, ttl, err)
		}
	}
}

func TestRedisIsKilled(t *testing.T) {
	t.Parallel()
	const n = 20
	server, e := startRedis(t), fastEndpoint()
	shared, _ := redisFleet(t, n, server, e)
	before, _ := allTokens(t, shared)
	server.kill()
	if after, slowest := allTokens(t, shared); !maps.Equal(before, after) || slowest > storeTimeout+time.Second {
		t.Errorf("without the store: %v after %v, want the tokens that they had", after, slowest)
	}
	// New processes have none, and fetch their own.
	late, processes := redisFleet(t, n, server, e)
	values, failures := tokens(t, processes)
	if failures != nil || len(values) != n {
		t.Errorf("new processes: %v, %v", values, failures)
	}
	if issued, _ := e.counts(); issued != n+1 {
		t.Errorf("%d token requests", issued)
	}

	if err := server.start(); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	for {
		values, _ := allTokens(t, append(shared, late...))
		if len(values) == 1 {
			break
		}
		if time.Since(back) > 10*time.Second {
			t.Fatalf("they do not share again: %v", values)
		}
		<-time.After(20 * time.Millisecond)
	}
	t.Logf("restarted empty: %d processes that ask all the time share again after %v", 2*n, time.Since(back).Round(time.Millisecond))
	if issued, _ := e.counts(); issued != n+1 {
		t.Errorf("%d more token requests for a store that was restarted", issued-n-1)
	}

	// Through the cache of auth, which asks again every 30 to 60 seconds.
	for deadline := back.Add(recheck + 5*time.Second); ; <-time.After(100 * time.Millisecond) {
		values, failures := tokens(t, processes)
		if failures != nil {
			t.Fatal(failures)
		}
		if len(values) == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d tokens in use", len(values))
		}
	}
	t.Logf("%d processes that make calls all the time share again after %v", n, time.Since(back).Round(time.Millisecond))
}

func TestRedisHangs(t *testing.T) {
	t.Parallel()
	server, e := startRedis(t), fastEndpoint()
	shared, _ := redisFleet(t, 20, server, e)
	before, _ := allTokens(t, shared)
	server.signal(syscall.SIGSTOP)
	after, slowest := allTokens(t, shared)
	if !maps.Equal(before, after) || slowest > storeTimeout+time.Second {
		t.Errorf("they got %v after %v, want the tokens that they had", after, slowest)
	}
	fresh, _ := redisFleet(t, 5, server, e)
	own, slowest := allTokens(t, fresh)
	if len(own) != 5 || slowest > storeTimeout+time.Second {
		t.Errorf("new processes got %v after %v", own, slowest)
	}
	t.Logf("new processes have a token of their own after %v", slowest.Round(time.Millisecond))
	server.signal(syscall.SIGCONT)
	if values, _ := allTokens(t, append(shared, fresh...)); !maps.Equal(values, map[string]int{"access-1": 25}) {
		t.Errorf("afterwards: %v", values)
	}
}

func TestRedisIsFull(t *testing.T) {
	t.Parallel()
	server, e := startRedis(t), fastEndpoint()
	client := server.client()
	shared, _ := redisFleet(t, 5, server, e)
	allTokens(t, shared)
	for name, value := range map[string]string{"maxmemory": "8mb", "maxmemory-policy": "noeviction"} {
		if err := client.ConfigSet(t.Context(), name, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	var full error
	for i := 0; full == nil && i < 1000; i++ {
		full = client.Set(t.Context(), fmt.Sprint("fill-", i), strings.Repeat("x", 100<<10), 0).Err()
	}
	if full == nil || !strings.Contains(full.Error(), "OOM") {
		t.Fatalf("the memory is not full: %v", full)
	}
	fresh, _ := redisFleet(t, 5, server, e)
	if values, _ := allTokens(t, append(shared, fresh...)); !maps.Equal(values, map[string]int{"access-1": 10}) {
		t.Errorf("with a stored token: %v", values)
	}
	// Without one, nobody can take the lock.
	for _, s := range shared {
		s.Invalidate(mustToken(t, s))
	}
	if values, _ := allTokens(t, shared); len(values) != 5 || values["access-1"] != 0 {
		t.Errorf("without a stored token: %v", values)
	}
	if err := client.ConfigSet(t.Context(), "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	issued, _ := e.counts()
	for range 2 { // the first to come stores its token
		allTokens(t, shared)
	}
	if values, _ := allTokens(t, shared); len(values) != 1 {
		t.Errorf("with room again: %v", values)
	}
	if now, _ := e.counts(); now != issued {
		t.Errorf("%d more token requests", now-issued)
	}
}

// cutter forwards connections to a server, and closes each after a number of bytes in both directions.
type cutter struct {
	listener net.Listener
	limit    atomic.Int64
	cut      atomic.Int64
}

func startCutter(t *testing.T, to string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go c.forward(in, to)
		}
	}()
	return c
}

func (c *cutter) forward(in net.Conn, to string) {
	defer in.Close()
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer out.Close()
	left := c.limit.Load()
	var mu sync.Mutex
	pipe := func(dst, src net.Conn) {
		buf := make([]byte, 4096)
		for {
			n, err := src.Read(buf)
			mu.Lock()
			pass := min(int64(n), left)
			left -= pass
			ended := left == 0
			mu.Unlock()
			_, _ = dst.Write(buf[:pass])
			if err != nil || ended {
				if ended {
					c.cut.Add(1)
				}
				in.Close()
				out.Close()
				return
			}
		}
	}
	go pipe(out, in)
	pipe(in, out)
}

func TestRedisConnectionIsCut(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	between := startCutter(t, server.addr)
	e := fastEndpoint()
	e.latency = 0
	e.limit = 1 << 30
	const step = 41
	var wrong []string
	for limit := int64(1); limit < 3000; limit += step + rand.Int64N(step) {
		between.limit.Store(limit)
		client := redis.NewClient(&redis.Options{Addr: between.listener.Addr().String(), MinRetryBackoff: time.Millisecond, MaxRetryBackoff: 2 * time.Millisecond})
		start := time.Now()
		tok, err := sharing(t, client, e, clientSecret).Token()
		if err != nil || tok.AccessToken == "" || time.Since(start) > lockTTL+time.Second {
			wrong = append(wrong, fmt.Sprintf("%d bytes: %v after %v", limit, err, time.Since(start)))
		}
		client.Close()
		if err := server.client().FlushDB(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if wrong != nil || between.cut.Load() < 20 {
		t.Errorf("%d connections were cut: %s", between.cut.Load(), strings.Join(wrong, "; "))
	}

	// Nothing that a cut left behind lasts longer than the lock.
	between.limit.Store(700)
	broken := redis.NewClient(&redis.Options{Addr: between.listener.Addr().String(), MaxRetries: -1})
	defer broken.Close()
	if _, err := sharing(t, broken, e, clientSecret).Token(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if _, err := sharing(t, server.client(), e, clientSecret).Token(); err != nil || time.Since(start) > lockTTL+time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

func TestRedisSecretIsRotated(t *testing.T) {
	t.Parallel()
	server, e := startRedis(t), fastEndpoint()
	client := server.client()
	previous, next := sharing(t, client, e, clientSecret), sharing(t, client, e, "the next secret")
	for range 3 { // during the rollout both are in use
		if got := mustToken(t, previous).AccessToken; got != "access-1" {
			t.Errorf("the previous secret has %s", got)
		}
		if got := mustToken(t, next).AccessToken; got != "access-2" {
			t.Errorf("the next secret has %s", got)
		}
	}
	// A value under the name of another secret cannot be read.
	from, to := previous.store.(*redisStore).keys[0], next.store.(*redisStore).keys[0]
	if err := client.Copy(t.Context(), from, to, 0, true).Err(); err != nil {
		t.Fatal(err)
	}
	if got := mustToken(t, sharing(t, client, e, "the next secret")).AccessToken; got != "access-3" {
		t.Errorf("with a foreign value: %s", got)
	}
}

// A value of another type is an error of each script.
func TestRedisKeyIsInUse(t *testing.T) {
	t.Parallel()
	server, e := startRedis(t), fastEndpoint()
	client := server.client()
	s := sharing(t, client, e, clientSecret)
	if err := client.LPush(t.Context(), s.store.(*redisStore).keys[0], "x").Err(); err != nil {
		t.Fatal(err)
	}
	if got := mustToken(t, s).AccessToken; got != "access-1" {
		t.Errorf("got %s", got)
	}
}

func TestRedisClientIsNil(t *testing.T) {
	t.Parallel()
	if got := mustToken(t, sharing(t, (*redis.Client)(nil), fastEndpoint(), clientSecret)).AccessToken; got != "access-1" {
		t.Errorf("got %s", got)
	}
}

// In a bubble it is midnight of January 1, 2000, and later by what the process sleeps.
func TestRedisClocksDiffer(t *testing.T) {
	t.Parallel()
	server, e := startRedis(t), fastEndpoint()
	e.latency = 0
	if got := mustToken(t, sharing(t, server.client(), e, clientSecret)).AccessToken; got != "access-1" {
		t.Fatalf("got %s", got)
	}
	for _, ahead := range []time.Duration{0, 7 * time.Minute, 14 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(ahead) //nolint:forbidigo // in a bubble
			client := redis.NewClient(&redis.Options{Addr: server.addr})
			defer client.Close()
			tok := mustToken(t, sharing(t, client, e, clientSecret))
			if left := time.Until(tok.Expiry); tok.AccessToken != "access-1" || left <= time.Hour-spread-time.Minute || left > time.Hour {
				t.Errorf("%v ahead: %s expires in %v", ahead, tok.AccessToken, left)
			}
		})
	}
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

const childVariable = "SHAREDTOKEN_TEST_PROCESS"

// TestMain is the program of a process that TestRedisProcessIsKilled starts too.
func TestMain(m *testing.M) {
	redis.SetLogger(silent{}) // it logs each connection that a test breaks
	if addrs, ok := os.LookupEnv(childVariable); ok {
		addr, url, _ := strings.Cut(addrs, " ")
		s, err := New(redis.NewClient(&redis.Options{Addr: addr}), clientID, clientSecret, auth.WithTokenURL(url))
		if err == nil {
			_, err = s.Token()
		}
		fmt.Fprintln(os.Stderr, "not killed:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestRedisProcessIsKilled(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	fetching := make(chan struct{}, 1)
	var requests atomic.Int64
	moneykit := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		if requests.Add(1) == 1 {
			fetching <- struct{}{}
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"access_token":"access-2","token_type":"bearer","expires_in":3600}`)
	}))
	t.Cleanup(moneykit.Close)

	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childVariable+"="+server.addr+" "+moneykit.URL)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	<-fetching
	if err := child.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	killed := time.Now()

	var shared []*Source
	for range 20 {
		s, err := New(server.client(), clientID, clientSecret, auth.WithTokenURL(moneykit.URL))
		if err != nil {
			t.Fatal(err)
		}
		shared = append(shared, s)
	}
	if values, _ := allTokens(t, shared); !maps.Equal(values, map[string]int{"access-2": 20}) || time.Since(killed) > lockTTL+2*time.Second {
		t.Errorf("%v after %v", values, time.Since(killed))
	}
	t.Logf("a process was killed while it fetched: 20 others have a token %v later", time.Since(killed).Round(time.Millisecond))
	if n := requests.Load(); n != 2 {
		t.Errorf("%d token requests", n)
	}
}
