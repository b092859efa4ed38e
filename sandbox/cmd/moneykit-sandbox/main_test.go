package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// asProgram is set in the environment of this test when it runs as the program.
const asProgram = "RUN_AS_MONEYKIT_SANDBOX"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// The program in a process of its own: the flow over HTTP with what it printed, then a signal.
func TestProgram(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-addr", "127.0.0.1:0", "-client-id", "my id", "-client-secret", "it's $ecret")
			cmd.Env = append(os.Environ(), asProgram+"=1")
			var logged bytes.Buffer
			cmd.Stderr = &logged
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Process.Kill()
			var lines string
			for scanner := bufio.NewScanner(stdout); !strings.Contains(lines, "MONEYKIT_CLIENT_SECRET") && scanner.Scan(); {
				lines += scanner.Text() + "\n"
			}

			// What is printed is for a shell to evaluate.
			out, err := exec.Command("sh", "-c", lines+`printf '%s\n' "$MONEYKIT_URL" "$MONEYKIT_CLIENT_ID" "$MONEYKIT_CLIENT_SECRET"`).Output()
			if err != nil {
				t.Fatal(err)
			}
			env := strings.Split(strings.TrimSpace(string(out)), "\n")
			if len(env) != 3 || !strings.HasPrefix(env[0], "http://127.0.0.1:") || env[1] != "my id" || env[2] != "it's $ecret" {
				t.Fatalf("printed:\n%s", lines)
			}
			flow(t, env[0], env[1], env[2])

			// A request in a scripted delay does not keep the program from ending.
			call(t, env[0]+"/sandbox/fail", "", `{"operation": "token", "delay_seconds": 3600}`, 204)
			go http.PostForm(env[0]+"/auth/token", nil)
			for strings.Count(call(t, env[0]+"/sandbox/requests", "", "", 200)["all"].(string), `"status":0`) < 2 { // it and this
			}
			// Nor does a connection that was opened and not used, as browsers do.
			idle, err := net.Dial("tcp", strings.TrimPrefix(env[0], "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer idle.Close()
			call(t, env[0]+"/sandbox/links", "", "", 200) // by now the program has accepted it
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("after %v: %v", signal, err)
			}
			if n := strings.Count(logged.String(), "path=/link-session/exchange-token status=201"); n != 1 || strings.Contains(logged.String(), "it's $ecret") {
				t.Errorf("logged:\n%s", &logged)
			}
		})
	}
}

func flow(t *testing.T, base, id, secret string) {
	t.Helper()
	res, err := http.PostForm(base+"/auth/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}})
	if err != nil {
		t.Fatal(err)
	}
	token := decode(t, res, 201)["access_token"].(string)
	session := call(t, base+"/link-session", token, `{"customer_user": {"id": "user-1"}, "redirect_uri": "http://localhost:3000/oauth.html", "webhook": "http://192.0.2.1/x"}`, 201)["link_session_token"].(string)
	exchangeable := call(t, base+"/sandbox/complete", "", `{"link_session_token": "`+session+`"}`, 200)["exchangeable_token"].(string)
	link := call(t, base+"/link-session/exchange-token", token, `{"exchangeable_token": "`+exchangeable+`"}`, 201)
	if !strings.HasPrefix(link["link_id"].(string), "mk_") {
		t.Errorf("link: %v", link)
	}
	// Events are sent to loopback only.
	call(t, base+"/sandbox/advance", "", `{"seconds": 1}`, 204)
	if all := call(t, base+"/sandbox/deliveries", "", "", 200)["all"].(string); !strings.Contains(all, "192.0.2.1 is neither a loopback host nor allowed by -webhook-host") {
		t.Errorf("deliveries: %s", all)
	}
	// The published limits are on: the one above and 19 more, for the same user.
	for range 19 {
		call(t, base+"/link-session", token, `{"customer_user": {"id": "user-1"}, "redirect_uri": "http://localhost:3000/oauth.html"}`, 201)
	}
	call(t, base+"/link-session", token, `{"customer_user": {"id": "user-1"}, "redirect_uri": "http://localhost:3000/oauth.html"}`, 429)
}

// call posts body, or gets if there is none.
func call(t *testing.T, url, token, body string, want int) map[string]any {
	t.Helper()
	method := "POST"
	if body == "" {
		method = "GET"
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, res, want)
}

// decode returns the JSON object of a response, with the whole text under "all".
func decode(t *testing.T, res *http.Response, want int) map[string]any {
	t.Helper()
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != want {
		t.Fatalf("%s: %v, %d %s, want %d", res.Request.URL, err, res.StatusCode, data, want)
	}
	body := map[string]any{}
	if len(data) > 0 {
		if err := json.Unmarshal(data, &body); err != nil {
			t.Fatal(err)
		}
	}
	body["all"] = string(data)
	return body
}

func TestBadFlags(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-addr", "nowhere"}, "nowhere"},
		{[]string{"-addr", "127.0.0.1:99999"}, "99999"},
		{[]string{"-redirect-origin", "app.example"}, "want scheme://host[:port]"},
		{[]string{"-redirect-origin", "https://app.example/path"}, "want scheme://host[:port]"},
		{[]string{"-redirect-origin", "https://me@app.example"}, "want scheme://host[:port]"},
		{[]string{"-host", "moneykit.test:80"}, "want a host name without a port"},
		{[]string{"-host", ""}, "want a host name without a port"},
		{[]string{"-webhook-host", "http://app.internal"}, "want a host name without a port"},
		{[]string{"-rate-limits=maybe"}, "rate-limits"},
		{[]string{"-port", "1"}, "-port"},
		{[]string{"8042"}, `unexpected argument "8042"`},
	} {
		var stdout, stderr bytes.Buffer
		err := run(t.Context(), test.args, noEnv, &stdout, &stderr)
		if err == nil || !strings.Contains(err.Error(), test.want) || stdout.Len() > 0 {
			t.Errorf("%v: %v, %s", test.args, err, &stdout)
		}
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{"sandbox_AB-1": "sandbox_AB-1", "a b": "'a b'", "it's": `'it'\''s'`, "$x": "'$x'", "~": "'~'"} {
		if got := quote(value); got != want {
			t.Errorf("quote(%q) is %s, want %s", value, got, want)
		}
	}
}
