package local

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/pkg/xattr"
	"golang.org/x/sys/unix"

	"trivium/files"
)

// propsAttr is the extended attribute that holds an entry's properties. The record of its folder
// says whether any entry there has some, so that folders without cost nothing.
const propsAttr = "user.trivium.props"

func (d *dir) Props(_ context.Context, name string) ([]byte, error) {
	if d.hides(name) {
		return nil, fs.ErrNotExist
	}
	if !d.s.xattrs {
		return nil, files.ErrUnsupported
	}
	if name != "." {
		if r, err := d.record(); err != nil || !r.props {
			return nil, err
		}
	}
	f, err := d.propsFile(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := xattr.FGet(f, propsAttr)
	if errors.Is(err, xattr.ENOATTR) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil, nil
	}
	return data, translate(err)
}

func (d *dir) SetProps(_ context.Context, name string, data []byte) error {
	if d.hides(name) {
		return fs.ErrNotExist
	}
	if !d.s.xattrs {
		return files.ErrUnsupported
	}
	if len(data) > files.MaxProps {
		return files.ErrQuota
	}
	f, err := d.propsFile(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if data == nil {
		if err := xattr.FRemove(f, propsAttr); !errors.Is(err, xattr.ENOATTR) {
			return translate(err)
		}
		return nil
	}
	if name != "." {
		if err := d.s.markProps(d.f); err != nil {
			return err
		}
	}
	return translate(xattr.FSet(f, propsAttr, data))
}

// propsFile opens a file or folder; a link has no properties.
func (d *dir) propsFile(name string) (*os.File, error) {
	fd, err := openFD(d.f, name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, files.ErrNotDir) {
		err = files.ErrUnsupported
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// markProps notes in a folder that entries of it have properties, before the first has.
func (s *Store) markProps(d opened) error {
	s.attrs.Lock()
	defer s.attrs.Unlock()
	r, err := s.raw(d)
	if err != nil || r.props {
		return err
	}
	r.props = true
	return s.write(d, r)
}
