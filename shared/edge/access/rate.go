package access

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/time/rate"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

// maxBurst is the maximum number of queries at once.
const maxBurst = 100

// Rate limits the queries of each key, of each share link, and of all requests without a
// secret to the same public site. It does not limit the owner. Each process counts on its
// own.
type Rate struct {
	perMinute int
	buckets   *buckets[client]
}

// client identifies requests that share a limit: those with the same secret, or those
// without a secret to the same site.
type client struct {
	secret [sha256.Size]byte // hashed
	site   int32
}

// NewRate returns a Rate of perMinute queries, in bursts of at most 100; 0 for no limit.
func NewRate(perMinute int, now func() time.Time) (*Rate, error) {
	buckets, err := newBuckets[client](rate.Limit(perMinute)/60, min(perMinute, maxBurst), now)
	if err != nil {
		return nil, err
	}
	return &Rate{perMinute, buckets}, nil
}

// Limit makes authorized requests count: Site returns a problem for those that exceed the
// limit.
func (l *Rate) Limit(next http.Handler) http.Handler {
	if l.perMinute == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		grant := GrantFrom(r.Context())
		grant.rate = l
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), grantKey{}, grant)))
	})
}

// Client identifies the client of an authorized request about a site. All requests of the
// owner have one client, as have all with the same key or share link, and all without a secret.
func Client(ctx context.Context, site sites.Site) string {
	from := GrantFrom(ctx).clientOf(site)
	return string(from.secret[:]) + strconv.Itoa(int(from.site))
}

// clientOf returns the client of a request about a site. All requests of the owner have the
// zero value.
func (g Grant) clientOf(site sites.Site) client {
	if g.public {
		return client{site: site.ID}
	}
	return g.client
}

// count counts a query of a site. It returns a problem if the query exceeds the limit.
func (g Grant) count(site sites.Site) error {
	if g.rate == nil || g.owner {
		return nil
	}
	wait, _ := g.rate.buckets.take(g.clientOf(site))
	if wait == 0 {
		return nil
	}
	p := problem.New(http.StatusTooManyRequests, problem.CodeRateLimited, fmt.Sprintf("at most %d queries per minute are allowed: try again later", g.rate.perMinute))
	p.RetryAfter = wait
	return p
}
