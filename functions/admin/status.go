package admin

import (
	"net/http"
	"time"

	"github.com/analytics-platform/analytics/shared/storage/store"
)

// status is the document of the installation's status.
type status struct {
	Database    databaseStatus `json:"database"`
	Sites       []siteStatus   `json:"sites"`
	DeadLetters int64          `json:"dead_letters"` // queue entries that could not be stored
	Drops       []dropStatus   `json:"drops"`        // events dropped or changed on purpose in the last 30 days

	// The results of schema-guard's checks of the last 35 days.
	DaysChecked   int64 `json:"days_checked"`
	DaysWrong     int64 `json:"days_wrong"`     // checked days that differed from their events
	DaysUnchecked int64 `json:"days_unchecked"` // days whose check exceeded its time limit
}

type databaseStatus struct {
	PostgreSQL  string `json:"postgresql"`
	TimescaleDB string `json:"timescaledb"` // "" if it is not installed
	Schema      int64  `json:"schema"`      // number of the last migration
}

type siteStatus struct {
	ID          string     `json:"id"`
	Domain      string     `json:"domain"`
	EventsToday int64      `json:"events_today"`  // stored so far on the site's local day
	LastEventAt *time.Time `json:"last_event_at"` // null if there are no events
}

type dropStatus struct {
	Site   string `json:"site"` // domain; "" for a deleted site
	Reason string `json:"reason"`
	Events int64  `json:"events"`
}

func (f *function) getStatus(_ http.ResponseWriter, r *http.Request) (response, error) {
	stored, err := store.ReadStatus(r.Context(), f.db, f.now())
	if err != nil {
		return response{}, err
	}
	out := status{
		Database: databaseStatus{stored.PostgreSQL, stored.TimescaleDB, stored.Schema},
		Sites:    []siteStatus{}, DeadLetters: stored.DeadLetters, Drops: []dropStatus{},
		DaysChecked: stored.Checks.Checked, DaysWrong: stored.Checks.Wrong, DaysUnchecked: stored.Checks.Unchecked,
	}
	for _, s := range stored.Sites {
		out.Sites = append(out.Sites, siteStatus{ID: s.PublicID, Domain: s.Domain, EventsToday: s.EventsToday, LastEventAt: inUTC(s.LastEventAt)})
	}
	for _, d := range stored.Drops {
		out.Drops = append(out.Drops, dropStatus{Site: d.Domain, Reason: d.Reason, Events: d.Events})
	}
	return response{http.StatusOK, out}, nil
}
