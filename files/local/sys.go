package local

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"trivium/files"
)

// single reports whether name is one segment that stays in its folder. Callers have checked names
// already; this is the last door.
func single(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}

// again repeats a system call that a signal interrupted.
func again(fn func() error) error {
	for {
		err := fn()
		if err != unix.EINTR {
			return translate(err)
		}
	}
}

// translate gives the errors of the system the words of package files.
func translate(err error) error {
	if err == nil {
		return nil
	}
	var no unix.Errno
	if !errors.As(err, &no) {
		return err
	}
	switch no {
	case unix.ENOTDIR, unix.ELOOP: // ELOOP: a link, where O_NOFOLLOW was said
		return files.ErrNotDir
	case unix.EISDIR:
		return files.ErrIsDir
	case unix.ENOTEMPTY:
		return files.ErrNotEmpty
	case unix.ENAMETOOLONG:
		return files.ErrName
	case unix.ENOSPC, unix.EDQUOT, unix.EFBIG:
		return files.ErrNoSpace
	case unix.EXDEV, unix.EOPNOTSUPP, unix.EMLINK:
		return files.ErrUnsupported
	}
	return err
}

// openat opens one name in a folder, never through a link.
func openat(at opened, name string, flags int, perm uint32) (*folder, error) {
	fd, err := openFD(at, name, flags, perm)
	if err != nil {
		return nil, err
	}
	return &folder{fd}, nil
}

// openFD is openat that gives the descriptor alone.
func openFD(at opened, name string, flags int, perm uint32) (fd int, err error) {
	if !single(name) && name != "." {
		return -1, files.ErrName
	}
	err = again(func() (err error) {
		fd, err = unix.Openat(int(at.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, perm)
		return err
	})
	runtime.KeepAlive(at)
	return fd, err
}

// openRegular opens a file, and nothing else: no pipe can hold it up.
func openRegular(at opened, name string, flags int) (*os.File, stat, error) {
	st, err := statat(at, name)
	if err != nil {
		return nil, st, err
	}
	if err := regular(st); err != nil {
		return nil, st, err
	}
	fd, err := openFD(at, name, flags|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, st, err
	}
	f := &folder{fd}
	if st, err = fstat(f); err == nil {
		err = regular(st)
	}
	if err == nil {
		// It means nothing for a file, but os.File would try to have it polled.
		_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, 0)
	}
	if err != nil {
		_ = f.Close()
		return nil, st, err
	}
	return os.NewFile(uintptr(fd), name), st, nil
}

func mkdirat(at opened, name string, perm uint32) error {
	if !single(name) {
		return files.ErrName
	}
	err := again(func() error { return unix.Mkdirat(int(at.Fd()), name, perm) })
	runtime.KeepAlive(at)
	return err
}

func unlinkat(at opened, name string, flags int) error {
	if !single(name) {
		return files.ErrName
	}
	err := again(func() error { return unix.Unlinkat(int(at.Fd()), name, flags) })
	runtime.KeepAlive(at)
	return err
}

func readlinkat(at opened, name string) (string, error) {
	if !single(name) {
		return "", files.ErrName
	}
	buf := make([]byte, unix.PathMax)
	var n int
	err := again(func() (err error) { n, err = unix.Readlinkat(int(at.Fd()), name, buf); return err })
	runtime.KeepAlive(at)
	if errors.Is(err, unix.EINVAL) {
		return "", fs.ErrNotExist // no link, or one no more: a shell has put something else there
	}
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// inodeMode is what is written to the inode: the whole mode, with the owner's rights added, for the
// server's account is the owner there. Setuid and the rest stay virtual.
func inodeMode(mode, owner fs.FileMode) uint32 { return uint32((mode | owner).Perm()) }
