package sites

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/storage/database"
)

// MaxSegments is how many segments a site may have.
const MaxSegments = 200

// Segment is a part of a site's visits that has a name.
type Segment struct {
	ID        int32
	Name      string
	Filters   jsontext.Value // an array, as the filters of a question are sent
	CreatedAt time.Time
	UpdatedAt time.Time
}

const (
	segmentColumns = `id, name, filters, created_at, updated_at`

	selectSegments = `SELECT ` + segmentColumns + ` FROM segments WHERE site_id = $1 ORDER BY id`
	selectSegment  = `SELECT ` + segmentColumns + ` FROM segments WHERE site_id = $1 AND id = $2`
	countSegments  = `SELECT count(*) FROM segments WHERE site_id = $1`
	insertSegment  = `
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
	segments, err := many[Segment](ctx, db, selectSegments, site)
	return segments, belongingError("read segments", err)
}

// FindSegment returns a segment of a site, or ErrNotFound.
func FindSegment(ctx context.Context, db database.DB, site, id int32) (Segment, error) {
	found, err := one[Segment](ctx, db, selectSegment, site, id)
	return found, belongingError("read a segment", err)
}

// CreateSegment adds a segment. It may return ErrNoSite, ErrNameTaken or ErrLimitReached.
func CreateSegment(ctx context.Context, db database.DB, site int32, name string, filters jsontext.Value) (Segment, error) {
	created, err := add[Segment](ctx, db, site, countSegments, MaxSegments, insertSegment, site, name, filters)
	return created, belongingError("create a segment", err)
}

// UpdateSegment changes a segment. It may return ErrNotFound or ErrNameTaken.
func UpdateSegment(ctx context.Context, db database.DB, site, id int32, name string, filters jsontext.Value) (Segment, error) {
	changed, err := one[Segment](ctx, db, updateSegment, site, id, name, filters)
	return changed, belongingError("update a segment", err)
}

// DeleteSegment deletes a segment, or returns ErrNotFound.
func DeleteSegment(ctx context.Context, db database.DB, site, id int32) error {
	return belongingError("delete a segment", remove(ctx, db, deleteSegment, site, id))
}
