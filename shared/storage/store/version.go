package store

import (
	"context"
	"fmt"

	"github.com/analytics-platform/analytics/shared/storage/database"
)

// Events are only ever added, and each adds to a total of its month: to the events, or to
// the engaged time. What was put right may be in no total. Rows that are changed, be it to
// the same, are other versions of themselves (xmin).
const selectSiteVersion = `
SELECT concat_ws('/',
    (SELECT xmin FROM sites WHERE id = $1),
    (SELECT concat_ws(' ', sum(visitors), sum(visits), sum(pageviews), sum(events), sum(bounces), sum(seconds), sum(engaged))
     FROM rollup_month WHERE site_id = $1 AND dimension = 0),
    (SELECT max(checked_at) FROM day_checks WHERE site_id = $1 AND replaced),
    (SELECT string_agg(concat_ws(' ', id, xmin), ',' ORDER BY id) FROM goals WHERE site_id = $1),
    (SELECT string_agg(concat_ws(' ', id, xmin), ',' ORDER BY id) FROM segments WHERE site_id = $1),
    (SELECT string_agg(concat_ws(' ', id, xmin), ',' ORDER BY id) FROM funnels WHERE site_id = $1),
    (SELECT string_agg(concat_ws(' ', id, xmin), ',' ORDER BY id) FROM annotations WHERE site_id = $1))`

// SiteVersion is a text that is another one as soon as something has changed that answers
// about a site depend on.
func SiteVersion(ctx context.Context, db database.DB, site int32) (version string, err error) {
	if err := db.QueryRow(ctx, selectSiteVersion, site).Scan(&version); err != nil {
		return "", fmt.Errorf("find what version a site's data are of: %w", err)
	}
	return version, nil
}
