package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	moneykit "github.com/moneykit/moneykit-go"
	"github.com/moneykit/moneykit-go/gen"
	"github.com/moneykit/moneykit-go/sandbox"
)

// Every status that the contract has for an operation, with the cause that it has at MoneyKit.
func TestEveryStatusOfTheContractIsReachable(t *testing.T) {
	t.Parallel()
	const create, exchange = "/link-session", "/link-session/exchange-token"
	type provoke func(t *testing.T, srv *sandbox.Server, token string) reply
	// The keys are operation, status and, where it has several, error code.
	provoked := map[string]provoke{
		"create_link_session 201 ": func(t *testing.T, srv *sandbox.Server, token string) reply {
			return post(t, srv, create, token, minimal)
		},
		"create_link_session 401 api_error.auth.unauthorized": func(t *testing.T, srv *sandbox.Server, _ string) reply {
			return post(t, srv, create, "nobody's", minimal)
		},
		"create_link_session 401 api_error.auth.expired_access_token": func(t *testing.T, srv *sandbox.Server, token string) reply {
			srv.Advance(time.Hour)
			return post(t, srv, create, token, minimal)
		},
		"create_link_session 403 link_session_error.forbidden_config": func(t *testing.T, srv *sandbox.Server, token string) reply {
			return post(t, srv, create, token, strings.Replace(minimal, "yourdomain.com", "yourdomain.com:8443", 1))
		},
		"create_link_session 422 api_error.request.validation_failed": func(t *testing.T, srv *sandbox.Server, token string) reply {
			return post(t, srv, create, token, `{}`)
		},
		"create_link_session 429 api_error.rate_limit_exceeded": func(t *testing.T, srv *sandbox.Server, token string) reply {
			for range 20 {
				if got := post(t, srv, create, token, minimal); got.status != http.StatusCreated {
					t.Fatalf("within the limit: %+v", got)
				}
			}
			return post(t, srv, create, token, minimal)
		},
		"exchange_token 201 ": func(t *testing.T, srv *sandbox.Server, token string) reply {
			return post(t, srv, exchange, token, exchangeBody(completed(t, srv, token, minimal)))
		},
		"exchange_token 400 link_session_error.invalid_token_exchange": func(t *testing.T, srv *sandbox.Server, token string) reply {
			return post(t, srv, exchange, token, exchangeBody("unknown"))
		},
		"exchange_token 401 api_error.auth.unauthorized": func(t *testing.T, srv *sandbox.Server, _ string) reply {
			return post(t, srv, exchange, "", exchangeBody("x"))
		},
		"exchange_token 401 api_error.auth.expired_access_token": func(t *testing.T, srv *sandbox.Server, token string) reply {
			srv.Advance(time.Hour)
			return post(t, srv, exchange, token, exchangeBody("x"))
		},
		"exchange_token 422 api_error.request.validation_failed": func(t *testing.T, srv *sandbox.Server, token string) reply {
			return post(t, srv, exchange, token, `{"exchangeable_token": ""}`)
		},
		"exchange_token 429 api_error.rate_limit_exceeded": func(t *testing.T, srv *sandbox.Server, token string) reply {
			for range 1200 {
				if got := post(t, srv, exchange, token, exchangeBody("x")); got.status != http.StatusBadRequest {
					t.Fatalf("within the limit: %+v", got)
				}
			}
			return post(t, srv, exchange, token, exchangeBody("x"))
		},
	}

	reached := map[string]bool{}
	for key, provoke := range provoked {
		t.Run(key, func(t *testing.T) {
			srv := sandbox.Start(t, sandbox.WithRateLimits(sandbox.PublishedRateLimits()))
			operation, rest, _ := strings.Cut(key, " ")
			status, code, _ := strings.Cut(rest, " ")
			got := provoke(t, srv, newToken(t, srv))
			if strconv.Itoa(got.status) != status || got.errorCode() != code {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			last := srv.Requests()[len(srv.Requests())-1]
			if string(last.Operation) != operation || last.Status != got.status {
				t.Fatalf("the last request was %s %d", last.Operation, last.Status)
			}
			if got.header.Get("X-Request-Id") == "" {
				t.Error("no X-Request-Id")
			}
			if seconds, err := strconv.Atoi(got.header.Get("Retry-After")); got.status == http.StatusTooManyRequests &&
				(err != nil || seconds < 1 || seconds > 60) {
				t.Errorf("Retry-After: %q", got.header.Get("Retry-After"))
			}
			reached[operation+" "+status] = true
		})
	}

	doc, err := openapi3.NewLoader().LoadFromData(moneykit.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	srv := sandbox.Start(t)
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if send(t, srv, method, path, nil, "").status == http.StatusNotImplemented {
				continue
			}
			for status := range operation.Responses.Map() {
				if pair := operation.OperationID + " " + status; !reached[pair] {
					t.Errorf("%s is in the contract and was not reached", pair)
				}
			}
		}
	}
}

func TestInvalidExchangeableTokens(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t, sandbox.WithTokenLifetime(24*time.Hour))
	token := newToken(t, srv)
	used := completed(t, srv, token, minimal)
	if got := post(t, srv, "/link-session/exchange-token", token, exchangeBody(used)); got.status != http.StatusCreated {
		t.Fatal(got)
	}
	expired, late := completed(t, srv, token, minimal), completed(t, srv, token, minimal)
	srv.Advance(30*time.Minute - 5*time.Second)
	if got := post(t, srv, "/link-session/exchange-token", token, exchangeBody(late)); got.status != http.StatusCreated {
		t.Errorf("just before it expires: %d %s", got.status, got.body)
	}
	srv.Advance(5 * time.Second)
	for what, exchangeable := range map[string]string{
		"was exchanged before": used,
		"has expired":          expired,
		"is unknown":           "c7318ff7-257c-490e-8242-03a815b223b7",
	} {
		got := post(t, srv, "/link-session/exchange-token", token, exchangeBody(exchangeable))
		if got.status != http.StatusBadRequest || !strings.Contains(got.body, what) || strings.Contains(got.body, exchangeable) {
			t.Errorf("%s: %d %s", what, got.status, got.body)
		}
	}
	states := []gen.PublicLinkState{}
	for _, link := range srv.Links() {
		states = append(states, link.State)
	}
	if want := []gen.PublicLinkState{gen.PublicLinkStateConnected, gen.PublicLinkStateAwaitingTokenExchange, gen.PublicLinkStateConnected}; !slices.Equal(states, want) {
		t.Errorf("states %v, want %v", states, want)
	}
}

func TestOneOfManyExchangesWins(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	token := newToken(t, srv)
	exchangeable := completed(t, srv, token, minimal)
	statuses := make(chan int)
	const n = 64
	for range n {
		go func() {
			statuses <- post(t, srv, "/link-session/exchange-token", token, exchangeBody(exchangeable)).status
		}()
	}
	counts := map[int]int{}
	for range n {
		counts[<-statuses]++
	}
	if counts[http.StatusCreated] != 1 || counts[http.StatusBadRequest] != n-1 {
		t.Errorf("statuses %v, want one 201 and %d 400", counts, n-1)
	}
}

func TestCompleteErrors(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	token := newToken(t, srv)
	used, expired, late := newSession(t, srv, token, minimal), newSession(t, srv, token, minimal), newSession(t, srv, token, minimal)
	if _, err := srv.Complete(used); err != nil {
		t.Fatal(err)
	}
	srv.Advance(30*time.Minute - 5*time.Second)
	if _, err := srv.Complete(late); err != nil {
		t.Errorf("just before it expires: %v", err)
	}
	srv.Advance(5 * time.Second)
	for session, want := range map[string]struct {
		status int
		code   string
	}{
		"unknown": {http.StatusNotFound, "link_session_error.unknown_session"},
		used:      {http.StatusConflict, "link_session_error.session_used"},
		expired:   {http.StatusGone, "link_session_error.session_expired"},
	} {
		if _, err := srv.Complete(session); err == nil || !strings.Contains(err.Error(), want.code) {
			t.Errorf("Complete: %v, want %s", err, want.code)
		}
		got := post(t, srv, "/sandbox/complete", "", fmt.Sprintf(`{"link_session_token": %q}`, session))
		if got.status != want.status || got.errorCode() != want.code {
			t.Errorf("got %d %s, want %d %s", got.status, got.body, want.status, want.code)
		}
	}
}

const minimal = `{"customer_user": {"id": "user-42"}, "redirect_uri": "https://yourdomain.com/oauth.html"}`

func exchangeBody(exchangeable string) string {
	return fmt.Sprintf(`{"exchangeable_token": %q}`, exchangeable)
}

// newSession creates a link session from a JSON body and returns its token.
func newSession(t *testing.T, srv *sandbox.Server, token, body string) string {
	t.Helper()
	got := post(t, srv, "/link-session", token, body)
	if got.status != http.StatusCreated {
		t.Fatalf("create: %d %s", got.status, got.body)
	}
	var created gen.CreateLinkSessionResponse
	if err := json.Unmarshal([]byte(got.body), &created); err != nil {
		t.Fatal(err)
	}
	return created.LinkSessionToken
}

// completed creates a link session, completes it over HTTP and returns the exchangeable token.
func completed(t *testing.T, srv *sandbox.Server, token, body string) string {
	t.Helper()
	got := post(t, srv, "/sandbox/complete", "", fmt.Sprintf(`{"link_session_token": %q}`, newSession(t, srv, token, body)))
	var done struct {
		ExchangeableToken string `json:"exchangeable_token"`
	}
	if err := json.Unmarshal([]byte(got.body), &done); err != nil || got.status != http.StatusOK || done.ExchangeableToken == "" {
		t.Fatalf("complete: %d %s", got.status, got.body)
	}
	return done.ExchangeableToken
}
