package lambda_test

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/analytics-platform/analytics/functions"
	"github.com/analytics-platform/analytics/infra/lambda/lambdatest"
	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/infra/local/postgres"
	"github.com/analytics-platform/analytics/shared/edge/access"
	"github.com/analytics-platform/analytics/shared/ingest/enrich"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

const adminToken = "the owner's token of this installation"

// bundle builds the functions as `make lambda` does, for this machine's architecture, and
// unpacks them.
func bundle(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	arguments := []string{"run", "./infra/lambda/cmd/bundle", "--arch", runtime.GOARCH, "--into", folder}
	for _, f := range functions.All() {
		arguments = append(arguments, f.Name)
	}
	cmd := exec.CommandContext(t.Context(), "go", arguments...)
	cmd.Dir = "../.."
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	t.Logf("%s", output)
	for _, f := range functions.All() {
		archive, err := zip.OpenReader(filepath.Join(folder, f.Name+".zip"))
		if err != nil {
			t.Fatal(err)
		}
		if len(archive.File) != 1 || archive.File[0].Name != "bootstrap" || archive.File[0].Mode() != 0o755 {
			t.Errorf("%s.zip contains %v", f.Name, archive.File)
		}
		if err := os.CopyFS(filepath.Join(folder, f.Name), archive); err != nil {
			t.Fatal(err)
		}
		if err := archive.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// parameters starts a stand-in for SSM.
func parameters(t *testing.T, secrets map[string]string) (address string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var input struct{ Name string }
		if err := json.NewDecoder(r.Body).Decode(&input); err != nil {
			t.Error(err)
		}
		value, ok := secrets[input.Name[strings.LastIndexByte(input.Name, '/')+1:]]
		if !ok {
			w.WriteHeader(http.StatusBadRequest)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"Parameter": map[string]string{"Value": value}})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// configuration is the part of a function in main.tf that tools/lambda prints.
type configuration struct {
	Secrets     []string
	Environment map[string]string
}

// readFunctions returns the configuration of each function in main.tf.
func readFunctions(t *testing.T) map[string]configuration {
	t.Helper()
	folder, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	localtest.Reads(t, ".", "../../tools/lambda")
	cmd := exec.CommandContext(t.Context(), "go", "run", ".", folder)
	cmd.Dir, cmd.Stderr = "../../tools/lambda", os.Stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]configuration
	if err := json.Unmarshal(output, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// installation is the runtimes of all functions, by name.
type installation map[string]*lambdatest.Runtime

func install(t *testing.T, secrets map[string]string) installation {
	t.Helper()
	folder, address := bundle(t), parameters(t, secrets)
	configurations, all := readFunctions(t), installation{}
	for _, f := range functions.All() {
		api := lambdatest.New(t)
		all[f.Name] = api
		variables := map[string]string{
			"AWS_LAMBDA_RUNTIME_API": api.Address, "AWS_ENDPOINT_URL_SSM": address, "AWS_REGION": "eu-central-1",
			"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_SESSION_TOKEN": "session",
		}
		maps.Copy(variables, configurations[f.Name].Environment)
		for _, secret := range configurations[f.Name].Secrets {
			variables[strings.ToUpper(strings.ReplaceAll(secret, "-", "_"))+"_ARN"] = "arn:aws:ssm:eu-central-1:123456789012:parameter/analytics/" + secret
		}
		start(t, f.Name, filepath.Join(folder, f.Name, "bootstrap"), variables, secrets)
		if f.Schedule != "" { // the first one creates the tables for the others
			all.run(t, f.Name)
		}
	}
	return all
}

// start starts a program, and checks at the end that it has not logged a secret.
func start(t *testing.T, name, program string, variables, secrets map[string]string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = []string{}
	for variable, value := range variables {
		cmd.Env = append(cmd.Env, variable+"="+value)
	}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if strings.Contains(log.String(), enrich.NoCountries) {
			t.Errorf("%s has no country database", name)
		}
		for secret, value := range secrets {
			if strings.Contains(log.String(), value) {
				t.Errorf("the log of %s contains the %s", name, secret)
			}
		}
		if t.Failed() {
			t.Logf("log of %s: %s", name, log.String())
		}
	})
}

// run calls a function as its schedule does, again until the last run is not recent.
func (i installation) run(t *testing.T, name string) {
	t.Helper()
	if failure := i.call(t, name); failure != "" {
		t.Fatalf("%s: %s", name, failure)
	}
}

// call is like run, but returns the failure that the function reports to Lambda, or "".
func (i installation) call(t *testing.T, name string) (failure string) {
	t.Helper()
	for {
		answer := i[name].Invoke(json.RawMessage(`{}`))
		if text := answer.Text(t); answer.Failure != "" || !strings.Contains(text, `"recent"`) {
			return answer.Failure
		}
	}
}

// ask calls a function by its URL as the owner, and returns the complete body.
func (i installation) ask(t *testing.T, want int, name, method, address, body string) string {
	t.Helper()
	answer := i[name].Invoke(lambdatest.Request(method, address, body, "Content-Type", "application/json", "Authorization", "Bearer "+adminToken))
	text := answer.Text(t)
	if answer.StatusCode != want {
		t.Fatalf("%s %s %s: %d %s%s", name, method, address, answer.StatusCode, text, answer.Failure)
	}
	return text
}

// view sends a page view from an address, as front.js forwards it.
func (i installation) view(t *testing.T, page, address string) {
	t.Helper()
	body := fmt.Sprintf(`{"site":"example.com","type":"view","url":"https://example.com%s"}`, page)
	answer := i["track"].Invoke(lambdatest.Request("POST", "/", body, "Content-Type", "application/json", "X-Viewer-Address", address,
		"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"))
	if text := answer.Text(t); answer.StatusCode != http.StatusAccepted {
		t.Fatalf("track: %d %s", answer.StatusCode, text)
	}
}

// TestBootstraps runs every function as Lambda does: the program built for Lambda, with the
// environment from Terraform, secrets from SSM, and calls from URLs and schedules.
func TestBootstraps(t *testing.T) {
	t.Parallel()
	database, err := postgres.Start(t.Context(), t.TempDir(), postgres.Plain(), postgres.WithoutSync())
	if err != nil {
		t.Fatal(err)
	}
	i := install(t, map[string]string{
		"database-url": database.URL(), "redis-url": localtest.Redis(t), "admin-token": adminToken, "subject-key": strings.Repeat("key", 11), "salt-key": strings.Repeat("salt", 8),
	})
	i.ask(t, http.StatusCreated, "admin", "POST", "/v1/sites", `{"domain":"example.com","timezone":"UTC"}`)
	i.run(t, "aggregate") // publishes the site for track

	live := i["websocket-bridge"].Invoke(lambdatest.Request("GET", "/v1/live?site=example.com", "",
		"Accept", "text/event-stream", "Authorization", "Bearer "+adminToken))
	if live.StatusCode != http.StatusOK || live.Headers["Content-Type"] != "text/event-stream" {
		t.Fatalf("live numbers: %d %v", live.StatusCode, live.Headers)
	}
	i.view(t, "/pricing", "192.0.2.1")
	i.view(t, "/", "192.0.2.2")
	stream := bufio.NewScanner(live.Body)
	for !strings.Contains(stream.Text(), "/pricing") {
		if !stream.Scan() {
			t.Fatalf("the stream ended without the event: %v", stream.Err())
		}
	}

	i.run(t, "aggregate")
	numbers := i.ask(t, http.StatusOK, "query", "POST", "/api/v2/query", `{"site_id":"example.com","metrics":["visitors","pageviews"],"date_range":"day"}`)
	if !strings.Contains(numbers, `"metrics":[2,2]`) {
		t.Errorf("query: got %s, want 2 visitors and 2 page views", numbers)
	}
	export := i.ask(t, http.StatusOK, "query", "POST", "/v1/export?format=csv", `{"site_id":"example.com","date_range":"day"}`)
	if lines := strings.Count(export, "\n"); lines != 3 {
		t.Errorf("export: got %d lines, want 3: %s", lines, export)
	}
	i.checkSignIn(t)
	i.checkAbort(t, database)
}

// checkSignIn signs in as a browser does. Lambda passes cookies outside the headers.
func (i installation) checkSignIn(t *testing.T) {
	t.Helper()
	request := func(method, body string) *lambdatest.Answer {
		return i["dashboard"].Invoke(lambdatest.Request(method, "/session", body, "Content-Type", "application/json",
			"X-Forwarded-Host", "stats.example.com", "Origin", "https://stats.example.com", "Referer", "https://stats.example.com/function/dashboard/"))
	}
	answer := request("POST", `{"token":"`+adminToken+`"}`)
	if text := answer.Text(t); answer.StatusCode != http.StatusNoContent || len(answer.Cookies) != 1 {
		t.Fatalf("sign in: %d %v %s", answer.StatusCode, answer.Cookies, text)
	}
	cookie, err := http.ParseSetCookie(answer.Cookies[0])
	if err != nil || !cookie.Secure || cookie.Name != access.SecureCookieName || cookie.Path != "/function/" {
		t.Fatalf("cookie %q: %v", answer.Cookies[0], err)
	}
	event := lambdatest.Request("GET", "/session", "")
	event.Cookies = []string{"other=1", cookie.Name + "=" + cookie.Value}
	answer = i["dashboard"].Invoke(event)
	if text := answer.Text(t); answer.StatusCode != http.StatusOK || !strings.Contains(text, `"owner"`) {
		t.Errorf("signed in: %d %s", answer.StatusCode, text)
	}
}

// checkAbort kills the database during an export, and checks that the partial response ends
// with an error.
func (i installation) checkAbort(t *testing.T, database *postgres.Server) {
	t.Helper()
	db := localtest.Record(t, database.URL())
	start := time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)
	var events []*event.Event
	for n := range 40_000 {
		at := start.Add(time.Duration(n) * time.Second)
		events = append(events, &event.Event{
			ID: uuid.New(), Site: 1, Time: at, Day: event.DayOf(at), Visitor: int64(n), Type: event.View, Page: "/" + strings.Repeat("x", 500), Hostname: "example.com",
		})
	}
	if _, err := store.AddEvents(t.Context(), db, events); err != nil {
		t.Fatal(err)
	}
	answer := i["query"].Invoke(lambdatest.Request("POST", "/v1/export?format=csv", `{"site_id":"example.com","date_range":["2026-03-10","2026-03-11"]}`,
		"Content-Type", "application/json", "Authorization", "Bearer "+adminToken))
	if _, err := io.CopyN(io.Discard, answer.Body, 1); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer.StatusCode, err)
	}
	if err := database.Kill(); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, answer.Body); err == nil || !strings.Contains(err.Error(), "the response was aborted") {
		t.Errorf("after %d bytes the export ended with %v, want an error", n, err)
	}
	// Without the database, a scheduled call fails, and Lambda must learn of it.
	if failure := i.call(t, "aggregate"); !strings.Contains(failure, "the scheduled call failed with status 500") {
		t.Errorf("aggregate without the database: failure %q", failure)
	}
}
