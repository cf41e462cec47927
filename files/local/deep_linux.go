package local

import (
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"trivium/files"
)

// openDeep opens what is several names down from a folder, in one step, through no link and never
// above the folder; unix.ENOSYS where the kernel cannot, or a sandbox forbids it.
func openDeep(at opened, path string, flags int) (*folder, error) {
	for name := range strings.SplitSeq(path, "/") {
		if !single(name) {
			return nil, files.ErrName
		}
	}
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_NOFOLLOW | unix.O_CLOEXEC),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	var fd int
	err := again(func() (err error) {
		fd, err = unix.Openat2(int(at.Fd()), path, &how)
		if err == unix.EPERM || err == unix.EAGAIN { // seccomp; a rename beside us, which the kernel could not rule out
			err = unix.ENOSYS
		}
		return err
	})
	runtime.KeepAlive(at)
	if err != nil {
		return nil, err
	}
	return &folder{fd}, nil
}
