package main

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// An update that returns an error has changed nothing.
func TestUpdateRollsBack(t *testing.T) {
	t.Parallel()
	s := newStore(t, newDatabase(t))
	if err := s.create(t.Context(), attempt{ID: "a", User: "u", Institution: "Bank"}); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("failed")
	if _, err := s.update(t.Context(), "a", func(a *attempt) error { a.LinkID = "mk_1"; return failed }); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
	if a, err := s.find(t.Context(), "u", "a"); err != nil || a.LinkID != "" || a.Institution != "Bank" {
		t.Errorf("%+v, %v", a, err)
	}
}

// tokenStored reports whether an exchangeable token is in the database.
func (w *world) tokenStored() bool {
	w.t.Helper()
	if !onPostgres(w.db) {
		return tokenInFile(w.t, w.db)
	}
	var n int
	if err := w.store.db.QueryRowContext(w.t.Context(), "SELECT count(*) FROM attempts WHERE attempts::text LIKE '%sandbox_exchangeable_%'").Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n > 0
}

// Processes that start at the same time create the tables once, and then see each other's changes.
func TestStartTogether(t *testing.T) {
	t.Parallel()
	db := newDatabase(t)
	var (
		stores [5]*store
		errs   [5]error
		all    sync.WaitGroup
	)
	for i := range stores {
		all.Go(func() { stores[i], errs[i] = openStore(db) })
	}
	all.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	defer func() {
		for _, s := range stores {
			s.Close()
		}
	}()
	changed := stores[0].changed()
	if err := stores[1].create(t.Context(), attempt{ID: "a", User: "u"}); err != nil {
		t.Fatal(err)
	}
	<-changed
	if _, err := stores[2].find(t.Context(), "u", "a"); err != nil {
		t.Error(err)
	}
}

// Two processes change an attempt one after the other, so that no change is lost.
func TestUpdatesInTurn(t *testing.T) {
	t.Parallel()
	db := newDatabase(t)
	stores := []*store{newStore(t, db), newStore(t, db)}
	if err := stores[0].create(t.Context(), attempt{ID: "a", User: "u"}); err != nil {
		t.Fatal(err)
	}
	const each = 20
	var all sync.WaitGroup
	for _, s := range stores {
		for range 4 {
			all.Go(func() {
				for range each {
					if _, err := s.update(t.Context(), "a", func(a *attempt) error { a.Open++; return nil }); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	all.Wait()
	if a, err := stores[0].find(t.Context(), "u", "a"); err != nil || a.Open != 8*each {
		t.Errorf("%d, %v; want %d", a.Open, err, 8*each)
	}
}

// What is stored once for a key is not stored again.
func TestUpdateOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t, newDatabase(t))
	if err := s.create(t.Context(), attempt{ID: "a", User: "u"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		a, err := s.updateOnce(t.Context(), "k", "a", time.Now(), func(a *attempt) error { a.Open++; return nil })
		if err != nil || a.Open != 1 {
			t.Errorf("%+v, %v", a, err)
		}
	}
}

// Which errors of PostgreSQL are worth another try.
func TestTransientInPostgres(t *testing.T) {
	t.Parallel()
	code := func(code string) error { return fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code}) }
	for _, err := range []error{
		code("08006"), code("40001"), code("40P01"), code("53300"), code("57P01"), code("57P03"), code("23505"),
		driver.ErrBadConn, io.ErrUnexpectedEOF, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, fmt.Errorf("wrapped: %w", syscall.ECONNRESET),
	} {
		if !transientInPostgres(err) {
			t.Errorf("%v is not tried again", err)
		}
	}
	for _, err := range []error{code("23502"), code("42P01"), code("28P01"), code(""), sql.ErrNoRows, errors.New("of another link")} {
		if transientInPostgres(err) {
			t.Errorf("%v is tried again", err)
		}
	}
}

func TestBadDatabase(t *testing.T) {
	t.Parallel()
	for db, want := range map[string]string{
		"mysql://u:secret@127.0.0.1/x":          `"mysql" is not a kind of database that is supported; want an SQLite file or postgres://user:password@host:5432/database`,
		"Postgres://u:secret@127.0.0.1/x":       "want an SQLite file or postgres://",
		"":                                      "open SQLite file",
		"postgres://u:secret@127.0.0.1:1/x":     `the PostgreSQL database "x" at 127.0.0.1:1 cannot be used; want postgres://user:password@host:5432/database: `,
		"postgres://u:secret@nowhere.invalid/x": "nowhere.invalid",
		"postgres://u:secret@127.0.0.1:1/x?sslmode=secure":    "sslmode",
		"postgres://u@127.0.0.1/x?password=secret&sslmode=no": "sslmode",
		"postgres://u:sec%ret@127.0.0.1/x":                    "special characters",
		"postgres://u:1/secret@127.0.0.1/x":                   "special characters",
		"postgres://u:secret@127.0.0.1:port/x":                "special characters",
		"host=127.0.0.1 user=u password=secret":               "nor a URL such as postgres://",
		"postgres:/u:secret@127.0.0.1/x":                      "nor a URL such as postgres://",
	} {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			s, err := openStore(db)
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "%re") {
				t.Errorf("got %v", err)
			}
		})
	}
}
