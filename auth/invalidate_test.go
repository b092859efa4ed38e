package auth_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/moneykit/moneykit-go/auth"
)

// A cachingSource returns one token until it is invalidated.
type cachingSource struct {
	mu          sync.Mutex
	n           int
	invalidated []oauth2.Token
	expiry      time.Time
}

func (c *cachingSource) Token() (*oauth2.Token, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &oauth2.Token{AccessToken: fmt.Sprint("token-", c.n), Expiry: c.expiry}, nil
}

func (c *cachingSource) Invalidate(t *oauth2.Token) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	c.invalidated = append(c.invalidated, *t)
}

func (c *cachingSource) values() (out []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.invalidated {
		out = append(out, t.AccessToken)
	}
	return out
}

func TestInvalidateReachesTokenSource(t *testing.T) {
	t.Parallel()
	cache := &cachingSource{expiry: time.Now().Add(time.Hour).Round(0)}
	src := auth.FromTokenSource(cache)
	first, err := src.Token(t.Context())
	if err != nil || !first.Expiry().Equal(cache.expiry) {
		t.Fatalf("got %v, which expires at %v", err, first.Expiry())
	}

	// Many callers got 401 with one token, and each asks for the next one.
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() {
			src.Invalidate(first)
			if tok, err := src.Token(t.Context()); err != nil || tok.Value() != "token-1" {
				t.Errorf("got %v, %v, want token-1", tok.Value(), err)
			}
		})
	}
	callers.Wait()
	if got := cache.values(); !slices.Equal(got, []string{"token-0"}) {
		t.Errorf("the token source was called with %v, want token-0 once", got)
	}
	if got := cache.invalidated[0]; !got.Expiry.Equal(cache.expiry) || got.TokenType != "Bearer" {
		t.Errorf("it got the type %s and the expiry %v", got.TokenType, got.Expiry)
	}
	src.Invalidate(first) // no longer the cached one
	src.Invalidate(nil)
	if got := cache.values(); len(got) != 1 {
		t.Errorf("a token that is no longer cached was invalidated: %v", got)
	}
}

func TestScopesAndExpiry(t *testing.T) {
	t.Parallel()
	src, err := auth.ClientCredentials("id", clientSecret, auth.WithScopes("read", "write"))
	if err != nil {
		t.Fatal(err)
	}
	if got := src.Scopes(); !slices.Equal(got, []string{"read", "write"}) {
		t.Errorf("scopes: %v", got)
	}
	src.Scopes()[0] = "changed"
	if src.Scopes()[0] != "read" {
		t.Error("a caller can change the scopes of a Source")
	}
	tok, err := auth.StaticToken(accessToken).Token(t.Context())
	if err != nil || !tok.Expiry().IsZero() {
		t.Errorf("a static token expires at %v (%v)", tok.Expiry(), err)
	}
	var noToken *auth.Token
	var noSource *auth.Source
	if !noToken.Expiry().IsZero() || noSource.Scopes() != nil {
		t.Error("nil has an expiry or scopes")
	}
}
