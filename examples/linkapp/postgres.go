package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

const (
	postgresURL    = "postgres://user:password@host:5432/database" // what -db looks like
	maxConns       = 10                                            // of one process, and one that listens
	reconnectAfter = time.Second
)

// openPostgres opens the database at a URL, in the format of PostgreSQL's own programs; the rest comes from the variables
// that they use too, such as PGPASSWORD, which keeps the password out of the list of processes.
//
// An exchangeable token that is erased from a row remains in what PostgreSQL keeps of the row's past: in the table until
// VACUUM, in the write-ahead log and in backups. It is spent or has expired by then.
func openPostgres(ctx context.Context, raw string) (database, error) {
	if u, err := url.Parse(raw); err != nil || strings.Contains(u.Path, "@") { // the error may have the password in it
		return database{}, fmt.Errorf("this is not a URL such as %s; write special characters of the password as %%40 for @, for example", postgresURL)
	}
	config, err := pgx.ParseConfig(raw)
	if err != nil {
		return database{}, fmt.Errorf("want %s: %w", postgresURL, err)
	}
	// A process on a machine that is gone in the middle of a transaction holds its row for at most this long.
	config.RuntimeParams["idle_in_transaction_session_timeout"] = "5s"
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, uint64(storeTimeout.Seconds())))
	if err != nil {
		return database{}, err
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns)
	name := fmt.Sprintf("the PostgreSQL database %q at %s", config.Database, net.JoinHostPort(config.Host, fmt.Sprint(config.Port)))
	if err := db.PingContext(ctx); err != nil {
		return database{}, fmt.Errorf("%s cannot be used; want %s: %w", name, postgresURL, errors.Join(err, db.Close()))
	}
	return database{
		db: db, name: name, dialect: goose.DialectPostgres, locker: locker, forUpdate: " FOR UPDATE", transient: transientInPostgres,
		watch: func(ctx context.Context, changed func()) {
			for ctx.Err() == nil {
				_ = listen(ctx, config, changed) // an error: the database restarts, and the pages look again after a while
				select {
				case <-ctx.Done():
				case <-time.After(reconnectAfter):
				}
			}
		},
	}, nil
}

// listen waits for the notifications of a trigger. None comes while it is not connected, so it calls changed at first.
func listen(ctx context.Context, config *pgx.ConnConfig, changed func()) error {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "LISTEN attempts_changed"); err != nil {
		return err
	}
	for {
		changed()
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
	}
}

// transientInPostgres reports whether the connection was lost, or the server restarts, has too many connections, or rolled
// a transaction back on account of another one, such as of one for the same link (23505).
func transientInPostgres(err error) bool {
	var fromServer *pgconn.PgError
	if errors.As(err, &fromServer) {
		for _, class := range []string{"08", "40", "53", "57", "23505", "25P03", "25006"} { // the last: this process stood still, the server is a standby
			if strings.HasPrefix(fromServer.Code, class) {
				return true
			}
		}
		return false
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn) || pgconn.SafeToRetry(err)
}
