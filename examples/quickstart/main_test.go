package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/sandbox"
)

// The tests set the environment, as a user of the program does, and so do not run in parallel.
func use(t *testing.T, url, id, secret string) {
	t.Helper()
	t.Setenv(api.EnvURL, url)
	t.Setenv(api.EnvClientID, id)
	t.Setenv(api.EnvClientSecret, secret)
}

func TestRun(t *testing.T) {
	srv := sandbox.Start(t)
	use(t, srv.URL, srv.ClientID, srv.ClientSecret)
	var out strings.Builder
	if err := run(t.Context(), &out, nil); err != nil {
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

// With a MoneyKit that plays no end user, a person has to.
func TestRunWithoutSandbox(t *testing.T) {
	mk := sandbox.Start(t)
	real := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/sandbox/") {
			http.NotFound(w, r)
			return
		}
		mk.ServeHTTP(w, r)
	}))
	defer real.Close()
	use(t, real.URL, mk.ClientID, mk.ClientSecret)
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
	if err := run(t.Context(), &out, person); err != nil || len(mk.Links()) != 1 {
		t.Errorf("%v, %d links", err, len(mk.Links()))
	}
	if err := run(t.Context(), &out, strings.NewReader("\n")); err == nil || !strings.Contains(err.Error(), "no exchangeable token was given") {
		t.Errorf("an empty line: %v", err)
	}
}

type personFunc func() string

func (f personFunc) Read(p []byte) (int, error) { return copy(p, f()), nil }

func TestRunSaysWhatIsWrong(t *testing.T) {
	srv := sandbox.Start(t)
	down := httptest.NewServer(nil)
	down.Close()
	use(t, srv.URL, srv.ClientID, "wrong-secret")
	if err := run(t.Context(), &strings.Builder{}, nil); err == nil || !strings.Contains(err.Error(), "401 Unauthorized") || strings.Contains(err.Error(), "wrong-secret") {
		t.Errorf("wrong secret: %v", err)
	}
	use(t, srv.URL, "", "")
	if err := run(t.Context(), &strings.Builder{}, nil); err == nil || !strings.Contains(err.Error(), "MONEYKIT_CLIENT_ID, MONEYKIT_CLIENT_SECRET") {
		t.Errorf("no credentials: %v", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	use(t, down.URL, "id", "secret")
	if err := run(canceled, &strings.Builder{}, nil); err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("canceled: %v", err)
	}
}

func TestEmbeddedSandbox(t *testing.T) {
	use(t, "", "", "") // restored after the test
	stop := startSandbox()
	defer stop()
	var out strings.Builder
	if err := run(t.Context(), &out, nil); err != nil || !strings.Contains(out.String(), "3. exchanged") {
		t.Errorf("%v\n%s", err, &out)
	}
}
