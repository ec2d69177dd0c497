package host

import "github.com/KimMachineGun/automemlimit/memlimit"

// SetSecretFolders makes tests independent of the secrets of the machine.
func (p *Process) SetSecretFolders(folders ...string) { p.secretFolders = folders }

// FindLimit returns the limit and Go's soft limit, in bytes, and what limits the memory.
func FindLimit(variables map[string]string, cgroup memlimit.Provider) (bytes, soft int64, source string, err error) {
	limit, err := findLimit(variables, cgroup)
	return limit.bytes, limit.soft, limit.source, err
}
