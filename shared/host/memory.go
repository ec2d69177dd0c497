package host

import (
	"errors"
	"log/slog"
	"math"
	"net/http"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/analytics-platform/analytics/shared/edge/problem"
)

// DefaultMemory is the memory of a process that nothing limits, in bytes: the largest limit
// that a function is deployed with.
const DefaultMemory = 512 << 20

const (
	// softShare is the share of the limit that is Go's soft limit. The rest is for what Go
	// does not count, and for what is allocated before the garbage is collected.
	softShare = .85
	// liveShare is the share of the soft limit that may be in use after a collection. Beyond
	// it Go would do little else than collect.
	liveShare = .8
	// totalShare is the share of the soft limit that may be taken from the system. Beyond it
	// Go can't collect as fast as memory is allocated.
	totalShare = 1.05
)

// memoryLimit is how much memory the process may use.
type memoryLimit struct {
	bytes  int64  // 0 if nothing limits it
	soft   int64  // the limit for Go
	source string // what limits it
}

// findLimit returns the smallest of the limits that are set by a cgroup, by AWS Lambda and by
// the operator. The error says why the limit of the cgroup is unknown.
func findLimit(variables map[string]string, cgroup memlimit.Provider) (memoryLimit, error) {
	limit := memoryLimit{bytes: math.MaxInt64, soft: math.MaxInt64}
	lower := func(bytes uint64, share float64, source string) {
		if soft := float64(bytes) * share; bytes > 0 && soft < float64(limit.soft) {
			limit.soft = int64(soft)
		}
		if bytes > 0 && bytes < uint64(limit.bytes) {
			limit.bytes, limit.source = int64(bytes), source
		}
	}
	bytes, err := cgroup()
	switch {
	case err == nil:
		lower(bytes, softShare, "cgroup")
	case errors.Is(err, memlimit.ErrNoLimit), errors.Is(err, memlimit.ErrNoCgroup), errors.Is(err, memlimit.ErrCgroupsNotSupported):
		err = nil
	}
	megabytes, _ := strconv.ParseUint(variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], 10, 32)
	lower(megabytes<<20, softShare, "AWS Lambda")
	lower(parseMemory(variables["GOMEMLIMIT"]), 1, "GOMEMLIMIT")
	if limit.source == "" {
		return memoryLimit{}, err
	}
	return limit, err
}

// parseMemory parses a value of GOMEMLIMIT, such as 400MiB. It returns 0 for "off". Go does
// not start with an invalid value.
func parseMemory(text string) uint64 {
	shift := 0
	for i, unit := range []string{"B", "KiB", "MiB", "GiB", "TiB"} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			if _, err := strconv.ParseUint(number, 10, 64); err == nil {
				text, shift = number, 10*i
				break
			}
		}
	}
	bytes, err := strconv.ParseUint(text, 10, 64)
	if err != nil || bytes > math.MaxInt64>>shift {
		return 0
	}
	return bytes << shift
}

// Memory returns how much memory the process may use, in bytes: the smallest of the limits
// that are set by its cgroup, by AWS Lambda and by GOMEMLIMIT, or DefaultMemory if there is
// none. All functions of the process share it. What a function keeps in memory, such as a
// batch or an answer, should be limited to a share of it.
func (p *Process) Memory() int64 {
	if limit, _ := p.limit(); limit.bytes > 0 {
		return limit.bytes
	}
	return DefaultMemory
}

// LimitMemory makes Go collect garbage in time for the memory limit of the process, and makes
// the functions refuse requests while memory is short. It changes global state of Go, so only
// a main function may call it, once, before the first request.
func (p *Process) LimitMemory() {
	limit, err := p.limit()
	if err != nil {
		p.log.Warn("the memory limit of the cgroup is unknown", "error", err.Error())
	}
	if limit.bytes == 0 {
		p.log.Info("memory is not limited")
		return
	}
	debug.SetMemoryLimit(limit.soft)
	p.shedder.live, p.shedder.total = share(limit.soft, liveShare), share(limit.soft, totalShare)
	p.log.Info("memory is limited", "by", limit.source, "bytes", limit.bytes, "soft_limit", limit.soft)
}

func share(bytes int64, of float64) uint64 { return uint64(float64(bytes) * of) }

const (
	// sampleInterval is how long a measurement of the memory is used.
	sampleInterval = 100 * time.Millisecond
	// collectInterval is the minimum time between collections that the shedder starts.
	collectInterval = time.Second
	// shedRetry is when a refused client should try again.
	shedRetry = 5 * time.Second
)

// shedder decides whether requests are refused because memory is short. Without marks it
// refuses none.
type shedder struct {
	live, total uint64 // marks, in bytes
	collect     func()
	log         *slog.Logger

	sampled   atomic.Int64 // time of the last measurement, in Unix nanoseconds
	collected atomic.Int64 // time of the last collection that it started, likewise
	short     atomic.Bool
}

// refuses reports whether memory is short. Requests measure it, at most ten times a second.
func (s *shedder) refuses(now time.Time) bool {
	if s.total == 0 {
		return false
	}
	if passed(&s.sampled, now, sampleInterval) {
		live, total := usedMemory()
		short := live > s.live || total > s.total
		switch was := s.short.Swap(short); {
		case short && !was:
			s.log.Warn("memory is short: requests are refused", "live_bytes", live, "total_bytes", total)
		case was && !short:
			s.log.Info("memory is no longer short", "live_bytes", live, "total_bytes", total)
		}
		// What is live is only known after a collection, and who refuses requests allocates too
		// little to cause one.
		if short && passed(&s.collected, now, collectInterval) {
			go s.collect()
		}
	}
	return s.short.Load()
}

// passed reports whether an interval has passed since the last time, and if so makes now the
// last time. It does so for one of concurrent callers.
func passed(last *atomic.Int64, now time.Time, interval time.Duration) bool {
	before := last.Load()
	return now.UnixNano()-before >= int64(interval) && last.CompareAndSwap(before, now.UnixNano())
}

// usedMemory returns the bytes that were in use after the last collection, including stacks,
// and the bytes that Go has taken from the system, which its soft limit limits.
func usedMemory() (live, total uint64) {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(samples)
	return samples[0].Value.Uint64() + samples[1].Value.Uint64(), samples[2].Value.Uint64() - samples[3].Value.Uint64()
}

// errShort is the cause of a refusal, for the log.
var errShort = errors.New("memory is short")

// shed refuses a request.
func shed(rec *recorder) {
	rec.err = errShort
	p := problem.New(http.StatusServiceUnavailable, problem.CodeOverloaded, "the function is short of memory: try again later")
	p.RetryAfter = shedRetry
	problem.Write(rec, p)
}
