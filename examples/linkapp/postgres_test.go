//go:build postgres

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// With this tag, all tests that need a database use PostgreSQL.
func init() {
	shared := sync.OnceValues(newCluster)
	newDatabase = func(t *testing.T) string {
		t.Helper()
		c, err := shared()
		if err != nil {
			t.Fatal(err)
		}
		return c.database(t)
	}
	afterTests = func() {
		if c, err := shared(); err == nil {
			c.remove()
		}
	}
}

// A cluster is a PostgreSQL of the tests' own, on a port of loopback. It outlives a crash, but not a loss of power, since
// that would take tests longer.
type cluster struct {
	dir, port string
	runAs     *syscall.Credential
	// crash ends the server as pg_ctl stop -m immediate does: it recovers from its log when it is started again.
	crash func()
}

func newCluster() (*cluster, error) {
	dir, err := os.MkdirTemp("", "linkapp-postgres-")
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir}
	if err := c.init(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	for range 5 { // somebody else may take the port first
		var l net.Listener
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			break
		}
		_, c.port, _ = net.SplitHostPort(l.Addr().String())
		l.Close()
		if err = c.start(); err == nil {
			return c, c.exec("CREATE ROLE app LOGIN PASSWORD '" + postgresPassword + "'")
		}
	}
	return nil, errors.Join(err, os.RemoveAll(dir))
}

func (c *cluster) init() error {
	if os.Getuid() == 0 { // with which PostgreSQL does not run
		u, err := user.Lookup("postgres")
		if err != nil {
			u, err = user.Lookup("nobody")
		}
		if err != nil {
			return err
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		c.runAs = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(c.dir, int(uid), int(gid)); err != nil {
			return err
		}
	}
	password := filepath.Join(c.dir, "password")
	if err := os.WriteFile(password, []byte(postgresPassword), 0o644); err != nil {
		return err
	}
	initdb := c.command("initdb", "--pgdata="+c.data(), "--username=admin", "--auth=scram-sha-256", "--pwfile="+password, "--encoding=UTF8", "--no-locale", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s; is PostgreSQL installed? make test-postgres finds it where Debian has it", err, out)
	}
	return nil
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *cluster) command(name string, args ...string) *exec.Cmd {
	command := exec.Command(name, args...)
	command.Dir = c.dir
	command.SysProcAttr = &syscall.SysProcAttr{Credential: c.runAs}
	return command
}

// start starts the server, and waits until it can be used. A shell ends it when its standard input is closed, such as by
// the end of these tests in a panic.
func (c *cluster) start() error {
	const script = `exec 3<&0; postgres "$@" & server=$!; (read -r _ <&3; kill -QUIT $server) & wait $server; kill $!`
	server := c.command("sh", "-c", script, "sh", "-D", c.data(), "-p", c.port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "fsync=off", "-c", "max_connections=300")
	var logged bytes.Buffer
	server.Stderr = &logged
	stdin, err := server.StdinPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = server.Wait()
		close(ended)
	}()
	c.crash = func() {
		stdin.Close()
		<-ended
	}
	deadline := time.After(20 * time.Second)
	for {
		err := c.exec("SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("postgres ended: %s", &logged)
		case <-deadline:
			c.crash()
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (c *cluster) remove() {
	c.crash()
	_ = os.RemoveAll(c.dir)
}

func (c *cluster) url(user, database string) string {
	return (&url.URL{Scheme: "postgres", User: url.UserPassword(user, postgresPassword), Host: "127.0.0.1:" + c.port, Path: database}).String()
}

func (c *cluster) exec(statement string) error {
	db, err := sql.Open("pgx", c.url("admin", "postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err = db.ExecContext(ctx, statement)
	return err
}

// database returns an empty database.
func (c *cluster) database(t *testing.T) string {
	t.Helper()
	name := "test_" + strings.ToLower(rand.Text())
	if err := c.exec("CREATE DATABASE " + name + " OWNER app"); err != nil {
		t.Fatal(err)
	}
	return c.url("app", name)
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestBadPostgres(t *testing.T) {
	t.Parallel()
	good := newDatabase(t)
	u, err := url.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(*url.URL)
		want   string
	}{
		"password": {func(u *url.URL) { u.User = url.UserPassword("app", "secret") }, `password authentication failed for user "app"`},
		"user":     {func(u *url.URL) { u.User = url.UserPassword("nobody", "secret") }, `password authentication failed for user "nobody"`},
		"database": {func(u *url.URL) { u.Path = "/missing" }, `database "missing" does not exist`},
		"option":   {func(u *url.URL) { u.RawQuery = "no_such_option=1" }, `unrecognized configuration parameter "no_such_option"`},
	} {
		bad := *u
		test.change(&bad)
		err := run(t.Context(), "127.0.0.1:0", bad.String(), "", io.Discard)
		if err == nil || !strings.HasPrefix(err.Error(), "-db: the PostgreSQL database ") || !strings.Contains(err.Error(), test.want) ||
			!strings.Contains(err.Error(), postgresURL) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), postgresPassword) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s := newStore(t, good); strings.Contains(s.name, postgresPassword) || !strings.Contains(s.name, u.Host) {
		t.Errorf("the name is %s", s.name)
	}
}

// waiting returns how many transactions wait for another one's lock.
func waiting(t *testing.T, s *store) (n int) {
	t.Helper()
	if err := s.db.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A transaction of a test's own, beside those of the store.
type transaction struct {
	t  *testing.T
	tx *sql.Tx
}

func begin(t *testing.T, db *sql.DB) transaction {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	return transaction{t, tx}
}

func (tx transaction) exec(statement string) {
	tx.t.Helper()
	if _, err := tx.tx.ExecContext(tx.t.Context(), statement); err != nil {
		tx.t.Fatal(err)
	}
}

// linkWhile links attempt b while another transaction does something with attempt a of the same user.
func linkWhile(t *testing.T, first, then string) {
	t.Helper()
	db := newDatabase(t)
	s := newStore(t, db)
	for _, id := range []string{"a", "b"} {
		if err := s.create(t.Context(), attempt{ID: id, User: "u"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.update(t.Context(), "a", func(a *attempt) error { return a.settle("mk_0", time.Now()) }); err != nil {
		t.Fatal(err)
	}
	admin, err := sql.Open("pgx", strings.Replace(db, "//app:", "//admin:", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	other := begin(t, admin)
	other.exec("SET LOCAL deadlock_timeout = '1min'") // so that a deadlock is resolved at the cost of the store
	other.exec(first)
	linked := make(chan error)
	go func() {
		_, err := s.update(t.Context(), "b", func(b *attempt) error { return b.settle("mk_1", time.Now()) })
		linked <- err
	}()
	eventually(t, "b waits for a", func() bool { return waiting(t, s) == 1 })
	other.exec(then)
	other.exec("COMMIT")
	if err := <-linked; err != nil {
		t.Error(err)
	}
	if all, err := s.list(t.Context(), "u"); err != nil || len(all) != 1 || all[0].ID != "b" || all[0].LinkID != "mk_1" {
		t.Errorf("%+v, %v", all, err)
	}
}

// Two attempts of a user get the same link at the same time: the bank was connected again in two windows.
func TestSameLinkAtTheSameTime(t *testing.T) {
	t.Parallel()
	linkWhile(t, "UPDATE attempts SET link_id = 'mk_1' WHERE id = 'a'", "SELECT 1")
}

// Two transactions wait for each other, so that PostgreSQL rolls one back.
func TestDeadlock(t *testing.T) {
	t.Parallel()
	linkWhile(t, "UPDATE attempts SET link_id = 'mk_1', link_state = 'x' WHERE id = 'a'", "UPDATE attempts SET link_state = 'x' WHERE id = 'b'")
}

// A process that is gone in the middle of a transaction does not hold its row for long.
func TestGoneInMidTransaction(t *testing.T) {
	t.Parallel()
	s := newStore(t, newDatabase(t))
	if err := s.create(t.Context(), attempt{ID: "a", User: "u"}); err != nil {
		t.Fatal(err)
	}
	begin(t, s.db).exec("SELECT 1 FROM attempts FOR UPDATE")
	if _, err := s.update(t.Context(), "a", func(a *attempt) error { return a.settle("mk_1", time.Now()) }); err != nil {
		t.Error(err)
	}
}

// The connection is lost when a commit was sent, so that nobody knows whether it succeeded: the change is made once.
func TestLostCommit(t *testing.T) {
	t.Parallel()
	for _, arrives := range []bool{true, false} {
		db := newDatabase(t)
		u, err := url.Parse(db)
		if err != nil {
			t.Fatal(err)
		}
		behind := newStore(t, db)
		if err := behind.create(t.Context(), attempt{ID: "a", User: "u"}); err != nil {
			t.Fatal(err)
		}
		cut := cutAtCommit(t, u.Host, arrives)
		u.Host, u.RawQuery = cut.addr, "sslmode=disable"
		s := newStore(t, u.String())
		for want := 1; want <= 2; want++ {
			cut.next.Store(1)
			if a, err := s.update(t.Context(), "a", func(a *attempt) error { a.Open++; return nil }); err != nil || a.Open != want {
				t.Errorf("%+v, %v", a, err)
			}
			if cut.next.Load() >= 1 {
				t.Error("the connection was not cut")
			}
		}
		cut.next.Store(1)
		if err := s.create(t.Context(), attempt{ID: "b", User: "u"}); err != nil {
			t.Error(err)
		}
		if _, err := behind.find(t.Context(), "u", "b"); err != nil {
			t.Error(err)
		}
	}
}

// A cutter is a proxy that cuts a connection when a commit passes it.
type cutter struct {
	addr    string
	arrives bool         // the commit; then its response is lost
	next    atomic.Int32 // how many connections are still to be cut
}

// cutAtCommit starts a cutter in front of a server.
func cutAtCommit(t *testing.T, server string, arrives bool) *cutter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	c := &cutter{addr: listener.Addr().String(), arrives: arrives}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go c.serve(client, server)
		}
	}()
	return c
}

func (c *cutter) serve(client net.Conn, addr string) {
	defer client.Close()
	server, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer server.Close()
	var committed atomic.Bool
	responded := make(chan struct{})
	go func() {
		defer close(responded)
		buffer := make([]byte, 32<<10)
		for {
			n, err := server.Read(buffer)
			if err != nil || committed.Load() {
				return
			}
			_, _ = client.Write(buffer[:n])
		}
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if bytes.Contains(buffer[:n], []byte("commit\x00")) && c.next.Add(-1) >= 0 {
			if c.arrives {
				committed.Store(true)
				_, _ = server.Write(buffer[:n])
				<-responded
			}
			return
		}
		_, _ = server.Write(buffer[:n])
	}
}
