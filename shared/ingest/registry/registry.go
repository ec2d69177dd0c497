// Package registry provides track with the sites, the hashes of write keys and the salts of
// the open days, so that events are accepted while the database is unavailable.
//
// The database is the source. Every run of aggregate, and every process that finds the
// copy missing, publishes a copy in Redis. Running functions reload it every few seconds.
// The salt of a closed day must never be published. Salts are encrypted in both servers;
// only track and aggregate have the key.
package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/analytics-platform/analytics/shared/ingest/pipeline"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/rules"
	"github.com/analytics-platform/analytics/shared/model/sitename"
	"github.com/analytics-platform/analytics/shared/model/writekey"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/salts"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

const (
	// key holds the published copy.
	key = "analytics:registry"
	// lifetime is the time to live of the copy. It limits how long track can start
	// without the database, and how long a copy can outlive the salts in it.
	lifetime = 12 * time.Hour
	// loadInterval is the interval at which Run loads the copy.
	loadInterval = 10 * time.Second
	// refreshInterval is the minimum interval between queries of Refresh.
	refreshInterval = time.Second
	// refreshTimeout limits a query of Refresh, since a request waits for it.
	refreshTimeout = 2 * time.Second
)

// document is the copy in Redis.
type document struct {
	Sites []site                        `json:"sites"`
	Salts map[string]privacy.SealedSalt `json:"salts"` // by day, YYYY-MM-DD

	WriteKeys []writeKey `json:"write_keys,omitempty"`
}

type writeKey struct {
	Hash  []byte  `json:"hash"`
	Sites []int32 `json:"sites,omitempty"` // empty for all
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

// snapshot is the copy, indexed for lookups. It is immutable.
type snapshot struct {
	sites map[string]pipeline.Site // by every name in its form
	salts map[event.Day]*privacy.Salt
	keys  map[writekey.Hash]*writekey.Key
}

func (s *snapshot) Site(name string) (pipeline.Site, bool) {
	if found, ok := s.sites[name]; ok { // the usual case: it has its form already
		return found, true
	}
	for _, form := range sitename.Lookup(name) {
		if found, ok := s.sites[form]; ok {
			return found, true
		}
	}
	return pipeline.Site{}, false
}

func (s *snapshot) Salt(day event.Day) (*privacy.Salt, bool) {
	salt, ok := s.salts[day]
	return salt, ok
}

// Publish copies the sites, the hashes of write keys and the salts of the days open at now
// from the database to Redis. It leaves a current copy alone, because Redis keeps every write
// for a while in its append-only file.
func Publish(ctx context.Context, client redis.UniversalClient, db database.DB, now time.Time) error {
	_, err := publish(ctx, client, db, now)
	return err
}

func publish(ctx context.Context, client redis.UniversalClient, db database.DB, now time.Time) (*document, error) {
	sites, err := sites.List(ctx, db)
	if err != nil {
		return nil, err
	}
	keys, err := writeKeys(ctx, db)
	if err != nil {
		return nil, err
	}
	sealed, err := salts.Open(ctx, db, now)
	if err != nil {
		return nil, err
	}
	p := document{Salts: make(map[string]privacy.SealedSalt, len(sealed)), WriteKeys: keys}
	for _, s := range sites {
		p.Sites = append(p.Sites, site{s.ID, s.PublicID, s.Domain, s.Timezone, s.PreviousTimezone, s.TimezoneSince, s.Rules})
	}
	for day, salt := range sealed {
		p.Salts[day.String()] = salt
	}
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode the registry: %w", err)
	}
	if err := replace(ctx, client, data, &p); err != nil {
		return nil, fmt.Errorf("publish the registry: %w", err)
	}
	return &p, nil
}

func writeKeys(ctx context.Context, db database.DB) (keys []writeKey, err error) {
	stored, err := sites.WriteKeys(ctx, db)
	for _, k := range stored {
		keys = append(keys, writeKey(k))
	}
	return keys, err
}

// replace stores the copy, or renews the lifetime of an equal one.
func replace(ctx context.Context, client redis.UniversalClient, data []byte, p *document) error {
	previous, err := client.Get(ctx, key).Bytes()
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	if bytes.Equal(previous, data) {
		return client.Expire(ctx, key, lifetime).Err()
	}
	var old document
	if json.Unmarshal(previous, &old) != nil || old.hasOtherSalts(p) {
		if err := markStale(ctx, client); err != nil {
			return err
		}
	}
	return client.Set(ctx, key, data, lifetime).Err()
}

// hasOtherSalts reports whether a salt of the copy is not in the next one.
func (p *document) hasOtherSalts(next *document) bool {
	for day, salt := range p.Salts {
		if !bytes.Equal(salt, next.Salts[day]) {
			return true
		}
	}
	return false
}

func (p *document) snapshot(keys *privacy.SaltKeys) (*snapshot, error) {
	s := &snapshot{make(map[string]pipeline.Site, 3*len(p.Sites)), make(map[event.Day]*privacy.Salt, len(p.Salts)), p.keys()}
	for _, from := range p.Sites {
		location, err := time.LoadLocation(from.Timezone)
		if err != nil {
			return nil, fmt.Errorf("read the time zone of site %s: %w", from.PublicID, err)
		}
		to := pipeline.Site{ID: from.ID, PublicID: from.PublicID, Domain: from.Domain, Location: location}
		if from.TimezoneSince != nil {
			to.Since = *from.TimezoneSince
			if to.Previous, err = time.LoadLocation(from.PreviousTimezone); err != nil {
				return nil, fmt.Errorf("read the previous time zone of site %s: %w", from.PublicID, err)
			}
		}
		if to.Rules, err = from.Rules.Compile(); err != nil {
			return nil, fmt.Errorf("read the rules of site %s: %w", from.PublicID, err)
		}
		s.sites[from.Domain], s.sites[from.PublicID] = to, to
	}
	for _, site := range p.Sites { // what scripts send that name the site by the host of a page
		if www := "www." + site.Domain; s.sites[www].ID == 0 {
			s.sites[www] = s.sites[site.Domain]
		}
	}
	for day, sealed := range p.Salts {
		date, err := time.Parse(time.DateOnly, day)
		if err != nil {
			return nil, fmt.Errorf("invalid day %q in the registry", day)
		}
		salt, _, err := keys.Open(event.DayOf(date), sealed)
		if err != nil {
			return nil, fmt.Errorf("open the salt of %s: %w", day, err)
		}
		s.salts[event.DayOf(date)] = &salt
	}
	return s, nil
}

// keys returns the write keys by their hashes.
func (p *document) keys() map[writekey.Hash]*writekey.Key {
	names := make(map[int32]string, len(p.Sites))
	for _, s := range p.Sites {
		names[s.ID] = s.PublicID
	}
	keys := make(map[writekey.Hash]*writekey.Key, len(p.WriteKeys))
	for _, k := range p.WriteKeys {
		if len(k.Hash) != len(writekey.Hash{}) {
			continue // of a later version
		}
		key := &writekey.Key{Sites: k.Sites}
		if len(k.Sites) == 1 {
			key.Only = names[k.Sites[0]]
		}
		keys[writekey.Hash(k.Hash)] = key
	}
	return keys
}

// Registry holds the latest snapshot of the copy. It is safe for concurrent use.
type Registry struct {
	client  redis.UniversalClient
	db      database.DB
	keys    *privacy.SaltKeys
	now     func() time.Time
	current atomic.Pointer[snapshot]

	refreshing sync.Mutex
	refreshed  time.Time // start of the last query of Refresh
}

// New returns a registry that is empty until Load, Run or Refresh.
func New(client redis.UniversalClient, db database.DB, keys *privacy.SaltKeys, now func() time.Time) *Registry {
	r := &Registry{client: client, db: db, keys: keys, now: now}
	r.current.Store(&snapshot{})
	return r
}

// Directory returns the current snapshot.
func (r *Registry) Directory() pipeline.Directory { return r.current.Load() }

// WriteKey returns the write key with a hash, as far as the current snapshot has it.
func (r *Registry) WriteKey(hash writekey.Hash) (key *writekey.Key, ok bool) {
	key, ok = r.current.Load().keys[hash]
	return key, ok
}

// Load reads the copy from Redis, or publishes it if there is none.
func (r *Registry) Load(ctx context.Context) error {
	data, err := r.client.Get(ctx, key).Bytes()
	if errors.Is(err, redis.Nil) {
		return r.publish(ctx)
	}
	if err != nil {
		return fmt.Errorf("read the registry: %w", err)
	}
	var p document
	if err := json.Unmarshal(data, &p); err != nil {
		return fmt.Errorf("read the registry: %w", err)
	}
	return r.use(&p)
}

// publish publishes a new copy and uses it.
func (r *Registry) publish(ctx context.Context) error {
	now := r.now()
	if err := salts.Create(ctx, r.db, r.keys, now); err != nil {
		return err
	}
	p, err := publish(ctx, r.client, r.db, now)
	if err != nil {
		return err
	}
	return r.use(p)
}

func (r *Registry) use(p *document) error {
	fresh, err := p.snapshot(r.keys)
	if err != nil {
		return err
	}
	r.current.Store(fresh)
	return nil
}

// Run loads the copy every few seconds until ctx ends. After an error, which it reports,
// the previous snapshot stays in use.
func (r *Registry) Run(ctx context.Context, report func(error)) {
	ticker := time.NewTicker(loadInterval)
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

// Refresh reads the database and publishes a new copy, to learn about a site that was just
// added, for example. It queries the database at most once per second; concurrent callers
// wait for the query in progress. The query goes on if its caller hangs up, who may be a
// stranger, since others depend on it.
func (r *Registry) Refresh(ctx context.Context) error {
	r.refreshing.Lock()
	defer r.refreshing.Unlock()
	if r.now().Sub(r.refreshed) < refreshInterval {
		return nil
	}
	r.refreshed = r.now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTimeout)
	defer cancel()
	if err := r.publish(ctx); err != nil {
		return fmt.Errorf("refresh the registry: %w", err)
	}
	return nil
}
