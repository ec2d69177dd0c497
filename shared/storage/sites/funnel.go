package sites

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/storage/database"
)

// MaxFunnels is the maximum number of funnels of a site.
const MaxFunnels = 50

// Funnel is a named sequence of steps through a site.
type Funnel struct {
	ID         int32
	Name       string
	Definition jsontext.Value // a JSON object, in the form of the query language
	CreatedAt  time.Time
}

const (
	funnelColumns = `id, name, definition, created_at`

	selectFunnels     = `SELECT ` + funnelColumns + ` FROM funnels WHERE site_id = $1 ORDER BY id`
	selectFunnel      = `SELECT ` + funnelColumns + ` FROM funnels WHERE site_id = $1 AND id = $2`
	selectNamedFunnel = `SELECT ` + funnelColumns + ` FROM funnels WHERE site_id = $1 AND name = $2`
	countFunnels      = `SELECT count(*) FROM funnels WHERE site_id = $1`
	insertFunnel      = `
INSERT INTO funnels (site_id, name, definition)
VALUES ($1, $2, $3)
RETURNING ` + funnelColumns
	updateFunnel = `
UPDATE funnels SET name = $3, definition = $4
WHERE site_id = $1 AND id = $2
RETURNING ` + funnelColumns
	deleteFunnel = `DELETE FROM funnels WHERE site_id = $1 AND id = $2`
)

// Funnels returns the funnels of a site, oldest first.
func Funnels(ctx context.Context, db database.DB, site int32) ([]Funnel, error) {
	funnels, err := selectAll[Funnel](ctx, db, selectFunnels, site)
	return funnels, resourceError("read funnels", err)
}

// FindFunnel returns a funnel of a site, or ErrNotFound.
func FindFunnel(ctx context.Context, db database.DB, site, id int32) (Funnel, error) {
	found, err := selectOne[Funnel](ctx, db, selectFunnel, site, id)
	return found, resourceError("read funnel", err)
}

// FunnelNamed returns the funnel of a site with a name, or ErrNotFound.
func FunnelNamed(ctx context.Context, db database.DB, site int32, name string) (Funnel, error) {
	found, err := selectOne[Funnel](ctx, db, selectNamedFunnel, site, name)
	return found, resourceError("read funnel", err)
}

// CreateFunnel adds a funnel. It may return ErrNoSite, ErrNameTaken or ErrLimitReached.
func CreateFunnel(ctx context.Context, db database.DB, site int32, name string, definition jsontext.Value) (Funnel, error) {
	created, err := insertOne[Funnel](ctx, db, site, countFunnels, MaxFunnels, insertFunnel, site, name, definition)
	return created, resourceError("create funnel", err)
}

// UpdateFunnel changes a funnel. It may return ErrNotFound or ErrNameTaken.
func UpdateFunnel(ctx context.Context, db database.DB, site, id int32, name string, definition jsontext.Value) (Funnel, error) {
	changed, err := selectOne[Funnel](ctx, db, updateFunnel, site, id, name, definition)
	return changed, resourceError("update funnel", err)
}

// DeleteFunnel deletes a funnel, or returns ErrNotFound.
func DeleteFunnel(ctx context.Context, db database.DB, site, id int32) error {
	return resourceError("delete funnel", deleteOne(ctx, db, deleteFunnel, site, id))
}
