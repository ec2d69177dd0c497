package admin

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/label"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// segment is the document of a segment.
type segment struct {
	ID        int32          `json:"id"`
	Name      string         `json:"name"`
	Filters   jsontext.Value `json:"filters"`
	CreatedAt time.Time      `json:"created_at"`
	UpdatedAt time.Time      `json:"updated_at"`
}

// segmentBody is the body of a request that creates or changes a segment.
type segmentBody struct {
	Name    string         `json:"name"`
	Filters jsontext.Value `json:"filters"` // in the form of the query language
}

func segmentDocument(s sites.Segment) any {
	return segment{s.ID, s.Name, s.Filters, s.CreatedAt.UTC(), s.UpdatedAt.UTC()}
}

func (f *function) segments() resource[sites.Segment, segmentBody] {
	normalize := func(b *segmentBody) (err error) {
		if b.Name, err = label.Normalize("name", b.Name, sites.MaxName); err != nil {
			return err
		}
		return checkFilters("filters", b.Filters)
	}
	return resource[sites.Segment, segmentBody]{
		singular: "segment", plural: "segments", limit: sites.MaxSegments, readers: readers(),
		document: segmentDocument, list: sites.Segments, find: sites.FindSegment, remove: sites.DeleteSegment,
		create: func(ctx context.Context, db database.DB, site int32, body segmentBody) (any, error) {
			if err := normalize(&body); err != nil {
				return nil, err
			}
			created, err := sites.CreateSegment(ctx, db, site, body.Name, body.Filters)
			return segmentDocument(created), err
		},
		body: func(s sites.Segment) segmentBody { return segmentBody{s.Name, s.Filters} },
		update: func(ctx context.Context, db database.DB, site int32, row sites.Segment, body segmentBody) (sites.Segment, error) {
			if err := normalize(&body); err != nil {
				return row, err
			}
			return sites.UpdateSegment(ctx, db, site, row.ID, body.Name, body.Filters)
		},
	}
}
