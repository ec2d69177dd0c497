package admin

import (
	"context"
	"time"

	"github.com/analytics-platform/analytics/shared/model/goal"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// shownGoal is a goal as it is answered. goal.Goal is the body that makes one.
type shownGoal struct {
	ID int32 `json:"id"`
	goal.Goal
	CreatedAt time.Time `json:"created_at"`
}

func showGoal(g sites.Goal) any { return shownGoal{g.ID, g.Goal, g.CreatedAt.UTC()} }

func (f *function) goals() resource[sites.Goal, goal.Goal] {
	return resource[sites.Goal, goal.Goal]{
		one: "goal", many: "goals", most: sites.MaxGoals, readers: readers(),
		show: showGoal, list: sites.Goals, find: sites.FindGoal, remove: sites.DeleteGoal,
		add: func(ctx context.Context, db database.DB, site int32, body goal.Goal) (any, error) {
			read, err := goal.Normalize(body)
			if err != nil {
				return nil, err
			}
			created, err := sites.CreateGoal(ctx, db, site, read)
			return showGoal(created), err
		},
		body: func(g sites.Goal) goal.Goal {
			g.Props = nil // which are replaced as a whole
			return g.Goal
		},
		change: func(ctx context.Context, db database.DB, site int32, row sites.Goal, body goal.Goal) (sites.Goal, error) {
			if body.Props == nil {
				body.Props = row.Props
			}
			read, err := goal.Normalize(body)
			if err != nil {
				return row, err
			}
			return sites.UpdateGoal(ctx, db, site, row.ID, read)
		},
	}
}
