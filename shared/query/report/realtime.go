package report

import (
	"context"
	"time"

	"github.com/analytics-platform/analytics/shared/query/engine"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

const (
	// snapshotMinutes is how many minutes a snapshot covers.
	snapshotMinutes = 30
	// presentMinutes is how many of them count as now.
	presentMinutes = 5
	// snapshotRows is how many pages, sources and countries it lists.
	snapshotRows = 10
)

// Snapshot is what happened on a site in the last half hour, as far as it is stored, which
// takes some seconds. The function websocket-bridge sends live numbers.
type Snapshot struct {
	Visitors  int64        `json:"visitors"`  // of the last five minutes
	Pageviews int64        `json:"pageviews"` // of the last half hour, like the rest
	Events    int64        `json:"events"`
	Minutes   []LiveMinute `json:"minutes"` // all of them in order, the last one incomplete
	Pages     []LiveCount  `json:"pages"`   // most visitors first
	Sources   []LiveCount  `json:"sources"`
	Countries []LiveCount  `json:"countries"`
}

// LiveMinute is a minute of a snapshot.
type LiveMinute struct {
	Time      string `json:"time"` // RFC 3339, when it began, local to the site
	Visitors  int64  `json:"visitors"`
	Pageviews int64  `json:"pageviews"`
	Events    int64  `json:"events"`
}

// LiveCount is how many visitors a value of a dimension has.
type LiveCount struct {
	Value    string `json:"value"`
	Visitors int64  `json:"visitors"`
}

// Present returns how many visitors a site has at now: those of the last five minutes.
func (r *Reporter) Present(ctx context.Context, db database.DB, site sites.Site, now time.Time) (visitors int64, err error) {
	err = r.engine.Run(ctx, db, site, now, func(ctx context.Context, s *engine.Session) error {
		visitors, err = presentVisitors(ctx, s)
		return err
	})
	return visitors, err
}

func presentVisitors(ctx context.Context, s *engine.Session) (int64, error) {
	rows, err := topRows(ctx, s, lastMinutes(s.Now, presentMinutes), 1)
	if err != nil {
		return 0, err
	}
	return rows[0].Visitors, nil
}

// topRows returns the rows of a short range, those with the most visitors first.
func topRows(ctx context.Context, s *engine.Session, within language.Range, limit int, dimensions ...language.Dimension) ([]*engine.Group, error) {
	q := language.Question{
		Metrics:    []language.Metric{language.Visitors, language.Pageviews, language.Events},
		Dimensions: dimensions,
		Order:      []language.Order{{By: string(language.Visitors), Descending: true}},
		Pagination: language.Pagination{Limit: limit},
	}
	rows, _, err := s.Rows(ctx, engine.NewPlan(&q, within))
	return rows, err
}

// lastMinutes returns the range of some minutes, the last one incomplete.
func lastMinutes(now time.Time, minutes int) language.Range {
	end := now.Truncate(time.Minute).Add(time.Minute)
	r := language.TimeRange(end.Add(-time.Duration(minutes)*time.Minute), end, now.Location())
	r.Whole = false // minutes are never whole days
	return r
}

// Realtime returns a snapshot of a site at now.
func (r *Reporter) Realtime(ctx context.Context, db database.DB, site sites.Site, now time.Time) (snapshot Snapshot, err error) {
	err = r.engine.Run(ctx, db, site, now, func(ctx context.Context, s *engine.Session) error {
		within := lastMinutes(s.Now, snapshotMinutes)
		present, err := presentVisitors(ctx, s)
		if err != nil {
			return err
		}
		all, err := topRows(ctx, s, within, 1)
		if err != nil {
			return err
		}
		snapshot = Snapshot{Visitors: present, Pageviews: all[0].Pageviews, Events: all[0].Events}
		if snapshot.Minutes, err = liveMinutes(ctx, s, within); err != nil {
			return err
		}
		for _, list := range []struct {
			dimension string
			to        *[]LiveCount
		}{{"event:page", &snapshot.Pages}, {"visit:source", &snapshot.Sources}, {"visit:country", &snapshot.Countries}} {
			d, _ := language.DimensionByName(list.dimension)
			top, err := topRows(ctx, s, within, snapshotRows, d)
			if err != nil {
				return err
			}
			*list.to = []LiveCount{}
			for _, g := range top {
				*list.to = append(*list.to, LiveCount{d.Label(g.Values[0]), g.Visitors})
			}
		}
		return nil
	})
	return snapshot, err
}

func liveMinutes(ctx context.Context, s *engine.Session, within language.Range) (minutes []LiveMinute, err error) {
	d, _ := language.DimensionByName("time:minute")
	rows, err := topRows(ctx, s, within, snapshotMinutes, d)
	if err != nil {
		return nil, err
	}
	byStart := map[int64]*engine.Group{}
	for _, g := range rows {
		byStart[g.Period.Unix()] = g
	}
	for start := within.From; start.Before(within.To); start = start.Add(time.Minute) {
		minute := LiveMinute{Time: start.Format(time.RFC3339)}
		if g := byStart[start.Unix()]; g != nil {
			minute.Visitors, minute.Pageviews, minute.Events = g.Visitors, g.Pageviews, g.Events
		}
		minutes = append(minutes, minute)
	}
	return minutes, nil
}
