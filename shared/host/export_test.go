package host

import (
	"log/slog"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// SetSecretFolders makes tests independent of the secrets of the machine.
func (p *Process) SetSecretFolders(folders ...string) { p.secretFolders = folders }

// FindLimit returns the limit and Go's soft limit, in bytes, and what limits the memory.
func FindLimit(variables map[string]string, cgroup memlimit.Provider) (bytes, soft int64, source string, err error) {
	limit, err := findLimit(variables, cgroup)
	return limit.bytes, limit.soft, limit.source, err
}

// Refuses returns the method of a shedder for a process whose memory is always short. It
// calls collect to start a collection.
func Refuses(collect func()) func(now time.Time) bool {
	return (&shedder{live: 1, total: 1, collect: collect, log: slog.New(slog.DiscardHandler)}).refuses
}
