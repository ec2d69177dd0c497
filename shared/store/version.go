package store

import (
	"context"
	"fmt"
)

// Whatever is stored of a site's events changes the totals of a month; and a row that is
// changed, even to the same numbers, is another version of it (xmin).
const selectSiteVersion = `
SELECT concat_ws(' ',
    (SELECT concat_ws(' ', xmin, timezone, timezone_since) FROM sites WHERE id = $1),
    (SELECT string_agg(concat_ws(':', month, xmin), ' ' ORDER BY month) FROM rollup_month WHERE site_id = $1 AND dimension = 0))`

// SiteVersion is a text that is another one as soon as something that answers about a
// site depend on has changed.
func SiteVersion(ctx context.Context, db DB, site int32) (version string, err error) {
	if err := db.QueryRow(ctx, selectSiteVersion, site).Scan(&version); err != nil {
		return "", fmt.Errorf("find what version a site's data are of: %w", err)
	}
	return version, nil
}
