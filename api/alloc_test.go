//go:build !race

package api_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/gen"
)

// instant responds to every request at once with body.
type instant struct{ body string }

func (i instant) RoundTrip(req *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, req.Body)
	return &http.Response{
		StatusCode: http.StatusCreated, ContentLength: int64(len(i.body)),
		Body: io.NopCloser(strings.NewReader(i.body)), Request: req,
	}, nil
}

// TestAllocs limits what one call allocates, net/http and encoding/json included. The numbers are exact with
// Go 1.26. The race detector allocates too, so make allocs runs this without it.
func TestAllocs(t *testing.T) {
	client := func(body string, opts ...api.Option) *api.Client {
		c, err := api.New(auth.StaticToken("t"), append(opts, api.WithHTTPClient(&http.Client{Transport: instant{body}}))...)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	const session, link = `{"link_session_token": "s"}`, `{"link": {"link_id": "l"}}`
	var info api.HTTPInfo
	for _, tt := range []struct {
		name   string
		client *api.Client
		limit  float64
		opts   []api.CallOption
		link   bool
	}{
		{name: "create", client: client(session), limit: 37},
		{name: "create without retries", client: client(session, api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: 1})), limit: 37},
		{name: "exchange", client: client(link), limit: 45, link: true},
		{name: "exchange with HTTPInfo", client: client(link), limit: 45, opts: []api.CallOption{api.WithHTTPInfo(&info)}, link: true},
	} {
		got := testing.AllocsPerRun(2000, func() {
			var err error
			if tt.link {
				_, err = tt.client.ExchangeToken(context.Background(), gen.ExchangeTokenRequest{ExchangeableToken: "e"}, tt.opts...)
			} else {
				_, err = tt.client.CreateLinkSession(context.Background(), gen.CreateLinkSessionRequest{
					CustomerUser: gen.LinkSessionCustomerUser{ID: "user-42"}, RedirectURI: "https://yourdomain.com/oauth.html",
				}, tt.opts...)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
		if got > tt.limit {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, got, tt.limit)
		}
	}
}
