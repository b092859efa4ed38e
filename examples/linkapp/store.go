package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the database/sql driver
)

// A store keeps attempts in an SQLite file, which several processes may share.
type store struct {
	db       *sql.DB
	stop     context.CancelFunc
	watching sync.WaitGroup

	mu      sync.Mutex
	changes chan struct{} // closed at the next change
}

const schema = `
CREATE TABLE IF NOT EXISTS attempts (
	id                 TEXT PRIMARY KEY,
	user_id            TEXT NOT NULL,
	exchangeable_token TEXT NOT NULL DEFAULT '',
	open               INTEGER NOT NULL DEFAULT 0,
	open_since         INTEGER NOT NULL DEFAULT 0,
	link_id            TEXT NOT NULL DEFAULT '',
	link_state         TEXT NOT NULL DEFAULT '',
	linked_at          INTEGER NOT NULL DEFAULT 0,
	state_at           INTEGER NOT NULL DEFAULT 0,
	institution        TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS events (
	idempotency_key TEXT PRIMARY KEY,
	processed_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS attempts_of_user ON attempts (user_id);
CREATE UNIQUE INDEX IF NOT EXISTS one_attempt_per_link ON attempts (user_id, link_id) WHERE link_id <> '';`

// pollInterval is how soon a change by another process is noticed.
const pollInterval = 250 * time.Millisecond

// openStore opens the database in file, or creates it for its owner alone.
func openStore(file string) (*store, error) {
	created, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := created.Close(); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	// With secure_delete, and without a write-ahead log, what is erased from a row is erased from the file.
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+
		"?_pragma=busy_timeout(10000)&_pragma=secure_delete(on)&_pragma=journal_mode(delete)&_txlock=immediate")
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", file, err)
	}
	s := &store{db: db, changes: make(chan struct{})}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	watched, err := db.Conn(ctx)
	if err == nil {
		_, err = watched.ExecContext(ctx, schema)
	}
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", file, errors.Join(err, s.Close()))
	}
	s.watching.Go(func() { s.watch(ctx, watched) })
	return s, nil
}

func (s *store) Close() error {
	s.stop()
	s.watching.Wait()
	return s.db.Close()
}

// create adds an attempt.
func (s *store) create(ctx context.Context, a attempt) error {
	_, err := s.db.ExecContext(ctx, "INSERT INTO attempts (id, user_id, institution) VALUES (?, ?, ?)", a.ID, a.User, a.Institution)
	return err
}

// update changes an attempt in one transaction, and returns what became of it. It returns sql.ErrNoRows if there is no
// such attempt, and changes nothing if change returns an error.
func (s *store) update(ctx context.Context, id string, change func(*attempt) error) (a attempt, err error) {
	err = s.transact(ctx, func(tx *sql.Tx) error {
		a, err = update(ctx, tx, id, change)
		return err
	})
	return a, err
}

func (s *store) transact(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func update(ctx context.Context, tx *sql.Tx, id string, change func(*attempt) error) (attempt, error) {
	a, err := scan(tx.QueryRowContext(ctx, selectAttempts+"WHERE id = ?", id))
	if err != nil {
		return attempt{}, err
	}
	if err := change(&a); err != nil {
		return attempt{}, err
	}
	if a.LinkID != "" { // a bank that was connected again: the row of the earlier attempt has the same link
		if _, err := tx.ExecContext(ctx, "DELETE FROM attempts WHERE user_id = ? AND link_id = ? AND id <> ?", a.User, a.LinkID, id); err != nil {
			return attempt{}, err
		}
	}
	result, err := tx.ExecContext(ctx, `UPDATE attempts SET exchangeable_token = ?, open = ?, open_since = ?, link_id = ?, link_state = ?,
		linked_at = ?, state_at = ?, institution = ? WHERE id = ?`,
		a.ExchangeableToken, a.Open, a.OpenSince.UnixMicro(), a.LinkID, a.LinkState, a.LinkedAt.UnixMicro(), a.StateAt.UnixMicro(), a.Institution, id)
	return a, errors.Join(err, oneRow(result))
}

func oneRow(result sql.Result) error {
	if result == nil {
		return nil // there is an error beside it
	}
	n, err := result.RowsAffected()
	if err == nil && n != 1 {
		err = fmt.Errorf("%d rows changed, want 1", n)
	}
	return err
}

// find returns an attempt of the user's, or sql.ErrNoRows.
func (s *store) find(ctx context.Context, user, id string) (attempt, error) {
	return scan(s.db.QueryRowContext(ctx, selectAttempts+"WHERE user_id = ? AND id = ?", user, id))
}

// list returns the user's attempts that have a link or may get one, newest first.
func (s *store) list(ctx context.Context, user string) (all []attempt, err error) {
	rows, err := s.db.QueryContext(ctx, selectAttempts+"WHERE user_id = ? AND (link_id <> '' OR open > 0 OR exchangeable_token <> '') ORDER BY rowid DESC", user)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		a, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, rows.Err()
}

const selectAttempts = "SELECT id, user_id, exchangeable_token, open, open_since, link_id, link_state, linked_at, state_at, institution FROM attempts "

func scan(row interface{ Scan(...any) error }) (a attempt, err error) {
	var openSince, linkedAt, stateAt int64
	err = row.Scan(&a.ID, &a.User, &a.ExchangeableToken, &a.Open, &openSince, &a.LinkID, &a.LinkState, &linkedAt, &stateAt, &a.Institution)
	a.OpenSince, a.LinkedAt, a.StateAt = time.UnixMicro(openSince), time.UnixMicro(linkedAt), time.UnixMicro(stateAt)
	return a, err
}

// changed returns a channel that is closed when the database has changed, in this process or another.
func (s *store) changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changes
}

// watch looks for changes until ctx is done. SQLite counts those of all connections but conn, which is why conn is used
// for nothing else.
func (s *store) watch(ctx context.Context, conn *sql.Conn) {
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
		s.mu.Lock()
		close(s.changes)
		s.changes = make(chan struct{})
		s.mu.Unlock()
	}
}
