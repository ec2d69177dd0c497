package sites

import (
	"context"
	"time"

	"github.com/analytics-platform/analytics/shared/storage/database"
)

const (
	// MaxAnnotations is the maximum number of annotations of a site.
	MaxAnnotations = 1000
	// MaxAnnotationText is the maximum length of an annotation's text in characters.
	MaxAnnotationText = 500
)

// Annotation notes what happened on a day of a site, such as a release.
type Annotation struct {
	ID        int32
	Day       time.Time // the site's local day, as midnight UTC
	Text      string
	CreatedAt time.Time
}

const (
	annotationColumns = `id, day, text, created_at`

	selectAnnotations = `SELECT ` + annotationColumns + ` FROM annotations WHERE site_id = $1 ORDER BY day, id`
	selectAnnotation  = `SELECT ` + annotationColumns + ` FROM annotations WHERE site_id = $1 AND id = $2`
	countAnnotations  = `SELECT count(*) FROM annotations WHERE site_id = $1`
	insertAnnotation  = `
INSERT INTO annotations (site_id, day, text)
VALUES ($1, $2, $3)
RETURNING ` + annotationColumns
	updateAnnotation = `
UPDATE annotations SET day = $3, text = $4
WHERE site_id = $1 AND id = $2
RETURNING ` + annotationColumns
	deleteAnnotation = `DELETE FROM annotations WHERE site_id = $1 AND id = $2`
)

// Annotations returns the annotations of a site, sorted by day.
func Annotations(ctx context.Context, db database.DB, site int32) ([]Annotation, error) {
	annotations, err := selectAll[Annotation](ctx, db, selectAnnotations, site)
	return annotations, resourceError("read annotations", err)
}

// FindAnnotation returns an annotation of a site, or ErrNotFound.
func FindAnnotation(ctx context.Context, db database.DB, site, id int32) (Annotation, error) {
	found, err := selectOne[Annotation](ctx, db, selectAnnotation, site, id)
	return found, resourceError("read annotation", err)
}

// CreateAnnotation adds an annotation. It may return ErrNoSite or ErrLimitReached.
func CreateAnnotation(ctx context.Context, db database.DB, site int32, day time.Time, text string) (Annotation, error) {
	created, err := insertOne[Annotation](ctx, db, site, countAnnotations, MaxAnnotations, insertAnnotation, site, day, text)
	return created, resourceError("create annotation", err)
}

// UpdateAnnotation changes an annotation. It may return ErrNotFound.
func UpdateAnnotation(ctx context.Context, db database.DB, site, id int32, day time.Time, text string) (Annotation, error) {
	changed, err := selectOne[Annotation](ctx, db, updateAnnotation, site, id, day, text)
	return changed, resourceError("update annotation", err)
}

// DeleteAnnotation deletes an annotation, or returns ErrNotFound.
func DeleteAnnotation(ctx context.Context, db database.DB, site, id int32) error {
	return resourceError("delete annotation", deleteOne(ctx, db, deleteAnnotation, site, id))
}
