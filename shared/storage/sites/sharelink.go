package sites

import (
	"context"
	"errors"
	"time"

	"github.com/analytics-platform/analytics/shared/storage/database"
)

// ShareLinkPrefix begins the secret of every share link.
const ShareLinkPrefix = "sl_"

// MaxShareLinks is how many share links a site may have.
const MaxShareLinks = 100

// ShareLink lets whoever has its secret read the reports of one site.
type ShareLink struct {
	ID         int32
	Site       int32
	Name       string
	CreatedAt  time.Time
	ExpiresAt  *time.Time // from then on it is good for nothing; nil for never
	LastUsedAt *time.Time // to the minute; nil when it was never used
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

// ShareLinks returns the share links of a site, oldest first, those that have expired too.
func ShareLinks(ctx context.Context, db database.DB, site int32) ([]ShareLink, error) {
	links, err := many[ShareLink](ctx, db, selectShareLinks, site)
	return links, belongingError("read share links", err)
}

// CreateShareLink makes a link that is good until it expires, and returns its secret,
// which nobody can learn again. It may return ErrNoSite or ErrLimitReached.
func CreateShareLink(ctx context.Context, db database.DB, site int32, name string, expires *time.Time) (ShareLink, string, error) {
	secret := newSecret(ShareLinkPrefix)
	link, err := add[ShareLink](ctx, db, site, countShareLinks, MaxShareLinks, insertShareLink, site, name, hashSecret(secret), expires)
	return link, secret, belongingError("create a share link", err)
}

// DeleteShareLink revokes a link, or returns ErrNotFound.
func DeleteShareLink(ctx context.Context, db database.DB, site, id int32) error {
	return belongingError("delete a share link", remove(ctx, db, deleteShareLink, site, id))
}

// UseShareLink returns the link with a secret, or ErrNoKey when there is none or it has
// expired, and notes that it was used at now, as UseKey does.
func UseShareLink(ctx context.Context, db database.DB, secret string, now time.Time) (ShareLink, error) {
	link, err := one[ShareLink](ctx, db, selectShareLinkHash, hashSecret(secret), now)
	if errors.Is(err, ErrNotFound) {
		return ShareLink{}, ErrNoKey
	}
	if err == nil {
		err = noteUse(ctx, db, touchShareLink, link.ID, link.LastUsedAt, now)
	}
	return link, belongingError("use a share link", err)
}
