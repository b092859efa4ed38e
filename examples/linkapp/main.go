// Linkapp is a web application in which a user links a bank account: the whole flow, from the button to the link in a
// database.
//
//	linkapp [-addr host:port] [-db database] [-origin URL]
//
// It uses the MoneyKit at MONEYKIT_URL, with MONEYKIT_CLIENT_ID and MONEYKIT_CLIENT_SECRET (see api.FromEnv), or a sandbox
// of its own where that is not set. Links are kept in an SQLite file, which several processes on one machine may share,
// or in PostgreSQL, for processes on many.
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
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`host:port` to listen on; port 0 picks a free one")
	db := flag.String("db", "linkapp.db", "`database` for the links: an SQLite file, or "+postgresURL+" (or with the password in PGPASSWORD)")
	origin := flag.String("origin", "", "`URL` under which browsers and MoneyKit reach the server, such as https://app.example (default http:// and the address)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, *db, *origin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "linkapp:", err)
		os.Exit(1) //nolint:gocritic // the process ends anyway
	}
}

func run(ctx context.Context, addr, db, origin string, out io.Writer) (err error) {
	if origin != "" {
		if origin, err = parseOrigin(origin); err != nil {
			return fmt.Errorf("-origin: %w", err)
		}
	}
	store, err := openStore(db)
	if err != nil {
		return fmt.Errorf("-db: %w", err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	mk, err := connectMoneyKit()
	if err != nil {
		return err
	}
	defer mk.stop()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	if origin == "" {
		if origin, err = originOf(listener.Addr()); err != nil {
			return err
		}
	}
	server := newServer(&app{
		client: mk.client, verifier: mk.verifier, store: store, origin: origin, connectURL: mk.connectURL, log: slog.Default(), now: time.Now,
	})
	fmt.Fprintf(out, "Linkapp listens on %s, uses %s and keeps links in %s.\nOpen %s\n", listener.Addr(), mk.name, store.name, origin)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	// A running exchange is waited for, since it cannot be made a second time.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	return server.Shutdown(bounded)
}

// requestTimeout is what a handler may take: it stores, calls MoneyKit, and stores what came of it.
const requestTimeout = callTimeout + 2*storeTimeout

func newServer(a *app) *http.Server {
	stopping, stop := context.WithCancel(context.Background())
	a.stopping = stopping.Done()
	server := withTimeouts(a.handler())
	server.RegisterOnShutdown(stop)
	return server
}

// withTimeouts returns a server that no slow client can hold up.
func withTimeouts(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      requestTimeout + 15*time.Second, // a handler writes when it is done
		IdleTimeout:       time.Minute,
	}
}
