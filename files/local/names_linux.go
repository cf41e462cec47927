package local

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// kind is the type of an entry as getdents(2) gives it.
type kind uint8

func (k kind) mode() fs.FileMode {
	switch k {
	case unix.DT_REG:
		return 0
	case unix.DT_DIR:
		return fs.ModeDir
	case unix.DT_LNK:
		return fs.ModeSymlink
	case unix.DT_UNKNOWN:
		return unknownType
	}
	return fs.ModeIrregular
}

// Where the parts of a struct linux_dirent64 are, in bytes.
const (
	direntLength = 16
	direntType   = 18
	direntName   = 19
)

// Sizes of the buffer for getdents(2): most folders are small, and in a big one each call costs.
const (
	smallDirents = 8 << 10
	bigDirents   = 64 << 10
)

// readDirents calls fn with each name in an opened folder from its position on; the name is good until
// fn returns. It reads into buf, or a bigger one, which it returns.
func readDirents(f *os.File, buf []byte, fn func(name []byte, typ kind)) ([]byte, error) {
	defer runtime.KeepAlive(f)
	fd := int(f.Fd())
	if buf == nil {
		buf = make([]byte, smallDirents)
	}
	for {
		var n int
		err := again(func() (err error) { n, err = unix.Getdents(fd, buf); return err })
		if err != nil || n <= 0 {
			return buf, err
		}
		for rest := buf[:n]; len(rest) > direntName; {
			length := int(binary.NativeEndian.Uint16(rest[direntLength:]))
			if length <= direntName || length > len(rest) {
				return buf, unix.EIO // no kernel says so
			}
			s := rest[direntName:length]
			if end := bytes.IndexByte(s, 0); end >= 0 {
				s = s[:end]
			}
			if string(s) != "." && string(s) != ".." {
				fn(s, kind(rest[direntType]))
			}
			rest = rest[length:]
		}
		if len(buf) < bigDirents && n > len(buf)/2 {
			buf = make([]byte, bigDirents)
		}
	}
}
