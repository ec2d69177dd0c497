package child

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// CanSeeProcesses reports whether Finish can find processes on this system.
const CanSeeProcesses = true

// dieWithParent makes the kernel send a signal to the child when this process dies.
func dieWithParent(attr *syscall.SysProcAttr, signal syscall.Signal) { attr.Pdeathsig = signal }

// processes returns the ids of a program's processes whose working directory is dir.
func processes(dir *Dir, program string) []int {
	var pids []int
	links, _ := filepath.Glob("/proc/[0-9]*/cwd") // the pattern is well formed
	for _, link := range links {
		process := filepath.Dir(link)
		// Errors are expected for processes that have exited or that other users own.
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
