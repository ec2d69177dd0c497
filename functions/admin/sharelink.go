package admin

import (
	"context"
	"time"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/label"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// shareLink is a share link as it is answered.
type shareLink struct {
	ID         int32      `json:"id"`
	Name       string     `json:"name"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"`       // null for never
	LastUsedAt *time.Time `json:"last_used_at"`     // to the minute; null when never used
	Secret     string     `json:"secret,omitempty"` // only when it was created just now
}

// newShareLink is the body that makes a share link.
type newShareLink struct {
	Name      string  `json:"name"`
	ExpiresAt *string `json:"expires_at"` // RFC 3339; never, when left out
}

func shareLinkOf(l sites.ShareLink) shareLink {
	return shareLink{ID: l.ID, Name: l.Name, CreatedAt: l.CreatedAt.UTC(), ExpiresAt: inUTC(l.ExpiresAt), LastUsedAt: inUTC(l.LastUsedAt)}
}

func showShareLink(l sites.ShareLink) any { return shareLinkOf(l) }

// read is the name as it is stored, and when the link ends.
func (b *newShareLink) read(now time.Time) (name string, ends *time.Time, err error) {
	if name, err = label.Normalize("name", b.Name, sites.MaxName); err != nil || b.ExpiresAt == nil {
		return name, nil, err
	}
	at, err := time.Parse(time.RFC3339, *b.ExpiresAt)
	if err != nil || !at.After(now) {
		return name, nil, problem.Invalid("expires_at", "must be a time to come such as 2030-01-01T00:00:00Z, or left out")
	}
	return name, &at, nil
}

func (f *function) shareLinks() resource[sites.ShareLink, newShareLink] {
	return resource[sites.ShareLink, newShareLink]{
		one: "share link", many: "share-links", most: sites.MaxShareLinks, readers: []sites.Scope{sites.ScopeAdmin},
		show: showShareLink, list: sites.ShareLinks, remove: sites.DeleteShareLink,
		add: func(ctx context.Context, db database.DB, site int32, body newShareLink) (any, error) {
			name, ends, err := body.read(f.now())
			if err != nil {
				return nil, err
			}
			created, secret, err := sites.CreateShareLink(ctx, db, site, name, ends)
			shown := shareLinkOf(created)
			shown.Secret = secret
			return shown, err
		},
	}
}
