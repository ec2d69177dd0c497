package access

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

const (
	// maxBurst is the maximum number of queries at once.
	maxBurst = 100
	// maxClients is the maximum number of clients whose queries are counted.
	maxClients = 10_000
)

// Rate limits the queries of each key, of each share link, and of all requests without a
// secret to the same public site. It does not limit the owner. Each process counts on its
// own.
type Rate struct {
	perMinute int
	buckets   *lru.Cache[client, *rate.Limiter]
	now       func() time.Time
}

// client identifies requests that share a limit: those with the same secret, or those
// without a secret to the same site.
type client struct {
	secret [sha256.Size]byte // hashed
	site   int32
}

// NewRate returns a Rate of perMinute queries, in bursts of at most 100; 0 for no limit.
func NewRate(perMinute int, now func() time.Time) (*Rate, error) {
	buckets, err := lru.New[client, *rate.Limiter](maxClients)
	if err != nil {
		return nil, fmt.Errorf("create rate limits: %w", err)
	}
	return &Rate{perMinute, buckets, now}, nil
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
	wait := g.rate.take(g.clientOf(site))
	if wait == 0 {
		return nil
	}
	p := problem.New(http.StatusTooManyRequests, problem.CodeRateLimited, fmt.Sprintf("at most %d queries per minute are allowed: try again later", g.rate.perMinute))
	p.RetryAfter = wait
	return p
}

// take counts a query and returns 0, or returns how long the client has to wait.
func (l *Rate) take(from client) time.Duration {
	bucket, ok := l.buckets.Get(from)
	if !ok {
		bucket = rate.NewLimiter(rate.Limit(l.perMinute)/60, min(l.perMinute, maxBurst))
		if existing, ok, _ := l.buckets.PeekOrAdd(from, bucket); ok {
			bucket = existing
		}
	}
	now := l.now()
	reservation := bucket.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}
