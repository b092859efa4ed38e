package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// startProgram builds the sandbox's program into folder and starts it without rate limits. environment has the variables
// that it prints, and stop ends it.
func startProgram(ctx context.Context, folder string) (environment []string, stop func(), err error) {
	program, err := filepath.Abs(filepath.Join(folder, "moneykit-sandbox"))
	if err != nil {
		return nil, nil, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/moneykit/moneykit-go/sandbox/cmd/moneykit-sandbox")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, nil, fmt.Errorf("%s: %w: %s", build, err, out)
	}
	log, err := os.Create(filepath.Join(folder, "sandbox.log"))
	if err != nil {
		return nil, nil, err
	}
	command := exec.CommandContext(ctx, program, "-addr", "127.0.0.1:0", "-rate-limits=false")
	command.Stderr = log
	out, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		log.Close()
		return nil, nil, err
	}
	stop = func() {
		_ = command.Process.Signal(syscall.SIGINT)
		_ = command.Wait() // its exit status is tested beside it
		log.Close()
	}
	for lines := bufio.NewScanner(out); len(environment) < 3 && lines.Scan(); {
		if variable, ok := strings.CutPrefix(lines.Text(), "export "); ok {
			environment = append(environment, strings.NewReplacer("'", "", `"`, "").Replace(variable))
		}
	}
	if len(environment) < 3 {
		stop()
		return nil, nil, errors.New("the sandbox's program did not print three variables; see " + log.Name())
	}
	return environment, stop, nil
}
