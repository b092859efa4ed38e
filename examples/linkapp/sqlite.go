package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// pollInterval is how soon a change by another process is noticed.
const pollInterval = 250 * time.Millisecond

// openSQLite opens the database in file, or creates it for its owner alone.
func openSQLite(ctx context.Context, file string) (database, error) {
	created, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return database{}, fmt.Errorf("open SQLite file: %w", err)
	}
	if err := created.Close(); err != nil {
		return database{}, fmt.Errorf("open SQLite file: %w", err)
	}
	// With secure_delete, and without a write-ahead log, what is erased from a row is erased from the file. An immediate
	// transaction locks the database, so that no row needs a lock.
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+
		"?_pragma=busy_timeout(5000)&_pragma=secure_delete(on)&_pragma=journal_mode(delete)&_txlock=immediate")
	if err != nil {
		return database{}, fmt.Errorf("open SQLite file %s: %w", file, err)
	}
	d := database{
		db: db, name: file, dialect: goose.DialectSQLite3, locker: sqliteLock{},
		transient: func(err error) bool {
			var e *sqlite.Error
			return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
		},
	}
	var watched *sql.Conn
	err = d.retry(ctx, func(ctx context.Context) (err error) { // the connection's first statements need a lock
		watched, err = db.Conn(ctx)
		return err
	})
	if err != nil {
		return database{}, fmt.Errorf("open SQLite file %s: %w", file, errors.Join(err, db.Close()))
	}
	d.watch = func(ctx context.Context, changed func()) { watchSQLite(ctx, watched, changed) }
	return d, nil
}

// watchSQLite looks for changes. SQLite counts those of all connections but conn, which is why conn is used for nothing
// else.
func watchSQLite(ctx context.Context, conn *sql.Conn, changed func()) {
	defer conn.Close()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	var seen, version int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version); err != nil || version == seen {
			continue // an error: the pages look again after a while anyway
		}
		seen = version
		changed()
	}
}

// A sqliteLock locks the database for one connection.
type sqliteLock struct{}

func (sqliteLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "BEGIN EXCLUSIVE; PRAGMA locking_mode = exclusive; COMMIT")
	if err != nil { // close the connection, so that it holds no part of the lock
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	return err
}

func (sqliteLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "PRAGMA locking_mode = normal; SELECT count(*) FROM sqlite_schema") // the lock is released by the next statement
	return err
}
