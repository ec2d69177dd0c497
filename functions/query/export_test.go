package query_test

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/infra/local/postgres"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// send sends a request with pairs of headers, by default as the owner.
func (i *installation) send(method, address, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, address, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	for n := 0; n < len(headers); n += 2 {
		r.Header.Set(headers[n], headers[n+1])
	}
	w := httptest.NewRecorder()
	i.handler.ServeHTTP(w, r)
	return w
}

// readLines decodes an answer in NDJSON, with numbers as they are written.
func readLines(t *testing.T, body io.Reader) (rows []map[string]any) {
	t.Helper()
	lines := json.NewDecoder(body)
	lines.UseNumber()
	for lines.More() {
		var row map[string]any
		if err := lines.Decode(&row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// compareRows checks that CSV and Parquet have the rows of NDJSON, and their columns the same
// order.
func compareRows(t *testing.T, rows []map[string]any, csvFile, parquetFile []byte) {
	t.Helper()
	lines, err := csv.NewReader(bytes.NewReader(csvFile)).ReadAll()
	if err != nil || len(lines) != len(rows)+1 {
		t.Fatalf("%d lines of CSV for %d rows, %v", len(lines), len(rows), err)
	}
	file, err := parquet.OpenFile(bytes.NewReader(parquetFile), int64(len(parquetFile)))
	if err != nil || file.NumRows() != int64(len(rows)) {
		t.Fatalf("%v of %d rows", err, len(rows))
	}
	for n, path := range file.Schema().Columns() {
		if lines[0][n] != path[0] {
			t.Errorf("column %d is %q of CSV, %q of Parquet", n, lines[0][n], path[0])
		}
	}
	reader := parquet.NewReader(file)
	for i, row := range rows {
		values := make([]parquet.Row, 1)
		if n, err := reader.ReadRows(values); n != 1 {
			t.Fatal(err)
		}
		if len(row) != len(lines[0]) {
			t.Errorf("row %d has %d columns of NDJSON, %d of CSV", i, len(row), len(lines[0]))
		}
		for n, name := range lines[0] {
			want := ""
			switch value := row[name].(type) {
			case nil:
			case map[string]any:
				encoded, _ := json.Marshal(value)
				want = string(encoded)
			default:
				want = fmt.Sprint(value)
			}
			if got := lines[i+1][n]; got != want {
				t.Errorf("row %d: %s is %q of CSV, %q of NDJSON", i, name, got, want)
			}
			if values[0][n].IsNull() != (row[name] == nil) {
				t.Errorf("row %d: %s is %v of Parquet, %q of NDJSON", i, name, values[0][n], want)
			}
			if kind := values[0][n].Kind(); (kind == parquet.ByteArray || kind == parquet.Boolean) && values[0][n].String() != want {
				t.Errorf("row %d: %s is %v of Parquet, %q of NDJSON", i, name, values[0][n], want)
			}
		}
	}
}

// TestFormats asks questions in each format, and compares with the document.
func TestFormats(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			i := install(t, database.URL)
			for _, dimensions := range []string{
				`[]`, `["time:day"]`, `["event:page"]`, `["time","visit:country"]`, `["visit:source","event:props:a,b"]`, `["event:name","time:hour"]`,
			} {
				for _, include := range []string{`{}`, `{"comparisons":{"mode":"previous_period"}}`} {
					question := `{"site_id":"example.com","date_range":["2026-03-03","2026-03-03"],"metrics":["visitors","bounce_rate","total_revenue"],"dimensions":` + dimensions + `,"include":` + include + `}`
					var answer struct {
						Results []struct {
							Dimensions []string
							Metrics    []any
							Comparison *struct {
								Dimensions      []string
								Metrics, Change []any
							}
						}
					}
					document := json.NewDecoder(i.send("POST", "/api/v2/query", question).Body)
					document.UseNumber()
					if err := document.Decode(&answer); err != nil {
						t.Fatal(err)
					}
					var names []string
					if err := json.Unmarshal([]byte(dimensions), &names); err != nil {
						t.Fatal(err)
					}
					want := []map[string]any{}
					for _, result := range answer.Results {
						row := map[string]any{}
						put := func(after string, values []any) {
							row["visitors"+after], row["bounce_rate"+after], row["total_revenue"+after] = values[0], values[1], values[2]
						}
						put("", result.Metrics)
						row["total_revenue_currency"] = nil
						for n, name := range names {
							row[name] = result.Dimensions[n]
						}
						if include != `{}` {
							before, change, labels := []any{nil, nil, nil}, []any{nil, nil, nil}, make([]any, len(names))
							if c := result.Comparison; c != nil {
								before, change = c.Metrics, c.Change
								for n, label := range c.Dimensions {
									labels[n] = label
								}
							}
							put("_before", before)
							put("_change", change)
							row["total_revenue_currency_before"] = nil
							for n, name := range names {
								if strings.HasPrefix(name, "time") {
									row[name+"_before"] = labels[n]
								}
							}
						}
						want = append(want, row)
					}
					lines := i.send("POST", "/api/v2/query?format=ndjson", question)
					rows := readLines(t, lines.Body)
					if diff := cmp.Diff(want, append([]map[string]any{}, rows...)); diff != "" {
						t.Errorf("%s: -document +lines\n%s", question, diff)
					}
					compareRows(t, rows, i.send("POST", "/api/v2/query", question, "Accept", "text/csv").Body.Bytes(),
						i.send("GET", "/api/v2/query?format=parquet&query="+url.QueryEscape(question), "").Body.Bytes())
				}
			}
			for path, more := range map[string]string{
				"/v1/funnels":  `,"steps":[{"filters":[["is","event:page",["/"]]]},{"filters":[["is","event:page",["/docs"]]]}],"breakdown":"visit:country"`,
				"/v1/cohorts":  `,"by":"visit:source","did":[{"name":"=1+1","filters":[["is","event:name",["signup"]]]}]`,
				"/v1/journeys": `,"from":[["is","event:page",["/"]]]`,
				"/v1/visits":   ``,
				"/v1/export":   `,"filters":[["is","visit:country",["FR"]]]`,
			} {
				question := `{"site_id":"example.com","date_range":["2026-03-02","2026-03-03"]` + more + `}`
				rows := readLines(t, i.send("POST", path+"?format=ndjson", question).Body)
				if len(rows) == 0 {
					t.Errorf("%s has no rows", path)
				}
				for _, row := range rows {
					if row["did"] == "=1+1" {
						row["did"] = "'=1+1" // so that spreadsheets take it as text
					}
				}
				parquetFile := i.send("POST", path+"?format=parquet", question)
				if path == "/v1/cohorts" { // Parquet does not change texts
					if !bytes.Contains(parquetFile.Body.Bytes(), []byte("=1+1")) || bytes.Contains(parquetFile.Body.Bytes(), []byte("'=1+1")) {
						t.Error("Parquet has an apostrophe")
					}
					continue
				}
				compareRows(t, rows, i.send("POST", path+"?format=csv", question).Body.Bytes(), parquetFile.Body.Bytes())
			}
		})
	}
}

func TestFormatOfAnswers(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))
	const question = `{"site_id":"example.com","metrics":["visitors"],"date_range":["2026-03-01","2026-03-31"]}`
	tags := map[string]bool{}
	for format, media := range map[string]string{
		"json": "application/json", "csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson", "parquet": "application/vnd.apache.parquet",
	} {
		address := "/api/v2/query?format=" + format + "&query=" + url.QueryEscape(question)
		first, second := i.send("GET", address, ""), i.send("GET", address, "")
		tag := first.Header().Get("ETag")
		if tags[tag] || first.Header().Get("Content-Type") != media || !bytes.Equal(first.Body.Bytes(), second.Body.Bytes()) {
			t.Errorf("%s: %v", format, first.Header())
		}
		tags[tag] = true
		file := ""
		if format != "json" {
			file = "attachment; filename=example.com_query_2026-03-01_2026-03-31." + format
		}
		for _, answer := range []*httptest.ResponseRecorder{first, second} {
			if got := answer.Header().Get("Content-Disposition"); got != file || !strings.Contains(answer.Header().Get("Vary"), "Accept") {
				t.Errorf("%s: %v", format, answer.Header())
			}
		}
		if again := i.send("GET", address, "", "If-None-Match", tag); again.Code != http.StatusNotModified {
			t.Errorf("%s: status %d", format, again.Code)
		}
	}
	for name, test := range map[string]struct {
		method, address, body, accept string
		status                        int
	}{
		"unknown format":       {"POST", "/api/v2/query?format=xlsx", question, "", 400},
		"no acceptable format": {"POST", "/api/v2/query", question, "image/png", 406},
		"events as JSON":       {"POST", "/v1/export", question, "application/json", 406},
		"malformed cursor":     {"POST", "/v1/export", `{"site_id":"example.com","date_range":"all","cursor":"x"}`, "", 400},
		"limit of 0":           {"POST", "/v1/export", `{"site_id":"example.com","date_range":"all","limit":0}`, "", 400},
		"unknown segment":      {"POST", "/v1/export", `{"site_id":"example.com","date_range":"all","filters":[["is","segment",["x"]]]}`, "", 400},
		"HEAD":                 {"HEAD", "/v1/export?query=" + url.QueryEscape(`{"site_id":"example.com","date_range":"all"}`), "", "", 200},
	} {
		answer := i.send(test.method, test.address, test.body, "Accept", test.accept)
		if answer.Code != test.status || test.status != 200 && answer.Header().Get("Content-Type") != "application/problem+json" || answer.Code == 200 && answer.Body.Len() > 0 {
			t.Errorf("%s: status %d: %s", name, answer.Code, answer.Body)
		}
	}
}

// TestDetailedAccess asks for single visits and events with a share link, as a guest of a
// public site, and with keys.
func TestDetailedAccess(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))
	if _, err := i.db.Exec(t.Context(), `UPDATE sites SET public = true`); err != nil {
		t.Fatal(err)
	}
	_, link, err := sites.CreateShareLink(t.Context(), i.db, i.site.ID, "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := sites.CreateKey(t.Context(), i.db, "test", []sites.Scope{sites.ScopeQuery}, []int32{i.site.ID})
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := sites.CreateKey(t.Context(), i.db, "test", []sites.Scope{sites.ScopeLive}, nil)
	if err != nil {
		t.Fatal(err)
	}
	question := "?query=" + url.QueryEscape(`{"site_id":"example.com","date_range":"all"}`)
	for _, address := range []string{"/v1/visits" + question, "/v1/export" + question, "/v1/visits/AAAAAAAAAAAAAAAAAAAAAA?site_id=example.com"} {
		for secret, status := range map[string]int{"": 401, link: 403, other: 403, key: 200} {
			r := httptest.NewRequest(http.MethodGet, address, nil)
			if secret != "" {
				r.Header.Set("Authorization", "Bearer "+secret)
			}
			w := httptest.NewRecorder()
			i.handler.ServeHTTP(w, r)
			if strings.Contains(address, "AAAA") && status == 200 {
				status = 404
			}
			if w.Code != status {
				t.Errorf("%s with %.3s…: status %d, want %d: %s", address, secret, w.Code, status, w.Body)
			}
		}
	}
}

// manyEvents returns events of a day that fill several pages.
func manyEvents(site int32, n int) []event.Event {
	start := time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)
	events := make([]event.Event, n)
	for i := range events {
		at := start.Add(time.Duration(i/3) * time.Second)
		events[i] = event.Event{
			ID: uuid.New(), Site: site, Time: at, Day: event.DayOf(at), UTCOffset: 60, Visitor: int64(i % 997), Type: event.View, Hostname: "example.com",
			Page: fmt.Sprintf("/%d/%s", i, strings.Repeat("x", 100)), Title: strings.Repeat("A title ", 20), Props: map[string]string{"plan": "100%"},
			Attributes: event.Attributes{Source: "Google", Country: "FR", Browser: "Firefox", OS: "Linux", Device: "Desktop"},
		}
	}
	return events
}

// add stores many events, without visits and rollups.
func (i *installation) add(t *testing.T, n int) {
	t.Helper()
	events := manyEvents(i.site.ID, n)
	var all []*event.Event
	for n := range events {
		all = append(all, &events[n])
	}
	if _, err := store.AddEvents(t.Context(), i.db, all); err != nil {
		t.Fatal(err)
	}
}

// TestExport exports events, and continues after the connection breaks while other events are
// stored.
func TestExport(t *testing.T) {
	t.Parallel()
	for _, database := range localtest.Databases(t) {
		t.Run(database.Name, func(t *testing.T) {
			t.Parallel()
			i := install(t, database.URL)
			location, err := time.LoadLocation("Europe/Paris")
			if err != nil {
				t.Fatal(err)
			}
			at := time.Date(2026, 3, 4, 10, 0, 0, 123e6, location)
			full := event.Event{
				ID: uuid.New(), Site: i.site.ID, Time: at.UTC(), Day: event.DayOf(at), UTCOffset: 60, Visitor: -2, Type: event.FunnelStep,
				Name: "=cmd()", Hostname: "example.com", Page: "/", Title: "T", Props: map[string]string{"b": "2", "a": "1"}, Amount: "-12.5", Currency: "EUR",
				Subject: uuid.New(), Funnel: "checkout", Step: 2, Engaged: 1500, Scroll: 80, Passive: true, Tag: "b",
				Attributes: event.Attributes{Referrer: "a.example/b", Source: "a", Channel: "c", UTMSource: "d", UTMMedium: "e", UTMCampaign: "f", UTMTerm: "g", UTMContent: "h", Country: "FR", Region: "FR-A", City: "P", Browser: "B", BrowserVersion: "1", OS: "O", OSVersion: "2", Device: "D", Language: "fr", Screen: "1x1"},
			}
			record(t, i.db, []event.Event{full})
			lines := readLines(t, i.send("POST", "/v1/export", `{"site_id":"example.com","date_range":["2026-03-04","2026-03-04"]}`).Body)
			want := []map[string]any{{
				"cursor": lines[0]["cursor"], "id": full.ID.String(), "time": "2026-03-04T09:00:00.123Z", "day": "2026-03-04", "utc_offset": json.Number("60"),
				"visitor": "fffffffffffffffe", "subject": hex.EncodeToString(full.Subject[:]), "type": "funnel_step", "name": "=cmd()", "hostname": "example.com", "page": "/", "title": "T",
				"referrer": "a.example/b", "source": "a", "channel": "c", "utm_source": "d", "utm_medium": "e", "utm_campaign": "f", "utm_term": "g", "utm_content": "h",
				"country": "FR", "region": "FR-A", "city": "P", "browser": "B", "browser_version": "1", "os": "O", "os_version": "2", "device": "D", "language": "fr", "screen": "1x1",
				"props": map[string]any{"a": "1", "b": "2"}, "amount": json.Number("-12.5"), "currency": "EUR", "funnel": "checkout", "funnel_step": json.Number("2"),
				"engaged": json.Number("1500"), "scroll": json.Number("80"), "passive": true, "tag": "b",
			}}
			if diff := cmp.Diff(want, lines); diff != "" {
				t.Error(diff)
			}

			stored := manyEvents(i.site.ID, 5000)
			record(t, i.db, stored[10:4990])
			server := httptest.NewServer(i.handler)
			defer server.Close()
			question := map[string]string{"site_id": "example.com", "date_range": "all"}
			seen := map[string]int{}
			for breaks := 0; ; breaks++ {
				body, err := json.Marshal(question)
				if err != nil {
					t.Fatal(err)
				}
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/export", bytes.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Authorization", "Bearer "+token)
				answer, err := server.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				reader := bufio.NewReader(answer.Body)
				ended := false
				for range 2600 {
					line, err := reader.ReadBytes('\n')
					if errors.Is(err, io.EOF) {
						ended = true
						break
					}
					var row struct{ Cursor, ID string }
					if err != nil || json.Unmarshal(line, &row) != nil {
						t.Fatal(err)
					}
					question["cursor"] = row.Cursor
					seen[row.ID]++
				}
				if err := answer.Body.Close(); err != nil {
					t.Fatal(err)
				}
				if ended {
					break
				}
				if breaks == 0 { // some before and some after the cursor
					record(t, i.db, slices.Concat(stored[:10], stored[4990:]))
				}
			}
			for n, e := range stored {
				if times := seen[e.ID.String()]; n >= 10 && times != 1 || times > 1 {
					t.Fatalf("event %d is exported %d times", n, times)
				}
			}
		})
	}
}

// TestExportMemory exports far more than is in memory at a time: at most a quarter of the
// text.
func TestExportMemory(t *testing.T) { //nolint:paralleltest // it measures the memory of the process
	i := install(t, localtest.Postgres(t))
	i.add(t, 200_000)
	server := httptest.NewServer(i.handler)
	defer server.Close()
	inUse := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before := inUse()
	var text uint64 // of all events, as NDJSON
	for _, format := range []string{"ndjson", "csv", "parquet"} {
		body := `{"site_id":"example.com","date_range":["2026-03-10","2026-03-12"]}`
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/export?format="+format, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		step := int64(20 << 20)
		if format == "parquet" {
			step = 2 << 20
		}
		var most, sent uint64
		for {
			most = max(most, inUse())
			n, err := io.CopyN(io.Discard, answer.Body, step)
			sent += uint64(n)
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		text = max(text, sent)
		most -= min(before, most)
		if most > text/4 {
			t.Errorf("%s: an export of %d MB of text needs %d MB", format, text>>20, most>>20)
		}
		if err := answer.Body.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: at most %d MB more than before, of %d MB", format, most>>20, text>>20)
	}
}

// TestExportCut kills the database during an export: the client must notice that the file is
// incomplete.
func TestExportCut(t *testing.T) {
	t.Parallel()
	database, err := postgres.Start(t.Context(), t.TempDir(), postgres.Plain(), postgres.WithoutSync())
	if err != nil {
		t.Fatal(err)
	}
	i := install(t, database.URL())
	i.add(t, 40_000)
	server := httptest.NewServer(i.handler)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/export?format=csv", strings.NewReader(`{"site_id":"example.com","date_range":["2026-03-10","2026-03-12"]}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := io.CopyN(io.Discard, answer.Body, 1); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer.StatusCode, err)
	}
	if err := database.Kill(); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, answer.Body); err == nil {
		t.Errorf("after %d bytes the file ends as if it were complete", n)
	}
}
