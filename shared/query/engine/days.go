package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/query/admission"
	"github.com/analytics-platform/analytics/shared/query/language"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/kept"
	"github.com/analytics-platform/analytics/shared/storage/store"
)

// Workers returns how many goroutines scan days.
func Workers() int { return runtime.GOMAXPROCS(0) }

// The memory of a question that scans days has three parts: days that were read and wait for
// a worker, days that workers scan, and what is kept for the answer.
const (
	waitingShare = 8 // the first is an eighth
	scannedShare = 2 // the second two of them
)

// eventParts is the size of the parts in which a day is read from its events.
func eventParts() columns.PartSize { return columns.PartSize{Events: 50_000, Text: 4 << 20} }

// Worker is one of the goroutines that scan days.
type Worker struct {
	Number int // below Workers

	allowance *admission.Allowance
	values    kept.Days // that the days being scanned keep
	kept      int64     // bytes that the allowance does not know of yet
	checks    int
	room      *partRoom // nil outside of EachDay
	borrowed  int64     // of the room
	alone     bool      // whether no other worker has a part
	beyond    int64     // bytes borrowed beyond the room, or without one, from what may be kept
}

// Worker returns a worker for days that have some columns and are not read by EachDay. The
// caller must call Close at the end.
func (s *Session) Worker(ctx context.Context, tx database.DB, days []event.Day, wanted []columns.Column) (*Worker, error) {
	w := &Worker{allowance: s.Allowance}
	if len(days) == 0 {
		return w, nil
	}
	dimensions := language.Rollups(wanted)
	sizes, err := kept.Sizes(ctx, tx, s.Site.ID, slices.Min(days), slices.Max(days), dimensions)
	if err != nil {
		return nil, err
	}
	days = slices.DeleteFunc(slices.Clone(days), func(day event.Day) bool { return sizes[day] == 0 })
	for _, day := range days {
		w.beyond += sizes[day]
	}
	if err := s.Add(w.beyond); err != nil {
		return nil, err
	}
	w.values, err = kept.Values(ctx, tx, s.Site.ID, days, dimensions)
	return w, err
}

// Close gives back the memory of a worker that Session.Worker has returned.
func (w *Worker) Close() { w.giveBack() }

// Keep adds bytes to what the answer needs. They count from the next Check on.
func (w *Worker) Keep(bytes int) { w.kept += int64(bytes) }

// Check returns an error if the question has ended or needs too much memory. A scan calls it
// for each visitor-day.
func (w *Worker) Check(ctx context.Context) error {
	const step = 64 << 10 // bytes
	if w.kept >= step {
		if err := w.report(); err != nil {
			return err
		}
	}
	if w.checks++; w.checks%64 != 0 {
		return nil
	}
	return ctx.Err()
}

// report tells the allowance what is kept.
func (w *Worker) report() error {
	kept := w.kept
	w.kept = 0
	return w.allowance.Add(kept)
}

// borrow takes memory until the part is scanned. A negative number gives some of it back, and
// never fails.
func (w *Worker) borrow(bytes int64) error {
	if w.room == nil {
		return nil
	}
	w.borrowed += bytes
	beyond := w.room.used.Add(bytes) - w.room.limit - w.beyond
	switch {
	case bytes < 0 || beyond <= 0:
		return nil
	case !w.alone:
		return errNoRoom
	}
	w.beyond += beyond
	return w.allowance.Add(beyond)
}

// giveBack gives back what is borrowed.
func (w *Worker) giveBack() {
	_ = w.borrow(-w.borrowed)
	_ = w.allowance.Add(-w.beyond)
	w.beyond = 0
}

// errNoRoom is the error for a part that has no room beside those of other workers.
var errNoRoom = errors.New("there is no room for a part of a day")

// partRoom is the memory of the parts that workers scan.
type partRoom struct {
	alone sync.RWMutex // read by workers that leave room for others
	used  atomic.Int64
	limit int64 // bytes
}

// scanPart loads a part and calls fn. If there is no room for it, it waits until the other
// workers have none. Until fn has compiled its filters, it must not count.
func (w *Worker) scanPart(ctx context.Context, load func(*Worker) (*columns.Day, error), fn func(context.Context, *Worker, *columns.Day) error) error {
	once := func() error {
		defer w.giveBack()
		d, err := load(w)
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = fn(ctx, w, d)
		}
		if err == nil {
			err = w.report()
		}
		return err
	}
	w.room.alone.RLock()
	err := once()
	w.room.alone.RUnlock()
	if errors.Is(err, errNoRoom) {
		w.room.alone.Lock()
		defer w.room.alone.Unlock()
		w.alone = true
		err = once()
		w.alone = false
	}
	return err
}

// waitingPart is a part of a day that was read.
type waitingPart struct {
	size int64 // bytes that it takes while it waits
	load func(*Worker) (*columns.Day, error)
}

// EachDay calls fn with the wanted columns of every day of a range that has events, in one
// part or several. Days that are not archived are made from their events; the result is the
// same. fn runs in Workers goroutines. Few parts are in memory at once, however many there
// are. It waits for a large turn, and has a connection only while it reads.
func (s *Session) EachDay(ctx context.Context, r language.Range, wanted []columns.Column, fn func(ctx context.Context, w *Worker, d *columns.Day) error) error {
	if err := s.Grow(ctx); err != nil {
		return err
	}
	eighth := s.Limit() / waitingShare
	if err := s.Add((1 + scannedShare) * eighth); err != nil {
		return err
	}
	defer func() { _ = s.Add(-(1 + scannedShare) * eighth) }()
	room := &partRoom{limit: scannedShare * eighth}
	reader := reader{Session: s, within: r, wanted: wanted, size: eighth, space: semaphore.NewWeighted(eighth), parts: make(chan waitingPart, 1000)}
	group, ctx := errgroup.WithContext(ctx)
	for number := range Workers() {
		w := &Worker{Number: number, allowance: s.Allowance, room: room}
		group.Go(func() error {
			for part := range reader.parts {
				err := w.scanPart(ctx, part.load, fn)
				reader.space.Release(part.size)
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(reader.parts)
		return reader.read(ctx)
	})
	if err := group.Wait(); err != nil {
		return fmt.Errorf("scan days: %w", err)
	}
	return nil
}

// reader reads the days of a scan ahead of the workers.
type reader struct {
	*Session
	within language.Range
	wanted []columns.Column
	size   int64               // bytes that may wait
	space  *semaphore.Weighted // the bytes that are free
	kept   map[event.Day]int64 // see kept.Sizes
	parts  chan waitingPart
}

// read reads all days: the archived ones several at a time, then the others.
func (r *reader) read(ctx context.Context) error {
	var open []event.Day // that are not archived
	for left, begun := []event.Day(nil), false; len(left) > 0 || !begun; begun = true {
		// As many days are read at once as there is space for, so that the connection does not
		// wait for the workers. It does for a day that is larger than all the space.
		if err := r.space.Acquire(ctx, r.size/2); err != nil {
			return err
		}
		r.space.Release(r.size / 2)
		err := r.Read(ctx, func(tx database.DB) (err error) {
			if !begun {
				first, last := r.within.First, r.within.Last
				if !r.within.Whole { // the site may have been in another time zone
					first, last = r.within.AnyZone()
				}
				if left, err = store.DaysWithEvents(ctx, tx, r.Site.ID, first, last); err != nil {
					return err
				}
				r.kept, err = kept.Sizes(ctx, tx, r.Site.ID, first, last, language.Rollups(r.wanted))
			}
			if err == nil && len(left) > 0 {
				left, open, err = r.readArchived(ctx, tx, left, open)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, day := range open {
		err := r.Read(ctx, func(tx database.DB) error { return r.readEvents(ctx, tx, day) })
		if err != nil {
			return err
		}
	}
	return nil
}

// daysAhead is of how many days the reader finds out the sizes at once.
const daysAhead = 400

// readArchived reads archived days, in order, until half of the space is full. It returns the
// days that are left, and adds those before that are not archived to others.
func (r *reader) readArchived(ctx context.Context, tx database.DB, days, others []event.Day) (left, open []event.Day, err error) {
	known := min(len(days), daysAhead)
	sizes, err := store.ArchivedDays(ctx, tx, r.Site.ID, days[:known], r.wanted...)
	if err != nil {
		return nil, nil, err
	}
	var now []event.Day
	space := r.size / 2
	for ; known > 0; known, days = known-1, days[1:] {
		size, archived := sizes[days[0]]
		if !archived {
			others = append(others, days[0])
			continue
		}
		if space -= size + r.kept[days[0]]; space < 0 && len(now) > 0 {
			break
		}
		now = append(now, days[0])
	}
	if len(now) == 0 {
		return days, others, nil
	}
	values, err := r.keptValues(ctx, tx, now)
	if err != nil {
		return nil, nil, err
	}
	for part, err := range store.ArchivedParts(ctx, tx, r.Site.ID, now, r.wanted...) {
		if err == nil {
			err = r.send(ctx, values, part.Day, part.Size(), func(w *Worker) (*columns.Day, error) {
				return r.engine.codec.DecodeWithin(w.borrow, part.Day, part.Pieces, r.wanted...)
			})
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return days, others, nil
}

// readEvents makes a day from its events. If the range contains only a part of the day, it
// reads the visitor-days that have events in that part.
func (r *reader) readEvents(ctx context.Context, tx database.DB, day event.Day) error {
	scan := store.Scan{Site: r.Site.ID, Day: day, Wanted: r.wanted}
	location := r.within.From.Location()
	if !r.within.Whole && (r.within.From.After(day.Start(location)) || r.within.To.Before((day + 1).Start(location))) {
		scan.From, scan.To = r.within.From, r.within.To
	}
	values, err := r.keptValues(ctx, tx, []event.Day{day})
	if err != nil {
		return err
	}
	return scan.Parts(ctx, tx, eventParts(), func(d *columns.Day) error {
		size := d.Size()
		return r.send(ctx, values, day, size, func(w *Worker) (*columns.Day, error) { return d, w.borrow(size) })
	})
}

// keptValues returns the values that days keep of what is read.
func (r *reader) keptValues(ctx context.Context, tx database.DB, days []event.Day) (kept.Days, error) {
	var some []event.Day
	for _, day := range days {
		if r.kept[day] > 0 {
			some = append(some, day)
		}
	}
	return kept.Values(ctx, tx, r.Site.ID, some, language.Rollups(r.wanted))
}

// send lets a part of a day wait for a worker, with the values that the day keeps.
func (r *reader) send(ctx context.Context, values kept.Days, day event.Day, size int64, load func(*Worker) (*columns.Day, error)) error {
	size = min(size+r.kept[day], r.size)
	if err := r.space.Acquire(ctx, size); err != nil {
		return err
	}
	select {
	case r.parts <- waitingPart{size, func(w *Worker) (*columns.Day, error) {
		w.values = kept.Days{day: values[day]}
		if err := w.borrow(r.kept[day]); err != nil {
			return nil, err
		}
		return load(w)
	}}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
