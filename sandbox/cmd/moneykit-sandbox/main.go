// Moneykit-sandbox serves a MoneyKit in memory: link sessions end to end, with nothing real behind them.
//
//	moneykit-sandbox [-addr host:port] [-client-id id] [-client-secret secret] [-redirect-origin origin]...
//
// Its standard output is a comment and three export lines with the URL and the credentials, so that a shell can
// evaluate it and a test harness can read it line by line. It listens on 127.0.0.1:8042; with -addr 127.0.0.1:0 the
// system picks a free port. The published rate limits are on. SIGINT and SIGTERM end it, with exit code 0.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/moneykit/moneykit-go/sandbox"
)

// shutdownTimeout is how long requests under way have to finish.
const shutdownTimeout = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "moneykit-sandbox:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("moneykit-sandbox", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "127.0.0.1:8042", "`host:port` to listen on; port 0 picks a free one")
	clientID := flags.String("client-id", "", "client `id` to accept (default: made up)")
	clientSecret := flags.String("client-secret", "", "client `secret` to accept (default: made up)")
	var origins []string
	flags.Func("redirect-origin", "`scheme://host[:port]` to register for redirects, besides loopback; may be repeated (default https://yourdomain.com)", func(value string) error {
		u, err := url.Parse(value)
		if err != nil || u.Scheme == "" || u.Host == "" || strings.TrimSuffix(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			return errors.New("want scheme://host[:port]")
		}
		origins = append(origins, value)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; there are only flags (see -help)", flags.Arg(0))
	}
	opts := []sandbox.Option{
		sandbox.WithCredentials(*clientID, *clientSecret),
		sandbox.WithRateLimits(sandbox.PublishedRateLimits()),
	}
	if origins != nil {
		opts = append(opts, sandbox.WithRedirectOrigins(origins...))
	}
	return serve(ctx, *addr, sandbox.New(opts...), stdout, stderr)
}

// serve serves handler until ctx ends.
func serve(ctx context.Context, addr string, handler *sandbox.Sandbox, stdout, stderr io.Writer) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	tcp := listener.Addr().(*net.TCPAddr)
	host := tcp.IP.String()
	if !tcp.IP.IsLoopback() {
		fmt.Fprintf(stderr, "moneykit-sandbox: listening on %v: other machines may reach it\n", tcp)
	}
	if tcp.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	fmt.Fprintf(stdout, "# MoneyKit sandbox is up; Ctrl-C ends it. Copy these lines:\nexport MONEYKIT_URL=%s\nexport MONEYKIT_CLIENT_ID=%s\nexport MONEYKIT_CLIENT_SECRET=%s\n",
		"http://"+net.JoinHostPort(host, fmt.Sprint(tcp.Port)), quote(handler.ClientID), quote(handler.ClientSecret))

	requests, endDelays := context.WithCancel(context.WithoutCancel(ctx))
	defer endDelays()
	var unused unusedConns
	server := &http.Server{
		Handler:           handler,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ConnState:         unused.observe,
		ReadHeaderTimeout: 10 * time.Second,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	endDelays() // nobody waits for a scripted delay now
	unused.close()
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(bounded); err != nil {
		server.Close()
		return fmt.Errorf("requests were still under way after %v: %w", shutdownTimeout, err)
	}
	return nil
}

// unusedConns are the connections on which nothing has arrived yet, such as those that browsers open in advance.
// Shutdown would wait for them as if a request were under way.
type unusedConns struct {
	conns   sync.Map
	closing atomic.Bool
}

func (u *unusedConns) observe(conn net.Conn, state http.ConnState) {
	if state != http.StateNew {
		u.conns.Delete(conn)
		return
	}
	u.conns.Store(conn, nil)
	if u.closing.Load() {
		_ = conn.Close()
	}
}

func (u *unusedConns) close() {
	u.closing.Store(true)
	u.conns.Range(func(conn, _ any) bool {
		_ = conn.(net.Conn).Close()
		return true
	})
}

// plain is a value that a shell takes as it is.
var plain = regexp.MustCompile(`^[\w.:/@%+=-]+$`)

// quote quotes a value for a shell where it needs it.
func quote(value string) string {
	if plain.MatchString(value) {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
