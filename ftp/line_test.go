package ftp

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

func TestParseLine(t *testing.T) {
	for _, tt := range []struct {
		name, line, verb, arg string
		err                   error
	}{
		{"verb", "NOOP\r", "NOOP", "", nil},
		{"LF alone", "NOOP", "NOOP", "", nil},
		{"lower case", "retr a b\r", "RETR", "a b", nil},
		{"spaces stay", "RETR  a ", "RETR", " a ", nil},
		{"Telnet IP and Synch", "\xff\xf4\xff\xf2ABOR\r", "ABOR", "", nil},
		{"Synch without its urgent byte", "\xff\xf4\xf2ABOR\r", "ABOR", "", nil},
		{"IP and IAC without commands", "\xf4\xffabor\r", "ABOR", "", nil},
		{"Telnet option", "\xff\xfd\x06NOOP", "NOOP", "", nil},
		{"doubled IAC", "CWD a\xff\xffb", "CWD", "a\xffb", nil},
		{"IAC at the end", "NOOP\xff", "NOOP", "", nil},
		{"empty", "\r", "", "", nil},
		{"no verb", "123 x", "", "", nil},
		{"control in the verb", "NO\x00OP", "", "", nil},
		{"HTTP", "GET / HTTP/1.1\r", "", "", errLineHTTP},
		{"HTTP in lower case", "post /x", "", "", errLineHTTP},
		{"HTTP header", "Host: example.org\r", "", "", errLineHTTP},
		{"name with HTTP", "RETR on HTTP/2", "RETR", "on HTTP/2", nil},
		{"TLS", "\x16\x03\x01\x02", "", "", errLineTLS},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := parseLine([]byte(tt.line))
			if !errors.Is(err, tt.err) || err != nil != (tt.err != nil) || c.verb != tt.verb || c.arg != tt.arg {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
}

// halting fails a read with a time-out now and then.
type halting struct {
	r io.Reader
	n int
}

func (h *halting) Read(p []byte) (int, error) {
	if h.n++; h.n%2 == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	return h.r.Read(p)
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	for _, tt := range []struct {
		name, in string
		want     []string // "!" for a line that is too long
	}{
		{"lines", "a\r\nb\n\nc\n", []string{"a\r", "b", "", "c"}},
		{"cut off", "a\nb", []string{"a"}},
		{"as long as may be", long[1:] + "\nb\n", []string{long[1:], "b"}},
		{"too long", long + "yy\nb\n", []string{"!", "b"}},
		{"twice", long + "\n" + long + long + "\nb\n", []string{"!", "!", "b"}},
	} {
		for _, r := range []io.Reader{strings.NewReader(tt.in), iotest.OneByteReader(strings.NewReader(tt.in))} {
			t.Run(tt.name, func(t *testing.T) {
				l := newLines(&halting{r: r})
				var got []string
				for {
					b, err := l.next()
					switch {
					case errors.Is(err, os.ErrDeadlineExceeded):
						continue
					case errors.Is(err, errLineLong):
						got = append(got, "!")
						continue
					case err == nil:
						got = append(got, string(b))
						continue
					case !errors.Is(err, io.EOF):
						t.Fatal(err)
					}
					break
				}
				if strings.Join(got, "|") != strings.Join(tt.want, "|") {
					t.Errorf("%.80q, want %.80q", got, tt.want)
				}
			})
		}
	}
}

func FuzzCommandLine(f *testing.F) {
	for _, s := range []string{"NOOP\r\n", "\xff\xf4\xff\xf2ABOR\r\n", "RETR a\x00b\nCWD \xff\xff\n", strings.Repeat("y", maxLine+3) + "\nQUIT\n", "GET / HTTP/1.0\r\n\r\n", "é\n\n \n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		l := newLines(iotest.HalfReader(strings.NewReader(string(in))))
		got, long := 0, 0
		for {
			b, err := l.next()
			if errors.Is(err, errLineLong) {
				long++
				continue
			}
			if err != nil {
				break
			}
			got++
			if len(b) >= maxLine {
				t.Fatalf("a line of %d bytes", len(b))
			}
			c, err := parseLine(b)
			if err != nil {
				continue
			}
			if strings.Trim(c.verb, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
				t.Fatalf("verb %q", c.verb)
			}
			if plain(c.arg) && (!utf8.ValidString(c.arg) || strings.ContainsAny(c.arg, "\n\r\x00")) {
				t.Fatalf("argument %q", c.arg)
			}
			if p := printable(c.arg); strings.ContainsAny(p, "\r\n\x00\x1b") {
				t.Fatalf("%q is not printable", p)
			}
		}
		// One line in, one out: those that were too long have been told instead.
		if ends := strings.Count(string(in), "\n"); got > ends || got+long < ends {
			t.Fatalf("%d lines and %d too long of %d", got, long, ends)
		}
	})
}
