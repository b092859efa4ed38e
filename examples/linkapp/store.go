package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

const (
	storeTimeout = 30 * time.Second // how long to try again, such as while the database restarts
	tryTimeout   = 10 * time.Second // for one try: the server may not respond at all
)

// A store keeps attempts in a database, which several processes may share.
type store struct {
	database
	stop     context.CancelFunc
	watching sync.WaitGroup

	mu      sync.Mutex
	changes chan struct{} // closed at the next change
}

// A database is what differs between SQLite and PostgreSQL. The statements are the same for both.
type database struct {
	db        *sql.DB
	name      string // without a password
	dialect   goose.Dialect
	locker    lock.SessionLocker // lets one process migrate at a time
	forUpdate string             // ends a SELECT that locks its row until the transaction ends
	// transient reports whether a transaction failed with an error that may be gone when it is tried again.
	transient func(error) bool
	// watch calls changed when any process has changed an attempt, until ctx is done.
	watch func(ctx context.Context, changed func())
}

// connectionString matches what is meant for PostgreSQL and is no URL.
var connectionString = regexp.MustCompile(`^postgres(ql)?:|\b(host|user|password|dbname)\s*=`)

// openStore opens the database with a postgres:// URL, or in an SQLite file.
func openStore(name string) (*store, error) {
	open := openSQLite
	if scheme, _, ok := strings.Cut(name, "://"); !ok {
		if connectionString.MatchString(name) { // it may contain a password
			return nil, fmt.Errorf("this is neither an SQLite file nor a URL such as %s", postgresURL)
		}
	} else {
		if open = openPostgres; scheme != "postgres" && scheme != "postgresql" {
			return nil, fmt.Errorf("%q is not a kind of database that is supported; want an SQLite file or %s", scheme, postgresURL)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	d, err := open(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := d.retry(ctx, d.migrate); err != nil {
		return nil, fmt.Errorf("migrate %s: %w", d.name, errors.Join(err, d.db.Close()))
	}
	s := &store{database: d, changes: make(chan struct{})}
	watch, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.watching.Go(func() { s.watch(watch, s.announce) })
	return s, nil
}

//go:embed migrations
var migrations embed.FS

func (d database) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations/"+string(d.dialect))
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(d.dialect, d.db, files, goose.WithSessionLocker(d.locker))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

func (s *store) Close() error {
	s.stop()
	s.watching.Wait()
	return s.db.Close()
}

// create adds an attempt.
func (s *store) create(ctx context.Context, a attempt) error {
	return s.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		// A conflict: an earlier try was committed, and its response was lost.
		_, err := tx.ExecContext(ctx, "INSERT INTO attempts (id, user_id, institution) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", a.ID, a.User, a.Institution)
		return err
	})
}

// update changes an attempt in one transaction, and returns what became of it. It returns sql.ErrNoRows if there is no
// such attempt, and changes nothing if change returns an error. It may call change more than once.
func (s *store) update(ctx context.Context, id string, change func(*attempt) error) (attempt, error) {
	return s.updateOnce(ctx, rand.Text(), id, time.Now(), change)
}

// updateOnce is update, once for each key: that of an event, which may come twice, or of a change whose commit may have
// succeeded although its response was lost.
func (s *store) updateOnce(ctx context.Context, key, id string, now time.Time, change func(*attempt) error) (a attempt, err error) {
	err = s.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM events WHERE processed_at < $1", now.Add(-2*eventsWithin).UnixMicro()); err != nil {
			return err
		}
		inserted, err := tx.ExecContext(ctx, "INSERT INTO events (idempotency_key, processed_at) VALUES ($1, $2) ON CONFLICT DO NOTHING", key, now.UnixMicro())
		if err != nil {
			return err
		}
		isNew, err := inserted.RowsAffected()
		if err != nil {
			return err
		}
		a, err = scan(tx.QueryRowContext(ctx, selectAttempts+"WHERE id = $1"+s.forUpdate, id))
		if err != nil || isNew == 0 {
			return err
		}
		if err := change(&a); err != nil {
			return err
		}
		return save(ctx, tx, a)
	})
	return a, err
}

func save(ctx context.Context, tx *sql.Tx, a attempt) error {
	if a.LinkID != "" { // a bank that was connected again: the row of the earlier attempt has the same link
		if _, err := tx.ExecContext(ctx, "DELETE FROM attempts WHERE user_id = $1 AND link_id = $2 AND id <> $3", a.User, a.LinkID, a.ID); err != nil {
			return err
		}
	}
	result, err := tx.ExecContext(ctx, `UPDATE attempts SET exchangeable_token = $1, open = $2, open_since = $3, link_id = $4, link_state = $5,
		linked_at = $6, state_at = $7, institution = $8 WHERE id = $9`,
		a.ExchangeableToken, a.Open, a.OpenSince.UnixMicro(), a.LinkID, a.LinkState, a.LinkedAt.UnixMicro(), a.StateAt.UnixMicro(), a.Institution, a.ID)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n != 1 {
		err = fmt.Errorf("%d rows changed, want 1", n)
	}
	return err
}

// transact makes a transaction. A try whose commit failed may have succeeded all the same.
func (s *store) transact(ctx context.Context, do func(context.Context, *sql.Tx) error) error {
	return s.retry(ctx, func(ctx context.Context) error {
		tx, err := s.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // an error: it was committed, or the connection is lost
		if err := do(ctx, tx); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// retry tries again if the database restarts, is busy, or has two transactions that wait for each other.
func (d database) retry(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		try, cancel := context.WithTimeout(ctx, tryTimeout)
		err := do(try)
		cancel()
		timedOut := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sql.ErrTxDone) // rolled back by database/sql
		if err == nil || !timedOut && !d.transient(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// find returns an attempt of the user's, or sql.ErrNoRows.
func (s *store) find(ctx context.Context, user, id string) (a attempt, err error) {
	err = s.retry(ctx, func(ctx context.Context) error {
		a, err = scan(s.db.QueryRowContext(ctx, selectAttempts+"WHERE user_id = $1 AND id = $2", user, id))
		return err
	})
	return a, err
}

// list returns the user's attempts that have a link or may get one, newest first.
func (s *store) list(ctx context.Context, user string) (all []attempt, err error) {
	err = s.retry(ctx, func(ctx context.Context) error {
		all = nil
		rows, err := s.db.QueryContext(ctx, selectAttempts+"WHERE user_id = $1 AND (link_id <> '' OR open > 0 OR exchangeable_token <> '') ORDER BY rowid DESC", user)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			a, err := scan(rows)
			if err != nil {
				return err
			}
			all = append(all, a)
		}
		return rows.Err()
	})
	return all, err
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

func (s *store) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changes)
	s.changes = make(chan struct{})
}
