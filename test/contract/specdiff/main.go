// Specdiff lists what the present openapi.yaml breaks for those who compiled an earlier one, and fails unless its
// version says that it breaks something.
//
//	go run . [-base git-ref]
//
// It is run in its own folder, by make spec-diff. The base is a commit, branch or tag; without it, the last tag, and
// the first commit while there is no tag.
//
// A version says so if the number that Semantic Versioning sets aside for it is higher than in the base: the first one,
// or the second while the first is 0. CHANGELOG.md must have a section for that version.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oasdiff/oasdiff/checker"
	"github.com/oasdiff/oasdiff/diff"
	"github.com/oasdiff/oasdiff/load"
	"golang.org/x/mod/semver"
)

func main() {
	base := flag.String("base", "", "`git-ref` to compare with (default: the last tag, or the first commit)")
	flag.Parse()
	if err := run("../../..", *base, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "spec-diff:", err)
		os.Exit(1)
	}
}

// run compares openapi.yaml in the folder root, a git work tree, with the one of the commit base.
func run(root, base string, out io.Writer) error {
	if base == "" {
		var err error
		if base, err = defaultBase(root); err != nil {
			return err
		}
	}
	was, err := git(root, "show", base+":openapi.yaml")
	if err != nil {
		return err
	}
	is, err := os.ReadFile(filepath.Join(root, "openapi.yaml"))
	if err != nil {
		return err
	}
	changelog, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	return compare(base, was, is, changelog, out)
}

// compare prints what is breaks that was did not, and judges its version.
func compare(base string, was, is, changelog []byte, out io.Writer) error {
	before, err := load.NewSpecInfoFromData(openapi3.NewLoader(), was, "openapi.yaml")
	if err != nil {
		return fmt.Errorf("openapi.yaml of %s: %w", base, err)
	}
	after, err := load.NewSpecInfoFromData(openapi3.NewLoader(), is, "openapi.yaml")
	if err != nil {
		return fmt.Errorf("openapi.yaml: %w", err)
	}
	report, sources, err := diff.GetWithOperationsSourcesMap(diff.NewConfig(), before, after)
	if err != nil {
		return err
	}
	// From warnings on: what breaks some clients, too.
	changes := checker.CheckBackwardCompatibility(checker.NewConfig(checker.GetAllChecks()), report, sources)
	for _, change := range changes {
		fmt.Fprintln(out, change.MultiLineError(checker.NewDefaultLocalizer(), checker.ColorNever))
	}
	fmt.Fprintf(out, "%d breaking changes since %s, version %s → %s\n", len(changes), base, before.GetVersion(), after.GetVersion())
	if len(changes) == 0 {
		return nil
	}
	return judge(before.GetVersion(), after.GetVersion(), changelog)
}

// judge returns an error unless a contract of version after may break what one of version before promised.
func judge(before, after string, changelog []byte) error {
	was, is := "v"+before, "v"+after
	if !semver.IsValid(was) || !semver.IsValid(is) {
		return fmt.Errorf("info.version went from %q to %q; both must be like 1.2.3", before, after)
	}
	number, raised := "first", semver.Compare(semver.Major(is), semver.Major(was)) > 0
	if semver.Major(was) == "v0" {
		number, raised = "second", semver.Compare(semver.MajorMinor(is), semver.MajorMinor(was)) > 0
	}
	if !raised {
		return fmt.Errorf("info.version in openapi.yaml went from %s to %s; a breaking change must raise its %s number", before, after, number)
	}
	if !regexp.MustCompile(`(?m)^## \[?` + regexp.QuoteMeta(after) + `(\]|\s|$)`).Match(changelog) {
		return fmt.Errorf("CHANGELOG.md has no section %q that tells what breaks", "## ["+after+"]")
	}
	return nil
}

// defaultBase is the last tag, or the first commit while there is none.
func defaultBase(root string) (string, error) {
	if tag, err := git(root, "describe", "--tags", "--abbrev=0"); err == nil {
		return strings.TrimSpace(string(tag)), nil
	}
	// Of several roots, the one that is listed last is the oldest.
	roots, err := git(root, "rev-list", "--max-parents=0", "HEAD")
	if err != nil {
		return "", err
	}
	all := strings.Fields(string(roots))
	return all[len(all)-1], nil
}

func git(root string, args ...string) ([]byte, error) {
	command := exec.Command("git", args...)
	command.Dir = root
	out, err := command.Output()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		return nil, fmt.Errorf("git %s: %s", strings.Join(args, " "), bytes.TrimSpace(failed.Stderr))
	}
	return out, err
}
