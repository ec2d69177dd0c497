// Package registry keeps at hand what track must know of the record, the sites and
// the salts of the open days, so that events are taken while the database is away.
//
// The record is the source. A copy of it is published in Redis, by every run of
// aggregate and by whoever finds it missing, and is read back every few seconds.
// The package must never publish the salt of a day that is over.
package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/shared/ingest/pipeline"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/rules"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

const (
	// key holds the published copy.
	key = "analytics:registry"
	// lifetime is how long a copy that nobody renews is kept: so long can track be
	// started with the database away, and so long at most can a copy outlive the
	// salts in it.
	lifetime = 12 * time.Hour
	// refreshEvery is how often a running registry reads the copy.
	refreshEvery = 10 * time.Second
	// askEvery is how often the record may be asked for what the copy lacks.
	askEvery = time.Second
	// askTimeout bounds such a question, on which a request waits.
	askTimeout = 2 * time.Second
)

// published is the copy in Redis.
type published struct {
	Sites []site            `json:"sites"`
	Salts map[string][]byte `json:"salts"` // by day, YYYY-MM-DD
}

type site struct {
	ID       int32  `json:"id"`
	PublicID string `json:"public_id"`
	Domain   string `json:"domain"`
	Timezone string `json:"timezone"`

	PreviousTimezone string     `json:"previous_timezone,omitempty"`
	TimezoneSince    *time.Time `json:"timezone_since,omitempty"`

	Rules rules.Rules `json:"rules"`
}

// snapshot is the copy made ready for look-ups. It is never changed.
type snapshot struct {
	sites map[string]pipeline.Site
	salts map[event.Day]*privacy.Salt
}

func (s *snapshot) Site(name string) (pipeline.Site, bool) {
	found, ok := s.sites[name]
	return found, ok
}

func (s *snapshot) Salt(day event.Day) (*privacy.Salt, bool) {
	salt, ok := s.salts[day]
	return salt, ok
}

// Publish copies the sites and the salts of the days open at now from the record
// to Redis, making the salts that are missing.
func Publish(ctx context.Context, client redis.UniversalClient, db database.DB, now time.Time) error {
	_, err := publish(ctx, client, db, now)
	return err
}

func publish(ctx context.Context, client redis.UniversalClient, db database.DB, now time.Time) (*snapshot, error) {
	sites, err := sites.List(ctx, db)
	if err != nil {
		return nil, err
	}
	salts, err := store.Salts(ctx, db, now)
	if err != nil {
		return nil, err
	}
	p := published{Salts: make(map[string][]byte, len(salts))}
	for _, s := range sites {
		p.Sites = append(p.Sites, site{s.ID, s.PublicID, s.Domain, s.Timezone, s.PreviousTimezone, s.TimezoneSince, s.Rules})
	}
	for day, salt := range salts {
		p.Salts[day.String()] = salt[:]
	}
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode the registry: %w", err)
	}
	if err := client.Set(ctx, key, data, lifetime).Err(); err != nil {
		return nil, fmt.Errorf("publish the registry: %w", err)
	}
	return p.snapshot()
}

func (p *published) snapshot() (*snapshot, error) {
	s := &snapshot{make(map[string]pipeline.Site, 2*len(p.Sites)), make(map[event.Day]*privacy.Salt, len(p.Salts))}
	for _, from := range p.Sites {
		location, err := time.LoadLocation(from.Timezone)
		if err != nil {
			return nil, fmt.Errorf("read the time zone of site %s: %w", from.PublicID, err)
		}
		to := pipeline.Site{ID: from.ID, Domain: from.Domain, Location: location}
		if from.TimezoneSince != nil {
			to.Since = *from.TimezoneSince
			if to.Previous, err = time.LoadLocation(from.PreviousTimezone); err != nil {
				return nil, fmt.Errorf("read the previous time zone of site %s: %w", from.PublicID, err)
			}
		}
		if to.Rules, err = from.Rules.Compile(); err != nil {
			return nil, fmt.Errorf("read the rules of site %s: %w", from.PublicID, err)
		}
		s.sites[from.Domain], s.sites[strings.ToLower(from.PublicID)] = to, to
	}
	for day, salt := range p.Salts {
		date, err := time.Parse(time.DateOnly, day)
		if err != nil || len(salt) != privacy.SaltSize {
			return nil, fmt.Errorf("the registry's salt of %q is not valid", day)
		}
		s.salts[event.DayOf(date)] = new(privacy.Salt(salt))
	}
	return s, nil
}

// Registry is the copy as a running function has it. It is safe for concurrent
// use.
type Registry struct {
	client  redis.UniversalClient
	db      database.DB
	now     func() time.Time
	current atomic.Pointer[snapshot]

	asking sync.Mutex
	asked  time.Time
}

// New returns a registry that knows nothing until Load, Run or Ask.
func New(client redis.UniversalClient, db database.DB, now func() time.Time) *Registry {
	r := &Registry{client: client, db: db, now: now}
	r.current.Store(&snapshot{})
	return r
}

// Directory is what is known now.
func (r *Registry) Directory() pipeline.Directory { return r.current.Load() }

// Load reads the copy from Redis, or makes it when there is none.
func (r *Registry) Load(ctx context.Context) error {
	data, err := r.client.Get(ctx, key).Bytes()
	if errors.Is(err, redis.Nil) {
		fresh, err := publish(ctx, r.client, r.db, r.now())
		if err != nil {
			return err
		}
		r.current.Store(fresh)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the registry: %w", err)
	}
	var p published
	if err := json.Unmarshal(data, &p); err != nil {
		return fmt.Errorf("read the registry: %w", err)
	}
	fresh, err := p.snapshot()
	if err != nil {
		return err
	}
	r.current.Store(fresh)
	return nil
}

// Run loads the copy again every few seconds until ctx ends. A failure is reported
// and leaves what is known as it is.
func (r *Registry) Run(ctx context.Context, report func(error)) {
	ticker := time.NewTicker(refreshEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := r.Load(ctx); err != nil && ctx.Err() == nil {
				report(err)
			}
		}
	}
}

// Ask gets from the record what the copy may lack, such as a site that was added
// a moment ago, and publishes it. However often it is called, the record is asked
// once a second at most; callers meanwhile wait for the answer under way.
func (r *Registry) Ask(ctx context.Context) error {
	r.asking.Lock()
	defer r.asking.Unlock()
	if r.now().Sub(r.asked) < askEvery {
		return nil
	}
	r.asked = r.now()
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	fresh, err := publish(ctx, r.client, r.db, r.now())
	if err != nil {
		return fmt.Errorf("ask the record: %w", err)
	}
	r.current.Store(fresh)
	return nil
}
