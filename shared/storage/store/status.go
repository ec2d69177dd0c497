package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// Status describes an installation.
type Status struct {
	PostgreSQL  string // version
	TimescaleDB string // version; "" if it is not installed
	Schema      int64  // number of the last migration
	DeadLetters int64
	Sites       []SiteStatus // sorted by domain
	Drops       []DropStatus
	Checks      CheckStatus
}

// CheckStatus counts the checks of closed days.
type CheckStatus struct {
	Checked   int64
	Wrong     int64 // checked days that differed from their events
	Unchecked int64 // days whose check exceeded its time limit
}

// SiteStatus describes the traffic of a site.
type SiteStatus struct {
	sites.Site
	EventsToday int64      // on the site's current local day
	LastEventAt *time.Time // nil if there are no events
}

// DropStatus is the number of events of a site that were dropped for a reason.
type DropStatus struct {
	Domain string // "" for a deleted site
	Reason string
	Events int64
}

// The number of past days that a status covers.
const (
	dropDays  = 30
	checkDays = 35
)

const (
	selectStatus = `
SELECT current_setting('server_version'),
       coalesce((SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'), ''),
       (SELECT coalesce(max(version_id), 0) FROM schema_migrations WHERE is_applied),
       (SELECT count(*) FROM dead_letters)`

	selectSiteStatus = `
SELECT coalesce(today.events, 0), latest.time
FROM unnest($1::integer[], $2::date[]) WITH ORDINALITY AS site (id, day, place)
LEFT JOIN rollup_day AS today
    ON today.site_id = site.id AND today.dimension = 0 AND today.day = site.day
LEFT JOIN LATERAL (
    SELECT time FROM events WHERE site_id = site.id ORDER BY time DESC LIMIT 1
) AS latest ON true
ORDER BY site.place`

	selectDropStatus = `
SELECT coalesce(sites.domain, ''), drops.reason, sum(drops.events)::bigint
FROM drops LEFT JOIN sites ON sites.id = drops.site_id
WHERE drops.day > $1
GROUP BY 1, 2
ORDER BY 1, 2`

	selectCheckStatus = `
SELECT count(differences), count(*) FILTER (WHERE differences > 0), count(*) FILTER (WHERE differences IS NULL)
FROM day_checks
WHERE day >= $1`
)

// ReadStatus returns the status at now.
func ReadStatus(ctx context.Context, db database.DB, now time.Time) (Status, error) {
	var s Status
	if err := db.QueryRow(ctx, selectStatus).Scan(&s.PostgreSQL, &s.TimescaleDB, &s.Schema, &s.DeadLetters); err != nil {
		return s, fmt.Errorf("read status: %w", err)
	}
	if err := s.readSites(ctx, db, now); err != nil {
		return s, fmt.Errorf("read site status: %w", err)
	}
	rows, err := db.Query(ctx, selectDropStatus, now.AddDate(0, 0, -dropDays))
	if err != nil {
		return s, fmt.Errorf("read drops: %w", err)
	}
	if s.Drops, err = pgx.CollectRows(rows, pgx.RowToStructByPos[DropStatus]); err != nil {
		return s, fmt.Errorf("read drops: %w", err)
	}
	c := &s.Checks
	if err := db.QueryRow(ctx, selectCheckStatus, now.AddDate(0, 0, -checkDays)).Scan(&c.Checked, &c.Wrong, &c.Unchecked); err != nil {
		return s, fmt.Errorf("read day checks: %w", err)
	}
	return s, nil
}

func (s *Status) readSites(ctx context.Context, db database.DB, now time.Time) error {
	all, err := sites.List(ctx, db)
	if err != nil {
		return err
	}
	var ids []int32
	var days []time.Time
	for _, site := range all {
		location, err := site.LocationAt(now)
		if err != nil {
			return err
		}
		ids, days = append(ids, site.ID), append(days, event.DayOf(now.In(location)).Date())
	}
	rows, err := db.Query(ctx, selectSiteStatus, ids, days)
	if err != nil {
		return err
	}
	var status SiteStatus
	_, err = pgx.ForEachRow(rows, []any{&status.EventsToday, &status.LastEventAt}, func() error {
		status.Site = all[len(s.Sites)]
		s.Sites = append(s.Sites, status)
		return nil
	})
	return err
}
