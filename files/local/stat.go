package local

import (
	"io/fs"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"trivium/files"
)

// stat is what the system says of a file, the same on every system.
type stat struct {
	mode     uint32 // type and permission, as in stat(2)
	uid, gid uint32
	size     int64
	links    int
	dev, ino uint64
	modified time.Time
	changed  time.Time // ctime
	created  time.Time // zero where the system or the file system does not say
}

// statat looks at one name in a folder, and never follows a link.
func statat(at opened, name string) (st stat, err error) {
	if !single(name) {
		return st, files.ErrName
	}
	defer runtime.KeepAlive(at)
	fd := int(at.Fd())
	for { // as again, which would cost a listing two allocations for each entry
		if st, err = look(fd, name); err != unix.EINTR {
			return st, translate(err)
		}
	}
}

// fstat looks at an opened file.
func fstat(f opened) (st stat, err error) {
	err = again(func() error { st, err = look(int(f.Fd()), ""); return err })
	runtime.KeepAlive(f)
	return st, err
}

// lookPlain is look without the time of creation.
func lookPlain(fd int, name string) (stat, error) {
	var s unix.Stat_t
	var err error
	if name == "" {
		err = unix.Fstat(fd, &s)
	} else {
		err = unix.Fstatat(fd, name, &s, unix.AT_SYMLINK_NOFOLLOW)
	}
	return stat{mode: uint32(s.Mode), uid: s.Uid, gid: s.Gid, size: s.Size, links: int(s.Nlink), dev: uint64(s.Dev), ino: s.Ino,
		modified: time.Unix(s.Mtim.Unix()), changed: time.Unix(s.Ctim.Unix())}, err
}

func regular(st stat) error {
	switch st.mode & unix.S_IFMT {
	case unix.S_IFREG:
		return nil
	case unix.S_IFDIR:
		return files.ErrIsDir
	}
	return files.ErrUnsupported
}

// unique names a file, whatever it is called.
func unique(st stat) string {
	var buf [40]byte
	b := append(strconv.AppendUint(buf[:0], st.dev, 16), 'g')
	return string(strconv.AppendUint(b, st.ino, 16))
}

// node says what a stat says.
func node(name string, st stat) files.Node {
	n := files.Node{
		Name: name, Size: st.size, ModTime: st.modified, Changed: st.changed, Created: st.created, Links: st.links,
		Unique: unique(st),
	}
	switch st.mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		n.Type = fs.ModeDir
	case unix.S_IFLNK:
		n.Type = fs.ModeSymlink
	default:
		n.Type = fs.ModeIrregular
	}
	return n
}
