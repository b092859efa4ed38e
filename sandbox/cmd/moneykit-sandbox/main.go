// Moneykit-sandbox serves a MoneyKit in memory: link sessions from start to end, with nothing real behind them.
//
//	moneykit-sandbox [-addr host:port] [-client-id id] [-client-secret secret] [-redirect-origin origin]...
//	                 [-host name]... [-webhook-host name]... [-rate-limits=false] [-legacy-user-ids]
//
// Standard output is a comment and three export lines with the URL and the credentials, for a shell to evaluate or a
// test harness to read line by line. Standard error has one line per request, without secrets. The program listens on
// 127.0.0.1:8042; with -addr 127.0.0.1:0 the system picks a free port. MoneyKit's rate limits are on unless
// -rate-limits=false turns them off. SIGINT and SIGTERM end the program, with exit code 0.
//
// The endpoints under /sandbox/ can be reached by a loopback address, by the host of -addr, and by the names that -host
// adds, such as that of a container. Events are sent to webhooks on loopback hosts only, and to the hosts that
// -webhook-host adds: otherwise, whoever reaches the program could have it send requests into your network.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
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
	"github.com/moneykit/moneykit-go/sandbox/internal/redact"
	"github.com/moneykit/moneykit-go/sandbox/internal/server"
)

// shutdownTimeout is how long active requests have to finish.
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
	clientID := flags.String("client-id", "", "client `id` to accept (default: generated)")
	clientSecret := flags.String("client-secret", "", "client `secret` to accept (default: generated)")
	rateLimits := flags.Bool("rate-limits", true, "MoneyKit's rate limits; -rate-limits=false turns them off")
	legacyUserIDs := flags.Bool("legacy-user-ids", false, "require ^[a-zA-Z0-9_-]+$ of customer_user.id, as before August 2024")
	var hosts, webhookHosts, origins []string
	flags.Func("host", "host `name` by which the endpoints under /sandbox/ can be reached, besides loopback; may be repeated", hostNames(&hosts))
	flags.Func("webhook-host", "host `name` that events are sent to, besides loopback; may be repeated", hostNames(&webhookHosts))
	flags.Func("redirect-origin", "`scheme://host[:port]` to register for redirects, besides loopback; may be repeated (default https://yourdomain.com)", func(value string) error {
		u, err := url.Parse(value)
		if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil || strings.TrimSuffix(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
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
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	if host, _, _ := net.SplitHostPort(*addr); host != "" {
		hosts = append(hosts, host)
	}
	logger := slog.New(slog.NewTextHandler(stderr, nil))
	opts := []sandbox.Option{
		sandbox.WithCredentials(*clientID, *clientSecret), sandbox.WithHosts(hosts...),
		sandbox.WithWebhookHosts(webhookHosts...), sandbox.WithLogger(logger),
	}
	if *rateLimits {
		opts = append(opts, sandbox.WithRateLimits(sandbox.PublishedRateLimits()))
	}
	if *legacyUserIDs {
		opts = append(opts, sandbox.WithLegacyUserIDs())
	}
	if origins != nil {
		opts = append(opts, sandbox.WithRedirectOrigins(origins...))
	}
	box := sandbox.New(opts...)
	announce(listener.Addr().(*net.TCPAddr), box, stdout, stderr)
	return serve(ctx, listener, logRequests(logger, redact.Redactor{ClientSecret: box.ClientSecret}, box))
}

// hostNames returns a flag's function that adds to hosts.
func hostNames(hosts *[]string) func(string) error {
	return func(value string) error {
		if value == "" || strings.ContainsAny(value, "/:@") {
			return errors.New("want a host name without a port")
		}
		*hosts = append(*hosts, value)
		return nil
	}
}

// announce prints where the sandbox is, and its credentials.
func announce(addr *net.TCPAddr, box *sandbox.Sandbox, stdout, stderr io.Writer) {
	host := addr.IP.String()
	if !addr.IP.IsLoopback() {
		fmt.Fprintf(stderr, "moneykit-sandbox: listening on %v: other machines may reach it\n", addr)
	}
	if addr.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	fmt.Fprintf(stdout, "# The MoneyKit sandbox is up; Ctrl-C ends it. Copy these lines:\nexport MONEYKIT_URL=%s\nexport MONEYKIT_CLIENT_ID=%s\nexport MONEYKIT_CLIENT_SECRET=%s\n",
		"http://"+net.JoinHostPort(host, fmt.Sprint(addr.Port)), quote(box.ClientID), quote(box.ClientSecret))
}

// serve serves handler until ctx ends.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	requests, endDelays := context.WithCancel(context.WithoutCancel(ctx))
	defer endDelays()
	var unused unusedConns
	srv := server.New(handler)
	srv.BaseContext = func(net.Listener) context.Context { return requests }
	srv.ConnState = unused.observe
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	endDelays() // nobody waits for a scripted delay now
	unused.close()
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := srv.Shutdown(bounded); err != nil {
		srv.Close()
		return fmt.Errorf("requests were still active after %v: %w", shutdownTimeout, err)
	}
	return nil
}

// unusedConns are the connections on which nothing has arrived yet, such as those that browsers open in advance.
// Shutdown would wait for them as if a request were active.
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
