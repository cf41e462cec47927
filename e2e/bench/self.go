package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
)

// startSelf starts this program as one of its own servers, with the arguments; said is the first line
// that it prints. It ends with stop, or when this process ends, as [untilParentEnds] sees.
func startSelf(ctx context.Context, args ...string) (said string, pid int, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", 0, nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", 0, nil, err
	}
	if _, err := cmd.StdinPipe(); err != nil {
		return "", 0, nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", 0, nil, err
	}
	stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	said, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", 0, nil, err
	}
	return strings.TrimSpace(said), cmd.Process.Pid, stop, nil
}

// untilParentEnds waits for the end of the process that started this one: standard input ends with it.
func untilParentEnds() error {
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}
