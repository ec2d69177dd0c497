package drain

import (
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/event"
	"github.com/analytics-platform/analytics/shared/queue"
	"github.com/analytics-platform/analytics/shared/store"
	"github.com/analytics-platform/analytics/shared/visit"
)

// The reasons for which an event is left out here.
const (
	// Machine: its visitor-day has visit.MaxEvents already.
	Machine = "machine"
	// SiteGone: its site was deleted while it was in the queue.
	SiteGone = "site_gone"
)

// record stores a batch in the transaction tx.
func record(ctx context.Context, tx pgx.Tx, shard int, entries []queue.Entry) (Result, error) {
	out := Result{Batches: 1}
	drops := map[store.DropKey]int64{}

	sites, err := store.HoldSites(ctx, tx)
	if err != nil {
		return out, err
	}
	var letters []store.DeadLetter
	fresh := map[store.VisitorDay][]*event.Event{}
	seen := make(map[store.EventKey]struct{}, len(entries))
	for i := range entries {
		entry := &entries[i]
		e := &entry.Event
		if entry.Err != nil {
			letters = append(letters, store.DeadLetter{Shard: shard, Entry: entry.ID, Payload: entry.Payload, Reason: entry.Err.Error()})
			continue
		}
		if _, ok := sites[e.Site]; !ok {
			drops[store.DropKey{Site: e.Site, Day: e.Day, Reason: SiteGone}]++
			continue
		}
		if _, twice := seen[store.KeyOf(e)]; twice {
			out.Duplicates++
			continue
		}
		seen[store.KeyOf(e)] = struct{}{}
		fresh[store.VisitorDayOf(e)] = append(fresh[store.VisitorDayOf(e)], e)
	}

	earlier, err := store.VisitorDays(ctx, tx, slices.Collect(maps.Keys(fresh)))
	if err != nil {
		return out, err
	}
	var insert []*event.Event
	for day, events := range fresh {
		kept, duplicates, machine := admit(earlier[day], events)
		out.Duplicates += duplicates
		if machine > 0 {
			drops[store.DropKey{Site: day.Site, Day: day.Day, Reason: Machine}] += machine
		}
		fresh[day] = kept
		insert = append(insert, kept...)
	}
	inserted, err := store.InsertEvents(ctx, tx, insert)
	if err != nil {
		return out, err
	}
	out.Events = int64(len(inserted))
	out.Duplicates += int64(len(insert) - len(inserted))

	change := newChange()
	for day, events := range fresh {
		after := make([]event.Event, 0, len(earlier[day])+len(events))
		after = append(after, earlier[day]...)
		for _, e := range events {
			if _, ok := inserted[store.KeyOf(e)]; ok {
				after = append(after, *e)
			}
		}
		if len(after) > len(earlier[day]) {
			change.replace(visit.Fold(earlier[day]), visit.Fold(after))
		}
	}
	for _, n := range drops {
		out.Dropped += n
	}
	out.DeadLetters = int64(len(letters))
	if err := store.AddDeadLetters(ctx, tx, letters); err != nil {
		return out, err
	}
	if err := store.AddDrops(ctx, tx, drops); err != nil {
		return out, err
	}
	return out, change.apply(ctx, tx)
}

// admit leaves out of the new events of a visitor-day those whose id is known, and
// those past the most that a visitor-day may have.
func admit(earlier []event.Event, events []*event.Event) (kept []*event.Event, duplicates, machine int64) {
	known := make(map[uuid.UUID]struct{}, len(earlier)+len(events))
	for i := range earlier {
		known[earlier[i].ID] = struct{}{}
	}
	for _, e := range events {
		if _, ok := known[e.ID]; ok {
			duplicates++
			continue
		}
		if len(known) >= visit.MaxEvents {
			machine++
			continue
		}
		known[e.ID] = struct{}{}
		kept = append(kept, e)
	}
	return kept, duplicates, machine
}

// change gathers what happens to visits and rollups when visitor-days become
// others.
type change struct {
	rollups *visit.Rollups
	gone    []visit.Key
	written []*visit.Visit
}

func newChange() *change { return &change{rollups: visit.NewRollups()} }

// replace puts the visits after in the place of the visits before.
func (c *change) replace(before, after []visit.Visit) {
	c.rollups.Subtract(before)
	c.rollups.Add(after)
	old := make(map[visit.Key]*visit.Visit, len(before))
	for i := range before {
		old[before[i].Key()] = &before[i]
	}
	for i := range after {
		v := &after[i]
		was := old[v.Key()]
		delete(old, v.Key())
		if was == nil || !was.Same(v) {
			c.written = append(c.written, v)
		}
	}
	for key := range old {
		c.gone = append(c.gone, key)
	}
}

func (c *change) apply(ctx context.Context, tx store.DB) error {
	if err := store.ApplyVisits(ctx, tx, c.gone, c.written); err != nil {
		return err
	}
	return store.ApplyRollups(ctx, tx, c.rollups)
}
