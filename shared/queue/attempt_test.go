package queue_test

import (
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/shared/queue"
)

// attempt makes an attempt to store at most n events of shard 0. Its worker dies unless survives.
func attempt(t *testing.T, client redis.UniversalClient, n int, survives bool) (deaths int) {
	t.Helper()
	a, err := queue.NextAttempt(t.Context(), client, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	batch, err := queue.Read(t.Context(), client, 0, upTo(n))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.SetBatch(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if !survives {
		return a.Deaths
	}
	if err := a.End(t.Context(), batch, 3); err != nil {
		t.Fatal(err)
	}
	if err := queue.Trim(t.Context(), client, 0, batch); err != nil {
		t.Fatal(err)
	}
	return a.Deaths
}

// TestAttempts checks that deaths are counted until the entries of the first one are stored.
func TestAttempts(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	if err := writer.Append(t.Context(), siteEvents(1, 16*40)...); err != nil { // 40 entries of 16 events
		t.Fatal(err)
	}
	for i, test := range []struct {
		events   int
		survives bool
		deaths   int // found before
	}{
		{64, true, 0}, {64, true, 0}, // the usual case
		{64, false, 0}, {32, false, 1}, {16, true, 2}, // a smaller batch succeeds
		{16, false, 2}, {16, false, 3}, {16, false, 4}, // another one kills
		{16, true, 5},  // a success takes back what is more than three
		{32, true, 3},  // of the 128 events, 64 are stored
		{64, true, 3},  // now all
		{64, true, 0},  // as before
		{64, false, 0}, // another death
		{64, true, 1},
	} {
		if deaths := attempt(t, client, test.events, test.survives); deaths != test.deaths {
			t.Errorf("attempt %d: found %d deaths, want %d", i, deaths, test.deaths)
		}
	}
}

// TestFailedAttempt checks that an attempt that fails without a death leaves the deaths as they
// were.
func TestFailedAttempt(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	if err := writer.Append(t.Context(), siteEvents(1, 100)...); err != nil {
		t.Fatal(err)
	}
	attempt(t, client, 64, false)
	for range 3 {
		a, err := queue.NextAttempt(t.Context(), client, 0)
		if err != nil || a.Deaths != 1 {
			t.Fatalf("found %d deaths, %v, want 1", a.Deaths, err)
		}
		if err := a.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := a.End(t.Context(), queue.Batch{}, 3); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAttemptsWithoutMemory checks that attempts in a Redis without memory succeed and find
// earlier deaths, which are forgotten once it has memory and their entries are stored.
func TestAttemptsWithoutMemory(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	if err := writer.Append(t.Context(), siteEvents(1, 16*20)...); err != nil {
		t.Fatal(err)
	}
	attempt(t, client, 64, false)
	configure(t, client, "maxmemory", "1")
	for i, want := range []int{1, 1, 1, 1, 0} {
		if i == 2 {
			configure(t, client, "maxmemory", "0")
		}
		if deaths := attempt(t, client, 64, true); deaths != want {
			t.Errorf("attempt %d: found %d deaths, want %d", i, deaths, want)
		}
	}
}

// TestForget checks that deaths are forgotten once it is known of what, and only if the attempt
// succeeds.
func TestForget(t *testing.T) {
	t.Parallel()
	client := connect(t)
	writer := queue.NewWriter(client)
	t.Cleanup(writer.Close)
	if err := writer.Append(t.Context(), siteEvents(1, 200)...); err != nil {
		t.Fatal(err)
	}
	attempt(t, client, 64, false)
	attempt(t, client, 32, false)
	batch, err := queue.Read(t.Context(), client, 0, upTo(16))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		stored queue.Batch
		found  int
	}{{queue.Batch{}, 2}, {batch, 2}, {batch, 0}} {
		a, err := queue.NextAttempt(t.Context(), client, 0)
		if err != nil || a.Deaths != test.found {
			t.Fatalf("found %d deaths, %v, want %d", a.Deaths, err, test.found)
		}
		if err := a.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.Forget()
		if err := a.End(t.Context(), test.stored, 3); err != nil {
			t.Fatal(err)
		}
	}
}
