package local_test

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/analytics-platform/analytics/functions"
	"github.com/analytics-platform/analytics/infra/local/localtest"
)

// The secrets of the installation.
const (
	ownerToken = "QuiteSecret-token-of-the-owner-of-all"
	subjectKey = "QuiteSecret-key-of-32-characters"
)

// TestNoPersonalData sends events with an address, a user agent and a subject, and checks
// that neither a dump of the database, nor a file of Redis, nor a log, nor a metric contains
// one of them or a secret. The list of processes must not contain a secret either. Metrics
// must not name sites by their domains.
func TestNoPersonalData(t *testing.T) {
	t.Parallel()
	database, data := localtest.Postgres(t), t.TempDir()
	address, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := address.User.Password()
	wantNoPersonalData := func(where, content string) {
		t.Helper()
		for _, secret := range []string{"203.0.113.77", "Gecko", "QuiteUnique", "jane", ownerToken, subjectKey, localtest.MetricsToken, password} {
			if strings.Contains(content, secret) {
				t.Errorf("%s contains %q", where, secret)
			}
		}
	}
	p := start(t, "DATA_DIR="+data, "DATABASE_URL="+database, "ADMIN_TOKEN="+ownerToken, "SUBJECT_KEY="+subjectKey,
		"METRICS_TOKEN="+localtest.MetricsToken, "TRUSTED_PROXY_HOPS=1", "LOG_LEVEL=debug")
	_, created := p.do(t, http.MethodPost, "/function/admin/v1/keys", `{"name":"a","scopes":["query"]}`)
	var key struct{ Key string }
	if err := json.Unmarshal([]byte(created), &key); err != nil || key.Key == "" {
		t.Fatalf("no key was created: %s", created)
	}

	// The rewrite after the first copy of the salts would remove what the files are to prove.
	redisURL, err := os.ReadFile(filepath.Join(data, "redis-url"))
	if err != nil {
		t.Fatal(err)
	}
	queue := localtest.Client(t, strings.TrimSpace(string(redisURL)))
	localtest.Eventually(t, "Redis has rewritten its file", func() bool {
		stale, err := queue.Exists(t.Context(), "analytics:registry:stale").Result()
		return err == nil && stale == 0
	})

	for body, doNotTrack := range map[string]string{
		`{"site":"localhost","type":"view","url":"https://localhost/welcome?email=jane@example.com","referrer":"https://mail.example/?to=jane","subject":"jane-4711","props":{"email":"jane@example.com","plan":"pro"}}`: "",
		`{"site":"localhost","type":"view","url":"not an address of jane@example.com","subject":"jane-4711"}`:                                                                                                            "",
		`{"site":"localhost","type":"jane@example.com"}`:                    "",
		`{"site":"localhost","type":"view","url":"https://localhost/jane"}`: "1",
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/function/track/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-Forwarded-For", "203.0.113.77")
		request.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0 QuiteUnique/7")
		request.Header.Set("DNT", doNotTrack)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	}
	p.wantViews(t, 1)

	dropped := false
	for _, f := range functions.All() {
		for name := range localtest.Metrics(t, p.url+"/function/"+f.Name) {
			dropped = dropped || strings.Contains(name, `_dropped_events_total{reason="consent",site="s_`)
			wantNoPersonalData("a metric of "+f.Name, name)
			if strings.Contains(name, "localhost") {
				t.Errorf("a metric of %s names a domain: %s", f.Name, name)
			}
		}
	}
	if !dropped {
		t.Error("no metric names a site, so they prove nothing")
	}

	dump, err := exec.CommandContext(t.Context(), pgDump(t), "--dbname="+database).Output()
	if err != nil {
		t.Fatalf("dump the database: %v", err)
	}
	if !strings.Contains(string(dump), "/welcome") {
		t.Error("the dump has no event, so it proves nothing")
	}
	wantNoPersonalData("a dump of the database", string(dump))

	if strings.Contains(string(dump), key.Key) {
		t.Error("the database has the plain key")
	}
	commands := commandLines(t)
	if !strings.Contains(commands, "redis-server") {
		t.Error("the list of processes is incomplete, so it proves nothing")
	}
	wantNoPersonalData("the list of processes", commands)

	if err := p.signal(t, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	inspected := 0
	err = filepath.WalkDir(data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		inspected += strings.Count(string(content), "/welcome")
		wantNoPersonalData(path, string(content))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if inspected == 0 {
		t.Error("no file of Redis has the event, so they prove nothing")
	}
	log := p.cmd.Stderr.(interface{ String() string }).String()
	wantNoPersonalData("the log", log)
	if strings.Contains(log, key.Key) {
		t.Error("the log has the key")
	}
}

// commandLines returns the command lines of all processes, as ps shows them.
func commandLines(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		text, _ := os.ReadFile(file) // its process may have ended
		all.Write(text)
		all.WriteByte('\n')
	}
	return all.String()
}

func pgDump(t *testing.T) string {
	t.Helper()
	if program, err := exec.LookPath("pg_dump"); err == nil {
		return program
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pg_dump")
	if err != nil || len(found) == 0 {
		t.Fatal("pg_dump is missing: install the Debian package postgresql-client")
	}
	return found[len(found)-1]
}
