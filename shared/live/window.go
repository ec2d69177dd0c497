// Package live shows what happens on sites now: Window counts the visitors of the last five
// minutes, and Feed sends their number and incoming events to subscribers.
//
// It reads no clock: callers pass the time. It must never expose who a visitor is, or
// anything of an event beyond the fields of Event.
package live

import "time"

// Span is how long a visitor counts as current after the last event.
const Span = 5 * time.Minute

const spanSeconds = int64(Span / time.Second)

// sightingBytes is about how much memory a sighting takes.
const sightingBytes = 100

// Window counts the visitors of each site who had an event within Span, including
// engagements, with a resolution of one second. It is not safe for concurrent use.
type Window struct {
	last map[int32]map[int64]int64 // by site and visitor: the second of the last sighting
	seen map[int64][]sighting      // by second; a visitor can be in several
	past int64                     // the last second that has left the window
	size int64                     // number of sightings in seen
	most int64                     // of size
}

// sighting is a visitor of a site.
type sighting struct {
	site    int32
	visitor int64
}

// NewWindow returns an empty window that may take about memory bytes. When an attack invents
// more visitors than fit, further ones are not counted.
func NewWindow(memory int64) *Window {
	return &Window{most: memory / sightingBytes, last: map[int32]map[int64]int64{}, seen: map[int64][]sighting{}}
}

// Add records that a visitor was seen at a time. Sightings may be added in any order and
// repeatedly. A time after now counts as now.
func (w *Window) Add(site int32, visitor int64, at, now time.Time) {
	w.slide(now)
	second := min(at.Unix(), now.Unix())
	if second <= w.past {
		return
	}
	visitors := w.last[site]
	if visitors == nil {
		visitors = map[int64]int64{}
		w.last[site] = visitors
	}
	if last, ok := visitors[visitor]; ok && last >= second || w.size >= w.most {
		return
	}
	w.size++
	visitors[visitor] = second
	w.seen[second] = append(w.seen[second], sighting{site, visitor})
}

// Count returns the number of current visitors of a site.
func (w *Window) Count(site int32, now time.Time) int {
	w.slide(now)
	return len(w.last[site])
}

// slide removes the sightings before now minus Span.
func (w *Window) slide(now time.Time) {
	end := now.Unix() - spanSeconds
	if end <= w.past {
		return
	}
	if end-w.past > int64(len(w.seen)) { // the first call, or a long pause
		for second := range w.seen {
			if second <= end {
				w.remove(second)
			}
		}
	} else {
		for second := w.past + 1; second <= end; second++ {
			w.remove(second)
		}
	}
	w.past = end
}

// remove removes the sightings of a second, and the visitors not seen since.
func (w *Window) remove(second int64) {
	for _, s := range w.seen[second] {
		if visitors := w.last[s.site]; visitors[s.visitor] == second {
			delete(visitors, s.visitor)
			if len(visitors) == 0 {
				delete(w.last, s.site)
			}
		}
	}
	w.size -= int64(len(w.seen[second]))
	delete(w.seen, second)
}
