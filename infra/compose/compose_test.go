// Package compose_test tests infra/compose: the scripts with PostgreSQL and Redis, and the
// configuration of the proxy with Caddy.
package compose_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"go.yaml.in/yaml/v3"

	"github.com/analytics-platform/analytics/functions"
	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/storage/salts"
	"github.com/analytics-platform/analytics/shared/storage/schema"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// TestDockerfile checks that the Dockerfile equals that of the OpenFaaS template, except for
// the directory of the code.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	template, err := os.ReadFile("../../template/analytics-go/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(strings.ReplaceAll(string(template), "COPY function/ ", "COPY . "), "function/", "")
	if string(own) != want {
		t.Errorf("the Dockerfile differs; want:\n%s", want)
	}
}

// initialized returns a directory in which init.sh was run.
func initialized(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for _, name := range []string{"init.sh", ".env.example"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	run(t, filepath.Join(folder, "init.sh"))
	return folder
}

func run(t *testing.T, program string, arguments ...string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), program, arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", program, err, output)
	}
	return string(output)
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(text), "\n")
}

func TestInit(t *testing.T) {
	t.Parallel()
	folder := initialized(t)
	var configuration struct {
		Secrets map[string]struct{ File string }
	}
	if err := yaml.Unmarshal([]byte(read(t, "compose.yml")), &configuration); err != nil {
		t.Fatal(err)
	}
	before := map[string]string{}
	for name, secret := range configuration.Secrets {
		file := filepath.Join(folder, secret.File)
		before[file] = read(t, file)
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o444 || len(before[file]) < 32 {
			t.Errorf("%s: %v, %v, %d characters", name, info.Mode(), err, len(before[file]))
		}
	}
	if info, err := os.Stat(filepath.Join(folder, "secrets")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory of the secrets: %v, %v", info.Mode(), err)
	}
	if secrets, err := os.ReadDir(filepath.Join(folder, "secrets")); err != nil || len(secrets) != len(before) {
		t.Errorf("secrets %v, %v", secrets, err)
	}
	password := read(t, filepath.Join(folder, "secrets/postgres-password"))
	if got := read(t, filepath.Join(folder, "secrets/database-url")); got != "postgres://analytics:"+password+"@database:5432/analytics" {
		t.Errorf("database-url is %s, but the password is %s", got, password)
	}
	before[filepath.Join(folder, ".env")] = read(t, ".env.example")
	if output := run(t, filepath.Join(folder, "init.sh")); output != "" {
		t.Errorf("the second run prints %s", output)
	}
	for file, text := range before {
		if read(t, file) != text {
			t.Errorf("the second run changes %s", file)
		}
	}
}

// TestRedis starts Redis as compose.yml does, and connects with redis-url.
func TestRedis(t *testing.T) {
	t.Parallel()
	folder := initialized(t)
	var configuration struct {
		Services struct{ Redis struct{ Command []string } }
	}
	if err := yaml.Unmarshal([]byte(read(t, "compose.yml")), &configuration); err != nil {
		t.Fatal(err)
	}
	command := configuration.Services.Redis.Command
	port := localtest.FreePort(t)
	for i, argument := range command {
		argument = regexp.MustCompile(`\$\{[A-Z_]+:-([^}]*)\}`).ReplaceAllString(argument, "$1")
		argument = strings.ReplaceAll(argument, "/run/secrets/", folder+"/secrets/")
		command[i] = strings.Replace(argument, "/data", t.TempDir(), 1)
	}
	command = append(command, "--port", port, "--bind", "127.0.0.1")
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	var log bytes.Buffer
	cmd.Stdout = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })

	address := strings.Replace(read(t, filepath.Join(folder, "secrets/redis-url")), "redis:6379", "127.0.0.1:"+port, 1)
	options, err := redis.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	options.MaxRetries = 50 // until Redis has started
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatalf("%v: %s", err, log.String())
	}
	for setting, want := range map[string]string{"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "maxmemory": "536870912"} {
		if got := client.ConfigGet(t.Context(), setting).Val()[setting]; got != want {
			t.Errorf("%s is %s, want %s", setting, got, want)
		}
	}
	options.Password = "wrong"
	stranger := redis.NewClient(options)
	t.Cleanup(func() { _ = stranger.Close() })
	if err := stranger.Ping(t.Context()).Err(); err == nil {
		t.Error("a wrong password is accepted")
	}
}

// TestBackup makes a backup with the container's script, changes the database, and restores
// the backup.
func TestBackup(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			db := localtest.Record(t, database.URL)
			fill(t, db)
			before := summary(t, db)
			folder := t.TempDir()
			backup := func(arguments ...string) string {
				at, err := url.Parse(database.URL)
				if err != nil {
					t.Fatal(err)
				}
				password, _ := at.User.Password()
				cmd := exec.CommandContext(t.Context(), "sh", append([]string{"backup.sh"}, arguments...)...)
				cmd.Env = append(os.Environ(), "BACKUP_FOLDER="+folder, "PGHOST="+at.Hostname(), "PGPORT="+at.Port(), "PGUSER="+at.User.Username(),
					"PGPASSWORD="+password, "PGDATABASE="+strings.TrimPrefix(at.Path, "/"))
				output, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("backup.sh %v: %v: %s", arguments, err, output)
				}
				return string(output)
			}

			for name, age := range map[string]int{"analytics-20260101T030000Z.dump": 15, "analytics-20260110T030000Z.dump": 13, "other": 99} {
				file := filepath.Join(folder, name)
				if err := os.WriteFile(file, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				then := time.Now().AddDate(0, 0, -age)
				if err := os.Chtimes(file, then, then); err != nil {
					t.Fatal(err)
				}
			}
			backup("now")
			backups := names(t, folder)
			if len(backups) != 3 || backups[0] != "analytics-20260110T030000Z.dump" || backups[2] != "other" {
				t.Fatalf("backups %v", backups)
			}
			if info, err := os.Stat(filepath.Join(folder, backups[1])); err != nil || info.Mode() != 0o600 || info.Size() == 0 {
				t.Errorf("backup: %v, %v", info, err)
			}
			if listed := backup("list"); !strings.Contains(listed, backups[1]) {
				t.Errorf("list prints %s", listed)
			}

			if _, err := db.Exec(t.Context(), "DELETE FROM events; DROP TABLE rollup_day"); err != nil {
				t.Fatal(err)
			}
			db.Close()
			backup("restore", backups[1])
			restored := localtest.Record(t, database.URL)
			if after := summary(t, restored); after != before {
				t.Errorf("restored: got %s, want %s", after, before)
			}
			var salts, sessions int
			if err := restored.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM salts), (SELECT count(*) FROM sessions)").Scan(&salts, &sessions); err != nil || salts != 0 || sessions != 0 {
				t.Errorf("the backup has %d salts and %d sessions: %v", salts, sessions, err)
			}
			if report, err := schema.Migrate(t.Context(), restored); err != nil || len(report.Applied) != 0 {
				t.Errorf("migrations: %+v, %v", report, err)
			}
			fill(t, restored) // the restored database accepts events
		})
	}
}

// fill adds a site with two weeks of events, salts, and a session.
func fill(t *testing.T, db *pgxpool.Pool) {
	t.Helper()
	var keys privacy.SaltKeys
	if err := errors.Join(keys.UnmarshalText([]byte(localtest.SaltKey)), salts.Create(t.Context(), db, &keys, time.Now())); err != nil {
		t.Fatal(err)
	}
	if _, err := sites.CreateSession(t.Context(), db, time.Now()); err != nil {
		t.Fatal(err)
	}
	site, err := sites.Create(t.Context(), db, sites.Draft{Domain: uuid.NewString() + ".example", Timezone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	var events []*event.Event
	for n := range 1000 {
		at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * 20 * time.Minute)
		events = append(events, &event.Event{ID: uuid.New(), Site: site.ID, Time: at, Day: event.DayOf(at), Visitor: int64(n), Type: event.View, Page: "/", Hostname: "example.com"})
	}
	if _, err := store.AddEvents(t.Context(), db, events); err != nil {
		t.Fatal(err)
	}
}

// summary returns the counts of the database's rows, tables and indexes.
func summary(t *testing.T, db *pgxpool.Pool) string {
	t.Helper()
	var text string
	const query = `SELECT format('%s events with the sum %s, %s sites, %s tables, %s indexes',
		(SELECT count(*) FROM events), (SELECT sum(visitor) FROM events), (SELECT count(*) FROM sites),
		(SELECT count(*) FROM pg_tables WHERE schemaname = 'public'), (SELECT count(*) FROM pg_indexes WHERE schemaname = 'public'))`
	if err := db.QueryRow(t.Context(), query).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

func names(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	slices.Sort(names)
	return names
}

// TestSchedule runs the scheduler for two minutes, with stand-ins for wget and for sleep,
// which returns at once.
func TestSchedule(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, script := range map[string]string{
		"wget":  `case "$*" in *"--header Authorization: Bearer the token "*) ;; *) echo "no token" ;; esac; for last; do :; done; echo "call $last" >>"$CALLS"`,
		"sleep": `echo "sleep" >>"$CALLS"; [ "$1" -ge 1 ] && [ "$1" -le 60 ] && [ "$(grep -c sleep "$CALLS")" -lt 2 ] || kill $PPID`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	calls, token := filepath.Join(folder, "calls"), filepath.Join(folder, "schedule-token")
	if err := os.WriteFile(token, []byte("the token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "schedule.sh")
	cmd.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), "CALLS="+calls, "SCHEDULE_TOKEN_FILE="+token)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output // Run waits until all calls have closed it
	_ = cmd.Run()                             // sleep kills it
	lines := strings.Split(read(t, calls), "\n")
	if lines[0] != "call http://schema-guard:8080/" {
		t.Errorf("first call %s, want schema-guard", lines[0])
	}
	for _, f := range functions.All() {
		want := 0
		if f.Schedule != "" {
			want = 2
		}
		got := strings.Count(strings.Join(lines[1:], "\n"), "http://"+f.Name+":8080/")
		if got != want {
			t.Errorf("%s is called %d times in two minutes, want %d", f.Name, got, want)
		}
	}
	if output.Len() > 0 {
		t.Errorf("output: %s", output.String())
	}
}

// TestProxy runs Caddy with the Caddyfile in front of a stub for each function.
func TestProxy(t *testing.T) {
	t.Parallel()
	localtest.Reads(t, ".", "../../tools/caddy")
	folder := t.TempDir()
	caddy := filepath.Join(folder, "caddy")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", caddy, ".")
	build.Dir = "../../tools/caddy"
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	port := localtest.FreePort(t)
	adapt := exec.CommandContext(t.Context(), caddy, "adapt", "--config", "Caddyfile", "--validate")
	adapt.Env = append(os.Environ(), "SITE=http://127.0.0.1:"+port, "HOME="+folder)
	var problems bytes.Buffer
	adapt.Stderr = &problems
	adapted, err := adapt.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, problems.String())
	}
	if strings.Contains(problems.String(), "WARN") || strings.Contains(problems.String(), `"level":"warn"`) {
		t.Errorf("Caddy warns: %s", problems.String())
	}
	config := strings.ReplaceAll(string(adapted), ":2020", ":"+localtest.FreePort(t))
	streaming := make(chan struct{})
	for _, f := range functions.All() {
		stub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/stream" {
				_, _ = io.WriteString(w, "first")
				_ = http.NewResponseController(w).Flush()
				<-streaming
				return
			}
			_, _ = fmt.Fprintf(w, "%s %s %s for %s of %s by %s", f.Name, r.Method, r.URL.RequestURI(), r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Host"), r.Header.Get("X-Forwarded-Proto"))
		}))
		t.Cleanup(stub.Close)
		dial, routes := `"dial":"`+f.Name+`:8080"`, 1
		if f.Schedule != "" { // only the scheduler calls it
			routes = 0
		}
		if got := strings.Count(config, dial); got != routes {
			t.Errorf("%d routes lead to %s, want %d", got, f.Name, routes)
		}
		config = strings.Replace(config, dial, `"dial":"`+strings.TrimPrefix(stub.URL, "http://")+`"`, 1)
	}
	file := filepath.Join(folder, "caddy.json")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), caddy, "run", "--config", file)
	cmd.Env = []string{"HOME=" + folder}
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s", log.String())
		}
	})
	waitForPort(t, port)
	host := "127.0.0.1:" + port
	ask := func(method, path string) (*http.Response, string) {
		request, err := http.NewRequestWithContext(t.Context(), method, "http://"+host+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Forwarded-For", "192.0.2.66") // must not be forwarded
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response, string(text)
	}
	for _, f := range functions.All() {
		prefix, suffix := "/function/"+f.Name, " for 127.0.0.1 of "+host+" by http"
		if f.Schedule != "" {
			for _, path := range []string{prefix, prefix + "/", prefix + "/metrics", prefix + "/v1/recompute", "/function//" + f.Name, "/function/track/../" + f.Name + "/", "/function/" + strings.ToUpper(f.Name) + "/"} {
				if response, text := ask("POST", path); strings.HasPrefix(text, f.Name+" ") {
					t.Errorf("POST %s reaches %s: %d", path, f.Name, response.StatusCode)
				}
			}
			continue
		}
		for path, want := range map[string]string{
			prefix + "/":                    f.Name + " GET /" + suffix,
			prefix + "/v1/a%2Fb?q=1&empty=": f.Name + " GET /v1/a%2Fb?q=1&empty=" + suffix,
		} {
			if response, text := ask("GET", path); response.StatusCode != http.StatusOK || text != want {
				t.Errorf("GET %s: %d %q, want %q", path, response.StatusCode, text, want)
			}
		}
		if response, text := ask("POST", prefix); response.StatusCode != http.StatusOK || text != f.Name+" POST /"+suffix {
			t.Errorf("POST %s: %d %q", prefix, response.StatusCode, text)
		}
		if response, _ := ask("GET", prefix); response.StatusCode != http.StatusPermanentRedirect || response.Header.Get("Location") != prefix+"/" {
			t.Errorf("GET %s: %d to %q", prefix, response.StatusCode, response.Header.Get("Location"))
		}
	}
	// Over HTTP, browsers must not be told to use HTTPS.
	if response, _ := ask("GET", "/"); response.Header.Get("Strict-Transport-Security") != "" {
		t.Errorf("GET / over HTTP: %v", response.Header)
	}
	if !strings.Contains(config, `"set":{"Strict-Transport-Security":["max-age=31536000"]}`) || !strings.Contains(config, `"match":[{"protocol":"https"}]`) {
		t.Errorf("Strict-Transport-Security is not set over HTTPS: %s", config)
	}
	if response, _ := ask("GET", "/"); response.StatusCode != http.StatusFound || response.Header.Get("Location") != "/function/dashboard/" {
		t.Errorf("GET /: %d to %q", response.StatusCode, response.Header.Get("Location"))
	}
	for _, path := range []string{"/function/tracker/", "/function/", "/other"} {
		if response, _ := ask("GET", path); response.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, response.StatusCode)
		}
	}
	checkStream(t, "http://"+host+"/function/websocket-bridge/stream")
	close(streaming)
}

// waitForPort waits until a program listens on a port.
func waitForPort(t *testing.T, port string) {
	t.Helper()
	localtest.Eventually(t, "port "+port+" accepts connections", func() bool {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

// checkStream checks that the proxy forwards the start of a response before its end.
func checkStream(t *testing.T, address string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	first := make([]byte, 5)
	if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != "first" {
		t.Errorf("the stream begins with %q, %v", first, err)
	}
}
