package main

import (
	"bytes"
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

// An update that returns an error has changed nothing.
func TestUpdateRollsBack(t *testing.T) {
	t.Parallel()
	s, err := openStore(filepath.Join(t.TempDir(), "links.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
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
	s, err := openStore(file)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
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
