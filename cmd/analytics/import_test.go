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

// block returns the first code block of a kind in docs/import.md.
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

// TestImportLog runs the example of docs/import.md twice, the second time with a
// compressed file.
func TestImportLog(t *testing.T) {
	t.Parallel()
	i := install(t)
	if _, err := sites.Create(t.Context(), i.db, sites.Draft{Domain: "example.com", Timezone: "Europe/Paris"}); err != nil {
		t.Fatal(err)
	}
	log := block(t, "log")
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	if _, err := w.Write([]byte(log)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{write(t, "access.log", []byte(log)), write(t, "access.log.gz", compressed.Bytes())} {
		out, _, code := i.run(t, "import-log", "--site", "example.com", path)
		if want := strings.ReplaceAll(block(t, "text"), "access.log:", path+":"); out != want || code != 0 {
			t.Errorf("exit %d,\n%swant\n%s", code, out, want)
		}
		i.aggregate(t)
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
	i.verify(t)
}

// TestImportOpenDay checks that two imports of an open day have the same visitors, and that
// pages are masked.
func TestImportOpenDay(t *testing.T) {
	t.Parallel()
	i := install(t)
	at := time.Now().Add(-time.Minute).Format("02/Jan/2006:15:04:05 -0700")
	line := "%sone.example:443 203.0.113.9 - - [" + at + `] "GET /%s HTTP/1.1" 200 1 "-" "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"` + "\n"
	var result struct {
		Lines, Views int
		LeftOut      map[string]int `json:"left_out"`
		Masked       map[string]int
	}
	out, _, code := i.run(t, "import-log", "--json", "--site", "one.example", write(t, "a", fmt.Appendf(nil, line+line, "www.", "u/jane%40mail.example/edit", "another-", "b")))
	if err := json.Unmarshal([]byte(out), &result); err != nil || code != 0 || result.Lines != 2 || result.Views != 1 || result.LeftOut["host"] != 1 || result.Masked["masked_email"] != 1 {
		t.Errorf("exit %d, %s, %v", code, out, err)
	}
	if _, _, code := i.run(t, "import-log", "--site", "one.example", write(t, "b", fmt.Appendf(nil, line, "", "c"))); code != 0 {
		t.Errorf("exit %d", code)
	}
	i.aggregate(t)
	if events, visitors := i.count(t, `SELECT count(*) FROM events`), i.count(t, `SELECT count(DISTINCT visitor) FROM events`); events != 2 || visitors != 1 {
		t.Errorf("got %d events of %d visitors, want 2 of 1", events, visitors)
	}
	if n := i.count(t, `SELECT count(*) FROM events WHERE page = '/u/[email]/edit'`); n != 1 {
		t.Errorf("%d events have the masked page", n)
	}
}

func TestImportErrors(t *testing.T) {
	t.Parallel()
	i := install(t)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no site":         {[]string{}, "--site"},
		"an unknown site": {[]string{"--site", "no.example"}, "--site: there is no site no.example"},
		"no file":         {[]string{"--site", "one.example", "/no/such/file"}, "/no/such/file"},
		"a directory":     {[]string{"--site", "one.example", t.TempDir()}, "is a directory: name its files"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, errors, code := i.run(t, append([]string{"import-log"}, test.args...)...)
			if code != 2 || out != "" || strings.Count(errors, "\n") != 1 || !strings.Contains(errors, test.want) {
				t.Errorf("exit %d, %q, error output %q; want 2 and a line about %s", code, out, errors, test.want)
			}
		})
	}
}
