package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/moneykit/moneykit-go/internal/transport"
)

const (
	// After a failed fetch the next one waits for firstBackoff, then twice as long after each failure, up to
	// maxBackoff, and at least as long as Retry-After says. Callers get the last failure meanwhile.
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 30 * time.Second

	// maxRetryAfter caps Retry-After: a date from a wrong clock must not stop a program for good.
	maxRetryAfter = 5 * time.Minute
)

// A Source provides access tokens. It fetches a token when one is needed and caches it. [ClientCredentials],
// [StaticToken] and [FromTokenSource] make one. It is safe for concurrent use, and one Source should serve the whole
// program.
type Source struct {
	fetch        func(context.Context) (*Token, error)
	forget       func(*Token) // makes fetch forget a rejected token too; may be nil
	clientID     string
	tokenURL     string
	scopes       []string
	endpoint     string // host and path of tokenURL, for errors
	insecureHTTP bool

	cached atomic.Pointer[Token]

	mu      sync.Mutex // guards what follows
	pending *call
	failed  *Error // the failure of the last fetch
	backoff time.Duration
	retryAt time.Time
}

// A call is a fetch in progress. Any number of callers wait for it.
type call struct {
	done chan struct{} // closed once tok or err is set
	tok  *Token
	err  error
}

// StaticToken returns a Source for an access token that you already have, without "Bearer ". [Source.Token] returns an
// error for a token that a header cannot carry.
func StaticToken(accessToken string) *Source {
	tok, err := newToken(&oauth2.Token{AccessToken: accessToken}, time.Time{})
	return &Source{fetch: func(context.Context) (*Token, error) { return tok, err }}
}

// FromTokenSource returns a Source that takes its tokens from ts and caches each until its Expiry. One that has
// expired already is used once. ts is called by one goroutine at a time, and a panic in it becomes an error.
//
// A ts with a cache of its own can have a method Invalidate(*oauth2.Token). [Source.Invalidate] calls it once for each
// rejected token, before ts is asked for another one. It gets access token and expiry, must not block or use the Source,
// and may be called while Token runs.
func FromTokenSource(ts oauth2.TokenSource) *Source {
	s := &Source{fetch: func(context.Context) (*Token, error) {
		if ts == nil {
			return nil, errors.New("FromTokenSource: the token source is nil")
		}
		t, err := ts.Token()
		if err == nil {
			return newToken(t, time.Now())
		}
		if e := (*Error)(nil); errors.As(err, &e) {
			return nil, e
		}
		e := explain(err, transport.Redactor{})
		e.Code, e.Message = "", "" // they may repeat a secret that is not known here
		return nil, e
	}}
	if cache, ok := ts.(interface{ Invalidate(*oauth2.Token) }); ok {
		s.forget = func(tok *Token) {
			cache.Invalidate(&oauth2.Token{AccessToken: tok.Value(), TokenType: "Bearer", Expiry: tok.expires})
		}
	}
	return s
}

// Token returns the cached token, or fetches one. It waits no longer than ctx; the fetch goes on for other callers and
// for the cache. Shortly before a token expires (a minute, or half its lifetime if that is shorter), it is still
// returned at once, and a new one is fetched in the background.
//
// After a failed fetch, callers get its error until the [Error.RetryAfter] has passed. Every error is an [*Error].
func (s *Source) Token(ctx context.Context) (*Token, error) {
	switch {
	case s == nil || s.fetch == nil:
		return nil, &Error{err: errors.New("the Source is nil or zero; make it with ClientCredentials, StaticToken or FromTokenSource")}
	case ctx == nil:
		return nil, &Error{endpoint: s.endpoint, err: errors.New("the context is nil")}
	}
	tok, now := s.cached.Load(), time.Now()
	if tok.usable(now) {
		if !tok.fresh(now) {
			s.refresh(ctx)
		}
		return tok, nil
	}
	if ctx.Err() != nil {
		return nil, &Error{endpoint: s.endpoint, err: transport.ContextError(ctx)}
	}
	c := s.refresh(ctx)
	select {
	case <-c.done:
		return c.tok, c.err
	case <-ctx.Done():
		return nil, &Error{endpoint: s.endpoint, err: transport.ContextError(ctx)}
	}
}

// Invalidate forgets tok, which a server rejected, if it is still the cached token. However many callers invalidate
// one token, it costs one fetch.
func (s *Source) Invalidate(tok *Token) {
	if s == nil || tok == nil || s.cached.Load() != tok {
		return
	}
	s.mu.Lock() // so that no fetch starts before forget has returned
	defer s.mu.Unlock()
	if s.cached.CompareAndSwap(tok, nil) && s.forget != nil {
		s.forget(tok)
	}
}

// InvalidateRequest is [Source.Invalidate] for the token that r carries, if it is still the cached token.
func (s *Source) InvalidateRequest(r *http.Request) {
	if s == nil {
		return
	}
	if tok := s.cached.Load(); tok != nil && r.Header.Get("Authorization") == *tok.header {
		s.Invalidate(tok)
	}
}

// RequestEditor puts the token on a request. It is a request editor of the generated client:
//
//	gen.NewClientWithResponses(url, gen.WithRequestEditorFn(src.RequestEditor))
//
// It returns an error for a request that would send the token unencrypted: http to a host that is not loopback, unless
// s was made with [WithInsecureHTTP].
func (s *Source) RequestEditor(ctx context.Context, req *http.Request) error {
	if req == nil {
		return errors.New("moneykit: auth: the request is nil")
	}
	if err := transport.CheckScheme(req.URL, s != nil && s.insecureHTTP); err != nil {
		return fmt.Errorf("moneykit: auth: %w", err)
	}
	tok, err := s.Token(ctx)
	if err != nil {
		return err
	}
	tok.SetAuthHeader(req)
	return nil
}

// ClientID returns the client ID of [ClientCredentials], and "" for other sources.
func (s *Source) ClientID() string {
	if s == nil {
		return ""
	}
	return s.clientID
}

// TokenURL returns the token endpoint of [ClientCredentials], and "" for other sources.
func (s *Source) TokenURL() string {
	if s == nil {
		return ""
	}
	return s.tokenURL
}

// Scopes returns what [WithScopes] has set.
func (s *Source) Scopes() []string {
	if s == nil {
		return nil
	}
	return slices.Clone(s.scopes)
}

// String names the token endpoint.
func (s *Source) String() string {
	if s == nil || s.endpoint == "" {
		return "auth.Source"
	}
	return "auth.Source(" + s.endpoint + ")"
}

// Format prints String for every verb.
func (s *Source) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// refresh returns the fetch in progress, or a result that is there already, or starts a fetch.
func (s *Source) refresh(ctx context.Context) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending != nil {
		return s.pending
	}
	c := &call{done: make(chan struct{})}
	now := time.Now()
	if tok := s.cached.Load(); tok.fresh(now) { // another caller was faster
		c.tok = tok
		close(c.done)
	} else if now.Before(s.retryAt) {
		e := *s.failed
		e.RetryAfter = s.retryAt.Sub(now)
		c.err = &e
		close(c.done)
	} else {
		s.pending = c
		go s.do(context.WithoutCancel(ctx), c)
	}
	return c
}

// do fetches a token for c. It finishes c even if the fetch panics or ends its goroutine.
func (s *Source) do(ctx context.Context, c *call) {
	err := errors.New("the token source returned neither a token nor an error")
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the token source panicked: %s", transport.Redactor{}.Clean(fmt.Sprint(r)))
		}
		s.finish(c, err)
	}()
	c.tok, err = s.fetch(ctx)
}

// finish records the result of c and releases its callers.
func (s *Source) finish(c *call, err error) {
	defer close(c.done)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = nil
	if err == nil {
		s.failed, s.backoff, s.retryAt = nil, 0, time.Time{}
		s.cached.Store(c.tok)
		return
	}
	e := &Error{err: err}
	if own := (*Error)(nil); errors.As(err, &own) {
		*e = *own
	}
	if e.endpoint == "" {
		e.endpoint = s.endpoint
	}
	s.backoff = min(max(2*s.backoff, firstBackoff), maxBackoff)
	wait := max(min(e.RetryAfter, maxRetryAfter), s.backoff)
	e.RetryAfter = wait + rand.N(wait/2) // jitter, so that processes that failed together do not come back together
	s.failed, s.retryAt = e, time.Now().Add(e.RetryAfter)
	c.tok, c.err = nil, e
}
