package control

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const lockName = "lock"

// ErrNotHeld means that this process has to take the [Lock] first.
var ErrNotHeld = errors.New("the lock of the data directory is not held")

// ErrLocked means that another process, or another part of this one, holds the data directory.
var ErrLocked = errors.New("the data directory is in use")

// Lock takes the data directory for this process until release is called or the process ends,
// however it ends. Where it is taken already the error is [ErrLocked] and names the folder and the
// holder. The file <dir>/lock stays behind; it means nothing without a holder. release may be
// called more than once.
func Lock(dir string) (release func(), err error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, dirError("lock", dir, err)
	}
	defer f.Close() // the lock lives on in the copy that keep makes
	if err := flock(f); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &fault{fmt.Sprintf("the data directory %s is in use by another Trivium%s. Stop that one first, or set data_dir", dir, holder(f)), ErrLocked}
		}
		return nil, fmt.Errorf("cannot lock the data directory %s: %w. Its file system may not know locks; set data_dir to one on a local disk", dir, err)
	}
	// Who holds it, for the message above only.
	if err := errors.Join(f.Truncate(0), writeAt(f, strconv.Itoa(os.Getpid())+"\n")); err != nil {
		return nil, dirError("write to", dir, err)
	}
	return keep(f, dir)
}

// keep makes a bare descriptor that holds the lock of f. An os.File would be closed, and the lock
// lost, by the garbage collector in a program that never looks at release again.
func keep(f *os.File, dir string) (release func(), err error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot keep the lock of the data directory %s: %w", dir, err)
	}
	var once sync.Once
	return func() {
		once.Do(func() { _ = unix.Close(fd) }) // which gives the lock back
	}, nil
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

// flock takes the lock or answers EWOULDBLOCK at once.
func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// holder is " (pid N)" of whoever wrote the lock file, or nothing.
func holder(f *os.File) string {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if err != nil {
		return ""
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 0 {
		return ""
	}
	return fmt.Sprintf(" (pid %d)", pid)
}

// holds reports whether this process holds the lock of dir. The kernel is asked, as the pid in the
// file may be of another container.
func holds(dir string) (bool, error) {
	var lock unix.Stat_t
	if err := unix.Stat(filepath.Join(dir, lockName), &lock); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return false, nil
		}
		return false, err
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return false, err
	}
	for _, e := range fds {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil || st.Dev != lock.Dev || st.Ino != lock.Ino {
			continue
		}
		// proc_pid_fdinfo(5): a line "lock: 1: FLOCK ADVISORY WRITE …" for each lock of this
		// open file, and none for a file that merely is the same.
		info, err := os.ReadFile("/proc/self/fdinfo/" + e.Name())
		if err != nil {
			continue // closed meanwhile
		}
		for lines := bufio.NewScanner(bytes.NewReader(info)); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "lock:") && strings.Contains(lines.Text(), "FLOCK") {
				return true, nil
			}
		}
	}
	return false, nil
}
