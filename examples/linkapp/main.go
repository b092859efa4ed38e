// Linkapp is a web application in which a user links a bank account: the whole flow, from the button to the link in a
// database.
//
//	linkapp [-addr host:port] [-db file]
//
// It talks to the MoneyKit at MONEYKIT_URL, with MONEYKIT_CLIENT_ID and MONEYKIT_CLIENT_SECRET, or to a sandbox of its
// own where that is not set. The links are kept in an SQLite file.
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
	db := flag.String("db", "linkapp.db", "SQLite `file` for the links")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, *db, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "linkapp:", err)
		os.Exit(1) //nolint:gocritic // the process ends anyway
	}
}

func run(ctx context.Context, addr, db string, out io.Writer) (err error) {
	store, err := openStore(db)
	if err != nil {
		return err
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
	base := "http://" + listener.Addr().String()
	if tcp, ok := listener.Addr().(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		base = fmt.Sprintf("http://localhost:%d", tcp.Port)
	}
	server := &http.Server{
		Handler:           newApp(mk.client, store, base, mk.connectURL, slog.Default()),
		ReadHeaderTimeout: 10 * time.Second,
	}
	fmt.Fprintf(out, "Linkapp uses %s and keeps links in %s.\nOpen %s\n", mk.name, db, base)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	// An exchange that is under way is waited for: it cannot be made a second time.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), exchangeTimeout)
	defer cancel()
	return server.Shutdown(bounded)
}
