package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

const socketName = "control.sock"

// maxPath is the longest path that fits into sockaddr_un with its final NUL (unix(7)).
const maxPath = 107

// ErrNotRunning means that no server listens in the data directory.
var ErrNotRunning = errors.New("the server is not running")

// Listen opens <dir>/control.sock with mode 0600, however long the path is. The caller must hold
// the [Lock] of dir: what a server that died left behind is removed on the strength of it, and
// without it the error is [ErrLocked] or says that the lock is missing. Accept gives only
// connections of this process's user and of root; others are closed. Close removes the socket.
func Listen(dir string) (net.Listener, error) {
	mine, err := holds(dir)
	if err != nil {
		return nil, dirError("look at the lock of", dir, err)
	}
	if !mine {
		return nil, &fault{fmt.Sprintf("cannot open the control socket in %s: this process does not hold the lock on the folder", dir), ErrNotHeld}
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil, dirError("open", dir, err)
	}
	ln, err := listen(dir, d)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return ln, nil
}

func listen(dir string, d *os.File) (*listener, error) {
	fd := int(d.Fd())
	if err := unix.Unlinkat(fd, socketName, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return nil, dirError("remove the old control socket in", dir, err)
	}
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		// On Linux bind(2) gives the file the socket's own mode, so it is never open to others.
		cerr := raw.Control(func(s uintptr) { err = unix.Fchmod(int(s), 0o600) })
		return errors.Join(cerr, err)
	}}
	// Nothing to wait for, so no context.
	ln, err := lc.Listen(context.Background(), "unix", address(dir, d))
	if err != nil {
		return nil, dirError("open the control socket in", dir, err)
	}
	unixLn, ok := ln.(*net.UnixListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("a Unix socket came as %T", ln), ln.Close())
	}
	unixLn.SetUnlinkOnClose(false) // by the descriptor, in Close: the path may have changed
	l := &listener{UnixListener: unixLn, dir: d, uid: uint32(os.Geteuid())}
	if err := unix.Fstatat(fd, socketName, &l.made, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return nil, errors.Join(dirError("look at the control socket in", dir, err), unixLn.Close())
	}
	return l, nil
}

// address is a name for the socket in dir that fits: the path itself, or for a deep folder one
// through the open descriptor d of it.
func address(dir string, d *os.File) string {
	path := filepath.Join(dir, socketName)
	if len(path) <= maxPath && path[0] != '@' { // a leading @ would be an abstract name
		return path
	}
	return "/proc/self/fd/" + strconv.Itoa(int(d.Fd())) + "/" + socketName
}

// listener is the control socket of a running server.
type listener struct {
	*net.UnixListener
	uid  uint32
	made unix.Stat_t // the socket's file as it was made

	once sync.Once
	dir  *os.File
	err  error
}

// Accept waits for a connection of somebody who may.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.UnixListener.Accept()
		if err != nil {
			return nil, err
		}
		if uid, _, _, err := Peer(c); err == nil && allowed(uid, l.uid) {
			return c, nil
		}
		_ = c.Close()
	}
}

// allowed says whose connections the server of user own takes.
func allowed(uid, own uint32) bool { return uid == own || uid == 0 }

// Close closes the socket and removes its file, unless that is another's by now.
func (l *listener) Close() error {
	l.once.Do(func() {
		var now unix.Stat_t
		fd := int(l.dir.Fd())
		if unix.Fstatat(fd, socketName, &now, unix.AT_SYMLINK_NOFOLLOW) == nil && now.Ino == l.made.Ino && now.Dev == l.made.Dev {
			l.err = unix.Unlinkat(fd, socketName, 0)
		}
		l.err = errors.Join(l.err, l.UnixListener.Close(), l.dir.Close())
	})
	return l.err
}

// Dial connects to the server of the data directory dir. Where none listens the error is
// [ErrNotRunning].
func Dial(ctx context.Context, dir string) (net.Conn, error) {
	d, err := os.Open(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, notRunning(dir)
	case err != nil:
		return nil, dirError("look into", dir, err)
	}
	defer d.Close() // the connection does not need it
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "unix", address(dir, d))
	switch {
	case err == nil:
		return c, nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTSOCK):
		return nil, notRunning(dir)
	case errors.Is(err, fs.ErrPermission):
		return nil, &fault{fmt.Sprintf("cannot talk to the server in %s: permission denied. Run as the server's user or as root", dir), err}
	}
	return nil, fmt.Errorf("cannot talk to the server in %s: %w", dir, err)
}

func notRunning(dir string) error {
	return &fault{fmt.Sprintf("no server is running on the data directory %s. Start it with `trivium serve`, or set data_dir to the folder of the one that runs", dir), ErrNotRunning}
}

// Peer answers who is at the other end of a connection from [Listen] or [Dial], as the kernel saw
// it at connect(2): the effective user and group, and the process.
func Peer(c net.Conn) (uid, gid uint32, pid int32, err error) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return 0, 0, 0, fmt.Errorf("asking for the peer of a %T: %w", c, errors.ErrUnsupported)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, 0, 0, fmt.Errorf("asking for the peer: %w", err)
	}
	var cred *unix.Ucred
	var serr error
	err = raw.Control(func(fd uintptr) {
		cred, serr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, serr); err != nil {
		return 0, 0, 0, fmt.Errorf("asking for the peer: %w", err)
	}
	return cred.Uid, cred.Gid, cred.Pid, nil
}
