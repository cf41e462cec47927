package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

// maxMember is more than any file: what claims it is made up.
const maxMember = 1 << 50 // bytes

// sink takes the members of an archive that is read; each reads its body to the end.
type sink interface {
	member(h *tar.Header, body io.Reader) error
}

// reader reads one archive from its beginning to its end.
type reader struct {
	ctx   context.Context
	tar   *tar.Reader
	plain io.Reader // what tar reads
	close func()
	last  string // the member that was begun last
	head  Head
	spool *os.File // our lines of the sums
	lines *bufio.Writer
	done  func(n int64)
	buf   []byte
}

var (
	ageMagic  = []byte("age-encryption.org/")
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// Encrypted reports whether what begins with these bytes is an encrypted archive.
func Encrypted(begin []byte) bool { return bytes.HasPrefix(begin, ageMagic) }

// newReader looks at the beginning of an archive.
func newReader(ctx context.Context, src io.Reader, ids []age.Identity, done func(int64)) (*reader, error) {
	r := &reader{ctx: ctx, done: done, close: func() {}, buf: make([]byte, 256<<10)}
	in := bufio.NewReaderSize(src, 64<<10)
	begin, err := in.Peek(len(ageMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(begin) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrTruncated)
	}
	src = in
	if Encrypted(begin) {
		if len(ids) == 0 {
			return nil, ErrEncrypted
		}
		if src, err = age.Decrypt(in, ids...); err != nil {
			var none *age.NoIdentityMatchError
			if errors.As(err, &none) {
				return nil, ErrEncrypted
			}
			return nil, r.fault(err)
		}
		in = bufio.NewReaderSize(src, 64<<10)
		if begin, err = in.Peek(len(zstdMagic)); err != nil {
			return nil, r.fault(err)
		}
		src = in
	}
	if !bytes.HasPrefix(begin, zstdMagic) {
		return nil, ErrNotBackup
	}
	z, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	r.plain, r.close = z, z.Close
	r.tar = tar.NewReader(z)
	return r, nil
}

// fault says what an error of reading means.
func (r *reader) fault(err error) error {
	switch {
	case err == nil, r.ctx.Err() != nil, errors.Is(err, ErrTruncated), errors.Is(err, ErrDamaged), errors.Is(err, ErrUnsafe):
		return err
	}
	where := "its beginning"
	if r.last != "" {
		where = shorten(r.last)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w. The last that could be read is %s", ErrTruncated, where)
	}
	return fmt.Errorf("%w in or after %s: %w", ErrDamaged, where, err)
}

// next reads the header of the next member, and refuses what no backup has.
func (r *reader) next() (*tar.Header, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	h, err := r.tar.Next()
	if err != nil {
		return nil, r.fault(err)
	}
	if err := checkName(h.Name); err != nil {
		return nil, err
	}
	r.last = h.Name
	if h.Size < 0 || h.Size > maxMember {
		return nil, fmt.Errorf("%w: %s says that it has %d bytes", ErrUnsafe, shorten(h.Name), h.Size)
	}
	inFiles := strings.HasPrefix(h.Name, filesPrefix)
	switch h.Typeflag {
	case tar.TypeReg:
		if strings.HasSuffix(h.Name, "/") {
			return nil, fmt.Errorf("%w: %s", ErrUnsafe, shorten(h.Name))
		}
	case tar.TypeDir, tar.TypeSymlink:
		if !inFiles || len(h.Linkname) > maxPath || h.Size != 0 {
			return nil, fmt.Errorf("%w: %s", ErrUnsafe, shorten(h.Name))
		}
	default:
		return nil, fmt.Errorf("%w: %s is of the kind %q", ErrUnsafe, shorten(h.Name), h.Typeflag)
	}
	known := inFiles || h.Name == headName || h.Name == databaseName || h.Name == sumsName || h.Name == manifestName
	if small := strings.HasPrefix(h.Name, dataPrefix) || strings.HasPrefix(h.Name, configPrefix); small && h.Size <= maxSmall {
		known = true
	}
	if !known {
		return nil, fmt.Errorf("%w: %s", ErrUnsafe, shorten(h.Name))
	}
	return h, nil
}

// text reads a small member.
func (r *reader) text(h *tar.Header, v any) error {
	if h.Size > maxHead {
		return fmt.Errorf("%w: %s has %d bytes", ErrUnsafe, h.Name, h.Size)
	}
	b, err := io.ReadAll(r.tar)
	if err != nil {
		return r.fault(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %s cannot be read: %w", ErrDamaged, h.Name, err)
	}
	return nil
}

// begin reads the head.
func (r *reader) begin() error {
	h, err := r.next()
	if err != nil {
		if errors.Is(err, ErrDamaged) && r.last == "" && errors.Is(err, tar.ErrHeader) {
			return ErrNotBackup
		}
		return err
	}
	if h.Name != headName {
		return ErrNotBackup
	}
	if err := r.text(h, &r.head); err != nil {
		return err
	}
	if r.head.Format > Format {
		return fmt.Errorf("%w: its form is %d, and this program knows it up to %d; Trivium %s has made it", ErrNewer, r.head.Format, Format, shorten(r.head.Version))
	}
	if r.head.Format < 1 {
		return ErrNotBackup
	}
	return nil
}

// all reads the rest of the archive, gives each member to s and checks its sum.
func (r *reader) all(s sink) (m Manifest, err error) {
	if r.spool, err = os.CreateTemp("", tempPrefix+"sums-*"); err != nil {
		return m, err
	}
	defer func() { _ = r.spool.Close() }() // nobody needs it any more
	if err := os.Remove(r.spool.Name()); err != nil {
		return m, err
	}
	r.lines = bufio.NewWriter(r.spool)
	hasDatabase := false
	var listed string // hash of the list
	for {
		h, err := r.next()
		if err != nil {
			return m, err
		}
		switch {
		case h.Name == sumsName:
			if listed, err = r.compare(); err != nil {
				return m, err
			}
		case h.Name == manifestName:
			if listed == "" {
				return m, fmt.Errorf("%w: %s", ErrMissing, sumsName)
			}
			if err := r.text(h, &m); err != nil {
				return m, err
			}
			if m.Sums != listed {
				return m, fmt.Errorf("%w: %s is not the list that the manifest names", ErrDamaged, sumsName)
			}
			if !hasDatabase {
				return m, fmt.Errorf("%w: %s", ErrMissing, databaseName)
			}
			return m, r.end()
		case listed != "" || h.Name == headName:
			return m, fmt.Errorf("%w: %s is out of its place", ErrUnsafe, shorten(h.Name))
		default:
			hasDatabase = hasDatabase || h.Name == databaseName
			if err := r.one(h, s); err != nil {
				return m, err
			}
		}
	}
}

// one gives a member away and notes its sum.
func (r *reader) one(h *tar.Header, s sink) error {
	sum := sha256.New()
	if h.Typeflag == tar.TypeSymlink {
		_, _ = io.WriteString(sum, h.Linkname) // a hash takes everything
	}
	body := &counted{r: r, left: h.Size, sum: sum}
	if err := s.member(h, body); err != nil {
		return err
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{body}, r.buf); err != nil {
		return err
	}
	_, err := r.lines.WriteString(sumLine(sum.Sum(nil), h.Name))
	return err
}

// counted is the body of a member.
type counted struct {
	r    *reader
	left int64
	sum  io.Writer
}

func (c *counted) Read(b []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	if err := c.r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.tar.Read(b[:min(int64(len(b)), c.left)])
	c.left -= int64(n)
	_, _ = c.sum.Write(b[:n]) // a hash takes everything
	c.r.done(int64(n))
	if errors.Is(err, io.EOF) {
		if c.left > 0 {
			return n, c.r.fault(io.ErrUnexpectedEOF)
		}
		return n, io.EOF
	}
	return n, c.r.fault(err)
}

// compare goes through the list of sums and ours, line by line, and gives the hash of the list.
func (r *reader) compare() (string, error) {
	if err := r.lines.Flush(); err != nil {
		return "", err
	}
	if _, err := r.spool.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	sum := sha256.New()
	theirs, ours := bufio.NewReaderSize(io.TeeReader(r.tar, sum), 3*maxPath), bufio.NewReaderSize(r.spool, 3*maxPath)
	for {
		a, aerr := theirs.ReadSlice('\n')
		if errors.Is(aerr, bufio.ErrBufferFull) {
			return "", fmt.Errorf("%w: a line of %s is too long", ErrDamaged, sumsName)
		}
		if aerr != nil && !errors.Is(aerr, io.EOF) {
			return "", r.fault(aerr)
		}
		b, berr := ours.ReadSlice('\n')
		if berr != nil && !errors.Is(berr, io.EOF) {
			return "", berr
		}
		switch {
		case len(a) == 0 && len(b) == 0:
			return hex.EncodeToString(sum.Sum(nil)), nil
		case bytes.Equal(a, b):
		case len(a) > 0 && (len(b) == 0 || nameOfLine(string(a)) != nameOfLine(string(b))):
			return "", fmt.Errorf("%w: %s", ErrMissing, shorten(nameOfLine(string(a))))
		default:
			return "", fmt.Errorf("%w: %s is not as it was", ErrDamaged, shorten(nameOfLine(string(b))))
		}
	}
}

// end makes sure that nothing follows, and that the compressed stream is whole.
func (r *reader) end() error {
	if _, err := r.tar.Next(); !errors.Is(err, io.EOF) {
		if err == nil {
			return fmt.Errorf("%w: something follows its end", ErrUnsafe)
		}
		return r.fault(err)
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r.plain}, r.buf)
	if err != nil {
		return r.fault(err)
	}
	if n > 0 {
		return fmt.Errorf("%w: something follows its end", ErrDamaged)
	}
	return nil
}

// ReadHead reads the beginning of an archive.
func ReadHead(ctx context.Context, src io.Reader, ids []age.Identity) (Head, error) {
	r, err := begun(ctx, src, ids, &Progress{}, nil)
	if err != nil {
		return Head{}, err
	}
	r.close()
	return r.head, nil
}

// begun is a reader that has read the beginning of an archive; what it reads is counted in p, and progress,
// which may be nil, is told.
func begun(ctx context.Context, src io.Reader, ids []age.Identity, p *Progress, progress func(Progress)) (*reader, error) {
	r, err := newReader(ctx, src, ids, func(n int64) {
		p.Done += n
		if progress != nil {
			progress(*p)
		}
	})
	if err != nil {
		return nil, err
	}
	if err := r.begin(); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// Verify reads an archive to its end, checks all sums, and opens the copy of the database, for which temp
// has room. progress may be nil.
func Verify(ctx context.Context, src io.Reader, ids []age.Identity, store Checker, temp string, progress func(Progress)) (m Manifest, err error) {
	p := Progress{Stage: "verify"}
	r, err := begun(ctx, src, ids, &p, progress)
	if err != nil {
		return m, err
	}
	defer r.close()
	dir, err := os.MkdirTemp(temp, tempPrefix+"db-*")
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, databaseName)
	if m, err = r.all(&checkSink{file: file, files: &p.Files}); err != nil {
		return m, err
	}
	return m, checkDatabase(ctx, store, file, m)
}

// Checker looks at copies of databases; a Store does.
type Checker interface {
	Check(ctx context.Context, file string) (Contents, error)
}

// checkDatabase compares a copy of the database with what the manifest says of it.
func checkDatabase(ctx context.Context, store Checker, file string, m Manifest) error {
	c, err := store.Check(ctx, file)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	for table, n := range m.Rows {
		if c.Rows[table] != n {
			return fmt.Errorf("%w: the table %s has %d rows, and the manifest says %d", ErrDamaged, table, c.Rows[table], n)
		}
	}
	return nil
}

// checkSink keeps the database alone.
type checkSink struct {
	file  string
	files *int64
}

func (s *checkSink) member(h *tar.Header, body io.Reader) (err error) {
	if strings.HasPrefix(h.Name, filesPrefix) && h.Typeflag == tar.TypeReg {
		*s.files++
	}
	if h.Name != databaseName {
		return nil
	}
	return writeNew(s.file, body)
}

// writeNew writes a file that is not there yet, mode 0600.
func writeNew(file string, body io.Reader) (err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, body, make([]byte, 256<<10))
	return err
}
