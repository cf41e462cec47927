package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openPTY returns both ends of a pseudo-terminal.
func openPTY(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	return master, slave
}

// signalling tells when something is first written.
type signalling struct {
	bytes.Buffer
	once  sync.Once
	ready chan struct{}
}

func (s *signalling) Write(b []byte) (int, error) {
	defer s.once.Do(func() { close(s.ready) })
	return s.Buffer.Write(b)
}

func TestPasswordIsNotEchoed(t *testing.T) {
	master, slave := openPTY(t)
	if !terminal(slave) {
		t.Fatal("a pseudo-terminal is no terminal")
	}
	stderr := &signalling{ready: make(chan struct{})}
	s := &shell{Globals: &Globals{}, ctx: t.Context(), stdin: slave, stdout: io.Discard, stderr: stderr}
	type result struct {
		text string
		err  error
	}
	got := make(chan result, 1)
	go func() {
		text, err := s.hidden("Password: ")
		got <- result{text, err}
	}()
	<-stderr.ready // the question comes after the echo is off
	if _, err := master.WriteString("hunter2\n"); err != nil {
		t.Fatal(err)
	}
	if r := <-got; r.text != "hunter2" || r.err != nil {
		t.Errorf("%q, %v", r.text, r.err)
	}
	// The echo is back: a mark comes through, and nothing before it.
	if _, err := master.WriteString("mark\n"); err != nil {
		t.Fatal(err)
	}
	if err := master.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Logf("no deadlines here: %v", err)
	}
	var seen strings.Builder
	for b := make([]byte, 64); !strings.Contains(seen.String(), "mark"); {
		n, err := master.Read(b)
		seen.Write(b[:n])
		if err != nil {
			t.Fatalf("%v after %q", err, seen.String())
		}
	}
	if strings.Contains(seen.String(), "hunter2") {
		t.Errorf("the terminal showed %q", seen.String())
	}
}
