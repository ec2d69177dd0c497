package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/storage/database"
)

// DropKey identifies a count of dropped events.
type DropKey struct {
	Site   int32
	Day    event.Day
	Reason string
}

const addDrops = `
INSERT INTO drops AS d (site_id, day, reason, events)
SELECT * FROM unnest($1::int[], $2::date[], $3::text[], $4::bigint[])
ON CONFLICT (site_id, day, reason) DO UPDATE SET events = d.events + excluded.events`

// AddDrops adds to the counts of dropped events. It locks rows in the order of their keys,
// for the same reason as ApplyRollups.
func AddDrops(ctx context.Context, tx database.DB, drops map[DropKey]int64) error {
	if len(drops) == 0 {
		return nil
	}
	keys := make([]DropKey, 0, len(drops))
	for key := range drops {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b DropKey) int {
		return cmp.Or(cmp.Compare(a.Site, b.Site), cmp.Compare(a.Day, b.Day), cmp.Compare(a.Reason, b.Reason))
	})
	var (
		sites   []int32
		days    []time.Time
		reasons []string
		events  []int64
	)
	for _, key := range keys {
		sites, days = append(sites, key.Site), append(days, key.Day.Date())
		reasons, events = append(reasons, key.Reason), append(events, drops[key])
	}
	if _, err := tx.Exec(ctx, addDrops, sites, days, reasons, events); err != nil {
		return fmt.Errorf("count dropped events: %w", err)
	}
	return nil
}

// DeadLetter is a queue entry that could not be stored.
type DeadLetter struct {
	Shard   int
	Entry   string // id of the entry in its stream
	Payload []byte
	Reason  string
}

const insertDeadLetter = `
INSERT INTO dead_letters (shard, entry, payload, reason) VALUES ($1, $2, $3, $4)
ON CONFLICT (shard, entry) DO NOTHING`

// AddDeadLetters stores entries that could not be stored as events. An entry that is
// already a dead letter is not changed.
func AddDeadLetters(ctx context.Context, tx database.DB, letters []DeadLetter) error {
	for _, l := range letters {
		if _, err := tx.Exec(ctx, insertDeadLetter, int16(l.Shard), l.Entry, l.Payload, l.Reason); err != nil {
			return fmt.Errorf("store dead letter: %w", err)
		}
	}
	return nil
}
