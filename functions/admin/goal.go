package admin

import (
	"context"
	"time"

	"github.com/analytics-platform/analytics/shared/model/goal"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// shownGoal is a goal as it is answered. goal.Goal is the body that makes one.
type shownGoal struct {
	ID int32 `json:"id"`
	goal.Goal
	CreatedAt time.Time `json:"created_at"`
}

func showGoal(g store.Goal) any { return shownGoal{g.ID, g.Goal, g.CreatedAt.UTC()} }

func (f *function) goals() belonging[store.Goal, goal.Goal] {
	return belonging[store.Goal, goal.Goal]{
		one: "goal", many: "goals", most: store.MaxGoals, readers: readers(),
		show: showGoal, list: store.Goals, find: store.GoalOf, remove: store.DeleteGoal,
		add: func(ctx context.Context, db store.DB, site int32, body goal.Goal) (any, error) {
			read, err := goal.Read(body)
			if err != nil {
				return nil, err
			}
			created, err := store.CreateGoal(ctx, db, site, read)
			return showGoal(created), err
		},
		body: func(g store.Goal) goal.Goal {
			g.Props = nil // which are replaced as a whole
			return g.Goal
		},
		change: func(ctx context.Context, db store.DB, site int32, row store.Goal, body goal.Goal) (store.Goal, error) {
			if body.Props == nil {
				body.Props = row.Props
			}
			read, err := goal.Read(body)
			if err != nil {
				return row, err
			}
			return store.UpdateGoal(ctx, db, site, row.ID, read)
		},
	}
}
