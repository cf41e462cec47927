package s3

import (
	"context"
	"errors"
	"io"
	"os"
	"sort"

	"trivium/files"
)

// object is a file opened for reading, as it was then. Its methods are for one goroutine, but for
// ReadAt.
type object struct {
	s      *Store
	ctx    context.Context
	node   files.Node
	chunks []Chunk
	pos    int64
	body   io.ReadCloser // at pos; nil: none is open
	left   int64         // of body
	closed bool
}

var _ files.Object = (*object)(nil)

func (s *Store) open(ctx context.Context, e Entry) (*object, error) {
	chunks, err := s.o.Names.Chunks(ctx, e.ID)
	if err != nil {
		return nil, err
	}
	// What was read together counts: the size is that of the chunks.
	e.Size = 0
	if n := len(chunks); n > 0 {
		e.Size = chunks[n-1].At + chunks[n-1].Size
	}
	s.pin(chunks)
	return &object{s: s, ctx: context.WithoutCancel(ctx), node: node(e), chunks: chunks}, nil
}

func (o *object) Node() files.Node { return o.node }

// OS implements files.Object: the bytes are on no disk of ours.
func (o *object) OS() (*os.File, bool) { return nil, false }

func (o *object) Close() error {
	if o.closed {
		return os.ErrClosed
	}
	o.closed = true
	o.drop()
	o.s.unpin(o.chunks)
	return nil
}

func (o *object) drop() {
	if o.body != nil {
		_ = o.body.Close() // it was read
		o.body = nil
	}
}

// at finds the chunk that holds a byte.
func (o *object) at(pos int64) Chunk {
	i := sort.Search(len(o.chunks), func(i int) bool { return o.chunks[i].At+o.chunks[i].Size > pos })
	return o.chunks[i]
}

// begin opens the rest of the chunk that holds a byte.
func (o *object) begin(pos, most int64) (io.ReadCloser, int64, error) {
	c := o.at(pos)
	n := min(c.At+c.Size-pos, most)
	body, err := o.s.get(o.ctx, c.Object, pos-c.At, n)
	return body, n, err
}

func (o *object) Read(p []byte) (int, error) {
	switch {
	case o.closed:
		return 0, os.ErrClosed
	case len(p) == 0:
		return 0, nil
	case o.pos >= o.node.Size:
		return 0, io.EOF
	}
	if o.body == nil {
		var err error
		if o.body, o.left, err = o.begin(o.pos, o.node.Size); err != nil {
			o.body = nil
			return 0, err
		}
	}
	n, err := o.body.Read(p[:min(int64(len(p)), o.left)])
	o.pos += int64(n)
	o.left -= int64(n)
	if o.left == 0 {
		o.drop()
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // the object is shorter than what was written
	}
	return n, err
}

func (o *object) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.pos
	case io.SeekEnd:
		offset += o.node.Size
	}
	if offset < 0 {
		return o.pos, errors.New("seeking before the begin of a file")
	}
	if offset != o.pos {
		o.drop()
	}
	o.pos = offset
	return offset, nil
}

func (o *object) ReadAt(p []byte, off int64) (int, error) {
	total := 0
	for total < len(p) {
		pos := off + int64(total)
		if pos >= o.node.Size {
			return total, io.EOF
		}
		body, n, err := o.begin(pos, int64(len(p)-total))
		if err != nil {
			return total, err
		}
		k, err := io.ReadFull(body, p[total:total+int(n)])
		_ = body.Close() // it was read
		total += k
		if err != nil {
			return total, io.ErrUnexpectedEOF
		}
	}
	return total, nil
}
