package limit_test

import (
	"testing"
	"time"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/edge/limit"
)

// clock is a time that tests advance.
type clock struct{ now time.Time }

func (c *clock) time() time.Time { return c.now }

func TestAllow(t *testing.T) {
	t.Parallel()
	c := &clock{time.Date(2026, 3, 1, 12, 0, 15, 0, time.UTC)}
	l := limit.New(nil, c.time)
	allowed := func(key limit.Key, size, most, tries int) (n int) {
		for range tries {
			if l.Allow(key, size, most) {
				n++
			}
		}
		return n
	}
	for _, test := range []struct {
		name              string
		key               limit.Key
		size              int
		most, tries, want int
		later             time.Duration
	}{
		{"within the limit", 1, 2048, 10, 7, 7, 0},
		{"beyond the limit", 1, 400, 10, 7, 3, 0},
		{"another key", 2, 0, 10, 7, 7, 0},
		{"without a limit", 1, 5000, 0, 50, 50, 0},
		{"until the minute ends", 1, 400, 10, 7, 0, 44 * time.Second},
		{"in the next minute", 1, 400, 10, 17, 10, time.Second},
		{"large events, each as three", 3, 2*2048 + 1, 9, 5, 3, 0},
		{"one larger than the limit", 4, 50_000, 9, 5, 1, 0},
	} {
		c.now = c.now.Add(test.later)
		if got := allowed(test.key, test.size, test.most, test.tries); got != test.want {
			t.Errorf("%s: %d of %d are allowed, want %d", test.name, got, test.tries, test.want)
		}
	}
	if got := l.Left(); got != time.Minute {
		t.Errorf("Left returns %s at the start of a minute", got)
	}
}

// TestReplicas checks that replicas together allow no more than the limit and the events
// between two syncs.
func TestReplicas(t *testing.T) {
	t.Parallel()
	c := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	client := localtest.Client(t, localtest.Redis(t))
	replicas := []*limit.Limiter{limit.New(client, c.time), limit.New(client, c.time), limit.New(client, c.time)}
	const most, step = 300, 10
	total := 0
	for range most { // rounds
		for _, l := range replicas {
			for range step {
				if l.Allow(7, 100, most) {
					total++
				}
			}
			if err := l.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if total < most || total > most+len(replicas)*step {
		t.Errorf("%d events are allowed, the limit is %d", total, most)
	}
	c.now = c.now.Add(time.Minute)
	if !replicas[0].Allow(7, 100, most) {
		t.Error("the next minute does not start at zero")
	}
}

// TestWithoutRedis checks that a replica limits locally.
func TestWithoutRedis(t *testing.T) {
	t.Parallel()
	c := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	l := limit.New(localtest.Client(t, "redis://127.0.0.1:1/0"), c.time)
	total := 0
	for range 30 {
		if l.Allow(7, 100, 20) {
			total++
		}
	}
	if err := l.Sync(t.Context()); err == nil || total != 20 {
		t.Errorf("%d events are allowed, want 20; Sync returns %v", total, err)
	}
}
