package sites

import (
	"context"
	"errors"
	"time"

	"github.com/analytics-platform/analytics/shared/storage/database"
)

// ShareLinkPrefix is the prefix of the secret of every share link.
const ShareLinkPrefix = "sl_"

// MaxShareLinks is the maximum number of share links of a site.
const MaxShareLinks = 100

// ShareLink allows anyone who has its secret to read the reports of a site.
type ShareLink struct {
	ID         int32
	Site       int32
	Name       string
	CreatedAt  time.Time
	ExpiresAt  *time.Time // first moment at which it is invalid; nil for never
	LastUsedAt *time.Time // accurate to a minute; nil if it was never used
}

const (
	shareLinkColumns = `id, site_id, name, created_at, expires_at, last_used_at`

	selectShareLinks    = `SELECT ` + shareLinkColumns + ` FROM share_links WHERE site_id = $1 ORDER BY id`
	selectShareLinkHash = `
SELECT ` + shareLinkColumns + ` FROM share_links
WHERE hash = $1 AND (expires_at IS NULL OR expires_at > $2)`
	countShareLinks = `SELECT count(*) FROM share_links WHERE site_id = $1`
	insertShareLink = `
INSERT INTO share_links (site_id, name, hash, expires_at)
VALUES ($1, $2, $3, $4)
RETURNING ` + shareLinkColumns
	deleteShareLink = `DELETE FROM share_links WHERE site_id = $1 AND id = $2`
	touchShareLink  = `
UPDATE share_links SET last_used_at = $2
WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)`
)

// ShareLinks returns the share links of a site, oldest first, including expired ones.
func ShareLinks(ctx context.Context, db database.DB, site int32) ([]ShareLink, error) {
	links, err := selectAll[ShareLink](ctx, db, selectShareLinks, site)
	return links, resourceError("read share links", err)
}

// CreateShareLink creates a link that is valid until it expires and returns its secret,
// which can't be retrieved later. It may return ErrNoSite or ErrLimitReached.
func CreateShareLink(ctx context.Context, db database.DB, site int32, name string, expires *time.Time) (ShareLink, string, error) {
	secret := newSecret(ShareLinkPrefix)
	link, err := insertOne[ShareLink](ctx, db, site, countShareLinks, MaxShareLinks, insertShareLink, site, name, hashSecret(secret), expires)
	return link, secret, resourceError("create share link", err)
}

// DeleteShareLink revokes a link, or returns ErrNotFound.
func DeleteShareLink(ctx context.Context, db database.DB, site, id int32) error {
	return resourceError("delete share link", deleteOne(ctx, db, deleteShareLink, site, id))
}

// UseShareLink returns the link with the given secret and records its use like UseKey. It
// returns ErrNoKey if there is no such link or it has expired.
func UseShareLink(ctx context.Context, db database.DB, secret string, now time.Time) (ShareLink, error) {
	link, err := selectOne[ShareLink](ctx, db, selectShareLinkHash, hashSecret(secret), now)
	if errors.Is(err, ErrNotFound) {
		return ShareLink{}, ErrNoKey
	}
	if err == nil {
		err = recordUse(ctx, db, touchShareLink, link.ID, link.LastUsedAt, now)
	}
	return link, resourceError("use share link", err)
}
