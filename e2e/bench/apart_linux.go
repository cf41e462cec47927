package main

import (
	"os/exec"
	"syscall"
)

// apart gives a process mounts of its own, and ends it with this one.
func apart(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
}
