package drain

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

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
	// Duplicate: an event with its id is stored.
	Duplicate = "duplicate"
)

// record stores a batch in the transaction tx, with so many earlier events of its
// visitor-days in memory at most.
func record(ctx context.Context, tx pgx.Tx, shard int, entries []queue.Entry, most int) (Result, error) {
	var out Result
	sites, err := store.HoldSites(ctx, tx)
	if err != nil {
		return out, err
	}
	b := sort(shard, entries, sites)

	at := time.Now()
	earlier, err := store.VisitorDays(ctx, tx, slices.Collect(maps.Keys(b.days)), most)
	if err != nil {
		return out, err
	}
	at = out.Stages.Load.since(at)

	arrived := b.admit(earlier)
	known, err := store.AddEvents(ctx, tx, arrived)
	if err != nil {
		return out, err
	}
	b.forget(known)
	at = out.Stages.Insert.since(at)

	change := newChange()
	for day, events := range b.days {
		if len(events) > 0 {
			before := earlier[day]
			change.replace(visit.Fold(before), visit.Fold(slices.Concat(before, events)))
		}
	}
	at = out.Stages.Fold.since(at)

	if err := store.ApplyVisits(ctx, tx, change.visits); err != nil {
		return out, err
	}
	at = out.Stages.Visits.since(at)

	if err := store.AddDeadLetters(ctx, tx, b.letters); err != nil {
		return out, err
	}
	if err := store.AddDrops(ctx, tx, b.drops); err != nil {
		return out, err
	}
	if err := store.ApplyRollups(ctx, tx, change.rollups); err != nil {
		return out, err
	}
	out.Stages.Rollups.since(at)

	out.Events = int64(len(arrived) - len(known))
	out.DeadLetters = int64(len(b.letters))
	for key, n := range b.drops {
		if key.Reason == Duplicate {
			out.Duplicates += n
		} else {
			out.Dropped += n
		}
	}
	return out, nil
}

var errAmount = errors.New("the amount is no decimal number")

// batch is entries of the queue, sorted out.
type batch struct {
	days    map[store.VisitorDay][]*event.Event // what is to be stored, each event once
	drops   map[store.DropKey]int64
	letters []store.DeadLetter
}

// sort sorts out the entries of a shard.
func sort(shard int, entries []queue.Entry, sites map[int32]struct{}) *batch {
	b := &batch{days: map[store.VisitorDay][]*event.Event{}, drops: map[store.DropKey]int64{}}
	seen := make(map[store.EventKey]struct{}, len(entries))
	for i := range entries {
		entry := &entries[i]
		e := &entry.Event
		if _, _, ok := event.ReadAmount(e.Amount); entry.Err == nil && e.Amount != "" && !ok {
			entry.Err = errAmount
		}
		if entry.Err != nil {
			b.letters = append(b.letters, store.DeadLetter{Shard: shard, Entry: entry.ID, Payload: []byte(entry.Payload), Reason: entry.Err.Error()})
			continue
		}
		if _, ok := sites[e.Site]; !ok {
			b.drop(e, SiteGone)
			continue
		}
		if _, twice := seen[store.KeyOf(e)]; twice {
			b.drop(e, Duplicate)
			continue
		}
		seen[store.KeyOf(e)] = struct{}{}
		b.days[store.VisitorDayOf(e)] = append(b.days[store.VisitorDayOf(e)], e)
	}
	return b
}

func (b *batch) drop(e *event.Event, reason string) {
	b.drops[store.DropKey{Site: e.Site, Day: e.Day, Reason: reason}]++
}

// admit leaves out of every visitor-day the events whose id is known there, and those
// past the most that a visitor-day may have; it returns the others.
func (b *batch) admit(earlier map[store.VisitorDay][]*event.Event) []*event.Event {
	var all []*event.Event
	for day, events := range b.days {
		ids := make(map[uuid.UUID]struct{}, len(earlier[day])+len(events))
		for _, e := range earlier[day] {
			ids[e.ID] = struct{}{}
		}
		kept := events[:0]
		for _, e := range events {
			if _, ok := ids[e.ID]; ok {
				b.drop(e, Duplicate)
				continue
			}
			if len(ids) >= visit.MaxEvents {
				b.drop(e, Machine)
				continue
			}
			ids[e.ID] = struct{}{}
			kept = append(kept, e)
		}
		b.days[day] = kept
		all = append(all, kept...)
	}
	return all
}

// forget leaves out the events that turned out to be stored, under another visitor.
func (b *batch) forget(known map[store.EventKey]struct{}) {
	if len(known) == 0 {
		return
	}
	for day, events := range b.days {
		b.days[day] = slices.DeleteFunc(events, func(e *event.Event) bool {
			_, ok := known[store.KeyOf(e)]
			if ok {
				b.drop(e, Duplicate)
			}
			return ok
		})
	}
}

// change gathers what happens to visits and rollups when visitor-days become
// others.
type change struct {
	rollups *visit.Rollups
	visits  store.VisitChanges
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
		was, stored := old[v.Key()]
		delete(old, v.Key())
		switch {
		case !stored:
			c.visits.Added = append(c.visits.Added, v)
		case !was.Same(v):
			c.visits.Changed = append(c.visits.Changed, v)
		}
	}
	for key := range old {
		c.visits.Gone = append(c.visits.Gone, key)
	}
}
