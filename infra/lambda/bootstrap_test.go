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
	"github.com/analytics-platform/analytics/shared/ingest/enrich"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

const adminToken = "the owner's token"

// bundle builds functions as `make lambda` does, for this machine's processor, and unpacks
// them.
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
			t.Errorf("%s.zip has %v", f.Name, archive.File)
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

// parameters is a stand-in for SSM.
func parameters(t *testing.T, secrets map[string]string) (address string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Name string }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		value, ok := secrets[asked.Name[strings.LastIndexByte(asked.Name, '/')+1:]]
		if !ok {
			w.WriteHeader(http.StatusBadRequest)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"Parameter": map[string]string{"Value": value}})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// configured is what main.tf has of a function, as tools/lambda tells it.
type configured struct {
	Secrets     []string
	Environment map[string]string
}

// readFunctions is what main.tf has of each function.
func readFunctions(t *testing.T) map[string]configured {
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
	var all map[string]configured
	if err := json.Unmarshal(output, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// installation is all functions, as Lambda runs them.
type installation map[string]*lambdatest.Runtime

func install(t *testing.T, secrets map[string]string) installation {
	t.Helper()
	folder, address := bundle(t), parameters(t, secrets)
	configuration, all := readFunctions(t), installation{}
	for _, f := range functions.All() {
		api := lambdatest.New(t)
		all[f.Name] = api
		variables := map[string]string{
			"AWS_LAMBDA_RUNTIME_API": api.Address, "AWS_ENDPOINT_URL_SSM": address, "AWS_REGION": "eu-central-1",
			"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_SESSION_TOKEN": "session",
		}
		maps.Copy(variables, configuration[f.Name].Environment)
		for _, secret := range configuration[f.Name].Secrets {
			variables[strings.ToUpper(strings.ReplaceAll(secret, "-", "_"))+"_ARN"] = "arn:aws:ssm:eu-central-1:123456789012:parameter/analytics/" + secret
		}
		start(t, f.Name, filepath.Join(folder, f.Name, "bootstrap"), variables, secrets)
		if f.Schedule != "" { // the first of them makes the tables that the next ones want
			all.run(t, f.Name)
		}
	}
	return all
}

// start starts a program that may log no secret.
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
			t.Errorf("%s knows no countries", name)
		}
		for secret, value := range secrets {
			if strings.Contains(log.String(), value) {
				t.Errorf("the log of %s has the %s in it", name, secret)
			}
		}
		if t.Failed() {
			t.Logf("the log of %s: %s", name, log.String())
		}
	})
}

// run calls a function as its schedule does, until it isn't too soon after the call before.
func (i installation) run(t *testing.T, name string) {
	t.Helper()
	if failure := i.call(t, name); failure != "" {
		t.Fatalf("%s: %s", name, failure)
	}
}

// call is run for a call that may fail, and returns what Lambda is told then.
func (i installation) call(t *testing.T, name string) (failure string) {
	t.Helper()
	for {
		answer := i[name].Invoke(json.RawMessage(`{}`))
		if text := answer.Text(t); answer.Failure != "" || !strings.Contains(text, `"skipped"`) {
			return answer.Failure
		}
	}
}

// ask calls a function by its URL, as the owner, and returns the whole answer.
func (i installation) ask(t *testing.T, want int, name, method, address, body string) string {
	t.Helper()
	answer := i[name].Invoke(lambdatest.Request(method, address, body, "Content-Type", "application/json", "Authorization", "Bearer "+adminToken))
	text := answer.Text(t)
	if answer.StatusCode != want {
		t.Fatalf("%s %s %s: %d %s%s", name, method, address, answer.StatusCode, text, answer.Failure)
	}
	return text
}

// view sends a page view from an address, as front.js passes it on.
func (i installation) view(t *testing.T, page, address string) {
	t.Helper()
	body := fmt.Sprintf(`{"site":"example.com","type":"view","url":"https://example.com%s"}`, page)
	answer := i["track"].Invoke(lambdatest.Request("POST", "/", body, "Content-Type", "application/json", "X-Viewer-Address", address,
		"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"))
	if text := answer.Text(t); answer.StatusCode != http.StatusAccepted {
		t.Fatalf("track: %d %s", answer.StatusCode, text)
	}
}

// TestBootstraps runs every function as Lambda does: its program, built for Lambda, with
// what Terraform tells it, secrets from SSM, and calls from URLs and schedules.
func TestBootstraps(t *testing.T) {
	t.Parallel()
	database, err := postgres.Start(t.Context(), t.TempDir(), postgres.Plain(), postgres.WithoutSync())
	if err != nil {
		t.Fatal(err)
	}
	i := install(t, map[string]string{
		"database-url": database.URL(), "redis-url": localtest.Redis(t), "admin-token": adminToken, "subject-key": strings.Repeat("key", 11),
	})
	i.ask(t, http.StatusCreated, "admin", "POST", "/v1/sites", `{"domain":"example.com","timezone":"UTC"}`)
	i.run(t, "aggregate") // which tells track of the site

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
			t.Fatalf("the stream ends without the event: %v", stream.Err())
		}
	}

	i.run(t, "aggregate")
	numbers := i.ask(t, http.StatusOK, "query", "POST", "/api/v2/query", `{"site_id":"example.com","metrics":["visitors","pageviews"],"date_range":"day"}`)
	if !strings.Contains(numbers, `"metrics":[2,2]`) {
		t.Errorf("the numbers are %s", numbers)
	}
	whole := i.ask(t, http.StatusOK, "query", "POST", "/v1/export?format=csv", `{"site_id":"example.com","date_range":"day"}`)
	if lines := strings.Count(whole, "\n"); lines != 3 {
		t.Errorf("an export has %d lines: %s", lines, whole)
	}
	i.signsIn(t)
	i.breaksOff(t, database)
}

// signsIn signs in as a browser does, whose cookie comes outside of the headers.
func (i installation) signsIn(t *testing.T) {
	t.Helper()
	request := func(method, body string) *lambdatest.Answer {
		return i["dashboard"].Invoke(lambdatest.Request(method, "/session", body, "Content-Type", "application/json",
			"X-Forwarded-Host", "stats.example.com", "Origin", "https://stats.example.com", "X-Forwarded-Proto", "https"))
	}
	answer := request("POST", `{"token":"`+adminToken+`"}`)
	if text := answer.Text(t); answer.StatusCode != http.StatusNoContent || len(answer.Cookies) != 1 {
		t.Fatalf("sign in: %d %v %s", answer.StatusCode, answer.Cookies, text)
	}
	cookie, err := http.ParseSetCookie(answer.Cookies[0])
	if err != nil || !cookie.Secure {
		t.Fatalf("the cookie %q: %v", answer.Cookies[0], err)
	}
	event := lambdatest.Request("GET", "/session", "")
	event.Cookies = []string{"other=1", cookie.Name + "=" + cookie.Value}
	answer = i["dashboard"].Invoke(event)
	if text := answer.Text(t); answer.StatusCode != http.StatusOK || !strings.Contains(text, `"owner"`) {
		t.Errorf("signed in: %d %s", answer.StatusCode, text)
	}
}

// breaksOff kills the database under an export: what came of it must not be taken for the
// whole.
func (i installation) breaksOff(t *testing.T, database *postgres.Server) {
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
		t.Errorf("after %d bytes the file ends with %v", n, err)
	}
	// With the database away the schedule's call fails, and Lambda is told.
	if failure := i.call(t, "aggregate"); !strings.Contains(failure, "the scheduled call failed with status 500") {
		t.Errorf("without a database aggregate says %q", failure)
	}
}
