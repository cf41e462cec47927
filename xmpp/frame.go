package xmpp

import (
	"bytes"
	"io"
	"sync"

	xstream "mellium.im/xmpp/stream"
)

// What an element may be at most, after the log-in and before it alike. RFC 6120 section 13.12
// asks for limits and leaves the numbers to us.
const (
	maxDepth = 64  // elements inside one another
	maxAttrs = 128 // attributes of one element, namespace declarations among them
	maxBinds = 128 // namespace declarations in force at one place
)

const (
	chunk = 8 << 10 // bytes of a pooled buffer
	nap   = 64      // bytes that an idle stream reads into, to hold no buffer meanwhile
)

// frameKind is what the framer found.
type frameKind uint8

const (
	frameHeader  frameKind = iota // the open tag of the stream
	frameElement                  // a whole element of the stream's first level
	frameClose                    // the end tag of the stream
)

// frame is a unit of the stream; el is nil for frameClose.
type frame struct {
	kind frameKind
	el   *Element
}

// fault is a reason to end the stream.
type fault struct {
	cond xstream.Error
	text string
}

func (f *fault) Error() string { return f.cond.Err + ": " + f.text }

// framer cuts the one byte stream of a connection into frames. It is the connection's only reader
// from accept to end, whatever runs on top, so no byte is lost between negotiation and use.
//
// It first looks for the end of an element, going on where it stopped when more bytes come, and
// then validates the whole: what the first look might misjudge, the second refuses.
type framer struct {
	r      io.Reader
	max    int  // bytes of an element
	budget int  // bytes that may still be read before the log-in; below 0: no limit
	header bool // the next tag opens a stream

	declared bool // the XML declaration before it has been seen

	buf      []byte // nil while there is nothing in it
	pos, end int    // unread bytes: buf[pos:end]
	used     int    // bytes of buf that have held something; the rest is zero
	scan     scan
	scope    []binding // what the stream's open tag declares

	total uint64 // bytes that have come

	small [nap]byte
}

var chunks = sync.Pool{New: func() any { return new([chunk]byte) }}

// buffered is the number of bytes that were read and not yet used.
func (f *framer) buffered() int { return f.end - f.pos }

// empty reports whether nothing but white space waits to be used, which goes.
func (f *framer) empty() bool {
	f.skipSpace()
	return f.pos == f.end
}

// heard is the number of bytes that have come.
func (f *framer) heard() uint64 { return f.total }

// restart says that a new stream begins.
func (f *framer) restart() { f.header = true }

// next returns the next frame. White space between elements is passed over (RFC 6120 section
// 4.6.1). The error is a *fault where the peer broke the rules, else the connection's.
func (f *framer) next() (frame, error) {
	for {
		f.skipSpace()
		if f.pos == f.end {
			f.release()
		} else {
			n, err := f.scan.element(f.buf[f.pos:f.end], f.header)
			if err != nil {
				return frame{}, err
			}
			if max(n, f.scan.at) > f.max || n == 0 && f.buffered() > f.max {
				return frame{}, &fault{xstream.PolicyViolation, "the stanza is too large"}
			}
			if n > 0 {
				fr, again, err := f.take(n)
				if err != nil || !again {
					return fr, err
				}
				continue
			}
		}
		if err := f.fill(); err != nil {
			return frame{}, err
		}
	}
}

func (f *framer) skipSpace() {
	if f.scan.at > 0 {
		return
	}
	for f.pos < f.end && isSpace(f.buf[f.pos]) {
		f.pos++
	}
}

// take validates the n bytes that the scan has found; again is true for the XML declaration.
func (f *framer) take(n int) (fr frame, again bool, err error) {
	raw := bytes.Clone(f.buf[f.pos : f.pos+n])
	f.pos += n
	f.scan = scan{}
	if f.pos == f.end {
		f.release()
	}
	switch {
	case raw[1] == '?':
		if f.declared {
			return frame{}, false, errSyntax
		}
		f.declared = true
		return frame{}, true, declaration(raw)
	case f.header:
		el, scope, err := parseHeader(raw)
		if err != nil {
			return frame{}, false, err
		}
		f.header, f.declared, f.scope = false, false, scope
		return frame{frameHeader, el}, false, nil
	case raw[1] == '/':
		if string(bytes.TrimRight(raw[2:n-1], " \t\r\n")) != "stream:stream" {
			return frame{}, false, &fault{xstream.NotWellFormed, "that end tag ends nothing"}
		}
		return frame{kind: frameClose}, false, nil
	}
	el, err := parseElement(raw, f.scope)
	return frame{frameElement, el}, false, err
}

// fill reads more bytes; without a buffer it waits in a few bytes of its own.
func (f *framer) fill() error {
	into := f.small[:]
	if f.buf != nil {
		switch {
		case f.end < len(f.buf):
		case f.pos > 0:
			f.end = copy(f.buf, f.buf[f.pos:f.end])
			f.pos = 0
		default:
			grown := make([]byte, 2*len(f.buf))
			copy(grown, f.buf)
			f.recycle()
			f.buf = grown
		}
		into = f.buf[f.end:]
	}
	n, err := f.r.Read(into)
	if n == 0 {
		if err == nil {
			err = io.ErrNoProgress
		}
		return err
	}
	if f.buf == nil {
		f.buf = chunks.Get().(*[chunk]byte)[:]
		copy(f.buf, into[:n])
		clear(f.small[:n]) // it may hold a password
	}
	f.end += n
	f.total += uint64(n)
	f.used = max(f.used, f.end)
	if f.budget >= 0 {
		if f.budget -= n; f.budget < 0 {
			f.budget = 0
			return &fault{xstream.PolicyViolation, "too many bytes before the log-in"}
		}
	}
	return nil
}

func (f *framer) release() {
	f.recycle()
	f.buf, f.pos, f.end, f.used = nil, 0, 0, 0
}

// recycle gives a buffer of the usual size to the next who needs one, without what was in it.
func (f *framer) recycle() {
	if len(f.buf) == chunk {
		clear(f.buf[:f.used])
		chunks.Put((*[chunk]byte)(f.buf))
	}
}

// scan looks for the end of an element and remembers where it is.
type scan struct {
	mode  scanMode
	quote byte
	depth int
	at    int // bytes seen
	from  int // where the section "<![CDATA[" begins
}

type scanMode uint8

const (
	scanTop scanMode = iota
	scanText
	scanMarkup // behind <
	scanTag
	scanQuote
	scanEndTag
	scanBang // inside <![CDATA[
	scanCDATA
	scanDeclaration // of XML
)

const cdataStart = "<![CDATA["

// tagText are the bytes that change nothing inside of a tag.
var tagText = func() (t [256]bool) {
	for c := range t {
		t[c] = c != '"' && c != '\'' && c != '>'
	}
	return
}()

// element returns the length of the element that b begins with, or 0 where its end has not come.
func (s *scan) element(b []byte, header bool) (int, error) {
	for s.at < len(b) {
		c := b[s.at]
		switch s.mode {
		case scanTop:
			if c != '<' {
				return 0, &fault{xstream.NotWellFormed, "text outside of a stanza"}
			}
			s.mode = scanMarkup
		case scanText:
			i := bytes.IndexByte(b[s.at:], '<')
			if i < 0 {
				s.at = len(b)
				return 0, nil
			}
			s.at += i
			s.mode = scanMarkup
		case scanMarkup:
			switch {
			case c == '/' && !header:
				s.mode = scanEndTag
			case c == '!' && s.depth > 0:
				s.mode, s.from = scanBang, s.at-1
			case c == '?' && header:
				s.mode = scanDeclaration
			case c == '!' || c == '?':
				// RFC 6120 section 11.1
				return 0, &fault{xstream.RestrictedXML, "comments, instructions and DTDs are not allowed"}
			case c < 0x80 && !nameStart[c]:
				return 0, &fault{xstream.NotWellFormed, "that is no name"}
			default:
				s.mode = scanTag
				if s.depth++; s.depth > maxDepth {
					return 0, &fault{xstream.PolicyViolation, "elements are nested too deep"}
				}
			}
		case scanTag:
			for tagText[c] && s.at+1 < len(b) {
				s.at++
				c = b[s.at]
			}
			switch c {
			case '"', '\'':
				s.mode, s.quote = scanQuote, c
			case '>':
				s.mode = scanText
				if header {
					return s.at + 1, nil
				}
				if b[s.at-1] == '/' {
					if s.depth--; s.depth == 0 {
						return s.at + 1, nil
					}
				}
			}
		case scanQuote:
			i := bytes.IndexByte(b[s.at:], s.quote)
			if i < 0 {
				s.at = len(b)
				return 0, nil
			}
			s.at += i
			s.mode = scanTag
		case scanEndTag:
			if c == '>' {
				if s.depth--; s.depth <= 0 {
					return s.at + 1, nil
				}
				s.mode = scanText
			}
		case scanBang:
			if i := s.at - s.from; c != cdataStart[i] {
				return 0, &fault{xstream.RestrictedXML, "comments and DTDs are not allowed"}
			} else if i == len(cdataStart)-1 {
				s.mode = scanCDATA
			}
		case scanCDATA:
			if c == '>' && s.at >= s.from+len(cdataStart)+2 && b[s.at-1] == ']' && b[s.at-2] == ']' {
				s.mode = scanText
			}
		case scanDeclaration:
			if c == '>' {
				return s.at + 1, nil
			}
		}
		s.at++
	}
	return 0, nil
}
