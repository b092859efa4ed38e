// Specdiff lists the breaking changes of openapi.yaml since an earlier commit, and fails unless its version admits them.
//
//	go run . [-base git-ref] [-changelog]
//
// It is run in its own folder, by make spec-diff. The base is a commit, branch or tag; without it, the last tag, and
// the first commit while there is no tag.
//
// A version admits breaking changes if the number that Semantic Versioning reserves for them is higher than in the base:
// the first one, or the second while the first is 0. CHANGELOG.md must have a section for that version.
//
// With -changelog it lists all changes, as Markdown for a release.
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
	all := flag.Bool("changelog", false, "list all changes, as Markdown")
	flag.Parse()
	if err := run("..", *base, *all, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "spec-diff:", err)
		os.Exit(1)
	}
}

// run compares openapi.yaml in the folder root, a git work tree, with the one of the commit base.
func run(root, base string, all bool, out io.Writer) error {
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
	if all {
		return list(base, was, is, out)
	}
	return compare(base, was, is, changelog, out)
}

// A comparison of two contracts.
type comparison struct {
	before, after   string // versions
	breaking, other checker.Changes
}

func compareContracts(base string, was, is []byte) (c comparison, err error) {
	before, err := load.NewSpecInfoFromData(openapi3.NewLoader(), was, "openapi.yaml")
	if err != nil {
		return c, fmt.Errorf("openapi.yaml of %s: %w", base, err)
	}
	after, err := load.NewSpecInfoFromData(openapi3.NewLoader(), is, "openapi.yaml")
	if err != nil {
		return c, fmt.Errorf("openapi.yaml: %w", err)
	}
	report, sources, err := diff.GetWithOperationsSourcesMap(diff.NewConfig(), before, after)
	if err != nil {
		return c, err
	}
	c.before, c.after = before.GetVersion(), after.GetVersion()
	all := checker.CheckBackwardCompatibilityUntilLevel(checker.NewConfig(checker.GetAllChecks()), report, sources, checker.INFO)
	for _, change := range all {
		// A warning breaks some clients. A schema's name does not matter in requests and responses, but in generated code.
		if change.GetLevel() >= checker.WARN || change.GetId() == checker.APISchemasRemovedId {
			c.breaking = append(c.breaking, change)
		} else {
			c.other = append(c.other, change)
		}
	}
	return c, nil
}

// compare prints the breaking changes from was to is, and checks the version.
func compare(base string, was, is, changelog []byte, out io.Writer) error {
	c, err := compareContracts(base, was, is)
	if err != nil {
		return err
	}
	for _, change := range c.breaking {
		fmt.Fprintln(out, change.MultiLineError(checker.NewDefaultLocalizer(), checker.ColorNever))
	}
	fmt.Fprintf(out, "%d breaking changes since %s, version %s → %s\n", len(c.breaking), base, c.before, c.after)
	if len(c.breaking) == 0 {
		return nil
	}
	return checkVersion(c.before, c.after, changelog)
}

// list prints all changes from was to is as Markdown.
func list(base string, was, is []byte, out io.Writer) error {
	c, err := compareContracts(base, was, is)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "# Changes of the contract, %s → %s\n", c.before, c.after)
	for _, part := range []struct {
		title   string
		changes checker.Changes
	}{{"Breaking", c.breaking}, {"Other", c.other}} {
		if len(part.changes) > 0 {
			fmt.Fprintf(out, "\n## %s\n\n", part.title)
		}
		for _, change := range part.changes {
			operation := ""
			if change.GetPath() != "" {
				operation = fmt.Sprintf("`%s %s`: ", change.GetOperation(), change.GetPath())
			}
			fmt.Fprintf(out, "- %s%s\n", operation, change.GetUncolorizedText(checker.NewDefaultLocalizer()))
		}
	}
	return nil
}

// checkVersion returns an error unless a contract of version after may break one of version before.
func checkVersion(before, after string, changelog []byte) error {
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
		return fmt.Errorf("CHANGELOG.md has no section %q for the breaking changes", "## ["+after+"]")
	}
	return nil
}

// defaultBase is the last tag of the root module, or the first commit while there is none.
func defaultBase(root string) (string, error) {
	if tag, err := git(root, "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*"); err == nil {
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
