package functions_test

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/functions"
	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/host"
)

const adminToken = "the owner's token of this installation"

// cluster starts a Redis Cluster of three servers and returns its URL.
func cluster(t *testing.T) string {
	t.Helper()
	const servers, slots = 3, 16384
	var addresses []string
	var clients []*redis.Client
	var buses []string
	for range servers {
		port, bus := localtest.FreePort(t), localtest.FreePort(t)
		cmd := exec.CommandContext(t.Context(), "redis-server", "--port", port, "--cluster-port", bus, "--bind", "127.0.0.1",
			"--dir", t.TempDir(), "--cluster-enabled", "yes", "--save", "", "--appendonly", "yes")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port, MaxRetries: 100}) // retry until it has started
		t.Cleanup(func() { _ = client.Close() })
		addresses, clients, buses = append(addresses, "127.0.0.1:"+port), append(clients, client), append(buses, bus)
	}
	for i, client := range clients {
		from, to := i*slots/servers, (i+1)*slots/servers-1
		if err := client.ClusterAddSlotsRange(t.Context(), from, to).Err(); err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(addresses[0])
		if err := client.Do(t.Context(), "CLUSTER", "MEET", "127.0.0.1", port, buses[0]).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, client := range clients {
		for {
			info, err := client.ClusterInfo(t.Context()).Result()
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_size:"+strconv.Itoa(servers)) {
				break
			}
		}
	}
	return "redis://" + addresses[0] + "?addr=" + strings.Join(addresses[1:], "&addr=")
}

// TestRedisCluster accepts and stores events with the shards of the queue on several
// servers.
func TestRedisCluster(t *testing.T) {
	t.Parallel()
	redisURL := cluster(t)
	process := host.NewProcess(map[string]string{
		"DATABASE_URL": localtest.Postgres(t), "REDIS_URL": redisURL, "ADMIN_TOKEN": adminToken, "SALT_KEY": localtest.SaltKey, "TRUSTED_PROXY_HOPS": "1",
	}, slog.New(slog.DiscardHandler))
	t.Cleanup(process.Close)
	all := map[string]http.Handler{}
	ask := func(name, method, path, body string, headers ...string) string {
		t.Helper()
		request := httptest.NewRequest(method, path, strings.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			request.Header.Set(headers[i], headers[i+1])
		}
		answer := httptest.NewRecorder()
		all[name].ServeHTTP(answer, request)
		if answer.Code >= http.StatusBadRequest {
			t.Fatalf("%s %s %s: %d %s", name, method, path, answer.Code, answer.Body)
		}
		return answer.Body.String()
	}
	owner := []string{"Authorization", "Bearer " + adminToken}
	for _, f := range functions.All() {
		instance, err := host.Build(t.Context(), process.Env(f.Name), f.New)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = instance.Close(t.Context()) })
		all[f.Name] = instance
		if f.Name == "schema-guard" { // creates the tables
			ask(f.Name, "POST", "/", "{}", owner...)
		}
	}
	ask("admin", "POST", "/v1/sites", `{"domain":"example.com","timezone":"UTC"}`, owner...)
	ask("aggregate", "POST", "/", "{}", owner...)
	const visitors = 50
	for n := range visitors {
		ask("track", "POST", "/", `{"site":"example.com","type":"view","url":"https://example.com/"}`, "X-Forwarded-For", fmt.Sprintf("192.0.2.%d", n),
			"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0")
	}
	if done := ask("aggregate", "POST", "/", "{}", owner...); !strings.Contains(done, `"events":50`) || !strings.Contains(done, `"backlog":0`) {
		t.Errorf("aggregate responds %s", done)
	}
	numbers := ask("query", "POST", "/api/v2/query", `{"site_id":"example.com","metrics":["visitors"],"date_range":"day"}`, owner...)
	if !strings.Contains(numbers, `"metrics":[50]`) {
		t.Errorf("got numbers %s", numbers)
	}
	options, err := redis.ParseClusterURL(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClusterClient(options)
	t.Cleanup(func() { _ = client.Close() })
	used := map[string]bool{}
	for shard := range 4 {
		server, err := client.MasterForKey(t.Context(), fmt.Sprintf("analytics:{%d}:events", shard))
		if err != nil {
			t.Fatal(err)
		}
		used[server.Options().Addr] = true
	}
	if len(used) < 2 {
		t.Errorf("got shards on %v, want several servers", used)
	}
}
