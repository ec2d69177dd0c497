package store

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/visit"
	"github.com/analytics-platform/analytics/shared/storage/columns"
	"github.com/analytics-platform/analytics/shared/storage/database"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

const (
	// A scan selects only the columns that a query needs. Its statement is built from the
	// constants here and the names in textFields, never from input.
	scanDayStart = `SELECT id, time, utc_offset, visitor, type, passive, engaged, scroll`
	scanDayEnd   = `
FROM events
WHERE site_id = $1 AND day = $2 AND time >= $3 AND time < $4`
	scanPartEnd = scanDayEnd + `
  AND visitor IN (SELECT visitor FROM events WHERE site_id = $1 AND day = $2 AND time >= $5 AND time < $6)`
	scanOrder = `
ORDER BY visitor, time`

	selectDaysWithEvents = `
SELECT day FROM rollup_day
WHERE site_id = $1 AND dimension = 0 AND day BETWEEN $2 AND $3
ORDER BY day`

	selectDaySizes = `
SELECT day, part, name, octet_length(data), CASE name WHEN 'version' THEN data END FROM day_columns
WHERE site_id = $1 AND day = ANY($2) AND name = ANY($3)`

	selectDayColumns = `
SELECT day, part, name, data FROM day_columns
WHERE site_id = $1 AND day = ANY($2) AND name = ANY($3)
ORDER BY day, part`

	insertDayColumns = `
INSERT INTO day_columns (site_id, day, part, name, data)
SELECT $1, $2, $3, name, data FROM unnest($4::text[], $5::bytea[]) AS piece (name, data)`

	// No column has this name. It marks a day that takes too long to archive.
	skipped = `passed_over`
	skipDay = `
INSERT INTO day_columns (site_id, day, part, name, data)
SELECT id, $2, 0, '` + skipped + `', '' FROM sites WHERE id = $1 FOR KEY SHARE
ON CONFLICT DO NOTHING`

	deleteDayColumns = `
DELETE FROM day_columns c USING unnest($1::int[], $2::date[]) AS changed (site_id, day)
WHERE c.site_id = changed.site_id AND c.day = changed.day`

	// The first key of these advisory locks is arbitrary and tells them apart from other
	// locks with two keys; the second is the day.
	shareDays     = `SELECT pg_advisory_xact_lock_shared(1684108385, day) FROM unnest($1::int[]) AS day`
	lockDay       = `SELECT pg_try_advisory_xact_lock(1684108385, $1)`
	lockSiteOfDay = `SELECT FROM sites WHERE id = $1 FOR KEY SHARE`

	selectDueDays = `
SELECT ` + sites.Columns + `, r.day
FROM rollup_day r JOIN sites ON sites.id = r.site_id
WHERE r.dimension = 0 AND r.day <= $1
  AND NOT EXISTS (
      SELECT FROM day_columns c
      WHERE c.site_id = r.site_id AND c.day = r.day
        AND (c.name = 'version' AND c.data = $3 OR c.name = '` + skipped + `'))
ORDER BY r.day DESC, r.site_id
LIMIT $2`
)

// interner keeps one copy of each distinct text, until they are too many.
type interner struct {
	known map[string]string
	bytes int
}

// maxInterned is how many bytes of texts an interner keeps.
const maxInterned = 4 << 20

func (in *interner) intern(text []byte) string {
	if len(text) == 0 {
		return ""
	}
	if known, ok := in.known[string(text)]; ok {
		return known
	}
	if in.bytes += len(text); in.bytes > maxInterned {
		clear(in.known)
		in.bytes = len(text)
	}
	copied := string(text)
	in.known[copied] = copied
	return copied
}

// internedText scans a text into target and interns it.
type internedText struct {
	interner *interner
	target   *string
}

// ScanBytes implements pgtype.BytesScanner.
func (t internedText) ScanBytes(text []byte) error {
	*t.target = t.interner.intern(text)
	return nil
}

// textField is a text of events and the columns that are built from it.
type textField struct {
	sql     string
	columns []columns.Column
	target  func(*event.Event) *string
}

// Scan says what of a local day of a site is read from its events.
type Scan struct {
	Site int32
	Day  event.Day
	// From and To select the visitor-days that have an event in [From, To); zero for all.
	From, To time.Time
	// Wanted are the columns that are built; none for all.
	Wanted []columns.Column
}

// Parts calls fn with the day in parts. All parts but the last one are full. Only one part and
// the events of one visitor are in memory at once. A day without events has one empty part.
func (s Scan) Parts(ctx context.Context, db database.DB, full columns.PartSize, fn func(*columns.Day) error) error {
	builder := columns.NewBuilder(s.Day, s.Wanted...)
	err := s.visitorDays(ctx, db, func(visits []visit.Visit) error {
		if builder.Full(full) {
			if err := fn(builder.Day()); err != nil {
				return err
			}
			builder = columns.NewBuilder(s.Day, s.Wanted...)
		}
		builder.Add(visits)
		return nil
	})
	if err != nil {
		return err
	}
	return fn(builder.Day())
}

// visitorDays calls fn with the visits of each visitor-day.
func (s Scan) visitorDays(ctx context.Context, db database.DB, fn func([]visit.Visit) error) error {
	var events []*event.Event // of one visitor
	err := s.events(ctx, db, func(e *event.Event) (err error) {
		if len(events) > 0 && events[0].Visitor != e.Visitor {
			err = fn(visit.Fold(events))
			events = events[:0]
		}
		events = append(events, e)
		return err
	})
	if err == nil {
		err = fn(visit.Fold(events))
	}
	if err != nil {
		return fmt.Errorf("read the events of %s: %w", s.Day, err)
	}
	return nil
}

// events calls fn with the events, sorted by visitor and time, with the fields that the
// wanted columns need.
func (s Scan) events(ctx context.Context, db database.DB, fn func(*event.Event) error) error {
	all := len(s.Wanted) == 0
	wants := func(c columns.Column) bool { return all || slices.Contains(s.Wanted, c) }
	fields := []string{scanDayStart}
	var e scannedEvent
	into := []any{&e.ID, &e.Time, &e.UTCOffset, &e.Visitor, &e.Type, &e.Passive, &e.Engaged, &e.Scroll}
	known := &interner{known: map[string]string{}}
	for _, f := range textFields() {
		if slices.ContainsFunc(f.columns, wants) {
			fields = append(fields, f.sql)
			into = append(into, internedText{known, f.target(&e.Event)})
		}
	}
	hasProps := all || slices.ContainsFunc(s.Wanted, func(c columns.Column) bool { _, ok := c.Key(); return ok })
	if hasProps {
		fields = append(fields, `coalesce(props::text, '')`)
		into = append(into, internedText{known, &e.props})
	}
	if wants(columns.Subject) {
		fields = append(fields, `subject`)
		into = append(into, &e.subject)
	}
	first, last := Span(s.Day, s.Day)
	end, args := scanDayEnd, []any{s.Site, s.Day.Date(), first, last}
	if !s.To.IsZero() {
		end, args = scanPartEnd, append(args, s.From, s.To)
	}
	rows, err := db.Query(ctx, strings.Join(fields, ", ")+end+scanOrder, args...)
	if err != nil {
		return err
	}
	props, propBytes := map[string]map[string]string{}, 0
	_, err = pgx.ForEachRow(rows, into, func() error {
		e.Day, e.Time, e.Subject = s.Day, e.Time.UTC(), uuid.Nil
		if e.subject != nil {
			e.Subject = *e.subject
		}
		if hasProps {
			decoded, ok := props[e.props]
			if !ok && e.props != "" {
				if propBytes += len(e.props); propBytes > maxInterned {
					clear(props)
					propBytes = len(e.props)
				}
				if err := json.Unmarshal([]byte(e.props), &decoded); err != nil {
					return fmt.Errorf("decode properties: %w", err)
				}
				props[e.props] = decoded
			}
			e.Props = decoded
		}
		return fn(new(e.Event))
	})
	return err
}

// DaysWithEvents returns the local days of a site from first to last that have events.
func DaysWithEvents(ctx context.Context, db database.DB, site int32, first, last event.Day) ([]event.Day, error) {
	rows, err := db.Query(ctx, selectDaysWithEvents, site, first.Date(), last.Date())
	if err != nil {
		return nil, fmt.Errorf("find days with events: %w", err)
	}
	days, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (event.Day, error) {
		var day time.Time
		err := row.Scan(&day)
		return event.DayOf(day), err
	})
	if err != nil {
		return nil, fmt.Errorf("find days with events: %w", err)
	}
	return days, nil
}

// ArchivedDays returns which of some days of a site are archived and have the wanted
// columns, and how many bytes their pieces have that these columns need.
func ArchivedDays(ctx context.Context, db database.DB, site int32, days []event.Day, wanted ...columns.Column) (map[event.Day]int64, error) {
	type key struct {
		day  event.Day
		part int
	}
	sizes := map[event.Day]int64{}
	parts := map[key]map[columns.Column][]byte{}
	dates, names := selectors(days, wanted)
	rows, err := db.Query(ctx, selectDaySizes, site, dates, names)
	if err != nil {
		return nil, fmt.Errorf("find archived days: %w", err)
	}
	var date time.Time
	var part int
	var name columns.Column
	var size int64
	var version []byte
	_, err = pgx.ForEachRow(rows, []any{&date, &part, &name, &size, &version}, func() error {
		at := key{event.DayOf(date), part}
		if parts[at] == nil {
			parts[at] = map[columns.Column][]byte{}
		}
		parts[at][name] = append([]byte{}, version...) // only whether the others are there matters
		sizes[at.day] += size
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find archived days: %w", err)
	}
	for at, pieces := range parts {
		if !columns.Holds(pieces, wanted...) {
			delete(sizes, at.day)
		}
	}
	return sizes, nil
}

// ArchivedPart holds the pieces of a part of an archived day, see columns.Codec.
type ArchivedPart struct {
	Day    event.Day
	Pieces map[columns.Column][]byte
}

// Size returns the bytes of the pieces.
func (a *ArchivedPart) Size() (bytes int64) {
	for _, piece := range a.Pieces {
		bytes += int64(len(piece))
	}
	return bytes
}

// ArchivedParts reads archived days of a site in the order of days, part by part, with the
// pieces that the wanted columns need. The days must be some that ArchivedDays returns in the
// same transaction.
func ArchivedParts(ctx context.Context, db database.DB, site int32, days []event.Day, wanted ...columns.Column) iter.Seq2[ArchivedPart, error] {
	return func(yield func(ArchivedPart, error) bool) {
		dates, names := selectors(days, wanted)
		rows, err := db.Query(ctx, selectDayColumns, site, dates, names)
		if err != nil {
			yield(ArchivedPart{}, fmt.Errorf("read archived days: %w", err))
			return
		}
		defer rows.Close()
		var current ArchivedPart
		var of int // the number of the current part
		for rows.Next() {
			var date time.Time
			var part int
			var name columns.Column
			var data []byte
			if err := rows.Scan(&date, &part, &name, &data); err != nil {
				yield(ArchivedPart{}, fmt.Errorf("read archived days: %w", err))
				return
			}
			if day := event.DayOf(date); current.Pieces == nil || day != current.Day || part != of {
				if current.Pieces != nil && !yield(current, nil) {
					return
				}
				current, of = ArchivedPart{day, map[columns.Column][]byte{}}, part
			}
			current.Pieces[name] = data
		}
		if err := rows.Err(); err != nil {
			yield(ArchivedPart{}, fmt.Errorf("read archived days: %w", err))
			return
		}
		if current.Pieces != nil {
			yield(current, nil)
		}
	}
}

// selectors returns the parameters that select the pieces of days which some columns need.
func selectors(days []event.Day, wanted []columns.Column) (dates []time.Time, names []string) {
	for _, day := range days {
		dates = append(dates, day.Date())
	}
	for _, column := range columns.Needed(wanted...) {
		names = append(names, string(column))
	}
	return dates, names
}

// SiteDay identifies a local day of a site.
type SiteDay struct {
	Site int32
	Day  event.Day
}

// LockDay prepares a transaction for archiving a day. Until the transaction ends no other
// one can change the events of the day: it would wait in InvalidateDays. LockDay does not
// wait; ok is false if another transaction is changing events of the day. It returns
// sites.ErrNoSite if the site no longer exists.
//
// The lock covers the day of all sites, so that a transaction that changes events of many
// sites takes few locks. The database has room for only some thousands.
func LockDay(ctx context.Context, tx database.DB, d SiteDay) (ok bool, err error) {
	if err := prepareDays(ctx, tx); err != nil {
		return false, err
	}
	site, err := tx.Exec(ctx, lockSiteOfDay, d.Site)
	if err != nil {
		return false, fmt.Errorf("lock site: %w", err)
	}
	if site.RowsAffected() == 0 {
		return false, sites.ErrNoSite
	}
	// Do not wait: transactions that want to share the lock would queue behind this one.
	if err := tx.QueryRow(ctx, lockDay, int32(d.Day)).Scan(&ok); err != nil {
		return false, fmt.Errorf("lock %s: %w", d.Day, err)
	}
	return ok, nil
}

// ArchiveDay stores the parts of a day and replaces those stored before. The transaction
// must have locked the day with LockDay before it read the events.
func ArchiveDay(ctx context.Context, tx database.DB, d SiteDay, parts []map[columns.Column][]byte) error {
	_, err := tx.Exec(ctx, deleteDayColumns, []int32{d.Site}, []time.Time{d.Day.Date()})
	for part, pieces := range parts {
		if err != nil {
			break
		}
		names, data := make([]string, 0, len(pieces)), make([][]byte, 0, len(pieces))
		for name, piece := range pieces {
			names, data = append(names, string(name)), append(data, piece)
		}
		_, err = tx.Exec(ctx, insertDayColumns, d.Site, d.Day.Date(), part, names, data)
	}
	if err != nil {
		return fmt.Errorf("archive %s: %w", d.Day, err)
	}
	return nil
}

// SkipDay marks a day that takes too long to archive. DueDays does not return it until its
// events change.
func SkipDay(ctx context.Context, db database.DB, d SiteDay) error {
	if _, err := db.Exec(ctx, skipDay, d.Site, d.Day.Date()); err != nil {
		return fmt.Errorf("skip %s: %w", d.Day, err)
	}
	return nil
}

// InvalidateDays deletes the archives of days whose events the transaction changes. A
// transaction must call it for every such day, before or after the change, at the isolation
// level READ COMMITTED. It may wait until a day has been archived (see LockDay), so call it
// before taking locks that others wait for.
func InvalidateDays(ctx context.Context, tx database.DB, days []SiteDay) error {
	if len(days) == 0 {
		return nil
	}
	sites, dates, locks := make([]int32, len(days)), make([]time.Time, len(days)), make([]int32, len(days))
	for i, d := range days {
		sites[i], dates[i], locks[i] = d.Site, d.Day.Date(), int32(d.Day)
	}
	slices.Sort(locks)
	// A separate statement, so that the next one sees what was archived while this waited.
	if _, err := tx.Exec(ctx, shareDays, slices.Compact(locks)); err != nil {
		return fmt.Errorf("lock days: %w", err)
	}
	if _, err := tx.Exec(ctx, deleteDayColumns, sites, dates); err != nil {
		return fmt.Errorf("delete archived days: %w", err)
	}
	return nil
}

// DueDay is a local day of a site that is due to be archived.
type DueDay struct {
	sites.Site
	Date time.Time
}

// DueDays returns days of all sites up to last that have events and are not archived, or
// are archived in an older form, newest first. It returns at most maxDueDays of them.
func DueDays(ctx context.Context, db database.DB, last event.Day) ([]DueDay, error) {
	rows, err := db.Query(ctx, selectDueDays, last.Date(), maxDueDays, binary.AppendUvarint(nil, columns.ArchiveVersion))
	if err != nil {
		return nil, fmt.Errorf("find days to archive: %w", err)
	}
	days, err := pgx.CollectRows(rows, pgx.RowToStructByPos[DueDay])
	if err != nil {
		return nil, fmt.Errorf("find days to archive: %w", err)
	}
	return days, nil
}
