package admin

import (
	"context"
	"time"

	"github.com/analytics-platform/analytics/shared/model/goal"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// goalDocument is the document of a goal. The body of a request is a goal.Goal.
type goalDocument struct {
	ID int32 `json:"id"`
	goal.Goal
	CreatedAt time.Time `json:"created_at"`
}

func goalDocumentOf(g sites.Goal) any { return goalDocument{g.ID, g.Goal, g.CreatedAt.UTC()} }

func (f *function) goals() resource[sites.Goal, goal.Goal] {
	return resource[sites.Goal, goal.Goal]{
		singular: "goal", plural: "goals", limit: sites.MaxGoals, readers: readers(),
		document: goalDocumentOf, list: sites.Goals, find: sites.FindGoal, remove: sites.DeleteGoal,
		create: func(ctx context.Context, db database.DB, site int32, body goal.Goal) (any, error) {
			normalized, err := goal.Normalize(body)
			if err != nil {
				return nil, err
			}
			created, err := sites.CreateGoal(ctx, db, site, normalized)
			return goalDocumentOf(created), err
		},
		body: func(g sites.Goal) goal.Goal {
			g.Props = nil // a request replaces them as a whole
			return g.Goal
		},
		update: func(ctx context.Context, db database.DB, site int32, row sites.Goal, body goal.Goal) (sites.Goal, error) {
			if body.Props == nil {
				body.Props = row.Props
			}
			normalized, err := goal.Normalize(body)
			if err != nil {
				return row, err
			}
			return sites.UpdateGoal(ctx, db, site, row.ID, normalized)
		},
	}
}
