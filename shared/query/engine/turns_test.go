package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/analytics-platform/analytics/infra/local/localtest"
	"github.com/analytics-platform/analytics/shared/query/admission"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/query/report"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// TestGrow asks for more rows than a small question may have, while another question has the
// only turn of a large one: it must wait for it without a connection.
func TestGrow(t *testing.T) {
	t.Parallel()
	db := migrated(t, localtest.Postgres(t))
	if _, err := db.Exec(t.Context(), `INSERT INTO rollup_day SELECT 1, 30, '2026-03-01', 'C' || n, 1, 1, 1, 1, 1, 1 FROM generate_series(1, 1000) AS n`); err != nil {
		t.Fatal(err)
	}
	limits := patient(100 << 20)
	limits.Small.Memory, limits.Large.Turns = 50<<10, 1
	gate := admission.New(limits)
	r := reporter(t, gate)
	done, err := gate.Turns()["large"].Take(t.Context(), "another")
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		answer report.Answer
		err    error
	}
	came := make(chan result, 1)
	go func() {
		answer, err := ask(t.Context(), r, db, "visit:country_name")
		came <- result{answer, err}
	}()
	localtest.Eventually(t, "the question waits without a connection", func() bool {
		_, waiting := gate.Turns()["large"].Taken()
		taken, _ := gate.Turns()["small"].Taken()
		return waiting == 1 && taken == 0 && db.Stat().AcquiredConns() == 0
	})
	done()
	if got := <-came; got.err != nil || len(got.answer.Results) != 1000 {
		t.Fatalf("%d rows, %v", len(got.answer.Results), got.err)
	}
	for kind, turns := range gate.Turns() {
		if taken, waiting := turns.Taken(); taken+waiting != 0 {
			t.Errorf("%s: %d turns are taken in the end, %d wait", kind, taken, waiting)
		}
	}
}

// TestBusy asks while others have all turns.
func TestBusy(t *testing.T) {
	t.Parallel()
	db := migrated(t, localtest.Postgres(t))
	limits := patient(100 << 20)
	limits.Time, limits.Small.Turns = 10*time.Millisecond, 1
	gate := admission.New(limits)
	r := reporter(t, gate)
	done, err := gate.Turns()["small"].Take(t.Context(), "another")
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	_, err = ask(t.Context(), r, db, "visit:country")
	if limit, ok := errors.AsType[*admission.Error](err); !ok || limit.Code != admission.CodeBusy {
		t.Errorf("got %v, want %s", err, admission.CodeBusy)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = ask(ctx, r, db, "visit:country"); !errors.Is(err, context.Canceled) {
		t.Errorf("after hanging up: got %v", err)
	}
}

// ask asks for the visitors of a day by a dimension.
func ask(ctx context.Context, r *report.Reporter, db database.DB, dimension string) (report.Answer, error) {
	q, err := language.Parse([]byte(`{"site_id":"a","metrics":["visitors"],"date_range":["2026-03-01","2026-03-02"],"dimensions":["` + dimension + `"]}`))
	if err != nil {
		return report.Answer{}, err
	}
	return r.Answer(ctx, db, sites.Site{ID: 1, Timezone: "UTC"}, time.Now(), q)
}
