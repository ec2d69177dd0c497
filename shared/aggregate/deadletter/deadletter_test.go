package deadletter_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/internal/oracle"
	"github.com/analytics-platform/analytics/shared/aggregate"
	"github.com/analytics-platform/analytics/shared/aggregate/deadletter"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/queue"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// record is a migrated database with a site, and a queue.
type record struct {
	db     *pgxpool.Pool
	client *redis.Client
}

func newRecord(t *testing.T) *record {
	t.Helper()
	db := localtest.Record(t, localtest.Postgres(t))
	if _, err := db.Exec(t.Context(), `INSERT INTO sites (public_id, domain, timezone) VALUES ('s_1', 'one.example', 'UTC')`); err != nil {
		t.Fatal(err)
	}
	client := localtest.Client(t, localtest.Redis(t))
	return &record{db, client}
}

// addLetters adds dead letters with good events and with junk.
func (r *record) addLetters(t *testing.T, good, junk int) {
	t.Helper()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var letters []store.DeadLetter
	for i := range good + junk {
		payload := []byte("junk")
		e := event.Event{ID: uuid.Must(uuid.NewV7()), Site: 1, Time: noon, Day: event.DayOf(noon), Visitor: int64(i), Type: event.View, Page: "/"}
		if i < good {
			payload = e.Encode(nil)
		}
		letters = append(letters, store.DeadLetter{Shard: queue.ShardOf(&e), Entry: fmt.Sprintf("1-%d", i), Payload: payload, Reason: "test"})
	}
	if err := store.AddDeadLetters(t.Context(), r.db, letters); err != nil {
		t.Fatal(err)
	}
}

// count returns the number of stored events and of dead letters.
func (r *record) count(t *testing.T) (events, letters int) {
	t.Helper()
	if err := r.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM dead_letters)`).Scan(&events, &letters); err != nil {
		t.Fatal(err)
	}
	return events, letters
}

func (r *record) aggregate(t *testing.T) {
	t.Helper()
	if _, err := (&aggregate.Aggregator{Redis: r.client, Database: r.db}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func ignore(int) {}

// TestReplay checks that replayed entries are stored or, if still bad, become dead letters
// with a new id, and that the replay ends.
func TestReplay(t *testing.T) {
	t.Parallel()
	r := newRecord(t)
	const good, junk = 430, 20
	r.addLetters(t, good, junk)
	progress := 0
	n, err := deadletter.Replay(t.Context(), r.db, r.client, 100, func(n int) { progress = n })
	if err != nil || n != 100 || progress != 100 {
		t.Errorf("Replay = %d, progress %d, %v, want 100", n, progress, err)
	}
	if n, err := deadletter.Replay(t.Context(), r.db, r.client, good+junk, ignore); err != nil || n != good+junk-100 {
		t.Errorf("Replay = %d, %v, want %d", n, err, good+junk-100)
	}
	if _, letters := r.count(t); letters != 0 {
		t.Errorf("%d dead letters left, want 0", letters)
	}
	r.aggregate(t)
	if events, letters := r.count(t); events != good || letters != junk {
		t.Errorf("%d events and %d dead letters, want %d and %d", events, letters, good, junk)
	}
	list, err := deadletter.Read(t.Context(), r.db, 0, 1000)
	if err != nil || list.Total != junk || len(list.Letters) != junk || list.Letters[0].ID <= good+junk || list.Letters[0].Size != 4 {
		t.Errorf("Read = %+v, %v", list, err)
	}
	oracle.Agrees(t, r.db)
}

// dyingDB is a database that fails every commit.
type dyingDB struct{ database.DB }

type dyingTx struct{ pgx.Tx }

var errDied = errors.New("the process died")

func (d dyingDB) Begin(ctx context.Context) (pgx.Tx, error) {
	tx, err := d.DB.Begin(ctx)
	return dyingTx{tx}, err
}

func (d dyingTx) Commit(ctx context.Context) error { return errors.Join(errDied, d.Rollback(ctx)) }

// TestReplayCommitFails checks that letters appended several times are stored once.
func TestReplayCommitFails(t *testing.T) {
	t.Parallel()
	r := newRecord(t)
	r.addLetters(t, 20, 0)
	for range 2 {
		if n, err := deadletter.Replay(t.Context(), dyingDB{r.db}, r.client, 100, ignore); !errors.Is(err, errDied) || n != 0 {
			t.Fatalf("Replay = %d, %v, want 0 and errDied", n, err)
		}
	}
	if _, letters := r.count(t); letters != 20 {
		t.Errorf("%d dead letters, want 20", letters)
	}
	if n, err := deadletter.Replay(t.Context(), r.db, r.client, 100, ignore); err != nil || n != 20 {
		t.Errorf("Replay = %d, %v, want 20", n, err)
	}
	r.aggregate(t)
	if events, letters := r.count(t); events != 20 || letters != 0 {
		t.Errorf("%d events and %d dead letters, want 20 and 0", events, letters)
	}
	oracle.Agrees(t, r.db)
}

// TestReplayQueueUnavailable checks that no letter is lost if Redis is full or unreachable.
func TestReplayQueueUnavailable(t *testing.T) {
	t.Parallel()
	r := newRecord(t)
	r.addLetters(t, 20, 0)
	if err := r.client.ConfigSet(t.Context(), "maxmemory", "1mb").Err(); err != nil {
		t.Fatal(err)
	}
	if n, err := deadletter.Replay(t.Context(), r.db, r.client, 100, ignore); !errors.Is(err, deadletter.ErrQueue) || n != 0 {
		t.Errorf("Replay = %d, %v, want 0 and ErrQueue", n, err)
	}
	if err := r.client.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := deadletter.Replay(t.Context(), r.db, r.client, 100, ignore); !errors.Is(err, deadletter.ErrQueue) || n != 0 {
		t.Errorf("Replay = %d, %v, want 0 and ErrQueue", n, err)
	}
	if _, letters := r.count(t); letters != 20 {
		t.Errorf("%d dead letters, want 20", letters)
	}
}
