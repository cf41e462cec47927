package local

import (
	"errors"
	"io/fs"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/xattr"
	"golang.org/x/sys/unix"

	"trivium/files"
)

// attrName is the extended attribute.
const attrName = "user.trivium"

// record is what the attribute holds. As text: the version, then u, g, m with a number (m in octal,
// with the setgid and sticky bits as in stat(2)), b with the time of birth that was set, in seconds
// since 1970, k for the mark and p for that of properties.
type record struct {
	files.Attr
	mark  bool // some entry of the folder has a record that counts
	props bool // some entry of the folder may have properties
}

const version = "1"

func (r record) String() string {
	b := []byte(version)
	if r.UID != nil {
		b = strconv.AppendUint(append(b, " u"...), uint64(*r.UID), 10)
	}
	if r.GID != nil {
		b = strconv.AppendUint(append(b, " g"...), uint64(*r.GID), 10)
	}
	if r.Mode != nil {
		b = strconv.AppendUint(append(b, " m"...), uint64(octal(*r.Mode)), 8)
	}
	if r.Created != nil {
		b = strconv.AppendInt(append(b, " b"...), r.Created.Unix(), 10)
	}
	if r.mark {
		b = append(b, " k"...)
	}
	if r.props {
		b = append(b, " p"...)
	}
	return string(b)
}

// closed is what an attribute that cannot be read means: nobody's but root's. It is marked, so that
// what hangs on the mark is not lost.
func closed() record {
	var id uint32
	var mode fs.FileMode
	return record{Attr: files.Attr{UID: &id, GID: &id, Mode: &mode}, mark: true, props: true}
}

// parse reads the text; anything unknown closes the file.
func parse(text string) record {
	fields := strings.Split(text, " ")
	if fields[0] != version {
		return closed()
	}
	var r record
	for _, f := range fields[1:] {
		if f == "" {
			return closed()
		}
		switch f[0] {
		case 'u', 'g':
			n, err := strconv.ParseUint(f[1:], 10, 32)
			if err != nil {
				return closed()
			}
			id := uint32(n)
			if f[0] == 'u' {
				r.UID = &id
			} else {
				r.GID = &id
			}
		case 'm':
			n, err := strconv.ParseUint(f[1:], 8, 12)
			if err != nil {
				return closed()
			}
			mode := fromOctal(uint32(n))
			r.Mode = &mode
		case 'b':
			n, err := strconv.ParseInt(f[1:], 10, 64)
			if err != nil {
				return closed()
			}
			born := time.Unix(n, 0).UTC()
			r.Created = &born
		case 'k':
			if f != "k" {
				return closed()
			}
			r.mark = true
		case 'p':
			if f != "p" {
				return closed()
			}
			r.props = true
		default:
			return closed()
		}
	}
	return r
}

func octal(m fs.FileMode) uint32 {
	n := uint32(m.Perm())
	if m&fs.ModeSetgid != 0 {
		n |= unix.S_ISGID
	}
	if m&fs.ModeSticky != 0 {
		n |= unix.S_ISVTX
	}
	return n
}

func fromOctal(n uint32) fs.FileMode {
	m := fs.FileMode(n).Perm()
	if n&unix.S_ISGID != 0 {
		m |= fs.ModeSetgid
	}
	if n&unix.S_ISVTX != 0 {
		m |= fs.ModeSticky
	}
	return m
}

// recordLife is for how long an opened folder's record is taken as it was last read. What we write is
// seen at once, and what another program writes by the next step that somebody takes.
const recordLife = 10 * time.Millisecond

// record is the record of the folder: to look at one entry after the other asks for the same.
func (d *dir) record() (record, error) {
	if d.as == d.s.records.Load() && time.Since(d.at) < recordLife {
		return d.recorded, nil
	}
	return d.readRecord()
}

// readRecord reads it in any case.
func (d *dir) readRecord() (record, error) {
	as, now := d.s.records.Load(), time.Now() // before, so that what is written meanwhile is noticed
	r, err := d.s.read(d.f)
	if err == nil {
		d.recorded, d.as, d.at = r, as, now
	}
	return r, err
}

// read returns what counts of the record of an opened file; none is no error.
func (s *Store) read(f opened) (record, error) {
	r, err := s.raw(f)
	if s.system {
		r.Attr, r.mark = files.Attr{}, false
	}
	return r, err
}

// raw returns the record of an opened file; none is no error.
func (s *Store) raw(f opened) (record, error) {
	if !s.xattrs {
		return record{}, nil
	}
	var buf [128]byte // more than any record of ours
	var n int
	err := again(func() (err error) { n, err = unix.Fgetxattr(int(f.Fd()), attrName, buf[:]); return err })
	runtime.KeepAlive(f)
	switch {
	case err == nil:
		return parse(string(buf[:n])), nil
	case err == xattr.ENOATTR || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, files.ErrUnsupported):
		return record{}, nil
	case err == unix.ERANGE:
		return closed(), nil
	}
	return record{}, err
}

// write replaces the record of an opened file. The caller holds s.attrs.
func (s *Store) write(f opened, r record) error {
	defer s.records.Add(1)
	if r.IsZero() && !r.mark && !r.props {
		err := again(func() error { return unix.Fremovexattr(int(f.Fd()), attrName) })
		if errors.Is(err, xattr.ENOATTR) {
			return nil
		}
		return err
	}
	return again(func() error { return unix.Fsetxattr(int(f.Fd()), attrName, []byte(r.String()), 0) })
}

// mark notes in a folder that entries of it have records. It comes before the first of them, so
// that a crash leaves a mark too many, never one too few.
func (s *Store) mark(d opened) error {
	if s.system {
		return nil
	}
	s.attrs.Lock()
	defer s.attrs.Unlock()
	r, err := s.raw(d)
	if err != nil || r.mark {
		return err
	}
	r.mark = true
	return s.write(d, r)
}
