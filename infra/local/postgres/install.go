package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ErrNotInstalled means that this machine has no PostgreSQL server.
var ErrNotInstalled = errors.New("no PostgreSQL server found (initdb and postgres in PATH, " +
	"/usr/lib/postgresql, /usr/local/pgsql or Homebrew): install the Debian package postgresql")

// installation is an installed version of PostgreSQL.
type installation struct {
	bin   string // directory of its programs
	major int
}

// places returns patterns of the directories with PostgreSQL's programs, besides PATH.
func places() []string {
	return []string{
		"/usr/lib/postgresql/*/bin",
		"/usr/pgsql-*/bin",
		"/usr/local/pgsql/bin",
		"/opt/homebrew/opt/postgresql@*/bin",
		"/opt/homebrew/bin",
		"/usr/local/opt/postgresql@*/bin",
	}
}

// find returns the installation with a major version, or the newest one if dataMajor is 0.
func find(ctx context.Context, dataMajor int) (installation, error) {
	installed := installations(ctx)
	if len(installed) == 0 {
		return installation{}, ErrNotInstalled
	}
	newest := slices.MaxFunc(installed, func(a, b installation) int { return a.major - b.major })
	if dataMajor == 0 {
		return newest, nil
	}
	for _, i := range installed {
		if i.major == dataMajor {
			return i, nil
		}
	}
	return installation{}, fmt.Errorf("the data was created by PostgreSQL %d, but this machine has %d: "+
		"install the Debian package postgresql-%[1]d, or use an empty directory", dataMajor, newest.major)
}

func installations(ctx context.Context) []installation {
	var bins []string
	if path, err := exec.LookPath("initdb"); err == nil {
		if program, err := filepath.EvalSymlinks(path); err == nil {
			bins = append(bins, filepath.Dir(program))
		}
	}
	for _, place := range places() {
		found, _ := filepath.Glob(place) // the patterns are well formed
		bins = append(bins, found...)
	}
	var installed []installation
	for _, bin := range bins {
		if _, err := os.Stat(filepath.Join(bin, "initdb")); err != nil {
			continue
		}
		if major, err := majorOf(ctx, filepath.Join(bin, "postgres")); err == nil {
			installed = append(installed, installation{bin, major})
		}
	}
	return installed
}

var version = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

func majorOf(ctx context.Context, postgres string) (int, error) {
	output, err := exec.CommandContext(ctx, postgres, "--version").Output()
	if err != nil {
		return 0, fmt.Errorf("get the version of %s: %w", postgres, err)
	}
	match := version.FindSubmatch(output)
	if match == nil {
		return 0, fmt.Errorf("get the version of %s: unexpected output %q", postgres, output)
	}
	return strconv.Atoi(string(match[1]))
}

func (i installation) program(name string) string { return filepath.Join(i.bin, name) }

// TimescaleAvailable reports whether a server that Start starts in a new directory can load
// TimescaleDB.
func TimescaleAvailable(ctx context.Context) bool {
	install, err := find(ctx, 0)
	return err == nil && install.timescale(ctx)
}

// timescale reports whether this version can load TimescaleDB.
func (i installation) timescale(ctx context.Context) bool {
	lib := filepath.Join(i.bin, "../lib")
	if output, err := exec.CommandContext(ctx, i.program("pg_config"), "--pkglibdir").Output(); err == nil {
		lib = strings.TrimSpace(string(output))
	}
	for _, name := range []string{"timescaledb.so", "timescaledb.dylib"} {
		if _, err := os.Stat(filepath.Join(lib, name)); err == nil {
			return true
		}
	}
	return false
}
