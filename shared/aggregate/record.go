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
	"github.com/analytics-platform/analytics/shared/model/weburl"
	"github.com/analytics-platform/analytics/shared/queue"
	"github.com/analytics-platform/analytics/shared/storage/kept"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// Reasons for dropping an event.
const (
	// Machine: the visitor-day already has visit.MaxEvents events.
	Machine = "machine"
	// SiteGone: the site was deleted while the event was in the queue.
	SiteGone = "site_gone"
	// Duplicate: an event with the same id is already stored.
	Duplicate = "duplicate"
)

// limits bound the memory of storing entries.
type limits struct {
	chunk        int // entries
	earlierBytes int // stored events of visitor-days
	rows         int // rollup rows after which no further chunk is begun
}

// recorder stores the entries of a shard in a transaction, chunk by chunk. In memory are the
// payloads of all entries, the events of one chunk, and every rollup row that they change.
type recorder struct {
	tx      pgx.Tx
	shard   int
	earlier store.Limit // of stored events of visitor-days in memory at a time
	sites   map[int32]struct{}
	result  Result
	rollups *visit.Rollups
	drops   map[store.DropKey]int64
	changed map[store.SiteDay]struct{} // days that got events, whose kept values rollups knows
	letters []store.DeadLetter
}

// record stores entries in a transaction, chunk by chunk. It stops early if the rollup rows
// would take too much memory, and returns how many entries it stored: at least a chunk.
func record(ctx context.Context, tx pgx.Tx, shard int, entries []queue.Entry, within limits) (result Result, stored int, err error) {
	sites, err := store.LockSites(ctx, tx)
	if err != nil {
		return Result{}, 0, err
	}
	r := &recorder{
		tx: tx, shard: shard, sites: sites,
		earlier: store.Limit{Events: max(earlierPerEntry*within.chunk, visit.MaxEvents), Bytes: within.earlierBytes},
		rollups: visit.NewRollups(), drops: map[store.DropKey]int64{}, changed: map[store.SiteDay]struct{}{},
	}
	for stored < len(entries) && (stored == 0 || r.rollups.Len() < within.rows) {
		at := time.Now()
		chunk := entries[stored:]
		chunk = chunk[:queue.Fit(chunk, within.chunk)]
		days := r.group(chunk)
		r.result.Stages.Claim.since(at)
		if err := r.store(ctx, days); err != nil {
			return Result{}, 0, err
		}
		stored += len(chunk)
	}
	if err := r.finish(ctx); err != nil {
		return Result{}, 0, err
	}
	return r.result, stored, nil
}

// store stores the events of visitor-days, and updates their visits.
func (r *recorder) store(ctx context.Context, days []*visitorDay) error {
	stages, at := &r.result.Stages, time.Now()
	keys := make([]store.VisitorDay, len(days))
	for i, d := range days {
		keys[i] = d.key
	}
	earlier, err := store.VisitorDays(ctx, r.tx, keys, r.earlier)
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
	r.dropKnown(days, known)
	r.result.Events += int64(len(arrived) - len(known))
	at = stages.Insert.since(at)

	if err := r.change(ctx, days); err != nil {
		return err
	}
	var visits store.VisitChanges
	for _, d := range days {
		if len(d.events) > 0 {
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

// change notes which days get events, and reads which values they keep.
func (r *recorder) change(ctx context.Context, days []*visitorDay) error {
	var changed []store.SiteDay
	for _, d := range days {
		day := store.SiteDay{Site: d.key.Site, Day: d.key.Day}
		if _, known := r.changed[day]; !known && len(d.events) > 0 {
			r.changed[day] = struct{}{}
			changed = append(changed, day)
		}
	}
	return kept.Tell(ctx, r.tx, r.rollups, changed...)
}

// finish writes the results of all entries that are not yet written. It may wait for other
// transactions: for one that archives a day (see store.InvalidateDays), and for those of
// other shards (see store.ApplyRollups).
func (r *recorder) finish(ctx context.Context) error {
	at := time.Now()
	if err := store.InvalidateDays(ctx, r.tx, slices.Collect(maps.Keys(r.changed))); err != nil {
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

// visitorDay is a visitor-day with new events.
type visitorDay struct {
	key     store.VisitorDay
	earlier []*event.Event // stored
	events  []*event.Event // to be stored, each once
}

// group decodes entries and groups their events by visitor-day.
func (r *recorder) group(entries []queue.Entry) (days []*visitorDay) {
	byKey := make(map[store.VisitorDay]*visitorDay)
	seen := make(map[store.EventKey]struct{}, len(entries))
	for _, entry := range entries {
		dropped, ok, err := entry.Drops()
		if ok && err == nil {
			r.drops[store.DropKey{Site: dropped.Site, Day: dropped.Day, Reason: dropped.Reason}] += dropped.Events
			continue
		}
		var e *event.Event
		if err == nil {
			e, err = readEvent(entry)
		}
		if err != nil {
			r.letters = append(r.letters, deadLetter(r.shard, entry, err.Error()))
			continue
		}
		if _, ok := r.sites[e.Site]; !ok {
			r.drop(e, SiteGone)
			continue
		}
		if _, ok := seen[store.KeyOf(e)]; ok {
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

var errAmount = errors.New("the amount is not a decimal number")

func readEvent(entry queue.Entry) (*event.Event, error) {
	e, err := entry.Event()
	if err != nil {
		return nil, err
	}
	if _, _, ok := event.ReadAmount(e.Amount); e.Amount != "" && !ok {
		return nil, errAmount
	}
	// Earlier versions of track wrote it escaped.
	e.Page, e.Referrer = weburl.Canonical(e.Page), weburl.Canonical(e.Referrer)
	return e, nil
}

func (r *recorder) drop(e *event.Event, reason string) {
	r.drops[store.DropKey{Site: e.Site, Day: e.Day, Reason: reason}]++
}

// admit drops the events of a visitor-day whose ids it already has, and those beyond
// visit.MaxEvents. It returns the others.
func (r *recorder) admit(day *visitorDay) []*event.Event {
	ids := make(map[uuid.UUID]struct{}, len(day.earlier)+len(day.events))
	for _, e := range day.earlier {
		ids[e.ID] = struct{}{}
	}
	admitted := day.events[:0]
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
		admitted = append(admitted, e)
	}
	day.events = admitted
	return admitted
}

// dropKnown drops the events that are already stored, under another visitor.
func (r *recorder) dropKnown(days []*visitorDay, known map[store.EventKey]struct{}) {
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

// addChanges adds to changes the difference between the visits of a visitor-day before and
// after its new events.
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
		changes.Deleted = append(changes.Deleted, key)
	}
}
