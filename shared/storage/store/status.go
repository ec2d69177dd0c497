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

// Status are facts of an installation.
type Status struct {
	PostgreSQL  string // version
	TimescaleDB string // version; "" without
	Schema      int64  // number of the last migration
	DeadLetters int64
	Sites       []SiteStatus // in the order of their domains
	Drops       []DropStatus
	Checks      CheckStatus
}

// CheckStatus says what the checks of days found that were over.
type CheckStatus struct {
	Checked   int64
	Wrong     int64 // of them, that differed from their events
	Unchecked int64 // that take longer to check than a run may
}

// SiteStatus says how a site is doing.
type SiteStatus struct {
	sites.Site
	EventsToday int64      // of its local day
	LastEventAt *time.Time // nil when there is no event
}

// DropStatus says how many events were left out on purpose, and why.
type DropStatus struct {
	Domain string // "" of a site that was deleted
	Reason string
	Events int64
}

const (
	dropDays  = 30 // of drops, that a status adds up
	checkDays = 35 // of checks
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

// ReadStatus collects the facts at now.
func ReadStatus(ctx context.Context, db database.DB, now time.Time) (Status, error) {
	var s Status
	if err := db.QueryRow(ctx, selectStatus).Scan(&s.PostgreSQL, &s.TimescaleDB, &s.Schema, &s.DeadLetters); err != nil {
		return s, fmt.Errorf("read the status: %w", err)
	}
	if err := s.readSites(ctx, db, now); err != nil {
		return s, fmt.Errorf("read the status of sites: %w", err)
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
		return s, fmt.Errorf("read the checks of days: %w", err)
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
	var found SiteStatus
	_, err = pgx.ForEachRow(rows, []any{&found.EventsToday, &found.LastEventAt}, func() error {
		found.Site = all[len(s.Sites)]
		s.Sites = append(s.Sites, found)
		return nil
	})
	return err
}
