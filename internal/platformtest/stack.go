package platformtest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"go.yaml.in/yaml/v3"
)

// Stack has all allowed keys of stack.yml. faas-cli ignores unknown keys, and silently builds
// nothing for a function without a lang.
type Stack struct {
	Version  string `yaml:"version"`
	Provider struct {
		Name    string `yaml:"name"`
		Gateway string `yaml:"gateway"`
	} `yaml:"provider"`
	Configuration struct {
		Copy []string `yaml:"copy"`
	} `yaml:"configuration"`
	Functions map[string]StackFunction `yaml:"functions"`
}

// StackFunction is a function in stack.yml.
type StackFunction struct {
	Lang                   string            `yaml:"lang"`
	Handler                string            `yaml:"handler"`
	Image                  string            `yaml:"image"`
	BuildArgs              map[string]string `yaml:"build_args"`
	Secrets                []string          `yaml:"secrets"`
	Environment            map[string]string `yaml:"environment"`
	Labels                 map[string]string `yaml:"labels"`
	Annotations            map[string]string `yaml:"annotations"`
	ReadonlyRootFilesystem bool              `yaml:"readonly_root_filesystem"`
	Requests               Resources         `yaml:"requests"`
	Limits                 Resources         `yaml:"limits"`
}

// Resources is an amount of CPU and memory.
type Resources struct {
	CPU    string `yaml:"cpu" json:"cpu"`
	Memory string `yaml:"memory" json:"memory"`
}

var quantity = regexp.MustCompile(`^[1-9][0-9]*(m|Mi)?$`)

// Check fails the test unless both are quantities of Kubernetes.
func (r Resources) Check(t *testing.T) {
	t.Helper()
	for _, q := range []string{r.CPU, r.Memory} {
		if !quantity.MatchString(q) {
			t.Errorf("%q is not a quantity", q)
		}
	}
}

// ReadYAML decodes the documents of a YAML file. It rejects unknown keys.
func ReadYAML[T any](t *testing.T, file string) []T {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	var all []T
	for {
		var one T
		err := decoder.Decode(&one)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, one)
	}
}

// ReadStack reads stack.yml.
func ReadStack(t *testing.T) Stack {
	t.Helper()
	all := ReadYAML[Stack](t, filepath.Join(Root(t), "stack.yml"))
	if len(all) != 1 {
		t.Fatalf("stack.yml has %d documents, want 1", len(all))
	}
	return all[0]
}
