package sites_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// TestUseSession checks that use postpones the end of a session, in steps of at least an hour,
// and never beyond its life.
func TestUseSession(t *testing.T) {
	t.Parallel()
	db := newDatabase(t)
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	id, err := sites.CreateSession(t.Context(), db, start)
	if err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	for _, step := range []struct {
		at, used, expires time.Duration // since the start
	}{
		{time.Second, 0, 7 * day},
		{59 * time.Minute, 0, 7 * day},
		{time.Hour, time.Hour, 7*day + time.Hour},
		{6 * day, 6 * day, 13 * day},
		{12 * day, 12 * day, 19 * day},
		{18 * day, 18 * day, 25 * day},
		{24 * day, 24 * day, 30 * day},
		{30*day - time.Second, 30*day - time.Second, 30 * day},
	} {
		session, err := sites.UseSession(t.Context(), db, id, start.Add(step.at))
		if err != nil || !session.CreatedAt.Equal(start) || !session.LastUsedAt.Equal(start.Add(step.used)) || !session.ExpiresAt.Equal(start.Add(step.expires)) {
			t.Fatalf("after %s: got %+v, %v; want %+v", step.at, session, err, step)
		}
	}
	if _, err := sites.UseSession(t.Context(), db, id, start.Add(30*day)); !errors.Is(err, sites.ErrNoSession) {
		t.Errorf("at the end of its life: got %v, want ErrNoSession", err)
	}
}

func TestEndOfSessions(t *testing.T) {
	t.Parallel()
	db := newDatabase(t)
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	create := func() sites.SessionID {
		id, err := sites.CreateSession(t.Context(), db, start)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	check := func(name string, id sites.SessionID, at time.Time, want error) {
		if _, err := sites.UseSession(t.Context(), db, id, at); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
	one, two := create(), create()
	check("another id", sites.SessionID{1}, start, sites.ErrNoSession)
	for range 2 {
		if err := sites.DeleteSession(t.Context(), db, one); err != nil {
			t.Fatal(err)
		}
	}
	check("the ended session", one, start, sites.ErrNoSession)
	check("another session", two, start, nil)

	unused := start.Add(sites.SessionIdle)
	check("a session that was not used", two, unused, sites.ErrNoSession)
	for _, want := range []int64{1, 0} {
		if deleted, err := sites.DeleteExpiredSessions(t.Context(), db, unused); err != nil || deleted != want {
			t.Errorf("got %d expired sessions, %v; want %d", deleted, err, want)
		}
	}
	check("a deleted session, by a clock that is behind", two, start, sites.ErrNoSession)

	one, two = create(), create()
	if deleted, err := sites.DeleteExpiredSessions(t.Context(), db, start); err != nil || deleted != 0 {
		t.Errorf("got %d expired sessions, %v; want none", deleted, err)
	}
	if err := sites.DeleteSessions(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	check("all sessions were ended", one, start, sites.ErrNoSession)
	check("all sessions were ended", two, start, sites.ErrNoSession)
}

// TestSessionOfUser checks that the session of a user, who does not exist in this version, is
// none of the owner.
func TestSessionOfUser(t *testing.T) {
	t.Parallel()
	db := newDatabase(t)
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	id, err := sites.CreateSession(t.Context(), db, start)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), `UPDATE sessions SET user_id = 1`); err != nil {
		t.Fatal(err)
	}
	if _, err := sites.UseSession(t.Context(), db, id, start); !errors.Is(err, sites.ErrNoSession) {
		t.Errorf("got %v, want ErrNoSession", err)
	}
	if err := errors.Join(sites.DeleteSession(t.Context(), db, id), sites.DeleteSessions(t.Context(), db)); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM sessions`).Scan(&left); err != nil || left != 1 {
		t.Errorf("%d sessions are left, %v; want that of the user", left, err)
	}
}

// TestSessionInReplica checks that a session is valid in a database that can't record its use.
func TestSessionInReplica(t *testing.T) {
	t.Parallel()
	db := newDatabase(t)
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	id, err := sites.CreateSession(t.Context(), db, start)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), db.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), `SET default_transaction_read_only = on`); err != nil {
		t.Fatal(err)
	}
	if _, err := sites.UseSession(t.Context(), conn, id, start.Add(2*time.Hour)); err != nil {
		t.Errorf("got %v, want the session", err)
	}
}
