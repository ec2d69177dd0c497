package httpbody

import "time"

// Idle reports whether no memory is reserved.
func (m *Memory) Idle() bool {
	for _, p := range []*pool{m.reading, m.working} {
		if !p.free.TryAcquire(p.size) {
			return false
		}
		p.free.Release(p.size)
	}
	return true
}

// SetTimeout sets how long a body may take to arrive.
func (m *Memory) SetTimeout(d time.Duration) { m.timeout = d }
