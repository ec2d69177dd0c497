package report

import (
	"context"
	"time"

	"github.com/analytics-platform/analytics/shared/storage/store"
)

const (
	// liveMinutes is how many minutes a snapshot looks back.
	liveMinutes = 30
	// liveNow is of how many of them the visitors are there now.
	liveNow = 5
	// liveRows is how many pages, sources and countries it names.
	liveRows = 10
)

// Snapshot is what happened on a site in the last half hour, as far as it is stored:
// events are, some seconds after they happened. Live numbers come from the function
// websocket-bridge.
type Snapshot struct {
	Visitors  int64        `json:"visitors"`  // of the last five minutes
	Pageviews int64        `json:"pageviews"` // of the last half hour, as all that follows
	Events    int64        `json:"events"`
	Minutes   []LiveMinute `json:"minutes"` // all of them in order, the last one begun
	Pages     []LiveCount  `json:"pages"`   // the most visitors first
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

// Present is how many visitors a site has at now: those of the last five minutes.
func (p *Reporter) Present(ctx context.Context, db store.DB, site store.Site, now time.Time) (visitors int64, err error) {
	err = p.ask(ctx, db, site, now, func(ctx context.Context, at asked, now time.Time) error {
		visitors, err = at.present(ctx, now)
		return err
	})
	return visitors, err
}

func (a asked) present(ctx context.Context, now time.Time) (int64, error) {
	rows, err := a.live(ctx, lastMinutes(now, liveNow), 1)
	if err != nil {
		return 0, err
	}
	return rows[0].visitors, nil
}

// live are the rows of a short stretch of time, those with the most visitors first.
func (a asked) live(ctx context.Context, s span, limit int, dimensions ...string) ([]*group, error) {
	q := Question{Metrics: []Metric{Visitors, Pageviews, Events}, Order: []Order{{By: string(Visitors), Descending: true}}, Pagination: Pagination{Limit: limit}}
	for _, name := range dimensions {
		d, _ := dimensionNamed(name)
		q.Dimensions = append(q.Dimensions, d)
	}
	rows, _, err := a.rows(ctx, q.resolve(s), nil)
	return rows, err
}

// lastMinutes is the span of some minutes, the last one begun.
func lastMinutes(now time.Time, minutes int) span {
	end := now.Truncate(time.Minute).Add(time.Minute)
	s := between(end.Add(-time.Duration(minutes)*time.Minute), end, now.Location())
	s.whole = false // whatever clocks do, these are minutes
	return s
}

// Realtime makes a snapshot of a site at now.
func (p *Reporter) Realtime(ctx context.Context, db store.DB, site store.Site, now time.Time) (snapshot Snapshot, err error) {
	err = p.ask(ctx, db, site, now, func(ctx context.Context, at asked, now time.Time) error {
		s := lastMinutes(now, liveMinutes)
		present, err := at.present(ctx, now)
		if err != nil {
			return err
		}
		all, err := at.live(ctx, s, 1)
		if err != nil {
			return err
		}
		minutes, err := at.live(ctx, s, liveMinutes, "time:minute")
		if err != nil {
			return err
		}
		snapshot = Snapshot{Visitors: present, Pageviews: all[0].pageviews, Events: all[0].events}
		counted := map[int64]*group{}
		for _, g := range minutes {
			counted[g.period.Unix()] = g
		}
		for start := s.from; start.Before(s.to); start = start.Add(time.Minute) {
			minute := LiveMinute{Time: start.Format(time.RFC3339)}
			if g := counted[start.Unix()]; g != nil {
				minute.Visitors, minute.Pageviews, minute.Events = g.visitors, g.pageviews, g.events
			}
			snapshot.Minutes = append(snapshot.Minutes, minute)
		}
		for _, list := range []struct {
			dimension string
			to        *[]LiveCount
		}{{"event:page", &snapshot.Pages}, {"visit:source", &snapshot.Sources}, {"visit:country", &snapshot.Countries}} {
			top, err := at.live(ctx, s, liveRows, list.dimension)
			if err != nil {
				return err
			}
			d, _ := dimensionNamed(list.dimension)
			*list.to = []LiveCount{}
			for _, g := range top {
				*list.to = append(*list.to, LiveCount{d.named(g.values[0]), g.visitors})
			}
		}
		return nil
	})
	return snapshot, err
}
