package sites

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/storage/database"
)

// MaxFunnels is how many funnels a site may have.
const MaxFunnels = 50

// Funnel is a way through a site that has a name.
type Funnel struct {
	ID         int32
	Name       string
	Definition jsontext.Value // an object: what a question about a funnel says of it
	CreatedAt  time.Time
}

const (
	funnelColumns = `id, name, definition, created_at`

	selectFunnels = `SELECT ` + funnelColumns + ` FROM funnels WHERE site_id = $1 ORDER BY id`
	selectFunnel  = `SELECT ` + funnelColumns + ` FROM funnels WHERE site_id = $1 AND id = $2`
	countFunnels  = `SELECT count(*) FROM funnels WHERE site_id = $1`
	insertFunnel  = `
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
	funnels, err := many[Funnel](ctx, db, selectFunnels, site)
	return funnels, belongingError("read funnels", err)
}

// FindFunnel returns a funnel of a site, or ErrNotFound.
func FindFunnel(ctx context.Context, db database.DB, site, id int32) (Funnel, error) {
	found, err := one[Funnel](ctx, db, selectFunnel, site, id)
	return found, belongingError("read a funnel", err)
}

// CreateFunnel adds a funnel. It may return ErrNoSite, ErrNameTaken or ErrLimitReached.
func CreateFunnel(ctx context.Context, db database.DB, site int32, name string, definition jsontext.Value) (Funnel, error) {
	created, err := add[Funnel](ctx, db, site, countFunnels, MaxFunnels, insertFunnel, site, name, definition)
	return created, belongingError("create a funnel", err)
}

// UpdateFunnel changes a funnel. It may return ErrNotFound or ErrNameTaken.
func UpdateFunnel(ctx context.Context, db database.DB, site, id int32, name string, definition jsontext.Value) (Funnel, error) {
	changed, err := one[Funnel](ctx, db, updateFunnel, site, id, name, definition)
	return changed, belongingError("update a funnel", err)
}

// DeleteFunnel deletes a funnel, or returns ErrNotFound.
func DeleteFunnel(ctx context.Context, db database.DB, site, id int32) error {
	return belongingError("delete a funnel", remove(ctx, db, deleteFunnel, site, id))
}
