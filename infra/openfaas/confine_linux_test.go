package openfaas_test

import (
	"os"
	"os/exec"
	"syscall"
)

// confine makes a command one in a container, where this process may, and tells
// whether it has.
func confine(cmd *exec.Cmd, root string) bool {
	if os.Geteuid() != 0 {
		return false
	}
	const nobody = 65532
	cmd.Path, cmd.Dir = "/server", "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return true
}
