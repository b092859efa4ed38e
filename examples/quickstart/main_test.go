package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/sandbox"
)

func of(srv *sandbox.Server) moneykit { return moneykit{srv.URL, srv.ClientID, srv.ClientSecret} }

func TestRun(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	var out strings.Builder
	if err := run(t.Context(), of(srv), &out, nil); err != nil {
		t.Fatal(err)
	}
	links := srv.Links()
	if len(links) != 1 {
		t.Fatalf("the sandbox holds %d links", len(links))
	}
	for _, want := range []string{"store this link_id with your user: " + links[0].LinkID, links[0].InstitutionName, "connected", "transactions", "quickstart"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("prints no %q:\n%s", want, &out)
		}
	}
}

// At a MoneyKit that does not act as the end user, a person has to.
func TestRunWithoutSandbox(t *testing.T) {
	t.Parallel()
	mk := sandbox.Start(t)
	real := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/sandbox/") {
			http.NotFound(w, r)
			return
		}
		mk.ServeHTTP(w, r)
	}))
	defer real.Close()
	at := moneykit{real.URL, mk.ClientID, mk.ClientSecret}
	var out strings.Builder
	person := personFunc(func() string { // reads the token from the screen, links a bank, and types in what comes of it
		text := out.String()
		_, text, _ = strings.Cut(text, "link_session_token:\n\n  ")
		token, _, _ := strings.Cut(text, "\n")
		exchangeable, err := mk.Complete(token)
		if err != nil {
			t.Error(err)
		}
		return exchangeable + "\n"
	})
	if err := run(t.Context(), at, &out, person); err != nil || len(mk.Links()) != 1 {
		t.Errorf("%v, %d links", err, len(mk.Links()))
	}
	if err := run(t.Context(), at, &out, strings.NewReader("\n")); err == nil || !strings.Contains(err.Error(), "no exchangeable token was given") {
		t.Errorf("an empty line: %v", err)
	}
}

type personFunc func() string

func (f personFunc) Read(p []byte) (int, error) { return copy(p, f()), nil }

func TestRunErrors(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	down := httptest.NewServer(nil)
	down.Close()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx  context.Context
		mk   moneykit
		want string
	}{
		"wrong secret":   {t.Context(), moneykit{srv.URL, srv.ClientID, "wrong-secret"}, "401"},
		"no credentials": {t.Context(), moneykit{url: srv.URL}, api.EnvClientID},
		"no URL":         {t.Context(), moneykit{"nowhere", "id", "secret"}, api.EnvURL},
		"canceled":       {canceled, moneykit{down.URL, "id", "secret"}, "context canceled"},
	} {
		err := run(test.ctx, test.mk, io.Discard, nil)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "wrong-secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFromEnv(t *testing.T) {
	t.Setenv(api.EnvURL, "https://api.moneykit.com")
	t.Setenv(api.EnvClientID, "id")
	t.Setenv(api.EnvClientSecret, "secret")
	if got := fromEnv(); got != (moneykit{"https://api.moneykit.com", "id", "secret"}) {
		t.Errorf("got %v", got)
	}
}

func TestStartSandbox(t *testing.T) {
	t.Parallel()
	mk, stop := startSandbox()
	defer stop()
	var out strings.Builder
	if err := run(t.Context(), mk, &out, nil); err != nil || !strings.Contains(out.String(), "3. exchanged") {
		t.Errorf("%v\n%s", err, &out)
	}
}
