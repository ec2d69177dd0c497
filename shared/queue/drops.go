package queue

import (
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/tinylib/msgp/msgp"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// dropsEvery is how long counts of dropped events gather before they are appended. So a
// flood of bots makes few entries, and a killed process loses the counts of one second.
const dropsEvery = time.Second

// Drops counts events that were dropped before the queue, or changed. It is an entry of its
// own, so it is counted exactly once, as events are.
type Drops struct {
	Site   int32     // 0 if unknown
	Day    event.Day // local to the site
	Reason string
	Events int64
}

// dropKey identifies a sum of Drops.
type dropKey struct {
	site   int32
	day    event.Day
	reason string
}

func (d Drops) encode() []byte {
	// A map, to tell it from an event, which is an array.
	buf := msgp.AppendMapHeader(nil, 4)
	buf = msgp.AppendInt32(msgp.AppendString(buf, "site"), d.Site)
	buf = msgp.AppendInt32(msgp.AppendString(buf, "day"), int32(d.Day))
	buf = msgp.AppendString(msgp.AppendString(buf, "reason"), d.Reason)
	return msgp.AppendInt64(msgp.AppendString(buf, "events"), d.Events)
}

// Drops decodes the entry as a count of dropped events. ok is false if it is an event or
// unknown.
func (entry Entry) Drops() (d Drops, ok bool, err error) {
	buf := msgp.UnsafeBytes(entry.Payload) // read only
	if msgp.NextType(buf) != msgp.MapType {
		return d, false, nil
	}
	n, buf, err := msgp.ReadMapHeaderBytes(buf)
	for i := uint32(0); i < n && err == nil; i++ {
		var name string
		if name, buf, err = msgp.ReadStringBytes(buf); err != nil {
			break
		}
		switch name {
		case "site":
			d.Site, buf, err = msgp.ReadInt32Bytes(buf)
		case "day":
			var day int32
			day, buf, err = msgp.ReadInt32Bytes(buf)
			d.Day = event.Day(day)
		case "reason":
			d.Reason, buf, err = msgp.ReadStringBytes(buf)
		case "events":
			d.Events, buf, err = msgp.ReadInt64Bytes(buf)
		default: // written by a later version
			buf, err = msgp.Skip(buf)
		}
	}
	if err == nil && (d.Reason == "" || d.Events < 1) {
		err = errors.New("the reason or the count is missing")
	}
	if err != nil {
		return d, true, fmt.Errorf("the entry is not a count of dropped events: %w", err)
	}
	return d, true, nil
}

// Drop counts dropped events. It does not wait for Redis: the counts are appended within a
// second, or by Close.
func (w *Writer) Drop(d Drops) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addDrops(d)
}

// addDrops adds to the counts. The caller holds mu.
func (w *Writer) addDrops(d Drops) {
	if w.closed || d.Events == 0 {
		return
	}
	if len(w.drops) == 0 {
		time.AfterFunc(dropsEvery, w.flushDrops)
	}
	w.drops[dropKey{d.Site, d.Day, d.Reason}] += d.Events
}

func (w *Writer) flushDrops() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed { // Close appends them
		return
	}
	w.dropsDue = true
	w.wakeLoop()
}

// takeDrops returns the counts to append now. The caller holds mu.
func (w *Writer) takeDrops() (taken []Drops) {
	if !w.dropsDue && !w.closed {
		return nil
	}
	for key, n := range w.drops {
		taken = append(taken, Drops{key.site, key.day, key.reason, n})
	}
	clear(w.drops)
	w.dropsDue = false
	return taken
}

// restoreDrops adds back the counts that could not be appended.
func (w *Writer) restoreDrops(drops []Drops, commands []*redis.StringCmd) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, d := range drops {
		if commands[i].Val() == "" {
			w.addDrops(d)
		}
	}
}
