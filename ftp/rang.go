package ftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"trivium/files"
)

// span is a range of bytes of a file, both ends included (draft-bryan-ftp-range-09 section 3).
type span struct {
	from, to int64

	// Of an upload.
	old  *files.File // what stands there, for the rest of the file; nil: nothing does
	head bool        // the file is made anew, and begins with what stands there before the range
}

// length is how many bytes a range holds.
func (g *span) length() int64 { return g.to - g.from + 1 }

// clipped is the part of the range that a file of that size has; false where it has none.
func (g *span) clipped(size int64) (from, to int64, ok bool) {
	return g.from, min(g.to, size-1), g.from < size
}

// errSpan is the end of an upload that brought more than its range holds.
var errSpan = errors.New("more bytes came than RANG had said")

// parseSpan reads the argument of RANG; reset is "1 0", which takes the range back.
func parseSpan(arg string) (g span, reset, ok bool) {
	a, b, two := strings.Cut(arg, " ")
	if !two {
		return span{}, false, false
	}
	from, ok1 := parseOffset(a)
	to, ok2 := parseOffset(b)
	switch {
	case !ok1 || !ok2:
		return span{}, false, false
	case from == 1 && to == 0:
		return span{}, true, true
	case from > to || to-from+1 <= 0:
		return span{}, false, false
	}
	return span{from: from, to: to}, false, true
}

// rang is RANG: what the next RETR, STOR or HASH is about. It takes the place of REST, and REST
// that of it.
func (s *session) rang(arg string) {
	g, reset, ok := parseSpan(arg)
	s.pending.rang = nil // an invalid range is the whole file again
	switch {
	case !ok:
		s.reply(501, "RANG <first byte> <last byte>, counted from 0; RANG 1 0 for the whole file.")
	case reset:
		s.reply(350, "The whole file again.")
	case s.params.ascii:
		s.reply(551, "RANG works with TYPE I alone.")
	default:
		s.pending.rest, s.pending.rang = 0, &g
		s.reply(350, fmt.Sprintf("Next are the bytes %d to %d.", g.from, g.to))
	}
}

// sends goes to where RETR begins to send a range, and says how much of it there is: nothing where
// the file ends before it (draft-bryan-ftp-range-09 section 4.3).
func (g *span) sends(f *files.File) (size int64, err error) {
	from, to, ok := g.clipped(f.Info().Size)
	if !ok {
		return 0, nil
	}
	_, err = f.Seek(from, io.SeekStart)
	return to - from + 1, err
}

// begins says where the upload of a range begins. At the end of the file it is appended to in place;
// elsewhere it is made anew, for a part of an upload that broke off may stand there, which has
// nothing to do with the file.
func (g *span) begins(ctx context.Context, tree *files.Tree, p string) (int64, error) {
	info, err := tree.Stat(ctx, p)
	switch {
	case err != nil && replyTo(err).text == absent, err == nil && info.Part:
		if g.from > 0 {
			return 0, files.ErrOffset
		}
		return 0, nil
	case err != nil:
		return 0, err
	case !info.Dir && g.from > info.Size:
		return 0, files.ErrOffset
	case g.from == info.Size:
		return g.from, nil
	}
	return 0, nil
}

// over opens what stands where a range is to be stored; the upload has begun at the offset, so no
// other writer changes it from now on.
func (g *span) over(ctx context.Context, tree *files.Tree, p string, offset int64) error {
	f, err := tree.Open(ctx, p)
	if err != nil && replyTo(err).text != absent {
		return err
	}
	g.old, g.head = f, offset == 0
	size := int64(0)
	if f != nil {
		size = f.Info().Size
	}
	if g.from > size || offset > 0 && offset != size {
		g.close()
		return files.ErrBusy // somebody has changed it just now
	}
	return nil
}

// prepare begins the upload with what stands before the range.
func (g *span) prepare(ctx context.Context, u *files.Upload) error {
	if !g.head || g.from == 0 {
		return nil
	}
	return copyPart(ctx, u, g.old, 0, g.from)
}

// receive takes the bytes of the range and no more.
func (g *span) receive(u *files.Upload, r io.Reader) error {
	if err := copyChunks(u, io.LimitReader(r, g.length())); err != nil {
		return err
	}
	var more [1]byte
	switch n, err := io.ReadFull(r, more[:]); {
	case n > 0:
		return errSpan
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

// copyPart adds the bytes from up to, but not with, to of a file to an upload, as long as ctx lasts.
func copyPart(ctx context.Context, u *files.Upload, f *files.File, from, to int64) error {
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return err
	}
	for from < to {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := u.ReadFrom(io.LimitReader(f, min(to-from, slice)))
		from += n
		if err == nil && n == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fill puts behind the bytes that came what the file has behind them: nothing outside of the range
// changes, and where fewer bytes came than it holds, they alone have changed.
func (g *span) fill(ctx context.Context, u *files.Upload, came int64) error {
	if g.old == nil || !g.head {
		return nil
	}
	return copyPart(ctx, u, g.old, g.from+came, g.old.Info().Size)
}

func (g *span) close() {
	if g.old != nil {
		_ = g.old.Close() // it was read
	}
}
