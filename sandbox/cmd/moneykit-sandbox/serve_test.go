package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/moneykit/moneykit-go/sandbox"
	"github.com/moneykit/moneykit-go/sandbox/internal/pipe"
	"github.com/moneykit/moneykit-go/sandbox/internal/redact"
	"github.com/moneykit/moneykit-go/sandbox/internal/server"
)

// The program does not wait for slow clients.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		listener := pipe.Listen()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- serve(ctx, listener, nil, sandbox.New()) }()
		pipe.CheckTimeouts(t, listener, pipe.Timeouts{Header: server.ReadHeaderTimeout, Body: server.ReadTimeout, Idle: server.IdleTimeout})
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// There is one line per request, also for a dropped connection, and without a secret.
func TestRequestsAreLogged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	box := sandbox.New(sandbox.WithCredentials("my-id", "my-secret-1"))
	handler := logRequests(slog.New(slog.NewTextHandler(&out, nil)), redact.Redactor{ClientSecret: box.ClientSecret}, box)
	send := func(method, target string) {
		defer func() { _ = recover() }()
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, target, strings.NewReader("client_secret=my-secret-1")))
	}
	send("GET", "/openapi.yaml")
	send("POST", "/auth/token?client_secret=my-secret-1")
	send("GET", "/sandbox_exchangeable_ABC/my-secret-1/%0Aline")
	if err := box.Fail(sandbox.Token, 1, sandbox.Fault{Drop: true}); err != nil {
		t.Fatal(err)
	}
	send("POST", "/auth/token")
	want := []string{
		`msg=request method=GET path=/openapi.yaml status=200 duration=\S+ request_id=req_\w+$`,
		`msg=request method=POST path=/auth/token status=400 `,
		`msg=request method=GET path="/\[redacted\]/\[redacted\]/\\nline" status=404 `,
		`msg=request method=POST path=/auth/token status=0 `,
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(want) {
		t.Fatalf("logged:\n%s", &out)
	}
	for i, want := range want {
		if !regexp.MustCompile(want).MatchString(lines[i]) {
			t.Errorf("logged %s, want %s", lines[i], want)
		}
	}
	if strings.Contains(out.String(), "my-secret-1") {
		t.Errorf("a secret was logged:\n%s", &out)
	}
}

// -rate-limits=false, -legacy-user-ids and -host reach the sandbox.
func TestFlags(t *testing.T) {
	t.Parallel()
	env := program(t, "-rate-limits=false", "-legacy-user-ids", "-host", "moneykit.test")
	res, err := http.PostForm(env[0]+"/auth/token", map[string][]string{
		"grant_type": {"client_credentials"}, "client_id": {env[1]}, "client_secret": {env[2]}})
	if err != nil {
		t.Fatal(err)
	}
	token := decode(t, res, 201)["access_token"].(string)
	for range 21 {
		call(t, env[0]+"/link-session", token, `{"customer_user": {"id": "user-1"}, "redirect_uri": "http://localhost:3000/oauth.html"}`, 201)
	}
	call(t, env[0]+"/link-session", token, `{"customer_user": {"id": "user@1"}, "redirect_uri": "http://localhost:3000/oauth.html"}`, 422)
	for host, want := range map[string]int{"moneykit.test": 200, "evil.example": 403} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", env[0]+"/sandbox/links", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		decode(t, res, want)
	}
}

// program runs the program within the test and returns its URL, its credentials and, with -tls, the file of its certificate.
func program(t *testing.T, args ...string) []string {
	t.Helper()
	return programWith(t, nil, args...)
}

// programWith is program with an environment.
func programWith(t *testing.T, environment map[string]string, args ...string) []string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stdout := make(writer, 10)
	done := make(chan error)
	go func() {
		done <- run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), func(name string) string { return environment[name] }, stdout, new(bytes.Buffer))
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	var env []string
	for _, line := range regexp.MustCompile(`(?m)^export \w+=(.*)$`).FindAllStringSubmatch(<-stdout, -1) {
		env = append(env, line[1])
	}
	if len(env) < 3 {
		t.Fatalf("printed: %q", env)
	}
	return env
}

func noEnv(string) string { return "" }

// A writer sends what is written.
type writer chan string

func (w writer) Write(p []byte) (int, error) {
	w <- string(p)
	return len(p), nil
}
