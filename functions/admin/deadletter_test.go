package admin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/queue"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// addDeadLetters stores dead letters with the given payloads.
func addDeadLetters(t *testing.T, db database.DB, payloads ...string) {
	t.Helper()
	var letters []store.DeadLetter
	for i, payload := range payloads {
		letters = append(letters, store.DeadLetter{Shard: i % queue.Shards, Entry: "1-" + payload, Payload: []byte(payload), Reason: "the entry is no event"})
	}
	if err := store.AddDeadLetters(t.Context(), db, letters); err != nil {
		t.Fatal(err)
	}
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	address := localtest.Redis(t)
	i := installWith(t, localtest.Postgres(t), address)
	addDeadLetters(t, i.db, "secret one", "secret two!", "secret three")

	listed := i.must(t, 200, token, "GET", "/v1/dead-letters?limit=2", "")
	letters, _ := listed["dead_letters"].([]any)
	if len(letters) != 2 || listed["total"] != 3. {
		t.Fatalf("got list %v", listed)
	}
	second := letters[1].(map[string]any)
	if second["id"] != 2. || second["shard"] != 1. || second["reason"] != "the entry is no event" || second["size"] != 11. || second["created_at"] == nil || len(second) != 5 {
		t.Errorf("got second dead letter %v", second)
	}
	rest, _ := i.must(t, 200, token, "GET", "/v1/dead-letters?after=2", "")["dead_letters"].([]any)
	if len(rest) != 1 || rest[0].(map[string]any)["id"] != 3. {
		t.Errorf("after the second: got %v", rest)
	}

	if got := i.must(t, 200, token, "POST", "/v1/dead-letters/replay", `{"limit":2}`); got["replayed"] != 2. || got["left"] != 1. {
		t.Errorf("replay two: got %v", got)
	}
	if got := i.must(t, 200, token, "POST", "/v1/dead-letters/replay", `{}`); got["replayed"] != 1. || got["left"] != 0. {
		t.Errorf("replay the rest: got %v", got)
	}
	client := localtest.Client(t, address)
	for shard, want := range []string{"secret one", "secret two!", "secret three"} {
		queued, err := queue.Read(t.Context(), client, shard, queue.Limit{Events: 10, Bytes: 1 << 20})
		if err != nil || len(queued.Entries) != 1 || queued.Entries[0].Payload != want {
			t.Errorf("shard %d has %v (%v), want %q", shard, queued.Entries, err, want)
		}
	}
}

func TestDeadLetterErrors(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))
	key := i.must(t, 201, token, "POST", "/v1/keys", `{"name":"ops","scopes":["admin","query"]}`)["key"].(string)
	i.must(t, 403, key, "GET", "/v1/dead-letters", "")
	i.must(t, 403, key, "POST", "/v1/dead-letters/replay", "{}")
	i.must(t, 401, "a wrong token of the owner", "GET", "/v1/dead-letters", "")
	for request, field := range map[string]string{
		"GET /v1/dead-letters?limit=0":                 "limit",
		"GET /v1/dead-letters?limit=1001":              "limit",
		"GET /v1/dead-letters?limit=ten":               "limit",
		"GET /v1/dead-letters?after=-1":                "after",
		`POST /v1/dead-letters/replay {"limit":0}`:     "limit",
		`POST /v1/dead-letters/replay {"limit":1001}`:  "limit",
		`POST /v1/dead-letters/replay {"limit":"all"}`: "limit",
		`POST /v1/dead-letters/replay {"ids":[1]}`:     "ids",
	} {
		parts := strings.SplitN(request, " ", 3)
		if p := i.must(t, 400, token, parts[0], parts[1], strings.Join(parts[2:], "")); p["field"] != field {
			t.Errorf("%s: %v, want field %s", request, p, field)
		}
	}
}

func TestReplayWithoutRedis(t *testing.T) {
	t.Parallel()
	i := install(t, localtest.Postgres(t))
	addDeadLetters(t, i.db, "secret")
	if p := i.must(t, http.StatusServiceUnavailable, token, "POST", "/v1/dead-letters/replay", "{}"); p["code"] != "unavailable" || !strings.Contains(p["detail"].(string), "Redis") {
		t.Errorf("got %v", p)
	}
	if got := i.must(t, 200, token, "GET", "/v1/dead-letters", ""); got["total"] != 1. {
		t.Errorf("got %v, want a total of 1", got)
	}
}
