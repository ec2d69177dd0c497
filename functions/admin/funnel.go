package admin

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/label"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// funnel is the document of a funnel.
type funnel struct {
	ID         int32          `json:"id"`
	Name       string         `json:"name"`
	Definition jsontext.Value `json:"definition"`
	CreatedAt  time.Time      `json:"created_at"`
}

// funnelBody is the body of a request that creates or changes a funnel.
type funnelBody struct {
	Name       string         `json:"name"`
	Definition jsontext.Value `json:"definition"` // in the form of the query language
}

func funnelDocument(s sites.Funnel) any {
	return funnel{s.ID, s.Name, s.Definition, s.CreatedAt.UTC()}
}

func (f *function) funnels() resource[sites.Funnel, funnelBody] {
	normalize := func(b *funnelBody) (err error) {
		if b.Name, err = label.Normalize("name", b.Name, sites.MaxName); err != nil {
			return err
		}
		return checkDefinition("definition", b.Definition)
	}
	return resource[sites.Funnel, funnelBody]{
		singular: "funnel", plural: "funnels", limit: sites.MaxFunnels, readers: readers(),
		document: funnelDocument, list: sites.Funnels, find: sites.FindFunnel, remove: sites.DeleteFunnel,
		create: func(ctx context.Context, db database.DB, site int32, body funnelBody) (any, error) {
			if err := normalize(&body); err != nil {
				return nil, err
			}
			created, err := sites.CreateFunnel(ctx, db, site, body.Name, body.Definition)
			return funnelDocument(created), err
		},
		body: func(s sites.Funnel) funnelBody { return funnelBody{s.Name, s.Definition} },
		update: func(ctx context.Context, db database.DB, site int32, row sites.Funnel, body funnelBody) (sites.Funnel, error) {
			if err := normalize(&body); err != nil {
				return row, err
			}
			return sites.UpdateFunnel(ctx, db, site, row.ID, body.Name, body.Definition)
		},
	}
}
