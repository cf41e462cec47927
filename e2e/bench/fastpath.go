package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const fastPathSize = 64 << 20

// benchFastPath counts the server's system calls in one plain upload and one plain download.
func benchFastPath(ctx context.Context, bin string) error {
	if _, err := exec.LookPath("strace"); err != nil {
		fmt.Println("fast path: skipped, strace is not installed")
		return nil
	}
	s, err := start(ctx, bin)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.add(ctx, "bench"); err != nil {
		return err
	}
	c, err := session(s.target("bench"), false)
	if err != nil {
		return err
	}
	defer c.close()
	trace := filepath.Join(s.dir, "strace")
	tr := exec.CommandContext(ctx, "strace", "-f", "-c", "-o", trace, "-e", "trace=sendfile,splice,read,write", "-p", fmt.Sprint(s.cmd.Process.Pid))
	stderr, err := tr.StderrPipe()
	if err != nil {
		return err
	}
	if err := tr.Start(); err != nil {
		return err
	}
	if _, err := bufio.NewReader(stderr).ReadString('\n'); err != nil { // "Process N attached"
		return err
	}
	buf := make([]byte, block)
	if err := c.put("STOR big", buf, fastPathSize); err != nil {
		return err
	}
	if _, err := c.get("RETR big", buf); err != nil {
		return err
	}
	_ = tr.Process.Signal(os.Interrupt)
	_ = tr.Wait()
	b, err := os.ReadFile(trace)
	if err != nil {
		return err
	}
	counts := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if w := strings.Fields(line); len(w) >= 5 {
			counts[w[len(w)-1]] = w[3]
		}
	}
	fmt.Printf("plain 64 MiB up and down, system calls:    splice %s, sendfile %s, read %s, write %s\n",
		counts["splice"], counts["sendfile"], counts["read"], counts["write"])
	return nil
}
