package ftp

import (
	"bufio"
	"compress/flate"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
)

// MODE Z (draft-preston-ftpext-deflate-03): what goes over a data connection is one zlib stream
// (RFC 1950). Everything that counts bytes counts those of the file: REST, RANG, ALLO, quotas, rates
// and what is shown of a transfer; so a small stream that becomes a big file meets the quota as the
// file itself would.

// deflateRule hides MODE Z.
const deflateRule = "ftp:MODE Z"

const (
	// firstLevel is the level of compression until OPTS says another.
	firstLevel = 6
	// deflateShare is how many compressed transfers may run at once for each processor: each holds
	// up to one MiB, and more of them would only be slower.
	deflateShare = 16
)

var (
	// errDeflate is a stream that is no zlib stream, or is followed by something else.
	errDeflate = errors.New("not a proper zlib stream")
	// errDeflateEnd is one that ends before it is complete.
	errDeflateEnd = errors.New("the zlib stream breaks off")
)

// deflates lends compressors, and bounds how many are lent.
type deflates struct {
	places  chan struct{}
	writers [zlib.BestCompression + 1]sync.Pool // of *deflater, by level
	readers sync.Pool                           // of *inflater
}

func newDeflates() *deflates {
	return &deflates{places: make(chan struct{}, deflateShare*runtime.GOMAXPROCS(0))}
}

// enter takes a place, if one is free; leave gives it back.
func (d *deflates) enter() bool {
	select {
	case d.places <- struct{}{}:
		return true
	default:
		return false
	}
}

func (d *deflates) leave() { <-d.places }

// deflater writes a zlib stream, whose small pieces it gathers.
type deflater struct {
	z   *zlib.Writer
	out *bufio.Writer
}

// deflated has fn write to a zlib stream on w, and ends the stream where fn has not failed: one that
// is not complete must not look so.
func (d *deflates) deflated(w io.Writer, level int, fn func(io.Writer) error) error {
	f, ok := d.writers[level].Get().(*deflater)
	if !ok {
		f = &deflater{out: bufio.NewWriterSize(nil, chunk)}
		var err error
		if f.z, err = zlib.NewWriterLevel(f.out, level); err != nil {
			return err
		}
	}
	f.out.Reset(w)
	defer func() {
		f.out.Reset(nil) // it keeps no connection
		f.z.Reset(f.out)
		d.writers[level].Put(f)
	}()
	if err := fn(f.z); err != nil {
		return err
	}
	if err := f.z.Close(); err != nil {
		return err
	}
	return f.out.Flush()
}

// inflater reads a zlib stream to its end and to that of the connection.
type inflater struct {
	in    *bufio.Reader
	z     io.ReadCloser // nil: never used
	begun bool
	ended bool
}

// inflated lends an inflater of r; put takes it back.
func (d *deflates) inflated(r io.Reader) *inflater {
	f, ok := d.readers.Get().(*inflater)
	if !ok {
		f = &inflater{in: bufio.NewReaderSize(nil, chunk)}
	}
	f.in.Reset(r)
	f.begun, f.ended = false, false
	return f
}

func (d *deflates) put(f *inflater) {
	f.in.Reset(nil)
	d.readers.Put(f)
}

func (f *inflater) Read(p []byte) (int, error) {
	if !f.begun {
		if err := f.begin(); err != nil {
			return 0, err
		}
	}
	if f.ended {
		return 0, f.rest()
	}
	n, err := f.z.Read(p)
	switch {
	case err == io.EOF:
		if f.ended = true; n == 0 {
			return 0, f.rest()
		}
		return n, nil
	case err != nil:
		return n, streamError(err)
	}
	return n, nil
}

// begin reads the head. A connection without a byte is an empty file, as clients send one.
func (f *inflater) begin() error {
	f.begun = true
	if _, err := f.in.Peek(1); err != nil {
		return err
	}
	if f.z == nil {
		z, err := zlib.NewReader(f.in)
		if err != nil {
			return streamError(err)
		}
		f.z = z
		return nil
	}
	if err := f.z.(zlib.Resetter).Reset(f.in, nil); err != nil {
		return streamError(err)
	}
	return nil
}

// rest reads the end of the connection, before which nothing may stand.
func (f *inflater) rest() error {
	_, err := f.in.ReadByte()
	if err == nil {
		return errDeflate
	}
	return err
}

// streamError tells faults of the stream from those of the connection.
func streamError(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errDeflateEnd
	case errors.Is(err, zlib.ErrHeader), errors.Is(err, zlib.ErrChecksum), errors.Is(err, zlib.ErrDictionary), errors.As(err, &corrupt):
		return fmt.Errorf("%w: %w", errDeflate, err)
	}
	return err
}

// mode is MODE (RFC 959 section 3.4): the stream, or the stream as a zlib stream.
func (s *session) mode(arg string) {
	z := s.holds(deflateRule, 0)
	only := "MODE S is the one mode there is."
	if z {
		only = "MODE S or Z."
	}
	switch strings.ToUpper(arg) {
	case "S":
		s.params.deflate = false
		s.reply(200, "Mode is stream.")
	case "Z":
		if !z {
			s.reply(504, only)
			return
		}
		s.params.deflate = true
		s.reply(200, "Mode is deflate.")
	case "B", "C":
		s.reply(504, only)
	default:
		s.reply(501, only)
	}
}

// optsMode is OPTS MODE Z (section 3.3 of the draft): each name with its value.
func (s *session) optsMode(value string) {
	const syntax = "OPTS MODE Z LEVEL <0 to 9>; ENGINE ZLIB and METHOD 8 are the ones there are."
	fields := strings.Fields(strings.ToUpper(value))
	if len(fields) == 0 || fields[0] != "Z" || len(fields)%2 == 0 {
		s.reply(501, syntax)
		return
	}
	level := s.params.level
	if len(fields) == 1 {
		level = firstLevel // as it was at first
	}
	for i := 1; i < len(fields); i += 2 {
		switch name, v := fields[i], fields[i+1]; {
		case name == "LEVEL" && len(v) == 1 && v[0] >= '0' && v[0] <= '9':
			level = int(v[0] - '0')
		case name == "ENGINE" && v == "ZLIB", name == "METHOD" && v == "8":
		default:
			s.reply(501, syntax)
			return
		}
	}
	s.params.level = level
	s.reply(200, fmt.Sprintf("MODE Z ENGINE ZLIB METHOD 8 LEVEL %d", level))
}
