package s3

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"syscall"

	"trivium/files"
)

// writer is a file opened for writing at its end. What has been written since the last whole
// piece waits in the spool.
type writer struct {
	s     *Store
	node  files.Node
	id    int64
	base  int64    // where in the file the spool begins; what is before lies in the bucket
	has   int64    // size of the file in the bucket: at least base, and what is beyond stands in the spool too
	spool *os.File // without a name; nil: nothing waits
	held  int64    // bytes in the spool
	size  atomic.Int64
	dirty bool        // the spool holds what the bucket does not
	lost  atomic.Bool // the file is no more: what the spool holds is for nobody
}

var (
	_ files.Writer  = (*writer)(nil)
	_ files.Flusher = (*writer)(nil)
)

// write opens a file at its end.
func (s *Store) write(ctx context.Context, e Entry) (*writer, error) {
	chunks, err := s.o.Names.Chunks(ctx, e.ID)
	if err != nil {
		return nil, err
	}
	w := &writer{s: s, node: node(e), id: e.ID}
	s.mu.Lock()
	s.writing[e.ID] = w
	s.mu.Unlock()
	if len(chunks) == 0 {
		return w, nil
	}
	last := chunks[len(chunks)-1]
	w.base = last.At + last.Size
	w.has = w.base
	w.size.Store(w.base)
	if last.Size < tailSize {
		if err := w.reopen(ctx, last); err != nil {
			w.gone()
			return nil, err
		}
	}
	return w, nil
}

// reopen takes a short last piece into the spool, to be written anew with what comes.
func (w *writer) reopen(ctx context.Context, c Chunk) error {
	body, err := w.s.get(ctx, c.Object, 0, c.Size)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := w.open(); err != nil {
		return err
	}
	n, err := io.Copy(w.spool, io.LimitReader(body, c.Size))
	if err == nil && n < c.Size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return errors.Join(err, w.forget())
	}
	w.base, w.held = c.At, n
	return nil
}

// open makes the spool.
func (w *writer) open() error {
	if w.spool != nil {
		return nil
	}
	f, err := os.CreateTemp(w.s.o.Spool, "upload-")
	if err != nil {
		return full(err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return errors.Join(err, f.Close())
	}
	w.spool = f
	return nil
}

// forget closes the spool, and what it held is gone.
func (w *writer) forget() error {
	if w.spool == nil {
		return nil
	}
	err := w.spool.Close()
	w.spool, w.held, w.dirty = nil, 0, false
	return err
}

func (w *writer) Node() files.Node { return w.node }

func (w *writer) Size() (int64, error) { return w.base + w.held, nil }

// gone takes the writer from the list of those who write.
func (w *writer) gone() {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if w.s.writing[w.id] == w {
		delete(w.s.writing, w.id)
	}
}

// written is the size of a file, with what a writer here holds of it.
func (s *Store) written(e Entry) Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.writing[e.ID]; w != nil {
		e.Size = w.size.Load()
	}
	return e
}

// discard tells the writer of a file that it is no more.
func (s *Store) discard(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.writing[id]; w != nil {
		w.lost.Store(true)
	}
}

func (w *writer) Write(p []byte) (int, error) {
	total := 0
	for len(p) > 0 {
		if err := w.room(); err != nil {
			return total, err
		}
		n, err := w.spool.Write(p[:min(int64(len(p)), chunkSize-w.held)])
		w.took(int64(n))
		total += n
		if err != nil {
			return total, full(err)
		}
		p = p[n:]
	}
	return total, nil
}

// ReadFrom hands the spool a *net.TCPConn as it is, so that the kernel moves its bytes.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	limit, limited := r.(*io.LimitedReader)
	var total int64
	for {
		if err := w.room(); err != nil {
			return total, err
		}
		part := io.LimitedReader{R: r, N: chunkSize - w.held}
		if limited {
			part.R, part.N = limit.R, min(part.N, limit.N)
		}
		want := part.N
		n, err := w.spool.ReadFrom(&part)
		w.took(n)
		total += n
		if limited {
			limit.N -= n
		}
		if err != nil || n < want || limited && limit.N <= 0 {
			return total, full(err)
		}
	}
}

// full names the error of a local disk that has no room for the spool.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
		return files.ErrNoSpace
	}
	return err
}

func (w *writer) took(n int64) {
	w.held += n
	w.dirty = w.dirty || n > 0
	w.size.Store(w.base + w.held)
}

// room makes sure that the spool is there and not full.
func (w *writer) room() error {
	if w.held >= chunkSize {
		if err := w.flush(); err != nil {
			return err
		}
		w.base += w.held
		w.held = 0
		if err := w.rewind(0); err != nil {
			return err
		}
	}
	return w.open()
}

// rewind cuts the spool to size, and goes to its end.
func (w *writer) rewind(size int64) error {
	if w.spool == nil {
		return nil
	}
	if err := w.spool.Truncate(size); err != nil {
		return err
	}
	_, err := w.spool.Seek(size, io.SeekStart)
	return err
}

// flush makes the spool the last piece of the file; what stays in it can be written on.
func (w *writer) flush() error {
	if !w.dirty || w.lost.Load() {
		return nil
	}
	ctx := context.Background() // what was taken is not lost because its sender has gone
	object := objectName()
	if err := w.s.o.Names.Intend(ctx, object); err != nil {
		return err
	}
	if err := w.s.put(ctx, object, io.NewSectionReader(w.spool, 0, w.held), w.held); err != nil {
		return err
	}
	if err := w.s.o.Names.Put(ctx, w.id, Chunk{At: w.base, Size: w.held, Object: object}); err != nil {
		return err
	}
	w.dirty, w.has = false, w.base+w.held
	return nil
}

// objectName is random, and begins so that a bucket's listing is spread evenly.
func objectName() string {
	text := strings.ToLower(rand.Text())
	return text[:2] + "/" + text
}

// Sync and Flush are the same: what the storage has taken is durable.
func (w *writer) Sync() error  { return w.flush() }
func (w *writer) Flush() error { return w.flush() }

// Truncate implements files.Writer.
func (w *writer) Truncate(size int64) error {
	switch {
	case size < 0 || size > w.base+w.held:
		return errors.New("a file is not made longer by cutting it")
	case size >= w.base:
		if err := w.rewind(size - w.base); err != nil {
			return err
		}
		w.held = size - w.base
	default:
		if err := w.forget(); err != nil {
			return err
		}
		w.base = size
	}
	w.size.Store(size)
	if w.has < size {
		return nil
	}
	w.dirty, w.has = false, size
	return w.s.o.Names.Cut(context.Background(), w.id, size)
}

func (w *writer) Close() error {
	err := w.flush()
	w.gone()
	return errors.Join(err, w.forget())
}
