package sites

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/storage/database"
)

// MaxSegments is the maximum number of segments of a site.
const MaxSegments = 200

// Segment is a named part of a site's visits.
type Segment struct {
	ID        int32
	Name      string
	Filters   jsontext.Value // a JSON array, in the form of the query language
	CreatedAt time.Time
	UpdatedAt time.Time
}

const (
	segmentColumns = `id, name, filters, created_at, updated_at`

	selectSegments     = `SELECT ` + segmentColumns + ` FROM segments WHERE site_id = $1 ORDER BY id`
	selectSegment      = `SELECT ` + segmentColumns + ` FROM segments WHERE site_id = $1 AND id = $2`
	selectNamedSegment = `SELECT ` + segmentColumns + ` FROM segments WHERE site_id = $1 AND name = $2`
	countSegments      = `SELECT count(*) FROM segments WHERE site_id = $1`
	insertSegment      = `
INSERT INTO segments (site_id, name, filters)
VALUES ($1, $2, $3)
RETURNING ` + segmentColumns
	updateSegment = `
UPDATE segments SET name = $3, filters = $4, updated_at = now()
WHERE site_id = $1 AND id = $2
RETURNING ` + segmentColumns
	deleteSegment = `DELETE FROM segments WHERE site_id = $1 AND id = $2`
)

// Segments returns the segments of a site, oldest first.
func Segments(ctx context.Context, db database.DB, site int32) ([]Segment, error) {
	segments, err := selectAll[Segment](ctx, db, selectSegments, site)
	return segments, resourceError("read segments", err)
}

// FindSegment returns a segment of a site, or ErrNotFound.
func FindSegment(ctx context.Context, db database.DB, site, id int32) (Segment, error) {
	found, err := selectOne[Segment](ctx, db, selectSegment, site, id)
	return found, resourceError("read segment", err)
}

// SegmentNamed returns the segment of a site with a name, or ErrNotFound.
func SegmentNamed(ctx context.Context, db database.DB, site int32, name string) (Segment, error) {
	found, err := selectOne[Segment](ctx, db, selectNamedSegment, site, name)
	return found, resourceError("read segment", err)
}

// CreateSegment adds a segment. It may return ErrNoSite, ErrNameTaken or ErrLimitReached.
func CreateSegment(ctx context.Context, db database.DB, site int32, name string, filters jsontext.Value) (Segment, error) {
	created, err := insertOne[Segment](ctx, db, site, countSegments, MaxSegments, insertSegment, site, name, filters)
	return created, resourceError("create segment", err)
}

// UpdateSegment changes a segment. It may return ErrNotFound or ErrNameTaken.
func UpdateSegment(ctx context.Context, db database.DB, site, id int32, name string, filters jsontext.Value) (Segment, error) {
	changed, err := selectOne[Segment](ctx, db, updateSegment, site, id, name, filters)
	return changed, resourceError("update segment", err)
}

// DeleteSegment deletes a segment, or returns ErrNotFound.
func DeleteSegment(ctx context.Context, db database.DB, site, id int32) error {
	return resourceError("delete segment", deleteOne(ctx, db, deleteSegment, site, id))
}
