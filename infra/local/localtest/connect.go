package localtest

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/shared/storage/schema"
)

// Record migrates a database and returns a connection pool that is closed when the test ends.
func Record(tb testing.TB, url string) *pgxpool.Pool {
	tb.Helper()
	db, err := pgxpool.New(tb.Context(), url)
	if err != nil {
		tb.Fatalf("connect to the test database: %v", err)
	}
	tb.Cleanup(db.Close)
	if _, err := schema.Migrate(tb.Context(), db); err != nil {
		tb.Fatalf("migrate the test database: %v", err)
	}
	return db
}

// Client returns a client of a Redis server that is closed when the test ends.
func Client(tb testing.TB, url string) *redis.Client {
	tb.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		tb.Fatalf("parse the URL of the test's Redis: %v", err)
	}
	client := redis.NewClient(options)
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// MetricsToken is a METRICS_TOKEN for tests.
const MetricsToken = "the token of Prometheus in all tests"

// Metrics returns the metrics of the function at a URL, whose METRICS_TOKEN is MetricsToken:
// values by name and labels.
func Metrics(tb testing.TB, url string) map[string]string {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, url+"/metrics", nil)
	if err != nil {
		tb.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+MetricsToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		tb.Fatalf("metrics: status %d", response.StatusCode)
	}
	values := map[string]string{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		values[name] = value
	}
	if err := lines.Err(); err != nil {
		tb.Fatal(err)
	}
	return values
}
