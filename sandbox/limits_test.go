package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/sandbox"
)

func TestPublishedRateLimits(t *testing.T) {
	t.Parallel()
	if got, want := sandbox.PublishedRateLimits(), (sandbox.RateLimits{Token: 300, LinkSessionPerUser: 20, PerApp: 1200}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestRateLimits(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t, sandbox.WithRateLimits(sandbox.RateLimits{Token: 2, LinkSessionPerUser: 2, PerApp: 5}))
	newToken(t, srv)
	token := newToken(t, srv)
	srv.Advance(20 * time.Second)
	form := map[string][]string{"Content-Type": {"application/x-www-form-urlencoded"}}
	for range 5 { // another client's requests do not count
		if got := send(t, srv, "POST", "/auth/token", form, "grant_type=client_credentials&client_id=another&client_secret=x"); got.status != 401 {
			t.Errorf("another client: %+v", got)
		}
	}
	credentials := "grant_type=client_credentials&client_id=" + srv.ClientID + "&client_secret=" + srv.ClientSecret
	if got := send(t, srv, "POST", "/auth/token", form, credentials); got.status != 429 || got.errorCode() != "api_error.rate_limit_exceeded" ||
		got.header.Get("Retry-After") != "40" {
		t.Errorf("token: %+v", got)
	}

	create := func(user string) reply {
		return post(t, srv, "/link-session", token, strings.Replace(minimal, "user-42", user, 1))
	}
	for i, test := range []struct {
		user       string
		status     int
		retryAfter string
	}{
		{"ada-1", 201, ""}, {"ada-1", 201, ""}, {"ada-1", 429, "60"}, // the user's limit
		{"bob-1", 201, ""}, {"bob-1", 201, ""}, {"cat-1", 429, "60"}, // the application's, towards which a 429 counts
	} {
		if got := create(test.user); got.status != test.status || got.header.Get("Retry-After") != test.retryAfter {
			t.Errorf("%d: %+v, want %+v", i, got, test)
		}
	}
	srv.Advance(time.Minute)
	if got := create("ada-1"); got.status != 201 {
		t.Errorf("a minute later: %+v", got)
	}
}

func TestNoRateLimitsByDefault(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	token := newToken(t, srv)
	for range 30 {
		if got := post(t, srv, "/link-session", token, minimal); got.status != 201 {
			t.Fatal(fmt.Sprint(got))
		}
	}
}
