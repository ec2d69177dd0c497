package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/storage/database"
)

// selectRecentVisitors queries each site separately, so that each query reads a short
// range of an index.
const selectRecentVisitors = `
SELECT sites.id, recent.visitor, recent.last
FROM sites, LATERAL (
    SELECT visitor, max(time) AS last
    FROM events
    WHERE site_id = sites.id AND time > $1
    GROUP BY visitor
) AS recent`

// RecentVisitors calls fn with each visitor who had an event after since, and the time of
// the visitor's last event.
func RecentVisitors(ctx context.Context, db database.DB, since time.Time, fn func(site int32, visitor int64, last time.Time)) error {
	rows, err := db.Query(ctx, selectRecentVisitors, since)
	if err != nil {
		return fmt.Errorf("read recent visitors: %w", err)
	}
	var (
		site    int32
		visitor int64
		last    time.Time
	)
	_, err = pgx.ForEachRow(rows, []any{&site, &visitor, &last}, func() error {
		fn(site, visitor, last)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read recent visitors: %w", err)
	}
	return nil
}
