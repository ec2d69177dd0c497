package queue

import (
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/tinylib/msgp/msgp"

	"github.com/analytics-platform/analytics/shared/model/event"
)

// dropsEvery is how long counts of dropped events gather before they are appended: a
// flood of bots is then a few entries, and who is killed loses the counts of a second.
const dropsEvery = time.Second

// Drops counts events that were left out before the queue. It is an entry of its own, so
// that it is counted exactly once, as events are.
type Drops struct {
	Site   int32     // 0 when it is not known
	Day    event.Day // local to the site
	Reason string
	Events int64
}

// dropKey is what counts are added up by.
type dropKey struct {
	site   int32
	day    event.Day
	reason string
}

func (d Drops) encode() []byte {
	// A map, which no event is: its own form is an array.
	buf := msgp.AppendMapHeader(nil, 4)
	buf = msgp.AppendInt32(msgp.AppendString(buf, "site"), d.Site)
	buf = msgp.AppendInt32(msgp.AppendString(buf, "day"), int32(d.Day))
	buf = msgp.AppendString(msgp.AppendString(buf, "reason"), d.Reason)
	return msgp.AppendInt64(msgp.AppendString(buf, "events"), d.Events)
}

// Drops is what an entry counts; ok is false when it is an event, or nothing known.
func (entry Entry) Drops() (d Drops, ok bool, err error) {
	buf := msgp.UnsafeBytes(entry.Payload) // nothing here writes to it
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
		default: // of a later version
			buf, err = msgp.Skip(buf)
		}
	}
	if err == nil && (d.Reason == "" || d.Events < 1) {
		err = errors.New("it says no reason, or counts none")
	}
	if err != nil {
		return d, true, fmt.Errorf("the entry is no count of dropped events: %w", err)
	}
	return d, true, nil
}

// Drop counts events that were left out. It does not wait for Redis: they are appended
// within a second, and by Close.
func (w *Writer) Drop(d Drops) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addDrops(d)
}

// addDrops is called with the lock.
func (w *Writer) addDrops(d Drops) {
	if w.closed || d.Events == 0 {
		return
	}
	if len(w.drops) == 0 {
		time.AfterFunc(dropsEvery, w.dropsAreDue)
	}
	w.drops[dropKey{d.Site, d.Day, d.Reason}] += d.Events
}

func (w *Writer) dropsAreDue() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed { // Close appends them
		return
	}
	w.due = true
	w.awake()
}

// takeDrops is called with the lock. It returns the counts that are to be appended now.
func (w *Writer) takeDrops() (taken []Drops) {
	if !w.due && !w.closed {
		return nil
	}
	for key, n := range w.drops {
		taken = append(taken, Drops{key.site, key.day, key.reason, n})
	}
	clear(w.drops)
	w.due = false
	return taken
}

// keepDrops keeps for another try the counts that could not be appended.
func (w *Writer) keepDrops(drops []Drops, commands []*redis.StringCmd) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, d := range drops {
		if commands[i].Val() == "" {
			w.addDrops(d)
		}
	}
}
