package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/moneykit/moneykit-go/internal/transport"
)

// After a failed fetch the next one waits for this long, twice as long after each further failure, up to the
// longest; callers get the failure meanwhile.
const (
	firstBackoff   = 500 * time.Millisecond
	longestBackoff = 30 * time.Second

	// longestHold is the longest Retry-After that is heeded: a date by a wrong clock must not stop a program for good.
	longestHold = 5 * time.Minute
)

// A Source hands out an access token, and fetches it when it is needed: [ClientCredentials], [StaticToken] and
// [FromTokenSource] make one. It is safe for concurrent use, and one Source should serve the whole program.
type Source struct {
	fetch func(context.Context) (*Token, error)
	place string
	now   func() time.Time

	cached atomic.Pointer[Token]

	mu      sync.Mutex
	pending *flight // the fetch under way
	failed  failure // the latest fetch, if it failed
}

// A flight is one fetch, for which any number of callers wait.
type flight struct {
	done chan struct{} // closed once tok or err is set
	tok  *Token
	err  error
}

type failure struct {
	err     Error
	backoff time.Duration
	until   time.Time
}

func newSource(place string, fetch func(context.Context) (*Token, error)) *Source {
	return &Source{fetch: fetch, place: place, now: time.Now}
}

// StaticToken returns a Source for an access token that you already have, without "Bearer ". A token that no
// header can carry is reported by [Source.Token].
func StaticToken(accessToken string) *Source {
	tok, err := newToken(&oauth2.Token{AccessToken: accessToken}, time.Time{})
	return newSource("", func(context.Context) (*Token, error) { return tok, err })
}

// FromTokenSource returns a Source that takes its tokens from ts and caches each until its Expiry; one whose Expiry has
// passed is used once. ts is called by one goroutine at a time, and never while a token is cached and fresh; a panic in
// it becomes an error.
func FromTokenSource(ts oauth2.TokenSource) *Source {
	s := newSource("", nil)
	s.fetch = func(context.Context) (*Token, error) {
		if ts == nil {
			return nil, errors.New("FromTokenSource was given nil")
		}
		t, err := ts.Token()
		if e := explain(err); e != nil {
			return nil, e
		} else if err != nil {
			return nil, err
		}
		return newToken(t, s.now())
	}
	return s
}

// Token returns the cached token, or fetches one. It waits no longer than ctx: the fetch goes on for the others
// who wait for it, and for the cache. While a token is valid but near its end (a minute, or half its lifetime if
// that is shorter), it is returned at once and its successor is fetched in the background.
//
// After a failed fetch, callers get that failure until its [Error.RetryAfter] has passed. Every error is an
// [*Error].
func (s *Source) Token(ctx context.Context) (*Token, error) {
	switch {
	case s == nil || s.fetch == nil:
		return nil, &Error{err: errors.New("the Source is nil or zero; make it with ClientCredentials, StaticToken or FromTokenSource")}
	case ctx == nil:
		return nil, &Error{place: s.place, err: errors.New("the context is nil")}
	}
	tok := s.cached.Load()
	usable, fresh := tok.state(s.now())
	if fresh {
		return tok, nil
	}
	if usable {
		s.refresh(ctx)
		return tok, nil
	}
	if ctx.Err() != nil {
		return nil, &Error{place: s.place, err: transport.ContextError(ctx)}
	}
	f := s.refresh(ctx)
	select {
	case <-f.done:
		return f.tok, f.err
	case <-ctx.Done():
		return nil, &Error{place: s.place, err: transport.ContextError(ctx)}
	}
}

// Invalidate forgets tok, which a server refused, if it is still the cached token. Any number of callers may say
// so of one token: it costs one fetch.
func (s *Source) Invalidate(tok *Token) {
	if s != nil && tok != nil {
		s.cached.CompareAndSwap(tok, nil)
	}
}

// RequestEditor puts the token on a request. It fits the generated client's [gen.WithRequestEditorFn]:
//
//	gen.NewClientWithResponses(url, gen.WithRequestEditorFn(src.RequestEditor))
//
// It refuses a request that would send the token in the clear: http to a host other than this machine.
func (s *Source) RequestEditor(ctx context.Context, req *http.Request) error {
	if req == nil {
		return errors.New("auth: the request is nil")
	}
	if err := transport.CheckScheme(req.URL); err != nil {
		return fmt.Errorf("auth: %w", err)
	}
	tok, err := s.Token(ctx)
	if err != nil {
		return err
	}
	tok.SetAuthHeader(req)
	return nil
}

// String names the token endpoint.
func (s *Source) String() string {
	if s == nil || s.place == "" {
		return "auth.Source"
	}
	return "auth.Source(" + s.place + ")"
}

// Format prints String for every verb.
func (s *Source) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// refresh returns the fetch under way, starting one if need be.
func (s *Source) refresh(ctx context.Context) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending != nil {
		return s.pending
	}
	f := &flight{done: make(chan struct{})}
	now := s.now()
	if tok := s.cached.Load(); isFresh(tok, now) { // another caller was quicker
		f.tok = tok
		close(f.done)
	} else if left := s.failed.until.Sub(now); left > 0 && left <= s.failed.err.RetryAfter {
		err := s.failed.err
		err.RetryAfter = left
		f.err = &err
		close(f.done)
	} else {
		s.pending = f
		go s.fly(context.WithoutCancel(ctx), f)
	}
	return f
}

func isFresh(tok *Token, now time.Time) bool {
	_, fresh := tok.state(now)
	return fresh
}

// fly fetches a token for f. Whatever fetch does, and be it a panic or runtime.Goexit, f ends and the next can start.
func (s *Source) fly(ctx context.Context, f *flight) {
	err := errors.New("the token source ended its goroutine without an answer")
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the token source panicked: %s", transport.Clean(fmt.Sprint(r)))
		}
		s.land(f, err)
	}()
	f.tok, err = s.fetch(ctx)
}

// land records how f went, and lets its callers go.
func (s *Source) land(f *flight, err error) {
	defer close(f.done)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = nil
	if err == nil {
		s.failed = failure{}
		s.cached.Store(f.tok)
		return
	}
	f.tok = nil
	fail := &s.failed
	if e := (*Error)(nil); errors.As(err, &e) {
		fail.err = *e
	} else {
		fail.err = Error{place: s.place, err: err}
	}
	fail.backoff = min(max(2*fail.backoff, firstBackoff), longestBackoff)
	fail.err.RetryAfter = max(min(fail.err.RetryAfter, longestHold), fail.backoff)
	fail.until = s.now().Add(fail.err.RetryAfter)
	e := fail.err
	f.err = &e
}
