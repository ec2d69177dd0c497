//go:build !linux

package child

import "syscall"

// CanSeeProcesses tells whether Finish sees the processes of a directory here.
const CanSeeProcesses = false

// dieWithParent does nothing here: only Linux tells a child of its parent's death.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}

// processes can't be told from outside here. PostgreSQL's end by themselves when
// the first of them is gone.
func processes(*Dir, string) []int { return nil }
