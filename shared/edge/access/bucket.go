package access

import (
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// maxBuckets is the maximum number of clients whose requests are counted.
const maxBuckets = 10_000

// buckets limit the rate of each of many clients. Those that were seen longest ago are
// forgotten.
type buckets[K comparable] struct {
	perSecond rate.Limit
	burst     int
	now       func() time.Time
	all       *lru.Cache[K, *rate.Limiter]
}

func newBuckets[K comparable](perSecond rate.Limit, burst int, now func() time.Time) (*buckets[K], error) {
	all, err := lru.New[K, *rate.Limiter](maxBuckets)
	if err != nil {
		return nil, fmt.Errorf("create rate limits: %w", err)
	}
	return &buckets[K]{perSecond, burst, now, all}, nil
}

// take counts a request of a client. It returns how long the client has to wait, and then
// counts nothing. giveBack ends the counting of a request that was counted.
func (b *buckets[K]) take(client K) (wait time.Duration, giveBack func()) {
	bucket, ok := b.all.Get(client)
	if !ok {
		bucket = rate.NewLimiter(b.perSecond, b.burst)
		if existing, ok, _ := b.all.PeekOrAdd(client, bucket); ok {
			bucket = existing
		}
	}
	now := b.now()
	reservation := bucket.ReserveN(now, 1)
	wait = reservation.DelayFrom(now)
	if wait > 0 {
		reservation.CancelAt(now)
	}
	return wait, func() { reservation.CancelAt(now) }
}
