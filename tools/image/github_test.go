package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
	"go.yaml.in/yaml/v3"
)

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("no file matches %s: %v", pattern, err)
	}
	return found
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// readStrict decodes a YAML file. It rejects unknown keys.
func readStrict(t *testing.T, file string, into any) {
	t.Helper()
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(read(t, file))))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		t.Errorf("%s: %v", file, err)
	}
}

var (
	target = regexp.MustCompile(`(?m)^([a-z-]+):`)
	called = regexp.MustCompile(`(?m)run: (?:sudo )?make (?:-s )?([a-z-]+)`)
	action = regexp.MustCompile(`(?m)uses: (.*)$`)
	pinned = regexp.MustCompile(`^[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
)

// TestWorkflows lints the workflows, and checks that the Makefile has the targets they use,
// and that they name actions by commit: whoever takes over an action can move its tags.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	linter, err := actionlint.NewLinter(os.Stderr, &actionlint.LinterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, match := range target.FindAllStringSubmatch(read(t, filepath.Join(root, "Makefile")), -1) {
		targets = append(targets, match[1])
	}
	for _, file := range glob(t, ".github/workflows/*.yml") {
		if found, err := linter.LintFile(file, nil); err != nil || len(found) > 0 {
			t.Errorf("%s: %v, %v", file, found, err)
		}
		for _, match := range called.FindAllStringSubmatch(read(t, file), -1) {
			if !slices.Contains(targets, match[1]) {
				t.Errorf("%s runs make %s, but the Makefile has no such target", file, match[1])
			}
		}
		for _, match := range action.FindAllStringSubmatch(read(t, file), -1) {
			if !pinned.MatchString(match[1]) {
				t.Errorf("%s uses %s: want OWNER/NAME@COMMIT # vMAJOR.MINOR.PATCH", file, match[1])
			}
		}
	}
}

// TestChecks checks that CI runs every target of `make test`.
func TestChecks(t *testing.T) {
	t.Parallel()
	_, rest, _ := strings.Cut(read(t, filepath.Join(root, "Makefile")), "\ntest:")
	recipe, _, _ := strings.Cut(rest, "\n\n")
	workflow := read(t, filepath.Join(root, ".github/workflows/ci.yml"))
	checks := regexp.MustCompile(`\b(lint|test-[a-z]+)\b`).FindAllString(recipe, -1)
	if len(checks) < 2 {
		t.Fatalf("targets of make test: %v", checks)
	}
	for _, check := range checks {
		if !strings.Contains(workflow, "run: make "+check+"\n") {
			t.Errorf("no job runs make %s", check)
		}
	}
}

// form has all allowed keys of an issue form.
type form struct {
	Name, Description string
	Labels            []string
	Body              []struct {
		Type, ID   string
		Attributes struct {
			Label, Description, Value string
			Multiple                  bool
			Options                   []string
		}
		Validations struct{ Required bool }
	}
}

func TestIssueForms(t *testing.T) {
	t.Parallel()
	for _, file := range glob(t, ".github/ISSUE_TEMPLATE/*.yml") {
		if filepath.Base(file) == "config.yml" {
			continue
		}
		var f form
		readStrict(t, file, &f)
		if f.Name == "" || f.Description == "" {
			t.Errorf("%s has no name or no description", file)
		}
		ids := map[string]bool{}
		for _, part := range f.Body {
			about := part.Attributes
			switch part.Type {
			case "markdown":
				if about.Value == "" {
					t.Errorf("%s: empty markdown", file)
				}
				continue
			case "dropdown":
				if len(about.Options) == 0 {
					t.Errorf("%s: %s has no options", file, part.ID)
				}
			case "input", "textarea":
			default:
				t.Errorf("%s: unknown type %q", file, part.Type)
			}
			if about.Label == "" || part.ID == "" || ids[part.ID] {
				t.Errorf("%s: label %q, id %q: want a label and a unique id", file, about.Label, part.ID)
			}
			ids[part.ID] = true
		}
	}
}

// TestDependabot checks that every directory of Dependabot's configuration has a file to
// update.
func TestDependabot(t *testing.T) {
	t.Parallel()
	var settings struct {
		Version int
		Updates []struct {
			Ecosystem   string `yaml:"package-ecosystem"`
			Directory   string
			Directories []string
			Schedule    struct{ Interval string }
			Groups      map[string]struct{ Patterns []string }
		}
	}
	readStrict(t, filepath.Join(root, ".github/dependabot.yml"), &settings)
	files := map[string]string{
		"gomod": "go.mod", "npm": "package.json", "github-actions": ".github/workflows/*.yml", "docker": "Dockerfile", "docker-compose": "compose.yml",
	}
	var modules int
	for _, update := range settings.Updates {
		for _, folder := range append(update.Directories, update.Directory) {
			if folder == "" {
				continue
			}
			found := glob(t, filepath.Join(folder, files[update.Ecosystem]))
			if update.Ecosystem == "gomod" {
				modules += len(found)
			}
		}
	}
	if want := 1 + len(glob(t, "tools/*/go.mod")); settings.Version != 2 || modules != want {
		t.Errorf("version %d, %d modules; want %d", settings.Version, modules, want)
	}
}
