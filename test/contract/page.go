package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/moneykit/moneykit-go/sandbox"
)

const pageFile = "../../docs/other-languages.md"

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

// paste runs the blocks of s in an empty folder that holds the contract, against a sandbox.
func (s section) paste(ctx context.Context) (r result) {
	start := time.Now()
	r.client = s.name
	defer func() { r.elapsed = time.Since(start) }()
	folder, err := os.MkdirTemp("", "page-")
	if err != nil {
		r.err = err
		return r
	}
	defer os.RemoveAll(folder)
	contract, err := os.ReadFile("../../openapi.yaml")
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "openapi.yaml"), contract, 0o644)
	}
	if err != nil {
		r.err = err
		return r
	}
	server := sandbox.New()
	url, closeServer, err := serve(server)
	if err != nil {
		r.err = err
		return r
	}
	defer closeServer()

	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	command := exec.CommandContext(ctx, "bash", "-c", s.script())
	command.Dir = folder
	command.Env = append(os.Environ(), "MONEYKIT_URL="+url, "MONEYKIT_CLIENT_ID="+server.ClientID,
		"MONEYKIT_CLIENT_SECRET="+server.ClientSecret)
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
