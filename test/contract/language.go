package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/moneykit/moneykit-go/sandbox"
)

// timeout is how long one script may take; the first install on a slow network is the longest.
const timeout = 15 * time.Minute

// A language is one consumer of the contract: the folder of that name.
type language struct {
	name string
	// passed matches the line with which the test runner ends a run without failures; its group is the number of
	// tests. Without a group, each match is one test.
	passed *regexp.Regexp
}

var languages = []language{
	{"typescript", regexp.MustCompile(`(?m)^# pass (\d+)\n# fail 0$`)},
	{"python", regexp.MustCompile(`(?m)^(\d+) passed in `)},
	{"ruby", regexp.MustCompile(`(?m)^(\d+) runs, \d+ assertions, 0 failures, 0 errors, 0 skips$`)},
	{"java", regexp.MustCompile(`(?m)^(?:\[INFO\] )?Tests run: (\d+), Failures: 0, Errors: 0, Skipped: 0\s*$`)},
	{"go", regexp.MustCompile(`(?m)^--- PASS: `)},
}

// A result is how one language fared.
type result struct {
	language  string
	generator string // its name and version
	passed    int
	elapsed   time.Duration
	warnings  []string // of the generator
	err       error
}

// run runs the scripts of l and keeps what they print in cache.
func (l language) run(ctx context.Context, cache string) (r result) {
	start := time.Now()
	r.language = l.name
	defer func() { r.elapsed = time.Since(start) }()
	cache = filepath.Join(cache, l.name)
	if r.err = os.MkdirAll(cache, 0o755); r.err != nil {
		return r
	}
	env := append(os.Environ(), "CACHE="+cache)
	if _, r.err = l.script(ctx, "install", env, cache); r.err != nil {
		return r
	}
	// What an earlier run left must not hide that this one generates nothing.
	if r.err = os.RemoveAll(filepath.Join(l.name, "generated")); r.err != nil {
		return r
	}
	if r.err = os.Mkdir(filepath.Join(l.name, "generated"), 0o755); r.err != nil {
		return r
	}
	printed, err := l.script(ctx, "generate", env, cache)
	r.generator, r.warnings = readGenerator(printed)
	if r.err = err; err != nil {
		return r
	}
	if len(r.warnings) > 0 {
		r.err = errors.New("a generator's warning is a defect of the contract")
	}

	server := sandbox.New(sandbox.WithRateLimits(sandbox.PublishedRateLimits()))
	url, closeServer, err := serve(server)
	if err != nil {
		r.err = errors.Join(r.err, err)
		return r
	}
	defer closeServer()
	env = append(env, "MONEYKIT_URL="+url, "MONEYKIT_CLIENT_ID="+server.ClientID, "MONEYKIT_CLIENT_SECRET="+server.ClientSecret)
	printed, err = l.script(ctx, "test", env, cache)
	if err == nil {
		r.passed, err = l.countPassed(printed)
	}
	if err == nil {
		err = checkArrived(server.Requests())
	}
	r.err = errors.Join(r.err, err)
	return r
}

// script runs one of the scripts of l and returns what it printed.
func (l language) script(ctx context.Context, name string, env []string, cache string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	command := exec.CommandContext(ctx, "./"+name+".sh")
	command.Dir = l.name
	command.Env = env
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	printed, err := command.CombinedOutput()
	if logErr := os.WriteFile(filepath.Join(cache, name+".log"), printed, 0o644); logErr != nil {
		return printed, logErr
	}
	if err != nil {
		lines := bytes.Split(bytes.TrimSpace(printed), []byte("\n"))
		tail := bytes.Join(lines[max(0, len(lines)-40):], []byte("\n"))
		return printed, fmt.Errorf("%s.sh: %w\n%s", name, err, tail)
	}
	return printed, nil
}

var (
	generatorLine = regexp.MustCompile(`(?m)^generator: (.+)$`)
	warningLine   = regexp.MustCompile(`(?m)^.*(?:\bWARN(?:ING)?\b|\bERROR\b|\b[Ww]arnings?\b|⚠).*$`)
)

// readGenerator finds the generator's name and its warnings in what generate.sh printed.
func readGenerator(printed []byte) (name string, warnings []string) {
	if m := generatorLine.FindSubmatch(printed); m != nil {
		name = string(m[1])
	}
	for _, line := range warningLine.FindAll(printed, -1) {
		warnings = append(warnings, strings.TrimSpace(string(line)))
	}
	return name, warnings
}

// countPassed finds the number of tests that passed in what test.sh printed.
func (l language) countPassed(printed []byte) (int, error) {
	n := 0
	for _, m := range l.passed.FindAllSubmatch(printed, -1) {
		if l.passed.NumSubexp() == 0 {
			n++
		} else {
			n, _ = strconv.Atoi(string(m[1])) // the expression matches digits only
		}
	}
	if n == 0 {
		return 0, errors.New("test.sh ran no test, or its runner's last lines have changed")
	}
	return n, nil
}

// serve serves handler on a free port of this machine.
func serve(handler http.Handler) (url string, closeServer func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ends with ErrServerClosed
	}()
	return "http://" + listener.Addr().String(), func() { server.Close(); <-done }, nil
}
