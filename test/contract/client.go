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
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moneykit/moneykit-go/sandbox"
)

// timeout is the limit for one script. The first installation over a slow network takes longest.
const timeout = 15 * time.Minute

// A client is generated from the contract, or an SDK of MoneyKit's, and has tests in a folder.
type client struct {
	name   string
	folder string
	sdk    string // the version of MoneyKit's SDK; empty for a generated client
	// passed matches the line that the test runner prints at the end of a run without failures; its group is the
	// number of tests. Without a group, each match is one test.
	passed *regexp.Regexp
}

var pytestPassed = regexp.MustCompile(`(?m)^(\d+) passed in `)

var clients = []client{
	{"typescript", "typescript", "", regexp.MustCompile(`(?m)^# pass (\d+)\n# fail 0$`)},
	{"python", "python", "", pytestPassed},
	{"ruby", "ruby", "", regexp.MustCompile(`(?m)^(\d+) runs, \d+ assertions, 0 failures, 0 errors, 0 skips$`)},
	{"java", "java", "", regexp.MustCompile(`(?m)^(?:\[INFO\] )?Tests run: (\d+), Failures: 0, Errors: 0, Skipped: 0\s*$`)},
	{"go", "go", "", regexp.MustCompile(`(?m)^--- PASS: `)},
	{"sdk-0.2.3", "sdk", "0.2.3", pytestPassed},
	{"sdk-0.1.15", "sdk", "0.1.15", pytestPassed},
}

// A result is the outcome of one client's scripts.
type result struct {
	client    string
	generator string // name and version of the generator, or of the SDK
	passed    int
	elapsed   time.Duration
	warnings  []string // of the generator
	remark    string   // on the warnings
	err       error
}

// run runs the scripts of c and keeps their output in cache.
func (c client) run(ctx context.Context, cache string) (r result) {
	start := time.Now()
	defer func() { r.elapsed = time.Since(start) }()
	cache = filepath.Join(cache, c.name)
	env := append(os.Environ(), "CACHE="+cache, "SDK="+c.sdk)
	if r = c.generate(ctx, env, cache); r.err != nil {
		return r
	}

	server := sandbox.New(sandbox.WithRateLimits(sandbox.PublishedRateLimits()))
	url, closeServer, err := serve(server)
	if err != nil {
		r.err = err
		return r
	}
	defer closeServer()
	env = append(env, "MONEYKIT_URL="+url, "MONEYKIT_CLIENT_ID="+server.ClientID, "MONEYKIT_CLIENT_SECRET="+server.ClientSecret)
	output, err := c.script(ctx, "test", env, cache)
	if err == nil {
		r.passed, err = c.countPassed(output)
	}
	if err == nil {
		err = c.checkRequests(server.Requests())
	}
	r.err = err
	return r
}

// generate installs and generates the client. A warning of the generator is an error.
func (c client) generate(ctx context.Context, env []string, cache string) (r result) {
	r.client = c.name
	if r.err = os.MkdirAll(cache, 0o755); r.err != nil {
		return r
	}
	if _, r.err = c.script(ctx, "install", env, cache); r.err != nil {
		return r
	}
	if c.sdk != "" {
		r.generator = "moneykit " + c.sdk + " of PyPI"
		return r
	}
	// Without the output of earlier runs, so that a generator that writes nothing is noticed.
	generated := filepath.Join(c.folder, "generated")
	if r.err = os.RemoveAll(generated); r.err != nil {
		return r
	}
	if r.err = os.Mkdir(generated, 0o755); r.err != nil {
		return r
	}
	var output []byte
	output, r.err = c.script(ctx, "generate", env, cache)
	r.generator, r.warnings = readGenerator(output)
	if r.err == nil && len(r.warnings) > 0 {
		r.err = errors.New("the generator warns: a defect of the contract")
	}
	return r
}

// script runs one of the scripts of c and returns its output.
func (c client) script(ctx context.Context, name string, env []string, cache string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	command := exec.CommandContext(ctx, "./"+name+".sh")
	command.Dir = c.folder
	command.Env = env
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	output, err := command.CombinedOutput()
	if logErr := os.WriteFile(filepath.Join(cache, name+".log"), output, 0o644); logErr != nil {
		return output, logErr
	}
	if err != nil {
		return output, fmt.Errorf("%s.sh: %w\n%s", name, err, tail(output))
	}
	return output, nil
}

// tail returns the last lines of output.
func tail(output []byte) []byte {
	lines := bytes.Split(bytes.TrimSpace(output), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-40):], []byte("\n"))
}

var (
	generatorLine = regexp.MustCompile(`(?m)^generator: (.+)$`)
	warningLine   = regexp.MustCompile(`(?m)^.*(?:\bWARN(?:ING)?\b|\bERROR\b|\b[Ww]arnings?\b|⚠).*$`)
)

// readGenerator finds the generator's name and its warnings in the output of generate.sh. It returns each warning once:
// how often OpenAPI Generator repeats one depends on time.
func readGenerator(output []byte) (name string, warnings []string) {
	if m := generatorLine.FindSubmatch(output); m != nil {
		name = string(m[1])
	}
	for _, line := range warningLine.FindAll(output, -1) {
		if warning := strings.TrimSpace(string(line)); !slices.Contains(warnings, warning) {
			warnings = append(warnings, warning)
		}
	}
	return name, warnings
}

// countPassed finds the number of passed tests in the output of test.sh.
func (c client) countPassed(output []byte) (int, error) {
	n := 0
	for _, m := range c.passed.FindAllSubmatch(output, -1) {
		if c.passed.NumSubexp() == 0 {
			n++
		} else {
			n, _ = strconv.Atoi(string(m[1])) // the expression matches digits only
		}
	}
	if n == 0 {
		return 0, errors.New("test.sh ran no test, or the summary of its test runner has changed")
	}
	return n, nil
}

// serve serves handler on a free port of the loopback interface.
func serve(handler http.Handler) (url string, closeServer func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // returns ErrServerClosed
	}()
	return "http://" + listener.Addr().String(), func() { server.Close(); <-done }, nil
}
