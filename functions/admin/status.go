package admin

import (
	"net/http"
	"time"

	"github.com/analytics-platform/analytics/shared/storage/store"
)

// status are facts of the installation.
type status struct {
	Database    databaseFacts `json:"database"`
	Sites       []siteFacts   `json:"sites"`
	DeadLetters int64         `json:"dead_letters"` // queue entries that could not be stored
	Drops       []drop        `json:"drops"`        // events left out on purpose in the last 30 days

	// What schema-guard found when it counted the days of the last 35 again.
	DaysChecked   int64 `json:"days_checked"`
	DaysWrong     int64 `json:"days_wrong"`     // of them, that were not what their events say
	DaysUnchecked int64 `json:"days_unchecked"` // that take longer than a run may
}

type databaseFacts struct {
	PostgreSQL  string `json:"postgresql"`
	TimescaleDB string `json:"timescaledb"` // "" without
	Schema      int64  `json:"schema"`      // number of the last migration
}

type siteFacts struct {
	ID          string     `json:"id"`
	Domain      string     `json:"domain"`
	EventsToday int64      `json:"events_today"`  // stored so far, of the site's local day
	LastEventAt *time.Time `json:"last_event_at"` // null when there was none
}

type drop struct {
	Site   string `json:"site"` // domain; "" when the site was deleted
	Reason string `json:"reason"`
	Events int64  `json:"events"`
}

func (f *function) status(_ http.ResponseWriter, r *http.Request) (answer, error) {
	if err := everything(r.Context()); err != nil {
		return answer{}, err
	}
	facts, err := store.ReadStatus(r.Context(), f.db, f.now())
	if err != nil {
		return answer{}, err
	}
	out := status{
		Database: databaseFacts{facts.PostgreSQL, facts.TimescaleDB, facts.Schema},
		Sites:    []siteFacts{}, DeadLetters: facts.DeadLetters, Drops: []drop{},
		DaysChecked: facts.Checks.Checked, DaysWrong: facts.Checks.Wrong, DaysUnchecked: facts.Checks.Unchecked,
	}
	for _, s := range facts.Sites {
		out.Sites = append(out.Sites, siteFacts{ID: s.PublicID, Domain: s.Domain, EventsToday: s.EventsToday, LastEventAt: inUTC(s.LastEventAt)})
	}
	for _, d := range facts.Drops {
		out.Drops = append(out.Drops, drop{Site: d.Domain, Reason: d.Reason, Events: d.Events})
	}
	return answer{http.StatusOK, out}, nil
}
