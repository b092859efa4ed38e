package main

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The database is for its owner alone, whatever its name.
func TestDatabaseFile(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"links.db", "with space.db", "100% #1?.db", "ünïcode;&=.db"} {
		file := filepath.Join(t.TempDir(), name)
		s, err := openStore(file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := s.create(t.Context(), attempt{ID: "a", User: "u"}); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		files, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*"))
		if err != nil || len(files) != 1 || files[0] != file {
			t.Errorf("%s: %v %v", name, files, err)
			continue
		}
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 || info.Size() == 0 {
			t.Errorf("%s: %v, %d bytes, %v", name, info.Mode(), info.Size(), err)
		}
	}
}

// tokenInFile reports whether a file of the database has an exchangeable token in it.
func tokenInFile(t *testing.T, db string) bool {
	t.Helper()
	files, err := filepath.Glob(db + "*")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v: %v", files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) { // a journal that was just deleted
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte("sandbox_exchangeable_")) {
			return true
		}
	}
	return false
}

// No token is left in the file when all are spent, wherever SQLite has moved the rows meanwhile.
func TestTokensAreErased(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "links.db")
	s := newStore(t, file)
	for i := range 30 {
		id, now := strconv.Itoa(i), time.Unix(1_700_000_000, 0)
		if err := s.create(t.Context(), attempt{ID: id, User: "u"}); err != nil {
			t.Fatal(err)
		}
		_, err := s.update(t.Context(), id, func(a *attempt) error { a.begin(strings.Repeat("sandbox_exchangeable_"+id, 8), "", now); return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	if !tokenInFile(t, file) {
		t.Error("the tokens are not in the file to begin with")
	}
	for i := range 30 {
		_, err := s.update(t.Context(), strconv.Itoa(i), func(a *attempt) error { return a.settle("mk_"+a.ID, time.Now()) })
		if err != nil {
			t.Fatal(err)
		}
	}
	if tokenInFile(t, file) {
		t.Error("a token is left in the file")
	}
}

// A file of the time before there were migrations.
func TestEarlierFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "links.db")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`CREATE TABLE attempts (id TEXT PRIMARY KEY, user_id TEXT NOT NULL, exchangeable_token TEXT NOT NULL DEFAULT '', open INTEGER NOT NULL DEFAULT 0,
			open_since INTEGER NOT NULL DEFAULT 0, link_id TEXT NOT NULL DEFAULT '', link_state TEXT NOT NULL DEFAULT '', linked_at INTEGER NOT NULL DEFAULT 0,
			state_at INTEGER NOT NULL DEFAULT 0, institution TEXT NOT NULL) STRICT`,
		"CREATE TABLE events (idempotency_key TEXT PRIMARY KEY, processed_at INTEGER NOT NULL) STRICT",
		"CREATE INDEX attempts_of_user ON attempts (user_id)",
		"CREATE UNIQUE INDEX one_attempt_per_link ON attempts (user_id, link_id) WHERE link_id <> ''",
		"INSERT INTO attempts (id, user_id, link_id, institution) VALUES ('a', 'u', 'mk_1', 'Bank')",
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s := newStore(t, file)
		if a, err := s.update(t.Context(), "a", func(*attempt) error { return nil }); err != nil || a.LinkID != "mk_1" || a.Institution != "Bank" {
			t.Errorf("%+v, %v", a, err)
		}
	}
}

// The lock is held across transactions, until it is unlocked.
func TestSQLiteLock(t *testing.T) {
	t.Parallel()
	ctx, file := t.Context(), filepath.Join(t.TempDir(), "links.db")
	var conns [2]*sql.Conn
	for i := range conns {
		conn, err := newStore(t, file).db.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns[i] = conn
	}
	write := func(conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, "PRAGMA busy_timeout = 0; DELETE FROM events")
		return err
	}
	var lock sqliteLock
	if err := errors.Join(lock.SessionLock(ctx, conns[0]), write(conns[0])); err != nil {
		t.Fatal(err)
	}
	if err := write(conns[1]); err == nil {
		t.Error("it is not locked")
	}
	if err := errors.Join(lock.SessionUnlock(ctx, conns[0]), write(conns[1]), lock.SessionLock(ctx, conns[1]), lock.SessionUnlock(ctx, conns[1])); err != nil {
		t.Error(err)
	}
}
