// Moneykit-sandbox serves a MoneyKit in memory: link sessions from start to end, with nothing real behind them.
//
//	moneykit-sandbox [-addr host:port] [-client-id id] [-client-secret secret] [-redirect-origin origin]...
//	                 [-host name]... [-webhook-host name]... [-rate-limits=false] [-legacy-user-ids]
//	                 [-tls [-tls-cert file]] [-health-check]
//
// Each flag can be set by a variable of the environment: -client-id by MONEYKIT_SANDBOX_CLIENT_ID, for example. The flag
// takes precedence. Several names or origins are separated by commas.
//
// Standard output is a comment and three export lines with the URL and the credentials, for a shell to evaluate or a
// test harness to read line by line. Standard error has the commands to try next, and one line per request, without
// secrets. The program listens on 127.0.0.1:8042; with -addr 127.0.0.1:0 the system picks a free port. MoneyKit's rate
// limits are on unless -rate-limits=false turns them off. SIGINT and SIGTERM end the program, with exit code 0.
//
// With -tls it serves https, with a certificate that it makes at the start for localhost, the host of -addr and the names
// of -host. The file with the certificate of its authority, which clients must trust, is in a fourth export line,
// MONEYKIT_CA_FILE. GET /health responds with 200; -health-check asks for it, where there is no curl.
//
// The endpoints under /sandbox/ can be reached by a loopback address, by the host of -addr, and by the names that -host
// adds, such as that of a container. Events are sent to webhooks on loopback hosts only, and to the hosts that
// -webhook-host adds: otherwise, whoever reaches the program could have it send requests into your network.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
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
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "moneykit-sandbox:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	c, err := parse(args, getenv, stderr)
	if err != nil {
		return err
	}
	if c.healthCheck {
		return checkHealth(ctx, c.addr, c.tls)
	}
	listener, err := net.Listen("tcp", c.addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	if host, _, _ := net.SplitHostPort(c.addr); host != "" {
		c.hosts.values = append(c.hosts.values, host)
	}
	var (
		tlsConfig *tls.Config
		certFile  string
	)
	if c.tls {
		cert, authority, err := selfMade(c.hosts.values, time.Now())
		if err != nil {
			return err
		}
		path, remove, err := writeCertificate(c.certFile, authority)
		if err != nil {
			return fmt.Errorf("writing the certificate: %w", err)
		}
		defer remove()
		certFile, tlsConfig = path, &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	logger := slog.New(slog.NewTextHandler(stderr, nil))
	box := sandbox.New(append(c.options(), sandbox.WithLogger(logger))...)
	announce(listener.Addr().(*net.TCPAddr), box, certFile, stdout, stderr)
	return serve(ctx, listener, tlsConfig, logRequests(logger, redact.Redactor{ClientSecret: box.ClientSecret}, box))
}

// serve serves handler until ctx ends, with TLS unless tlsConfig is nil.
func serve(ctx context.Context, listener net.Listener, tlsConfig *tls.Config, handler http.Handler) error {
	requests, endDelays := context.WithCancel(context.WithoutCancel(ctx))
	defer endDelays()
	var unused unusedConns
	srv := server.New(handler)
	srv.BaseContext = func(net.Listener) context.Context { return requests }
	srv.ConnState = unused.observe
	failed := make(chan error, 1)
	go func() {
		if tlsConfig == nil {
			failed <- srv.Serve(listener)
		} else {
			srv.TLSConfig = tlsConfig
			failed <- srv.ServeTLS(listener, "", "")
		}
	}()
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
