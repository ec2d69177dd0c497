package admin

import (
	"context"
	"time"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/model/label"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// shareLink is the document of a share link.
type shareLink struct {
	ID         int32      `json:"id"`
	Name       string     `json:"name"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"`       // null for never
	LastUsedAt *time.Time `json:"last_used_at"`     // accurate to a minute; null if never used
	Secret     string     `json:"secret,omitempty"` // only in the response that creates the link
}

// newShareLink is the body of a request that creates a share link.
type newShareLink struct {
	Name      string  `json:"name"`
	ExpiresAt *string `json:"expires_at"` // RFC 3339; omitted for never
}

func shareLinkOf(l sites.ShareLink) shareLink {
	return shareLink{ID: l.ID, Name: l.Name, CreatedAt: l.CreatedAt.UTC(), ExpiresAt: inUTC(l.ExpiresAt), LastUsedAt: inUTC(l.LastUsedAt)}
}

func shareLinkDocument(l sites.ShareLink) any { return shareLinkOf(l) }

// normalize returns the name in the form that is stored and the time of expiry.
func (b *newShareLink) normalize(now time.Time) (name string, expires *time.Time, err error) {
	if name, err = label.Normalize("name", b.Name, sites.MaxName); err != nil || b.ExpiresAt == nil {
		return name, nil, err
	}
	at, err := time.Parse(time.RFC3339, *b.ExpiresAt)
	if err != nil || !at.After(now) {
		return name, nil, problem.Invalid("expires_at", "must be a future time such as 2030-01-01T00:00:00Z, or omitted")
	}
	return name, &at, nil
}

func (f *function) shareLinks() resource[sites.ShareLink, newShareLink] {
	return resource[sites.ShareLink, newShareLink]{
		singular: "share link", plural: "share-links", limit: sites.MaxShareLinks, readers: []sites.Scope{sites.ScopeAdmin},
		document: shareLinkDocument, list: sites.ShareLinks, remove: sites.DeleteShareLink,
		create: func(ctx context.Context, db database.DB, site int32, body newShareLink) (any, error) {
			name, expires, err := body.normalize(f.now())
			if err != nil {
				return nil, err
			}
			created, secret, err := sites.CreateShareLink(ctx, db, site, name, expires)
			document := shareLinkOf(created)
			document.Secret = secret
			return document, err
		},
	}
}
