package files

import (
	"context"
	"io"
	"io/fs"
	"os"
)

// File is an opened file. It is read as it was when it was opened, though an upload takes its place
// meanwhile. Its methods are for one goroutine, but for ReadAt.
type File struct {
	obj    Object
	info   Info
	stands standing
	use    use
	s      *Service
}

// Open opens a file for reading, through links inside the mount. A folder is ErrIsDir; an
// unfinished upload does not exist.
func (t *Tree) Open(ctx context.Context, p string) (*File, error) {
	v, s, err := t.walk(ctx, p, true)
	if err != nil {
		return nil, failed("open", p, err)
	}
	defer s.close()
	if s.m == nil || s.exists && s.node.Type.IsDir() {
		return nil, failed("open", p, ErrIsDir)
	}
	if !s.exists {
		return nil, failed("open", p, fs.ErrNotExist)
	}
	obj, err := s.dir.Open(ctx, s.name)
	if err != nil {
		return nil, failed("open", p, err)
	}
	// What was opened counts, not what stood there when the name was looked at.
	n := obj.Node()
	if !v.read(s.m, s.m.owned(n, false), s.canon()) {
		_ = obj.Close()
		return nil, failed("open", p, fs.ErrPermission)
	}
	return v.opened(t, s, obj, n), nil
}

// opened is the file whose bytes have been opened where a path has led.
func (v *view) opened(t *Tree, s *spot, obj Object, n Node) *File {
	f := &File{obj: obj, info: v.info(s.m, n, s.at, s.canon(), &s.diro), stands: v.standing(t, s, s.m.owned(n, false), false), use: v.uses(s, false), s: v.s}
	v.s.uses.add(&f.use)
	return f
}

// Info describes the file as it was opened.
func (f *File) Info() Info { return f.info }

// OS returns the bare file, if the store has one: what sendfile(2) needs. It is still closed by
// Close.
func (f *File) OS() (*os.File, bool) { return f.obj.OS() }

// Read, ReadAt and Seek are those of io.
func (f *File) Read(p []byte) (int, error)                   { return f.obj.Read(p) }
func (f *File) ReadAt(p []byte, off int64) (int, error)      { return f.obj.ReadAt(p, off) }
func (f *File) Seek(offset int64, whence int) (int64, error) { return f.obj.Seek(offset, whence) }

// Close is that of io; nobody has the file open by it any more.
func (f *File) Close() error {
	f.s.uses.drop(&f.use)
	return f.obj.Close()
}

// WriteTo reaches sendfile(2) from io.Copy.
func (f *File) WriteTo(w io.Writer) (int64, error) {
	if file, ok := f.obj.OS(); ok {
		return file.WriteTo(w)
	}
	return io.Copy(w, struct{ io.Reader }{f.obj})
}
