package access

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

const (
	// atOnce is how many questions may come at once, of a rate that is higher.
	atOnce = 100
	// askersHeld bounds for how many it is remembered how much they asked.
	askersHeld = 10_000
)

// Rate bounds how many questions each key, each share link, and all those together who
// come with no secret to a public site may ask. The owner may ask any number. Each
// process counts by itself.
type Rate struct {
	perMinute int
	buckets   *lru.Cache[asker, *rate.Limiter]
	now       func() time.Time
}

// asker is whose questions are counted together: those with a secret, or, without one, of
// a site.
type asker struct {
	secret [sha256.Size]byte // hashed
	site   int32
}

// NewRate allows so many questions a minute, and 100 of them at once; 0 is no limit.
func NewRate(perMinute int, now func() time.Time) (*Rate, error) {
	buckets, err := lru.New[asker, *rate.Limiter](askersHeld)
	if err != nil {
		return nil, fmt.Errorf("make room for rates: %w", err)
	}
	return &Rate{perMinute, buckets, now}, nil
}

// Limit has the requests count that go through it once they were let through: Site
// refuses those that are too many.
func (l *Rate) Limit(next http.Handler) http.Handler {
	if l.perMinute == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		grant := Of(r.Context())
		grant.rate = l
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), grantKey{}, grant)))
	})
}

// count counts a question about a site. One too many is a problem.
func (g Grant) count(site sites.Site) error {
	if g.rate == nil || g.owner {
		return nil
	}
	who := g.asker
	if g.public {
		who = asker{site: site.ID}
	}
	wait := g.rate.take(who)
	if wait == 0 {
		return nil
	}
	p := problem.New(http.StatusTooManyRequests, problem.CodeRateLimited, fmt.Sprintf("at most %d questions a minute are answered here: ask again later", g.rate.perMinute))
	p.RetryAfter = wait
	return p
}

// take is how long someone has to wait until the next question, 0 when it is counted.
func (l *Rate) take(who asker) time.Duration {
	bucket, ok := l.buckets.Get(who)
	if !ok {
		bucket = rate.NewLimiter(rate.Limit(l.perMinute)/60, min(l.perMinute, atOnce))
		if earlier, there, _ := l.buckets.PeekOrAdd(who, bucket); there {
			bucket = earlier
		}
	}
	now := l.now()
	question := bucket.ReserveN(now, 1)
	wait := question.DelayFrom(now)
	if wait > 0 {
		question.CancelAt(now)
	}
	return wait
}
