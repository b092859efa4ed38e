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

func TestRun(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	var out strings.Builder
	if err := run(t.Context(), srv.Client(), srv.URL, &out, nil); err != nil {
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
	client, err := api.FromCredentials(mk.ClientID, mk.ClientSecret, api.WithBaseURL(real.URL))
	if err != nil {
		t.Fatal(err)
	}
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
	if err := run(t.Context(), client, real.URL, &out, person); err != nil || len(mk.Links()) != 1 {
		t.Errorf("%v, %d links", err, len(mk.Links()))
	}
	if err := run(t.Context(), client, real.URL, &out, strings.NewReader("\n")); err == nil || !strings.Contains(err.Error(), "no exchangeable token was given") {
		t.Errorf("an empty line: %v", err)
	}
}

type personFunc func() string

func (f personFunc) Read(p []byte) (int, error) { return copy(p, f()), nil }

func TestRunErrors(t *testing.T) {
	t.Parallel()
	srv := sandbox.Start(t)
	wrong, err := api.FromCredentials(srv.ClientID, "wrong-secret", api.WithBaseURL(srv.URL))
	if err != nil {
		t.Fatal(err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx    context.Context
		client *api.Client
		want   string
	}{
		"wrong secret": {t.Context(), wrong, "401"},
		"canceled":     {canceled, srv.Client(), "context canceled"},
	} {
		err := run(test.ctx, test.client, srv.URL, io.Discard, nil)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "wrong-secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStartSandbox(t *testing.T) {
	t.Parallel()
	url, client, stop, err := startSandbox()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	var out strings.Builder
	if err := run(t.Context(), client, url, &out, nil); err != nil || !strings.Contains(out.String(), "3. exchanged") {
		t.Errorf("%v\n%s", err, &out)
	}
}
