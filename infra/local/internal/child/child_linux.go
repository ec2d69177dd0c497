package child

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// CanSeeProcesses tells whether Finish sees the processes of a directory here.
const CanSeeProcesses = true

// dieWithParent makes the kernel send signal to the child when this process dies.
func dieWithParent(attr *syscall.SysProcAttr, signal syscall.Signal) { attr.Pdeathsig = signal }

// processes returns the ids of the processes of a program that work in dir.
func processes(dir *Dir, program string) []int {
	var pids []int
	links, _ := filepath.Glob("/proc/[0-9]*/cwd") // the pattern is well formed
	for _, link := range links {
		process := filepath.Dir(link)
		// Errors are of processes that have ended or are other users'.
		if target, err := os.Readlink(link); err != nil || target != dir.path {
			continue
		}
		if name, err := os.ReadFile(filepath.Join(process, "comm")); err != nil || strings.TrimSpace(string(name)) != program {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(process)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
