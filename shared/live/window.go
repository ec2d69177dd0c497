// Package live is what happens now: Window counts the visitors of the last five
// minutes, Feed tells subscribers of them and of events as they come in.
//
// It asks no clock: what the time is comes in. It must never tell who a visitor
// is, and nothing of an event but what Event holds.
package live

import "time"

// Span is how long ago a visitor may have been seen to be a current one.
const Span = 5 * time.Minute

const spanSeconds = int64(Span / time.Second)

// Window counts the visitors of each site that had an event within Span, to the
// second, engagements included. It is not safe for concurrent use.
type Window struct {
	last map[int32]map[int64]int64 // by site and visitor: the second last seen
	seen map[int64][]sighting      // by second; a visitor who was seen again is in several
	past int64                     // the last second that has slid out
}

type sighting struct {
	site    int32
	visitor int64
}

// NewWindow returns a window in which nobody was seen.
func NewWindow() *Window {
	return &Window{last: map[int32]map[int64]int64{}, seen: map[int64][]sighting{}}
}

// Add notes that a visitor was seen at a time. In what order, and how often, makes
// no difference. A time ahead of now counts as now.
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
	if known, ok := visitors[visitor]; ok && known >= second {
		return
	}
	visitors[visitor] = second
	w.seen[second] = append(w.seen[second], sighting{site, visitor})
}

// Count is the number of current visitors of a site.
func (w *Window) Count(site int32, now time.Time) int {
	w.slide(now)
	return len(w.last[site])
}

// slide forgets whoever was last seen too long ago.
func (w *Window) slide(now time.Time) {
	end := now.Unix() - spanSeconds
	if end <= w.past {
		return
	}
	if end-w.past > int64(len(w.seen)) { // as at first, or after a long sleep
		for second := range w.seen {
			if second <= end {
				w.forget(second)
			}
		}
	} else {
		for second := w.past + 1; second <= end; second++ {
			w.forget(second)
		}
	}
	w.past = end
}

func (w *Window) forget(second int64) {
	for _, s := range w.seen[second] {
		if visitors := w.last[s.site]; visitors[s.visitor] == second {
			delete(visitors, s.visitor)
			if len(visitors) == 0 {
				delete(w.last, s.site)
			}
		}
	}
	delete(w.seen, second)
}
