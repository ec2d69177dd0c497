package store

import (
	"context"
	"fmt"

	"github.com/analytics-platform/analytics/shared/storage/database"
)

// Events are only added, and each one increases a total of its month: the events or the
// engaged time. Repairs may leave all totals as they are, so the time of the last repair is
// part of the version. For other rows it is xmin, which every update changes.
const selectSiteVersion = `
SELECT concat_ws('/',
    (SELECT xmin FROM sites WHERE id = $1),
    (SELECT concat_ws(' ', sum(visitors), sum(visits), sum(pageviews), sum(events), sum(bounces), sum(seconds), sum(engaged))
     FROM rollup_month WHERE site_id = $1 AND dimension = 0),
    (SELECT max(checked_at) FROM day_checks WHERE site_id = $1 AND replaced),
    (SELECT count(*) FROM rollup_kept WHERE site_id = $1),
    (SELECT string_agg(concat_ws(' ', id, xmin), ',' ORDER BY id) FROM goals WHERE site_id = $1),
    (SELECT string_agg(concat_ws(' ', id, xmin), ',' ORDER BY id) FROM segments WHERE site_id = $1),
    (SELECT string_agg(concat_ws(' ', id, xmin), ',' ORDER BY id) FROM funnels WHERE site_id = $1),
    (SELECT string_agg(concat_ws(' ', id, xmin), ',' ORDER BY id) FROM annotations WHERE site_id = $1))`

// SiteVersion returns a text that changes whenever anything changes that reports of a site
// depend on.
func SiteVersion(ctx context.Context, db database.DB, site int32) (version string, err error) {
	if err := db.QueryRow(ctx, selectSiteVersion, site).Scan(&version); err != nil {
		return "", fmt.Errorf("read site version: %w", err)
	}
	return version, nil
}
