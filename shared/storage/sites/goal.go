package sites

import (
	"context"
	"time"

	"github.com/analytics-platform/analytics/shared/model/goal"
	"github.com/analytics-platform/analytics/shared/storage/database"
)

// MaxGoals is the maximum number of goals of a site.
const MaxGoals = 200

// Goal is a goal of a site.
type Goal struct {
	ID int32
	goal.Goal
	CreatedAt time.Time
}

const (
	goalColumns = `id, name, event_name, page_pattern, props, currency, created_at`

	selectGoals = `SELECT ` + goalColumns + ` FROM goals WHERE site_id = $1 ORDER BY id`
	selectGoal  = `SELECT ` + goalColumns + ` FROM goals WHERE site_id = $1 AND id = $2`
	countGoals  = `SELECT count(*) FROM goals WHERE site_id = $1`
	insertGoal  = `
INSERT INTO goals (site_id, name, event_name, page_pattern, props, currency)
VALUES ($1, $2, $3, $4, $5, $6)
RETURNING ` + goalColumns
	updateGoal = `
UPDATE goals SET name = $3, event_name = $4, page_pattern = $5, props = $6, currency = $7
WHERE site_id = $1 AND id = $2
RETURNING ` + goalColumns
	deleteGoal = `DELETE FROM goals WHERE site_id = $1 AND id = $2`
)

// Goals returns the goals of a site, oldest first.
func Goals(ctx context.Context, db database.DB, site int32) ([]Goal, error) {
	goals, err := selectAll[Goal](ctx, db, selectGoals, site)
	return goals, resourceError("read goals", err)
}

// FindGoal returns a goal of a site, or ErrNotFound.
func FindGoal(ctx context.Context, db database.DB, site, id int32) (Goal, error) {
	found, err := selectOne[Goal](ctx, db, selectGoal, site, id)
	return found, resourceError("read goal", err)
}

// CreateGoal adds a goal that goal.Normalize has returned. It may return ErrNoSite,
// ErrNameTaken or ErrLimitReached.
func CreateGoal(ctx context.Context, db database.DB, site int32, g goal.Goal) (Goal, error) {
	created, err := insertOne[Goal](ctx, db, site, countGoals, MaxGoals, insertGoal, site, g.Name, g.Event, g.Page, propsOf(g), g.Currency)
	return created, resourceError("create goal", err)
}

// UpdateGoal changes a goal to one that goal.Normalize has returned. It may return
// ErrNotFound or ErrNameTaken.
func UpdateGoal(ctx context.Context, db database.DB, site, id int32, g goal.Goal) (Goal, error) {
	changed, err := selectOne[Goal](ctx, db, updateGoal, site, id, g.Name, g.Event, g.Page, propsOf(g), g.Currency)
	return changed, resourceError("update goal", err)
}

// DeleteGoal deletes a goal, or returns ErrNotFound.
func DeleteGoal(ctx context.Context, db database.DB, site, id int32) error {
	return resourceError("delete goal", deleteOne(ctx, db, deleteGoal, site, id))
}

// propsOf returns the properties of a goal, never nil, since the column is NOT NULL.
func propsOf(g goal.Goal) map[string]string {
	if g.Props == nil {
		return map[string]string{}
	}
	return g.Props
}
