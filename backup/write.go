package backup

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

// writer writes the members of one archive and remembers their sums.
type writer struct {
	ctx   context.Context
	tar   *tar.Writer
	outer []io.Closer // what tar writes into, the innermost first
	hash  hash.Hash
	spool *os.File // the lines of SHA256SUMS, without a name
	lines *bufio.Writer
	sums  hash.Hash // of these lines
	size  int64     // of these lines
	buf   []byte
	m     Manifest
	tell  func(n int64)
}

// newWriter begins an archive. Without recipients it is not encrypted. tell hears of bytes that have been
// read; temp is where the sums wait for the end.
func newWriter(ctx context.Context, dst io.Writer, recipients []age.Recipient, temp string, tell func(int64)) (w *writer, err error) {
	w = &writer{ctx: ctx, hash: sha256.New(), sums: sha256.New(), buf: make([]byte, 256<<10), tell: tell}
	if w.spool, err = os.CreateTemp(temp, tempPrefix+"sums-*"); err != nil {
		return nil, err
	}
	if err := os.Remove(w.spool.Name()); err != nil {
		return nil, errors.Join(err, w.spool.Close())
	}
	w.lines = bufio.NewWriter(io.MultiWriter(w.spool, w.sums))
	if len(recipients) > 0 {
		sealed, err := age.Encrypt(dst, recipients...)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("encrypting the backup: %w", err), w.spool.Close())
		}
		dst = sealed
		w.outer = append(w.outer, sealed)
	}
	// The fastest level: a backup shall leave the processors to those who use the server.
	z, err := zstd.NewWriter(dst, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2), zstd.WithWindowSize(4<<20))
	if err != nil {
		return nil, errors.Join(err, w.spool.Close())
	}
	w.outer = append([]io.Closer{z}, w.outer...)
	w.tar = tar.NewWriter(z)
	return w, nil
}

// put writes one member whose content is body; it must have h.Size bytes, and what lacks is filled with
// zeros, in which case short is true.
func (w *writer) put(h *tar.Header, body io.Reader) (short bool, err error) {
	if err := w.ctx.Err(); err != nil {
		return false, err
	}
	h.Format = tar.FormatPAX
	if err := w.tar.WriteHeader(h); err != nil {
		return false, fmt.Errorf("%s: %w", shorten(h.Name), err)
	}
	w.hash.Reset()
	left := h.Size
	for left > 0 {
		if err := w.ctx.Err(); err != nil {
			return false, err
		}
		b := w.buf[:min(left, int64(len(w.buf)))]
		if !short {
			n, rerr := io.ReadFull(body, b)
			switch {
			case errors.Is(rerr, io.EOF), errors.Is(rerr, io.ErrUnexpectedEOF):
				short = true
				clear(b[n:])
			case rerr != nil:
				return false, fmt.Errorf("reading %s: %w", shorten(h.Name), rerr)
			}
		} else {
			clear(b)
		}
		if _, err := w.tar.Write(b); err != nil {
			return false, err
		}
		_, _ = w.hash.Write(b) // a hash takes everything
		left -= int64(len(b))
		if w.tell != nil {
			w.tell(int64(len(b)))
		}
	}
	w.m.Bytes += h.Size
	if h.Name == headName || h.Name == sumsName || h.Name == manifestName {
		return short, nil
	}
	return short, w.sum(h)
}

// sum notes the line of a member. Folders have no content, but are to be missed when they are gone.
func (w *writer) sum(h *tar.Header) error {
	if h.Typeflag == tar.TypeSymlink {
		w.hash.Reset()
		_, _ = io.WriteString(w.hash, h.Linkname) // a hash takes everything
	}
	w.m.Members++
	n, err := w.lines.WriteString(sumLine(w.hash.Sum(nil), h.Name))
	w.size += int64(n)
	return err
}

func (w *writer) json(name string, v any) error {
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	_, err = w.put(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(text)), ModTime: w.m.Began}, newBytes(text))
	return err
}

// file writes a file of ours, as it is on disk.
func (w *writer) file(name, from string) (err error) {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !regular(st.Mode()) {
		return &fs.PathError{Op: "read", Path: from, Err: errors.New("it is no file")}
	}
	_, err = w.put(&tar.Header{Name: name, Mode: 0o600, Size: st.Size(), ModTime: st.ModTime()}, f)
	return err
}

// finish writes the sums and the manifest, and ends the archive.
func (w *writer) finish(now time.Time) error {
	if err := w.lines.Flush(); err != nil {
		return err
	}
	if _, err := w.spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	w.m.Sums = hex.EncodeToString(w.sums.Sum(nil))
	if _, err := w.put(&tar.Header{Name: sumsName, Mode: 0o600, Size: w.size, ModTime: w.m.Began}, w.spool); err != nil {
		return err
	}
	w.m.Ended = now
	if err := w.json(manifestName, &w.m); err != nil {
		return err
	}
	if err := w.tar.Close(); err != nil {
		return err
	}
	return w.close()
}

// close ends what tar writes into.
func (w *writer) close() error {
	var errs []error
	for _, c := range w.outer {
		errs = append(errs, c.Close())
	}
	w.outer = nil
	return errors.Join(errs...)
}

// drop gives up what an archive holds that is not finished, or is.
func (w *writer) drop() {
	_ = w.close() // nobody reads what was written
	_ = w.spool.Close()
}
