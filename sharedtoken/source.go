package sharedtoken

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/oauth2"

	"github.com/moneykit/moneykit-go/auth"
)

const (
	// Without the store, a process keeps its token while that has ownBefore left, or a tenth of its lifetime if that is
	// less. The token gets an Expiry in recheck to twice that, so that the cache of auth asks again after half of it.
	ownBefore = 30 * time.Second
	recheck   = time.Minute

	// minFailure is how long a failure is kept at least, so that a fleet with a wrong secret sends no more than 30 token
	// requests a minute.
	minFailure = 2 * time.Second

	// maxFailure is how long it is kept at most: it may have to do with one process alone, such as its proxy.
	maxFailure = time.Minute

	// maxStored is how long a token that does not expire is stored.
	maxStored = 24 * time.Hour

	// A process that waits for another one's token looks for it after firstPoll, and then after twice as long each time
	// up to maxPoll, with jitter.
	firstPoll = 50 * time.Millisecond
	maxPoll   = 500 * time.Millisecond

	// patience is how long it waits: enough for two processes in a row that end while they fetch.
	patience = 3 * lockTTL
)

// A Source is an [oauth2.TokenSource] for [auth.FromTokenSource]. It is safe for concurrent use. [New] makes one.
type Source struct {
	store  store
	sealer *sealer

	fetching sync.Mutex   // guards what follows, and is held by Token
	own      *auth.Source // fetches tokens; the one that it caches is not used
	fetched  *auth.Token  // by own

	mu       sync.Mutex // guards what follows
	last     *token     // what Token returned last
	rejected string     // the access token that was invalidated last
}

// New returns a Source that shares the token of a client ID through rdb, a client of Redis 5 or newer, or of
// Valkey. It sends no request itself. The options are those of [auth.ClientCredentials]. Processes share a token if their
// client ID, client secret, token URL and scopes are the same. The caller closes rdb.
func New(rdb redis.UniversalClient, clientID, clientSecret string, opts ...auth.Option) (*Source, error) {
	if rdb == nil {
		return nil, errors.New("moneykit: sharedtoken: the Redis client is nil")
	}
	s, err := newSource(clientID, clientSecret, opts...)
	if err != nil {
		return nil, err
	}
	s.store = newRedisStore(rdb, s.sealer.name)
	return s, nil
}

func newSource(clientID, clientSecret string, opts ...auth.Option) (*Source, error) {
	own, err := auth.ClientCredentials(clientID, clientSecret, opts...)
	if err != nil {
		return nil, err
	}
	sealer, err := newSealer(clientID, clientSecret, own.TokenURL(), own.Scopes())
	if err != nil {
		return nil, fmt.Errorf("moneykit: sharedtoken: %w", err)
	}
	return &Source{sealer: sealer, own: own}, nil
}

// Token returns the shared token. If there is none, or if it is due for renewal and no other process fetches the next
// one, Token does. It asks the store each time; [auth.FromTokenSource] caches what it returns. The Expiry is up to two
// minutes early, and earlier while the store fails. Every error of the token endpoint is an [*auth.Error].
func (s *Source) Token() (*oauth2.Token, error) {
	if s == nil || s.store == nil {
		return nil, errors.New("moneykit: sharedtoken: the Source is nil or zero; make it with New")
	}
	s.fetching.Lock()
	defer s.fetching.Unlock()

	ctx := context.Background() // a store and auth have timeouts of their own
	q := query{owner: rand.Text()}
	for end, poll := time.Now().Add(patience), firstPoll; time.Now().Before(end); {
		last, rejected := s.held()
		asked := time.Now()
		st, err := s.store.load(ctx, q)
		if err != nil {
			break
		}
		// Between a time by the clock of the store and one by ours, each too small by the time that the request took.
		fromStore, toStore := asked.Sub(st.now), time.Until(st.now)

		stored := s.open(st.token, fromStore)
		switch {
		case stored != nil && stored.value == rejected:
			q.rejected = st.token
			continue // to remove it
		case stored != nil && !stored.due():
			return s.share(stored), nil
		case st.locked && last != nil && !last.due(): // the store has lost it, or has never had it
			return s.save(ctx, q.owner, last, toStore), nil
		case st.locked:
			return s.renew(ctx, q.owner, cmp.Or(stored, last), toStore)
		case st.token != "" && st.token != q.due: // due, or not readable
			q.due = st.token
			continue // to take the lock
		case stored != nil: // another process renews it
			return s.share(stored), nil
		case last != nil: // another process fetches one
			return s.keep(last), nil
		}
		if failed := s.failure(st.lock, fromStore); failed != nil {
			return nil, failed
		}
		<-time.After(poll/2 + mathrand.N(poll))
		poll = min(2*poll, maxPoll)
	}
	return s.withoutStore(ctx)
}

// Invalidate makes the next call of Token remove t from the store, if t is what Token returned last and no other process
// has removed or replaced it. It sends no request itself.
func (s *Source) Invalidate(t *oauth2.Token) {
	if s == nil || t == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil && s.last.value == t.AccessToken {
		s.rejected, s.last = s.last.value, nil
	}
}

// String names the package alone, and so does every verb of fmt: a Source contains secrets.
func (s *Source) String() string { return "sharedtoken.Source" }

// Format prints String for every verb.
func (s *Source) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// held returns the last token if it can be used, and the access token that was invalidated last.
func (s *Source) held() (last *token, rejected string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil && !s.last.usable() {
		s.last = nil
	}
	return s.last, s.rejected
}

// open returns the token of a stored value, and nil if there is none that can be used.
func (s *Source) open(value string, fromStore time.Duration) *token {
	r := s.sealer.open(value)
	if r == nil || r.AccessToken == "" {
		return nil
	}
	t := &token{value: r.AccessToken, lifetime: r.Lifetime}
	if r.Expires != 0 {
		t.expires = time.UnixMilli(r.Expires).Add(fromStore)
	}
	if !t.usable() {
		return nil
	}
	return t
}

// failure returns the failure that a lock holds, and nil for a process that fetches.
func (s *Source) failure(lock string, fromStore time.Duration) error {
	r := s.sealer.open(lock)
	if r == nil || r.Failure == nil {
		return nil
	}
	left := time.Until(time.UnixMilli(r.Expires).Add(fromStore))
	if left <= 0 { // somebody has stored an old one again
		return nil
	}
	return &auth.Error{StatusCode: r.Failure.StatusCode, Code: r.Failure.Code, Message: r.Failure.Message, RetryAfter: beforeJitter(left)}
}

// renew fetches the next token for all, as the owner of the lock. If that fails, it returns current, the token that can
// still be used, or the error if there is none.
func (s *Source) renew(ctx context.Context, owner string, current *token, toStore time.Duration) (*oauth2.Token, error) {
	next, err := s.fetch(ctx)
	if err == nil {
		return s.save(ctx, owner, next, toStore), nil
	}
	var failed *auth.Error
	var stored string
	var ttl time.Duration
	// A failure without a response may be this process's own: another one tries at once.
	if errors.As(err, &failed) && failed.StatusCode != 0 {
		ttl = min(max(failed.RetryAfter, minFailure), maxFailure)
		stored, _ = s.sealer.seal(record{
			Failure: &failure{StatusCode: failed.StatusCode, Code: failed.Code, Message: failed.Message},
			Expires: time.Now().Add(toStore + ttl).UnixMilli(),
		})
	}
	_ = s.store.release(ctx, owner, stored, ttl) // or else the lock expires
	if current != nil {
		return s.share(current), nil
	}
	if failed != nil {
		own := *failed
		own.RetryAfter = beforeJitter(own.RetryAfter)
		err = &own
	}
	return nil, err
}

// beforeJitter returns what package auth, which adds up to half as much, makes d of at most.
func beforeJitter(d time.Duration) time.Duration { return d * 2 / 3 }

// save stores t for all, as the owner of the lock. If that fails, t is a token of this process's own.
func (s *Source) save(ctx context.Context, owner string, t *token, toStore time.Duration) *oauth2.Token {
	r, ttl := record{AccessToken: t.value, Lifetime: t.lifetime}, maxStored
	if !t.expires.IsZero() {
		r.Expires, ttl = t.expires.Add(toStore).UnixMilli(), time.Until(t.expires)
	}
	stored, err := s.sealer.seal(r)
	if err != nil {
		return s.keep(t)
	}
	if saved, err := s.store.save(ctx, owner, stored, ttl); err != nil || !saved {
		_ = s.store.release(ctx, owner, "", 0) // a store that is full still deletes
		return s.keep(t)
	}
	return s.share(t)
}

// withoutStore returns the last token, or one of this process's own if little is left of the last.
func (s *Source) withoutStore(ctx context.Context) (*oauth2.Token, error) {
	last, _ := s.held()
	if last != nil && last.left() > min(ownBefore, last.lifetime/10) {
		return s.keep(last), nil
	}
	own, err := s.fetch(ctx)
	switch {
	case err == nil:
		return s.keep(own), nil
	case last != nil:
		return s.keep(last), nil
	default:
		return nil, err
	}
}

// fetch sends a token request, unless the backoff of the last one has not passed.
func (s *Source) fetch(ctx context.Context) (*token, error) {
	s.own.Invalidate(s.fetched)
	var err error
	if s.fetched, err = s.own.Token(ctx); err != nil {
		return nil, err
	}
	t := &token{value: s.fetched.Value(), expires: s.fetched.Expiry()}
	if !t.expires.IsZero() {
		t.lifetime = time.Until(t.expires)
	}
	return t, nil
}

// share returns t with an Expiry at which this process asks for the next one: a random time before all have to.
func (s *Source) share(t *token) *oauth2.Token {
	expiry := t.expires
	if d := min(spread, t.left()/4); !expiry.IsZero() && d > 0 {
		expiry = expiry.Add(-mathrand.N(d))
	}
	return s.give(t, expiry)
}

// keep returns t with an Expiry at which this process asks for the store again.
func (s *Source) keep(t *token) *oauth2.Token {
	expiry := time.Now().Add(recheck + mathrand.N(recheck))
	if !t.expires.IsZero() && t.expires.Before(expiry) {
		expiry = t.expires
	}
	return s.give(t, expiry)
}

func (s *Source) give(t *token, expiry time.Time) *oauth2.Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = t
	if t.value == s.rejected { // the endpoint goes on issuing it
		s.rejected = ""
	}
	return &oauth2.Token{AccessToken: t.value, TokenType: "Bearer", Expiry: expiry}
}
