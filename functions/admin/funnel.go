package admin

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/label"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// funnel is a funnel as it is answered.
type funnel struct {
	ID         int32          `json:"id"`
	Name       string         `json:"name"`
	Definition jsontext.Value `json:"definition"`
	CreatedAt  time.Time      `json:"created_at"`
}

// funnelBody is the body that makes or changes a funnel.
type funnelBody struct {
	Name       string         `json:"name"`
	Definition jsontext.Value `json:"definition"` // as a question about a funnel has it
}

func showFunnel(s store.Funnel) any {
	return funnel{s.ID, s.Name, s.Definition, s.CreatedAt.UTC()}
}

func (f *function) funnels() belonging[store.Funnel, funnelBody] {
	read := func(b *funnelBody) (err error) {
		if b.Name, err = label.Read("name", b.Name, store.MaxName); err != nil {
			return err
		}
		return checkDefinition("definition", b.Definition)
	}
	return belonging[store.Funnel, funnelBody]{
		one: "funnel", many: "funnels", most: store.MaxFunnels, readers: readers(),
		show: showFunnel, list: store.Funnels, find: store.FunnelOf, remove: store.DeleteFunnel,
		add: func(ctx context.Context, db store.DB, site int32, body funnelBody) (any, error) {
			if err := read(&body); err != nil {
				return nil, err
			}
			created, err := store.CreateFunnel(ctx, db, site, body.Name, body.Definition)
			return showFunnel(created), err
		},
		body: func(s store.Funnel) funnelBody { return funnelBody{s.Name, s.Definition} },
		change: func(ctx context.Context, db store.DB, site int32, row store.Funnel, body funnelBody) (store.Funnel, error) {
			if err := read(&body); err != nil {
				return row, err
			}
			return store.UpdateFunnel(ctx, db, site, row.ID, body.Name, body.Definition)
		},
	}
}
