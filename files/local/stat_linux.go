package local

import (
	"time"

	"golang.org/x/sys/unix"
)

// look is fstatat(2) with the time of creation, by statx(2); an empty name is the file of fd itself.
// Where a filter or an old kernel has no statx, the time of creation stays unknown.
func look(fd int, name string) (stat, error) {
	flags := unix.AT_SYMLINK_NOFOLLOW
	if name == "" {
		flags = unix.AT_EMPTY_PATH
	}
	var s unix.Statx_t
	err := unix.Statx(fd, name, flags, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &s)
	if err == unix.ENOSYS || err == unix.EPERM {
		return lookPlain(fd, name)
	}
	if err != nil {
		return stat{}, err
	}
	st := stat{mode: uint32(s.Mode), uid: s.Uid, gid: s.Gid, size: int64(s.Size), links: int(s.Nlink),
		dev: unix.Mkdev(s.Dev_major, s.Dev_minor), ino: s.Ino,
		modified: time.Unix(s.Mtime.Sec, int64(s.Mtime.Nsec)), changed: time.Unix(s.Ctime.Sec, int64(s.Ctime.Nsec))}
	if s.Mask&unix.STATX_BTIME != 0 {
		st.created = time.Unix(s.Btime.Sec, int64(s.Btime.Nsec))
	}
	return st, nil
}
