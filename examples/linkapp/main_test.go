package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/sandbox"
)

// opened returns the address and the URL that the program prints, or nothing if it ends before that.
func opened(out io.Reader) (addr, url string) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "Linkapp listens on "); ok {
			addr, _, _ = strings.Cut(rest, ",")
		}
		if url, ok := strings.CutPrefix(lines.Text(), "Open http://"); ok {
			return addr, "http://" + url
		}
	}
	return "", ""
}

// The program, with a sandbox of its own and with one of the environment.
func TestRun(t *testing.T) {
	mk := sandbox.Start(t)
	for name, env := range map[string][3]string{
		"its own sandbox": {},
		"one that is set": {mk.URL + "/", mk.ClientID, mk.ClientSecret},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(api.EnvURL, env[0])
			t.Setenv(api.EnvClientID, env[1])
			t.Setenv(api.EnvClientSecret, env[2])
			ctx, cancel := context.WithCancel(t.Context())
			read, write := io.Pipe()
			ended := make(chan error, 1)
			go func() { ended <- run(ctx, "127.0.0.1:0", filepath.Join(t.TempDir(), "links.db"), "", write) }()
			addr, url := opened(read)
			if url != "http://"+addr {
				t.Errorf("it listens on %s, and is opened at %s", addr, url)
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
	t.Setenv(api.EnvURL, "")
	text := filepath.Join(t.TempDir(), "text.db")
	if err := os.WriteFile(text, []byte("this is not a database"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ addr, db, origin, url, want string }{
		"address":     {"nowhere", filepath.Join(t.TempDir(), "a.db"), "", "", "nowhere"},
		"database":    {"127.0.0.1:0", t.TempDir() + "/missing/a.db", "", "", "missing/a.db"},
		"no database": {"127.0.0.1:0", text, "", "", "text.db"},
		"origin":      {"127.0.0.1:0", filepath.Join(t.TempDir(), "a.db"), "app.example", "", `-origin: "app.example" is not an origin such as https://app.example`},
		"credentials": {"127.0.0.1:0", filepath.Join(t.TempDir(), "a.db"), "", "http://127.0.0.1:1", "MONEYKIT_CLIENT_ID"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(api.EnvURL, test.url)
			err := run(t.Context(), test.addr, test.db, test.origin, io.Discard)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// startProcess starts the program as a process of its own on the database, which becomes the instance that the browser
// uses.
func (w *world) startProcess() {
	w.t.Helper()
	program, addr := w.process()
	w.url = "http://" + addr
	w.t.Cleanup(func() { w.interrupt(program) })
}

// process starts the program on the database, and returns the address that it listens on.
func (w *world) process(args ...string) (program *exec.Cmd, addr string) {
	w.t.Helper()
	program = exec.Command(os.Args[0], append(args, "-addr", "127.0.0.1:0", "-db", w.db)...)
	program.Env = append(os.Environ(), "LINKAPP_TEST_PROGRAM=1", api.EnvURL+"="+w.moneykit, api.EnvClientID+"="+w.mk.ClientID, api.EnvClientSecret+"="+w.mk.ClientSecret)
	program.Stderr = w.log
	out, err := program.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		w.t.Fatal(err)
	}
	if addr, _ = opened(out); addr == "" {
		w.t.Fatalf("the program ended: %v: %s", program.Wait(), w.log)
	}
	return program, addr
}

func (w *world) interrupt(program *exec.Cmd) {
	w.t.Helper()
	if err := errors.Join(program.Process.Signal(os.Interrupt), program.Wait()); err != nil {
		w.t.Errorf("the program: %v: %s", err, w.log)
	}
}

func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	order := w.order()
	w.startProcess()
	one := w.url
	w.startProcess()
	w.rejectedBesideTheLink(order, one, w.url)
}

// A link whose response is lost in one process appears in a page that another has open.
func TestLostResponseOfAnotherProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startProcess()
	next := w.changes()
	w.startProcess()
	w.lostResponse(next)
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

// A client that sends its body slowly, or reads slowly, does not hold a connection for ever.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	server := newServer(&app{origin: "http://app.example"})
	if server.ReadHeaderTimeout <= 0 || server.ReadTimeout <= 0 || server.IdleTimeout <= 0 || server.WriteTimeout <= callTimeout {
		t.Errorf("timeouts: %+v", server)
	}
	server.ReadTimeout = 50 * time.Millisecond
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /linking/session HTTP/1.1\r\nHost: app.example\r\nCookie: "+cookieName+"=x\r\n"+
		"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	if err != nil {
		t.Fatal(err)
	}
	response, err := io.ReadAll(conn) // until the server closes the connection
	if err != nil || !strings.HasPrefix(string(response), "HTTP/1.1 400 ") {
		t.Errorf("%v: %s", err, response)
	}
}
