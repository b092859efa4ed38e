package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moneykit/moneykit-go/sandbox"
)

// The program, on the sandbox of its own and on one of the environment.
func TestRun(t *testing.T) {
	mk := sandbox.Start(t)
	for name, env := range map[string][3]string{
		"its own sandbox": {},
		"one that is set": {mk.URL + "/", mk.ClientID, mk.ClientSecret},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("MONEYKIT_URL", env[0])
			t.Setenv("MONEYKIT_CLIENT_ID", env[1])
			t.Setenv("MONEYKIT_CLIENT_SECRET", env[2])
			ctx, cancel := context.WithCancel(t.Context())
			read, write := io.Pipe()
			ended := make(chan error, 1)
			go func() { ended <- run(ctx, "127.0.0.1:0", filepath.Join(t.TempDir(), "links.db"), write) }()
			var url string
			for lines := bufio.NewScanner(read); url == "" && lines.Scan(); {
				url, _ = strings.CutPrefix(lines.Text(), "Open ")
				if !strings.HasPrefix(url, "http://") {
					url = ""
				}
			}
			res, err := http.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			page, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || res.StatusCode != 200 {
				t.Errorf("page: %d %v", res.StatusCode, err)
			}
			if env[0] != "" && !strings.Contains(string(page), `data-connect-url="`+mk.URL+`"`) {
				t.Errorf("page: %s", page)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRunFails(t *testing.T) {
	t.Setenv("MONEYKIT_URL", "")
	for name, test := range map[string]struct{ addr, db, url, want string }{
		"address":     {"nowhere", filepath.Join(t.TempDir(), "a.db"), "", "nowhere"},
		"database":    {"127.0.0.1:0", t.TempDir() + "/missing/a.db", "", "missing/a.db"},
		"credentials": {"127.0.0.1:0", filepath.Join(t.TempDir(), "a.db"), "http://127.0.0.1:1", "MONEYKIT_CLIENT_ID"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("MONEYKIT_URL", test.url)
			err := run(t.Context(), test.addr, test.db, io.Discard)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestConnectURL(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"https://api.moneykit.com":    "https://connect.moneykit.com",
		"https://api.moneykit.com/":   "https://connect.moneykit.com",
		"http://127.0.0.1:8042":       "http://127.0.0.1:8042",
		"http://localhost:8042/some/": "http://localhost:8042",
	} {
		if got := connectURL(base); got != want {
			t.Errorf("%s: %s", base, got)
		}
	}
}
