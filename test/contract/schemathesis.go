package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

var schemathesis = client{name: "schemathesis", folder: "schemathesis", passed: regexp.MustCompile(`(?m)^ +\d+ generated, (\d+) passed$`)}

// runSchemathesis runs Schemathesis, all phases, against the sandbox's program without rate limits.
func runSchemathesis(ctx context.Context, cache string) (r result) {
	start := time.Now()
	c := schemathesis
	r.client = c.name
	defer func() { r.elapsed = time.Since(start) }()
	cache = filepath.Join(cache, c.name)
	if r.err = os.MkdirAll(cache, 0o755); r.err != nil {
		return r
	}
	env := append(os.Environ(), "CACHE="+cache)
	if _, r.err = c.script(ctx, "install", env, cache); r.err != nil {
		return r
	}
	variables, stop, err := startProgram(ctx, cache)
	if err != nil {
		r.err = err
		return r
	}
	defer stop()
	env = append(env, variables...)
	output, err := c.script(ctx, "test", env, cache)
	if err == nil {
		r.passed, err = c.countPassed(output)
	}
	if err == nil && !bytes.Contains(output, []byte("2 covered / 2 selected")) {
		err = errors.New("the stateful phase did not follow both links")
	}
	r.err = err
	return r
}
