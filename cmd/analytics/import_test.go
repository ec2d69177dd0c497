package main_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// block is the first block of a kind in the document on importing.
func block(t *testing.T, kind string) string {
	t.Helper()
	doc, err := os.ReadFile("../../docs/import.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(doc), "```"+kind+"\n")
	text, _, ends := strings.Cut(rest, "```")
	if !ok || !ends {
		t.Fatalf("docs/import.md has no block of %s", kind)
	}
	return text
}

func write(t *testing.T, name string, content []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (i *installation) count(t *testing.T, sql string) (n int) {
	t.Helper()
	if err := i.db.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestImportLog does what docs/import.md shows, twice: the second time with the file
// compressed.
func TestImportLog(t *testing.T) {
	t.Parallel()
	i := install(t)
	if _, err := sites.Create(t.Context(), i.db, sites.Draft{Domain: "example.com", Timezone: "Europe/Paris"}); err != nil {
		t.Fatal(err)
	}
	log := block(t, "log")
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(log)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{write(t, "access.log", []byte(log)), write(t, "access.log.gz", packed.Bytes())} {
		out, _, code := i.run(t, "import-log", "--site", "example.com", path)
		if want := strings.ReplaceAll(block(t, "text"), "access.log:", path+":"); out != want || code != 0 {
			t.Errorf("exit %d,\n%swant\n%s", code, out, want)
		}
		i.drain(t)
		for sql, want := range map[string]int{
			`SELECT count(*) FROM events`:                                                           2,
			`SELECT count(DISTINCT visitor) FROM events`:                                            1,
			`SELECT pageviews FROM visits WHERE source = 'Google' AND exit_page = '/pricing'`:       2,
			`SELECT count(*) FROM events WHERE page = '/pricing' AND time = '2026-03-10 13:56:10Z'`: 1,
		} {
			if got := i.count(t, sql); got != want {
				t.Errorf("%s: %d, want %d", sql, got, want)
			}
		}
	}
	i.right(t)
}

// TestImportOfAnOpenDay makes the same visitors from two imports.
func TestImportOfAnOpenDay(t *testing.T) {
	t.Parallel()
	i := install(t)
	at := time.Now().Add(-time.Minute).Format("02/Jan/2006:15:04:05 -0700")
	line := "%sone.example:443 203.0.113.9 - - [" + at + `] "GET /%s HTTP/1.1" 200 1 "-" "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"` + "\n"
	var found struct {
		Lines, Views int
		LeftOut      map[string]int `json:"left_out"`
	}
	out, _, code := i.run(t, "import-log", "--json", "--site", "one.example", write(t, "a", fmt.Appendf(nil, line+line, "www.", "a", "another-", "b")))
	if err := json.Unmarshal([]byte(out), &found); err != nil || code != 0 || found.Lines != 2 || found.Views != 1 || found.LeftOut["host"] != 1 {
		t.Errorf("exit %d, %s, %v", code, out, err)
	}
	if _, _, code := i.run(t, "import-log", "--site", "one.example", write(t, "b", fmt.Appendf(nil, line, "", "c"))); code != 0 {
		t.Errorf("exit %d", code)
	}
	i.drain(t)
	if events, visitors := i.count(t, `SELECT count(*) FROM events`), i.count(t, `SELECT count(DISTINCT visitor) FROM events`); events != 2 || visitors != 1 {
		t.Errorf("%d events of %d visitors, want 2 of 1", events, visitors)
	}
}

func TestWhatImportRefuses(t *testing.T) {
	t.Parallel()
	i := install(t)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no site":         {[]string{}, "--site"},
		"an unknown site": {[]string{"--site", "no.example"}, "--site: there is no site no.example"},
		"no file":         {[]string{"--site", "one.example", "/no/such/file"}, "/no/such/file"},
		"a folder":        {[]string{"--site", "one.example", t.TempDir()}, "is a folder: name the files"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, complaint, code := i.run(t, append([]string{"import-log"}, test.args...)...)
			if code != 2 || out != "" || strings.Count(complaint, "\n") != 1 || !strings.Contains(complaint, test.want) {
				t.Errorf("exit %d, %q, complaint %q; want 2 and a line about %s", code, out, complaint, test.want)
			}
		})
	}
}
