// Package kubernetes_test has the manifests here checked by the module that knows their
// types.
package kubernetes_test

import (
	"io/fs"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestKubernetes(t *testing.T) {
	t.Parallel()
	look(t, ".", "../../tools/kubernetes", "../../stack.yml")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "./...")
	cmd.Dir = "../../tools/kubernetes"
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

// look makes Go run these tests again when a file there has changed, which it would not
// know of files that other programs read.
func look(t *testing.T, folders ...string) {
	t.Helper()
	for _, folder := range folders {
		if err := filepath.WalkDir(folder, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			t.Fatal(err)
		}
	}
}
