package aggregate

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/queue"
	"github.com/analytics-platform/analytics/shared/storage/store"
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

// recorder stores the entries of a shard in a transaction, some at a time: of the others
// only the payloads are in memory, and each rollup row that they touch.
type recorder struct {
	tx      pgx.Tx
	shard   int
	most    int // earlier events of visitor-days that are in memory at once
	sites   map[int32]struct{}
	result  Result
	rollups *visit.Rollups
	drops   map[store.DropKey]int64
	changed map[store.SiteDay]struct{} // the days that got events
	letters []store.DeadLetter
}

// record stores entries in a transaction, so many at a time.
func record(ctx context.Context, tx pgx.Tx, shard int, entries []queue.Entry, atOnce int) (Result, error) {
	sites, err := store.HoldSites(ctx, tx)
	if err != nil {
		return Result{}, err
	}
	r := &recorder{
		tx: tx, shard: shard, most: max(earlierPerEntry*atOnce, visit.MaxEvents), sites: sites,
		rollups: visit.NewRollups(), drops: map[store.DropKey]int64{}, changed: map[store.SiteDay]struct{}{},
	}
	for some := range slices.Chunk(entries, atOnce) {
		at := time.Now()
		days := r.sort(some)
		r.result.Stages.Claim.since(at)
		if err := r.store(ctx, days); err != nil {
			return Result{}, err
		}
	}
	if err := r.finish(ctx); err != nil {
		return Result{}, err
	}
	return r.result, nil
}

// store stores the events of visitor-days, and applies to visits what that changes.
func (r *recorder) store(ctx context.Context, days []*visitorDay) error {
	stages, at := &r.result.Stages, time.Now()
	keys := make([]store.VisitorDay, len(days))
	for i, d := range days {
		keys[i] = d.key
	}
	earlier, err := store.VisitorDays(ctx, r.tx, keys, r.most)
	if errors.Is(err, store.ErrTooMany) && len(days) > 1 {
		half := len(days) / 2
		if err := r.store(ctx, days[:half]); err != nil {
			return err
		}
		return r.store(ctx, days[half:])
	}
	if err != nil {
		return err
	}
	at = stages.Load.since(at)

	var arrived []*event.Event
	for _, d := range days {
		d.earlier = earlier[d.key]
		arrived = append(arrived, r.admit(d)...)
	}
	known, err := store.AddEvents(ctx, r.tx, arrived)
	if err != nil {
		return err
	}
	r.forget(days, known)
	r.result.Events += int64(len(arrived) - len(known))
	at = stages.Insert.since(at)

	var visits store.VisitChanges
	for _, d := range days {
		if len(d.events) > 0 {
			r.changed[store.SiteDay{Site: d.key.Site, Day: d.key.Day}] = struct{}{}
			before, after := visit.Fold(d.earlier), visit.Fold(slices.Concat(d.earlier, d.events))
			r.rollups.Subtract(before)
			r.rollups.Add(after)
			addChanges(&visits, before, after)
		}
	}
	at = stages.Fold.since(at)

	if err := store.ApplyVisits(ctx, r.tx, visits); err != nil {
		return err
	}
	stages.Visits.since(at)
	return nil
}

// finish writes what was gathered of all entries. Here other transactions are waited for:
// one that keeps a day, see store.ForgetDayColumns, and those of other shards, see
// store.ApplyRollups.
func (r *recorder) finish(ctx context.Context) error {
	at := time.Now()
	if err := store.ForgetDayColumns(ctx, r.tx, slices.Collect(maps.Keys(r.changed))); err != nil {
		return err
	}
	if err := store.AddDeadLetters(ctx, r.tx, r.letters); err != nil {
		return err
	}
	if err := store.AddDrops(ctx, r.tx, r.drops); err != nil {
		return err
	}
	if err := store.ApplyRollups(ctx, r.tx, r.rollups); err != nil {
		return err
	}
	r.result.Stages.Rollups.since(at)
	r.result.DeadLetters = int64(len(r.letters))
	for key, n := range r.drops {
		if key.Reason == Duplicate {
			r.result.Duplicates += n
		} else {
			r.result.Dropped += n
		}
	}
	return nil
}

// visitorDay is what entries bring to a visitor-day.
type visitorDay struct {
	key     store.VisitorDay
	earlier []*event.Event // that are stored
	events  []*event.Event // that are to be stored, each once
}

// sort sorts entries out by visitor-day.
func (r *recorder) sort(entries []queue.Entry) (days []*visitorDay) {
	byKey := make(map[store.VisitorDay]*visitorDay)
	seen := make(map[store.EventKey]struct{}, len(entries))
	for _, entry := range entries {
		dropped, counts, err := entry.Drops()
		if counts && err == nil {
			r.drops[store.DropKey{Site: dropped.Site, Day: dropped.Day, Reason: dropped.Reason}] += dropped.Events
			continue
		}
		var e *event.Event
		if err == nil {
			e, err = readEvent(entry)
		}
		if err != nil {
			r.letters = append(r.letters, letter(r.shard, entry, err.Error()))
			continue
		}
		if _, ok := r.sites[e.Site]; !ok {
			r.drop(e, SiteGone)
			continue
		}
		if _, twice := seen[store.KeyOf(e)]; twice {
			r.drop(e, Duplicate)
			continue
		}
		seen[store.KeyOf(e)] = struct{}{}
		day := byKey[store.VisitorDayOf(e)]
		if day == nil {
			day = &visitorDay{key: store.VisitorDayOf(e)}
			byKey[day.key] = day
			days = append(days, day)
		}
		day.events = append(day.events, e)
	}
	return days
}

var errAmount = errors.New("the amount is no decimal number")

func readEvent(entry queue.Entry) (*event.Event, error) {
	e, err := entry.Event()
	if err != nil {
		return nil, err
	}
	if _, _, ok := event.ReadAmount(e.Amount); e.Amount != "" && !ok {
		return nil, errAmount
	}
	return e, nil
}

func (r *recorder) drop(e *event.Event, reason string) {
	r.drops[store.DropKey{Site: e.Site, Day: e.Day, Reason: reason}]++
}

// admit leaves out of a visitor-day the events whose id is known there, and those past
// the most that a visitor-day may have; it returns the others.
func (r *recorder) admit(day *visitorDay) []*event.Event {
	ids := make(map[uuid.UUID]struct{}, len(day.earlier)+len(day.events))
	for _, e := range day.earlier {
		ids[e.ID] = struct{}{}
	}
	kept := day.events[:0]
	for _, e := range day.events {
		if _, ok := ids[e.ID]; ok {
			r.drop(e, Duplicate)
			continue
		}
		if len(ids) >= visit.MaxEvents {
			r.drop(e, Machine)
			continue
		}
		ids[e.ID] = struct{}{}
		kept = append(kept, e)
	}
	day.events = kept
	return kept
}

// forget leaves out the events that turned out to be stored, under another visitor.
func (r *recorder) forget(days []*visitorDay, known map[store.EventKey]struct{}) {
	if len(known) == 0 {
		return
	}
	for _, day := range days {
		day.events = slices.DeleteFunc(day.events, func(e *event.Event) bool {
			_, ok := known[store.KeyOf(e)]
			if ok {
				r.drop(e, Duplicate)
			}
			return ok
		})
	}
}

// addChanges adds to changes what happens to visits when a visitor-day that had the
// visits before has those after.
func addChanges(changes *store.VisitChanges, before, after []visit.Visit) {
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
			changes.Added = append(changes.Added, v)
		case !was.Same(v):
			changes.Changed = append(changes.Changed, v)
		}
	}
	for key := range old {
		changes.Gone = append(changes.Gone, key)
	}
}
