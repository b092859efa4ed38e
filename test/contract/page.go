package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	pageFile = "../../docs/other-languages.md"

	// releases is where the page downloads from.
	releases = "https://github.com/moneykit/moneykit-go/releases/latest/download"
)

// A section of the page is what stands under a heading; its blocks are pasted in their order.
type section struct {
	name   string // the first word of the heading, in lower case
	blocks []block
}

// A block of the page is a file to write, or commands to run.
type block struct {
	file   string // its name; empty for commands
	text   string
	output string // expected of the commands; … matches any text within a line
}

var (
	headingLine = regexp.MustCompile(`^## (\w+)`)
	fileLine    = regexp.MustCompile("(?:^|\\s)`([^`\\s]+)`:$")
)

// readPage returns the sections of the page that have commands. A block after a line that ends with a file's name in
// backticks and a colon is that file, a block of sh is commands, and a block of text after commands is their output.
// Other blocks only show something.
func readPage(page string) ([]section, error) {
	var sections []section
	var current section
	end := func() {
		for _, b := range current.blocks {
			if b.file == "" {
				sections = append(sections, current)
				return
			}
		}
	}
	before := "" // the last line of text before a block
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if m := headingLine.FindStringSubmatch(line); m != nil {
			end()
			current = section{name: strings.ToLower(m[1])}
		}
		language, fence := strings.CutPrefix(line, "```")
		if !fence {
			if line != "" && !strings.HasPrefix(line, "<!--") {
				before = line
			}
			continue
		}
		start := i + 1
		for i++; i < len(lines) && lines[i] != "```"; i++ {
		}
		if i == len(lines) {
			return nil, fmt.Errorf("line %d: the block does not end", start)
		}
		text := strings.Join(lines[start:i], "\n") + "\n"
		m := fileLine.FindStringSubmatch(before)
		before = ""
		switch last := len(current.blocks) - 1; {
		case m != nil:
			current.blocks = append(current.blocks, block{file: m[1], text: text})
		case language == "sh":
			current.blocks = append(current.blocks, block{text: text})
		case language == "text" && last >= 0 && current.blocks[last].file == "":
			current.blocks[last].output = text
		case language == "text":
			return nil, fmt.Errorf("line %d: output without commands before it", start)
		}
	}
	end()
	return sections, nil
}

// script returns a bash script that does what a reader does who pastes the blocks, one after the other, into one shell.
// The output of block N goes to the file output.N.
func (s section) script() string {
	var b strings.Builder
	b.WriteString("set -e\n")
	for i, block := range s.blocks {
		if block.file == "" {
			fmt.Fprintf(&b, "{\n%s} >output.%d\n", block.text, i)
			continue
		}
		fmt.Fprintf(&b, "mkdir -p '%s'\ncat >'%s' <<'END OF BLOCK'\n%sEND OF BLOCK\n", path.Dir(block.file), block.file, block.text)
	}
	return b.String()
}

// escapes change a terminal's colours; a reader does not see them.
var escapes = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// matches reports whether got is the output that want describes.
func matches(want, got string) bool {
	got = escapes.ReplaceAllString(got, "")
	pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(want)), "…", ".+")
	return regexp.MustCompile("^" + pattern + "$").MatchString(strings.TrimSpace(got))
}

// A release is served in place of the host that the page downloads from.
type release struct{ url string }

// serveRelease serves what the workflow release.yml attaches to a release: the archives of make dist, and the contract.
func serveRelease() (r release, stop func(), err error) {
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir("../../artifacts/dist")))
	mux.HandleFunc("GET /openapi.yaml", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "../../openapi.yaml") })
	r.url, stop, err = serve(mux)
	return r, stop, err
}

// download returns s with this release in place of the host, and with the archive for this platform.
func (r release) download(s section) section {
	local := strings.NewReplacer(releases, r.url, "linux_amd64", runtime.GOOS+"_"+runtime.GOARCH)
	blocks := make([]block, len(s.blocks))
	for i, b := range s.blocks {
		b.text = local.Replace(b.text)
		blocks[i] = b
	}
	return section{s.name, blocks}
}

// start runs the commands of b, the last of which is the sandbox. It returns the variables of the export lines that the
// sandbox prints.
func (b block) start(ctx context.Context) (env []string, stop func(), err error) {
	folder, err := os.MkdirTemp("", "page-")
	if err != nil {
		return nil, nil, err
	}
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	command := exec.CommandContext(ctx, "bash", "-ec", b.text)
	command.Dir = folder
	command.Env = append(os.Environ(), "MONEYKIT_SANDBOX_ADDR=127.0.0.1:0") // any port
	command.Stderr = log
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	stdout, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	stop = func() {
		cancel()
		if command.Process != nil {
			_ = command.Wait()
		}
		log.Close()
		os.RemoveAll(folder)
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	lines := bufio.NewScanner(stdout)
	for len(env) < 3 && lines.Scan() {
		if variable, ok := strings.CutPrefix(lines.Text(), "export "); ok {
			env = append(env, variable)
		}
	}
	if len(env) < 3 {
		output, _ := os.ReadFile(log.Name())
		stop()
		return nil, nil, fmt.Errorf("the sandbox printed %d export lines, want 3\n%s", len(env), tail(output))
	}
	go func() { _, _ = io.Copy(io.Discard, stdout) }()
	return env, stop, nil
}

// paste runs the blocks of s in an empty folder, with the variables env.
func (s section) paste(ctx context.Context, env []string) (r result) {
	start := time.Now()
	r.client = s.name
	defer func() { r.elapsed = time.Since(start) }()
	folder, err := os.MkdirTemp("", "page-")
	if err != nil {
		r.err = err
		return r
	}
	defer os.RemoveAll(folder)

	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	command := exec.CommandContext(ctx, "bash", "-c", s.script())
	command.Dir = folder
	command.Env = append(os.Environ(), env...)
	log, err := command.CombinedOutput()
	if err != nil {
		for i := range s.blocks {
			output, _ := os.ReadFile(filepath.Join(folder, fmt.Sprintf("output.%d", i)))
			log = append(log, output...)
		}
		r.err = fmt.Errorf("%w\n%s", err, tail(log))
		return r
	}
	for i, block := range s.blocks {
		if block.output == "" {
			continue
		}
		got, err := os.ReadFile(filepath.Join(folder, fmt.Sprintf("output.%d", i)))
		if err == nil && !matches(block.output, string(got)) {
			err = fmt.Errorf("the output is\n%s\nnot, as the page says,\n%s", got, block.output)
		}
		r.err = errors.Join(r.err, err)
		r.passed++
	}
	if r.passed == 0 {
		r.err = errors.Join(r.err, errors.New("the section expects no output"))
	}
	return r
}
