//go:build !linux

package child

import "syscall"

// CanSeeProcesses reports whether Finish can find processes on this system.
const CanSeeProcesses = false

// dieWithParent does nothing: only Linux signals a child when its parent dies.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}

// processes returns nothing: there is no portable way to find them. PostgreSQL's processes
// exit when the postmaster does.
func processes(*Dir, string) []int { return nil }
