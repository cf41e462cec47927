package importer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxLine bounds a line in bytes; a longer one is passed over without being kept.
const maxLine = 64 << 10

// lines calls fn with each line that is not empty and no comment. long is called for one that is too long.
func lines(r io.Reader, fn func(n int, line string) error, long func(n int) error) error {
	b := bufio.NewReaderSize(r, maxLine)
	for n := 1; ; n++ {
		text, err := b.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = b.ReadSlice('\n')
			}
			if err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("reading line %d: %w", n, err)
			}
			if fault := long(n); fault != nil {
				return fault
			}
			if err != nil {
				return nil
			}
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading line %d: %w", n, err)
		}
		line := strings.TrimRight(string(text), "\r\n")
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if line != "" && line[0] != '#' {
			if fault := fn(n, line); fault != nil {
				return fault
			}
		}
		if err != nil {
			return nil
		}
	}
}

// tooLong is the report of a line that was passed over.
func tooLong(n int, each func(Record) error) error {
	return each(Record{Line: n, Login: "line " + strconv.Itoa(n), Fault: fmt.Sprintf("the line is longer than %d bytes", maxLine)})
}

// number reads a uid or gid; nil for nothing.
func number(text string) (*uint32, error) {
	if text == "" {
		return nil, nil
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("%q is not a number of a user or group", text)
	}
	v := uint32(n)
	return &v, nil
}

// amount reads a limit; nil for nothing and for 0, which most take for none.
func amount(text string, unit int64) (*int64, error) {
	if text == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < -1 || unit > 1 && n > (1<<62)/unit {
		return nil, fmt.Errorf("%q is not an amount", text)
	}
	if n == 0 {
		return nil, nil
	}
	if n > 0 {
		n *= unit
	}
	return &n, nil
}

// bounded fails when more than limit bytes are read without reset.
type bounded struct {
	r     io.Reader
	limit int64
	left  int64
}

var errTooLarge = errors.New("one record is larger than any can be")

func newBounded(r io.Reader, limit int64) *bounded { return &bounded{r, limit, limit} }

func (b *bounded) reset() { b.left = b.limit }

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}
