package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
)

// FromCredentials takes one base URL: tokens come from its /auth/token, through the same http.Client.
func TestFromCredentials(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /mk/auth/token", reply(201, `{"access_token":"`+bearer+`","token_type":"bearer","expires_in":3600}`))
	mux.HandleFunc("POST /mk/link-session", reply(201, session))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	for _, baseURL := range []string{srv.URL + "/mk", srv.URL + "/mk/"} {
		seen := 0
		client, err := api.FromCredentials("id", "secret", api.WithBaseURL(baseURL), api.WithHTTPClient(&http.Client{Transport: counter{&seen}}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.CreateLinkSession(t.Context(), createRequest()); err != nil || seen != 2 {
			t.Errorf("%d requests, want a token request and the operation's: %v", seen, err)
		}
	}
	client, err := api.FromCredentials("id", "secret")
	if err != nil || client.String() != "api.Client(api.moneykit.com)" {
		t.Errorf("by default: %v, %v", client, err)
	}
	for want, build := range map[string]func() (*api.Client, error){
		"the client ID is empty": func() (*api.Client, error) { return api.FromCredentials("", "secret") },
		"the base URL: no host":  func() (*api.Client, error) { return api.FromCredentials("id", "secret", api.WithBaseURL("moneykit")) },
	} {
		if c, err := build(); c != nil || err == nil || !strings.HasPrefix(err.Error(), "moneykit: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v, want %q", c, err, want)
		}
	}
}

// With another base URL, a source that still has MoneyKit's token URL would send the credentials to production.
func TestCredentialsDoNotGoToProduction(t *testing.T) {
	t.Parallel()
	production, err := auth.ClientCredentials("id", "secret")
	if err != nil {
		t.Fatal(err)
	}
	other, err := auth.ClientCredentials("id", "secret", auth.WithTokenURL("http://localhost:8042/auth/token"))
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := api.WithBaseURL("http://localhost:8042")
	if _, err := api.New(production, elsewhere); err == nil || !strings.Contains(err.Error(), "auth.WithTokenURL") {
		t.Errorf("got %v", err)
	}
	for name, build := range map[string]func() (*api.Client, error){
		"both are MoneyKit's": func() (*api.Client, error) { return api.New(production) },
		"both are elsewhere":  func() (*api.Client, error) { return api.New(other, elsewhere) },
		"a static token":      func() (*api.Client, error) { return api.New(auth.StaticToken("t"), elsewhere) },
	} {
		if _, err := build(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Options of a call take precedence over the client's, for that call.
func TestOptionsOfACall(t *testing.T) {
	t.Parallel()
	requests := 0
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		reply(503, "")(w, r)
	}, api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: 2, BaseDelay: 1}))
	for _, tt := range []struct {
		opts []api.CallOption
		want int
	}{
		{nil, 2},
		{[]api.CallOption{api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: 4, BaseDelay: 1}), nil}, 4},
		{nil, 2},
	} {
		requests = 0
		_, err := client.CreateLinkSession(t.Context(), createRequest(), tt.opts...)
		var e *api.Error
		if !errors.As(err, &e) || requests != tt.want || e.Attempts != tt.want {
			t.Errorf("%d requests, %+v; want %d", requests, e, tt.want)
		}
	}
	for want, opt := range map[string]api.CallOption{
		"WithTimeout: -1ns": api.WithTimeout(-1), "WithRequestEditor: the editor is nil": api.WithRequestEditor(nil),
		"WithRetryPolicy: {MaxAttempts:-1": api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: -1}),
	} {
		requests = 0
		_, err := client.ExchangeToken(t.Context(), exchangeRequest(), opt)
		var e *api.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) || requests != 0 {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	hanging := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not notice that the client left
		<-r.Context().Done()
	})
	_, err := hanging.ExchangeToken(t.Context(), exchangeRequest(), api.WithTimeout(time.Millisecond))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "after 1ms (see WithTimeout)") {
		t.Errorf("got %v", err)
	}
}

// An Error says how many attempts were made and how long to wait.
func TestErrorNamesAttemptsAndWait(t *testing.T) {
	t.Parallel()
	client := serve(t, reply(503, ""), api.WithRetryPolicy(api.RetryPolicy{MaxAttempts: 3, BaseDelay: 1}))
	_, err := client.CreateLinkSession(t.Context(), createRequest())
	if err == nil || !strings.HasSuffix(err.Error(), "503 Service Unavailable (3 attempts)") {
		t.Errorf("got %v", err)
	}
	client = serve(t, reply(429, "", "Retry-After", "60"))
	_, err = client.CreateLinkSession(t.Context(), createRequest())
	if err == nil || !strings.HasSuffix(err.Error(), "429 Too Many Requests (retry after 1m0s)") {
		t.Errorf("got %v", err)
	}
	unknown := &api.Error{Op: "exchange_token", OutcomeUnknown: true} // as a test of a user's builds it
	only(t, "a literal", unknown, api.ErrOutcomeUnknown)
	if got := unknown.Error(); got != "moneykit: exchange_token: outcome unknown: the token may have been exchanged" {
		t.Errorf("got %q", got)
	}
}

// A nil option of a call is ignored, and one that is refused names the operation.
func TestCallOptionsAreChecked(t *testing.T) {
	t.Parallel()
	rt, requests := inMemory(linkedStep)
	client := newClient(t, memoryURL, rt)
	var info api.HTTPInfo
	if _, err := do(t.Context(), client, exchangeOp, nil, api.WithHTTPInfo(nil), api.WithHTTPInfo(&info)); err != nil || info.StatusCode != 201 || info.Attempts != 1 {
		t.Errorf("got %+v, %v", info, err)
	}
	if _, err := do(t.Context(), client, exchangeOp, nil, api.WithHTTPInfo(&info), api.WithTimeout(-1)); err == nil || info.Attempts != 0 || requests() != 1 ||
		!strings.HasPrefix(err.Error(), "moneykit: exchange_token: WithTimeout: -1ns") {
		t.Errorf("got %+v, %v", info, err)
	}
	var unset api.SharedOption
	if _, err := do(t.Context(), client, exchangeOp, unset); fmt.Sprint(err) != "moneykit: exchange_token: a SharedOption is nil" {
		t.Errorf("got %v", err)
	}
	if _, err := api.New(auth.StaticToken("t"), unset); fmt.Sprint(err) != "moneykit: api: a SharedOption is nil" {
		t.Errorf("got %v", err)
	}
	if _, err := do(t.Context(), client, exchangeOp, api.WithTimeout(1), api.WithHTTPInfo(nil)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the shortest timeout: %v", err)
	}
}
