package local

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"trivium/files"
)

// open opens a file and says what it is, by the opened file itself.
func (d *dir) open(name string, flags int) (*os.File, files.Node, error) {
	if d.hides(name) {
		return nil, files.Node{}, fs.ErrNotExist
	}
	r, err := d.record()
	if err != nil {
		return nil, files.Node{}, err
	}
	f, st, err := openRegular(d.f, name, flags)
	if errors.Is(err, files.ErrNotDir) {
		err = files.ErrUnsupported // a link, or what has become one
	}
	if err != nil {
		return nil, files.Node{}, err
	}
	n := d.s.node(name, st)
	if r.mark {
		own, err := d.s.read(f)
		if err != nil {
			_ = f.Close()
			return nil, files.Node{}, err
		}
		n.Attr = own.Attr
	}
	return f, n, nil
}

func (d *dir) Open(_ context.Context, name string) (files.Object, error) {
	f, n, err := d.open(name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return &object{File: f, node: n}, nil
}

func (d *dir) OpenWrite(_ context.Context, name string) (files.Writer, error) {
	f, n, err := d.open(name, unix.O_RDWR)
	if err != nil {
		return nil, err
	}
	w, err := newWriter(f, n)
	if err != nil {
		return nil, err
	}
	return w, nil
}

// object is an opened file.
type object struct {
	*os.File
	node files.Node
}

func (o *object) Node() files.Node     { return o.node }
func (o *object) OS() (*os.File, bool) { return o.File, true }

// writer is a file opened for writing, at its end. It is not opened with O_APPEND, which would keep
// splice(2) away.
type writer struct {
	f    *os.File
	node files.Node
}

func newWriter(f *os.File, n files.Node) (*writer, error) {
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		_ = f.Close()
		return nil, err
	}
	return &writer{f: f, node: n}, nil
}

func (w *writer) Node() files.Node { return w.node }
func (w *writer) Close() error     { return w.f.Close() }
func (w *writer) Sync() error      { return full(w.f.Sync()) }

func (w *writer) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	return n, full(err)
}

// ReadFrom is that of os.File, which splices from a *net.TCPConn, bare or in an io.LimitedReader.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	n, err := w.f.ReadFrom(r)
	return n, full(err)
}

// full finds a full disk in an error; os.File puts the reader's errors in a PathError of its own, so
// nothing else is read out of one.
func full(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG) {
		return files.ErrNoSpace
	}
	return err
}

func (w *writer) Size() (int64, error) {
	fi, err := w.f.Stat()
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

func (w *writer) Truncate(size int64) error {
	if err := w.f.Truncate(size); err != nil {
		return full(err)
	}
	_, err := w.f.Seek(0, io.SeekEnd)
	return err
}
