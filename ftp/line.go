package ftp

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// maxLine bounds a command line with its end, in bytes.
const maxLine = 4096

// The ways in which a line is no command.
var (
	errLineLong = errors.New("the line is too long")
	errLineHTTP = errors.New("an HTTP request")
	errLineTLS  = errors.New("a TLS handshake where none was expected")
)

// lines cuts a stream of bytes into lines. A read that fails for want of time loses nothing: the
// next call goes on where it stopped.
type lines struct {
	r        io.Reader
	buf      []byte
	from, to int  // what has been read and not yet given
	skipping bool // inside a line that was too long
}

func newLines(r io.Reader) *lines { return &lines{r: r, buf: make([]byte, 512)} }

// buffered is how many bytes have been read and not yet given.
func (l *lines) buffered() int { return l.to - l.from }

// next returns a line without its LF, good until the next call. errLineLong comes once for a
// line that is longer than maxLine, whose rest is then skipped.
func (l *lines) next() ([]byte, error) {
	for {
		if i := bytes.IndexByte(l.buf[l.from:l.to], '\n'); i >= 0 {
			line := l.buf[l.from : l.from+i]
			l.from += i + 1
			if l.skipping {
				l.skipping = false
				continue
			}
			return line, nil
		}
		if l.skipping {
			l.from, l.to = 0, 0
		}
		if l.from > 0 {
			copy(l.buf, l.buf[l.from:l.to])
			l.from, l.to = 0, l.to-l.from
		}
		if l.to == len(l.buf) {
			if l.to >= maxLine {
				l.from, l.to, l.skipping = 0, 0, true
				return nil, errLineLong
			}
			l.buf = append(l.buf, make([]byte, len(l.buf))...)
		}
		n, err := l.r.Read(l.buf[l.to:])
		l.to += n
		if n == 0 && err != nil {
			return nil, err
		}
	}
}

// command is one command as it came.
type command struct {
	verb string // upper case; "" where the line held none
	arg  string // raw bytes; plain says whether it is fit for use
	// fault is the answer to a line that cannot be one.
	fault string
	// now is not nil where it waits, and is run by it as soon as there is something to overtake.
	now func(c *control, arg string)
}

// Telnet (RFC 854): what stands in the stream beside text.
const (
	telnetSE   = 0xf0 // the first command
	telnetWill = 0xfb
	telnetDont = 0xfe
	telnetIAC  = 0xff
)

// parseLine reads a line without its LF (RFC 959 section 5.3). Telnet commands are taken out,
// and so are stray bytes of a Synch in front of the verb. The error is errLineHTTP or errLineTLS
// where a client of another protocol speaks, which ends the connection.
func parseLine(line []byte) (command, error) {
	if len(line) >= 2 && line[0] == 0x16 && line[1] == 0x03 {
		return command{}, errLineTLS // RFC 8446 section 5.1: a handshake record
	}
	line = withoutTelnet(bytes.TrimSuffix(line, []byte{'\r'}))
	for len(line) > 0 && line[0] >= 0xf0 {
		line = line[1:] // no verb begins so, a Synch whose urgent byte was lost may
	}
	verb, arg, _ := strings.Cut(string(line), " ")
	if isHTTP(verb) {
		return command{}, errLineHTTP
	}
	for i := range len(verb) {
		digit := i > 0 && verb[i] >= '0' && verb[i] <= '9' // XSHA256
		if c := verb[i] &^ 0x20; (c < 'A' || c > 'Z') && !digit {
			return command{}, nil
		}
	}
	return command{verb: strings.ToUpper(verb), arg: arg}, nil
}

// withoutTelnet takes Telnet commands out: IAC with an option or a command behind it; a doubled
// IAC is the byte itself. line is changed in place.
func withoutTelnet(line []byte) []byte {
	if bytes.IndexByte(line, telnetIAC) < 0 {
		return line
	}
	out := line[:0]
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] != telnetIAC:
			out = append(out, line[i])
		case i+1 == len(line):
			// the command was cut off
		case line[i+1] == telnetIAC:
			out = append(out, telnetIAC)
			i++
		case line[i+1] >= telnetWill && line[i+1] <= telnetDont:
			i += 2
		case line[i+1] >= telnetSE:
			i++
		}
		// Of a Synch whose urgent byte was lost nothing but IAC is left: what follows is text.
	}
	return out
}

// httpVerbs begin a request line (RFC 9110 section 9) and are no verbs of ours.
var httpVerbs = map[string]bool{"GET": true, "HEAD": true, "POST": true, "PUT": true, "DELETE": true,
	"CONNECT": true, "OPTIONS": true, "TRACE": true, "PATCH": true, "PROPFIND": true, "PRI": true}

// isHTTP reports whether the line comes from a browser that was led here.
func isHTTP(verb string) bool {
	return httpVerbs[strings.ToUpper(verb)] || strings.HasPrefix(strings.ToLower(verb), "host:")
}

// plain reports whether an argument is text that may name something: UTF-8 (RFC 2640 section
// 2.1) without NUL, CR and LF, of which a name cannot consist.
func plain(arg string) bool {
	return utf8.ValidString(arg) && !strings.ContainsAny(arg, "\x00\r\n")
}

// printable masks control characters and bytes that are no UTF-8, for replies and for listings
// that people read.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}

// oneLine masks only what would end a line, for listings that programs read: every other name
// comes back as it is.
func oneLine(s string) string {
	return strings.NewReplacer("\r", "?", "\n", "?", "\x00", "?").Replace(s)
}
