package registry_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/infra/local/postgres"
	localredis "github.com/analytics-platform/analytics/infra/local/redis"
	"github.com/analytics-platform/analytics/shared/ingest/registry"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/storage/salts"
)

// servers are a database and a Redis whose files a test may read.
type servers struct {
	folder string
	db     *pgxpool.Pool
	client *redis.Client
	keys   *privacy.SaltKeys
}

func ownServers(t *testing.T) *servers {
	t.Helper()
	s := &servers{folder: t.TempDir(), keys: saltKeys(t, localtest.SaltKey)}
	database, err := postgres.Start(t.Context(), filepath.Join(s.folder, "postgres"), postgres.Plain())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = database.Kill() })
	queue, err := localredis.Start(t.Context(), filepath.Join(s.folder, "redis"), localredis.Fsync(localredis.FsyncAlways))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = queue.Kill() })
	s.db = localtest.Record(t, database.URL())
	s.client = localtest.Client(t, queue.URL())
	if err := s.client.ConfigSet(t.Context(), "rdbcompression", "no").Err(); err != nil { // it would hide what its file has
		t.Fatal(err)
	}
	return s
}

// publish does what a run of aggregate does, until Redis has rewritten its file.
func (s *servers) publish(t *testing.T, now time.Time) {
	t.Helper()
	ctx := t.Context()
	if err := salts.Create(ctx, s.db, s.keys, now); err != nil {
		t.Fatal(err)
	}
	if err := registry.Publish(ctx, s.client, s.db, now); err != nil {
		t.Fatal(err)
	}
	localtest.Eventually(t, "Redis has rewritten its file", func() bool {
		if err := registry.Forget(ctx, s.client); err != nil {
			t.Fatal(err)
		}
		return s.client.Exists(ctx, "analytics:registry:stale").Val() == 0
	})
	if _, err := s.db.Exec(ctx, "CHECKPOINT"); err != nil { // writes pages, and deletes the files of truncated tables
		t.Fatal(err)
	}
}

// files returns the files that contain a text, or its base64 form, relative to the folder.
func (s *servers) files(t *testing.T, text []byte) (names []string) {
	t.Helper()
	encoded := []byte(base64.StdEncoding.EncodeToString(text))
	err := filepath.WalkDir(s.folder, func(path string, entry fs.DirEntry, err error) error {
		if os.IsNotExist(err) || err == nil && !entry.Type().IsRegular() {
			return nil
		}
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil //nolint:nilerr // a temporary file that is gone
		}
		if bytes.Contains(content, text) || bytes.Contains(content, encoded) {
			name, _ := filepath.Rel(s.folder, path)
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// wantGone checks that no file contains a salt, but for the write-ahead log if it may.
func (s *servers) wantGone(t *testing.T, what string, salt []byte, mayBeLogged bool) {
	t.Helper()
	for _, name := range s.files(t, salt) {
		if !mayBeLogged || !strings.Contains(name, "pg_wal") {
			t.Errorf("%s is in the file %s", what, name)
		}
	}
}

// TestFilesForgetSalts checks in the files of both servers that a plain salt is in none of
// them, and that once its day is closed an encrypted salt is in none but the write-ahead
// log.
func TestFilesForgetSalts(t *testing.T) {
	t.Parallel()
	s, ctx, now := ownServers(t), t.Context(), time.Now()
	s.publish(t, now)
	stored, err := salts.Open(ctx, s.db, now)
	if err != nil {
		t.Fatal(err)
	}
	first, last := privacy.SaltDays(now)
	if len(stored) != int(last-first)+1 {
		t.Fatalf("%d salts, want one for each day from %s to %s", len(stored), first, last)
	}
	for day, sealed := range stored {
		salt, current, err := s.keys.Open(day, sealed)
		if err != nil || !current {
			t.Fatalf("the salt of %s: current %t, %v", day, current, err)
		}
		s.wantGone(t, "the salt of "+day.String(), salt[:], false)
		if names := strings.Join(s.files(t, sealed), " "); !strings.Contains(names, "postgres") || !strings.Contains(names, "redis") {
			t.Errorf("the encrypted salt of %s is in %s, so its absence would prove nothing", day, names)
		}
	}

	later := now.Add(10 * 24 * time.Hour)
	if n, err := salts.Destroy(ctx, s.db, later); err != nil || n != int64(len(stored)) {
		t.Fatalf("destroyed %d salts: %v", n, err)
	}
	s.publish(t, later)
	for day, sealed := range stored {
		s.wantGone(t, "the encrypted salt of "+day.String(), sealed, true)
	}
}

// TestPlainSalts checks that the salts that an older version stored in plain are encrypted,
// in new files, and stay the same.
func TestPlainSalts(t *testing.T) {
	t.Parallel()
	s, ctx, now := ownServers(t), t.Context(), time.Now()
	day := event.DayOf(now.UTC())
	plain := privacy.Salt([]byte("a salt of 32 bytes that is plain"))
	if _, err := s.db.Exec(ctx, `INSERT INTO salts VALUES ($1, $2)`, day.Date(), plain[:]); err != nil {
		t.Fatal(err)
	}
	published, err := json.Marshal(map[string]any{"salts": map[string][]byte{day.String(): plain[:]}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.client.Set(ctx, "analytics:registry", published, 0).Err(); err != nil {
		t.Fatal(err)
	}
	r := registry.New(s.client, s.db, s.keys, time.Now)
	check := func(when string) {
		t.Helper()
		if err := r.Load(ctx); err != nil {
			t.Fatal(err)
		}
		if salt, ok := r.Directory().Salt(day); !ok || *salt != plain {
			t.Errorf("%s the salt is another one (%t)", when, ok)
		}
	}
	check("before it is encrypted,")
	s.publish(t, now)
	check("once it is encrypted,")
	s.wantGone(t, "the plain salt", plain[:], true)
}

// TestRotateSaltKey checks that salts stay the same when the key changes, and that the
// previous key is not needed after one run.
func TestRotateSaltKey(t *testing.T) {
	t.Parallel()
	db, client := services(t)
	ctx, now := t.Context(), time.Now()
	previous, next := localtest.SaltKey, "another key that encrypts salts in tests"
	day := event.DayOf(now.UTC())
	salt := func(keys string) (privacy.Salt, error) {
		t.Helper()
		r := registry.New(client, db, saltKeys(t, keys), time.Now)
		if err := r.Refresh(ctx); err != nil {
			return privacy.Salt{}, err
		}
		found, ok := r.Directory().Salt(day)
		if !ok {
			t.Fatal("the day has no salt")
		}
		return *found, nil
	}
	want, err := salt(previous)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := salt(next); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("without the previous key: %v", err)
	}
	for _, keys := range []string{next + ", " + previous, next} {
		if got, err := salt(keys); err != nil || got != want {
			t.Errorf("the salt is another one, or %v", err)
		}
	}
}

// TestForgetAfterRestart checks that a rewrite which ended with the server is done again.
func TestForgetAfterRestart(t *testing.T) {
	t.Parallel()
	s, ctx := ownServers(t), t.Context()
	if err := s.client.Set(ctx, "analytics:registry:stale", "the id of a process that is gone", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := registry.Forget(ctx, s.client); err != nil {
		t.Fatal(err)
	}
	if state := s.client.Get(ctx, "analytics:registry:stale").Val(); !strings.Contains(s.client.Info(ctx, "server").Val(), state) {
		t.Errorf("the state is %q, want the id of the server", state)
	}
	s.publish(t, time.Now())
}

// TestBusySalts checks that the salts of a closed day are destroyed while a backup reads
// the table, and that the table is rewritten once it has ended.
func TestBusySalts(t *testing.T) {
	t.Parallel()
	db, _ := services(t)
	ctx, now := t.Context(), time.Now()
	if err := salts.Create(ctx, db, saltKeys(t, localtest.SaltKey), now); err != nil {
		t.Fatal(err)
	}
	backup, err := db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Exec(ctx, `LOCK TABLE salts IN ACCESS SHARE MODE`); err != nil {
		t.Fatal(err)
	}
	later := now.Add(10 * 24 * time.Hour)
	rows := func() (n int) {
		t.Helper()
		if err := db.QueryRow(ctx, `SELECT count(*) FROM salts`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	created := rows()
	if n, err := salts.Destroy(ctx, db, later); err != nil || int(n) != created {
		t.Errorf("beside a backup %d of %d salts were destroyed: %v", n, created, err)
	}
	var readable int
	if err := db.QueryRow(ctx, `SELECT count(*) FROM salts WHERE salt <> ''`).Scan(&readable); err != nil || readable != 0 {
		t.Errorf("%d salts are left: %v", readable, err)
	}
	if err := backup.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if n, err := salts.Destroy(ctx, db, later); err != nil || n != 0 || rows() != 0 {
		t.Errorf("after the backup %d salts were destroyed and %d rows are left: %v", n, rows(), err)
	}
}
