package xmpp

import (
	"encoding/binary"
	"errors"
	"io"

	xstream "mellium.im/xmpp/stream"
)

// The kinds of frames (RFC 6455 section 11.8).
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

// maxControl is the size of a control frame's body (RFC 6455 section 5.5).
const maxControl = 125

// closeNormal and closeProtocol are the bodies of close frames (RFC 6455 section 7.4.1).
var (
	closeNormal   = []byte{1000 >> 8, 1000 & 0xFF}
	closeProtocol = []byte{1002 >> 8, 1002 & 0xFF}
)

// errFrame is a peer that breaks RFC 6455, so that no message can be told from another.
var errFrame = errors.New("the WebSocket frames are not valid")

// messages reads the text messages of a WebSocket connection, as its server. All that it knows is
// kept between calls, so that reading goes on where an error of the connection has ended it: that
// is why no library does it, which all close the connection by a deadline.
type messages struct {
	r       io.Reader
	control func(op byte, body []byte) error // of a control frame; its error ends message
	max     int                              // bytes of a message
	budget  int                              // bytes that may still be read before the log-in; below 0: no limit
	bytes   uint64                           // that have come

	buf      []byte // nil while there is nothing in it
	pos, end int    // unread bytes: buf[pos:end]

	inside  bool      // a frame's body is being read
	frame   frameHead // of that frame
	left    int       // bytes of its body that have not come
	started bool      // a message has begun
	body    []byte    // of the message
	aside   []byte    // body of a control frame

	small [nap]byte
}

// frameHead is the head of a frame (RFC 6455 section 5.2).
type frameHead struct {
	fin  bool
	op   byte
	mask [4]byte
	size uint64
}

func (m *messages) heard() uint64 { return m.bytes }

// put adds bytes that were read before.
func (m *messages) put(b []byte) {
	if len(b) > 0 {
		m.buf = append(make([]byte, 0, len(b)), b...)
		m.end = len(b)
		m.bytes += uint64(len(b))
	}
}

// message returns the next text message, which is the caller's. The error is a *fault where the
// peer breaks the rules of XMPP, errFrame where it breaks those of WebSocket, else control's or the
// connection's.
func (m *messages) message() ([]byte, error) {
	for {
		if !m.inside {
			n, err := parseFrameHead(m.buf[m.pos:m.end], &m.frame)
			if err != nil {
				return nil, err
			}
			if n == 0 {
				if err := m.fill(); err != nil {
					return nil, err
				}
				continue
			}
			m.pos += n
			if err := m.begin(); err != nil {
				return nil, err
			}
		}
		m.take()
		if m.left > 0 {
			if err := m.fill(); err != nil {
				return nil, err
			}
			continue
		}
		m.inside = false
		switch {
		case m.frame.op >= opClose:
			body := m.aside
			m.aside = nil
			if err := m.control(m.frame.op, body); err != nil {
				return nil, err
			}
		case m.frame.fin:
			body := m.body
			m.started, m.body = false, nil
			if m.pos == m.end {
				m.release()
			}
			return body, nil
		}
	}
}

// begin checks what a frame says of itself, before its body is read.
func (m *messages) begin() error {
	h := &m.frame
	switch {
	case h.op >= opClose && (!h.fin || h.size > maxControl),
		h.op < opClose && (h.op == opContinuation) != m.started:
		return errFrame
	case h.op == opBinary: // RFC 7395 section 3.2
		return &fault{xstream.BadFormat, "XMPP goes in text messages"}
	case h.op < opClose && h.size > uint64(max(m.max-len(m.body), 0)):
		return &fault{xstream.PolicyViolation, "the stanza is too large"}
	}
	m.inside, m.left = true, int(h.size)
	if h.op < opClose {
		m.started = true
		if m.body == nil { // what has come is what is believed
			m.body = make([]byte, 0, min(m.left, m.end-m.pos))
		}
	}
	return nil
}

// take moves what has come of a frame's body to where it belongs.
func (m *messages) take() {
	n := min(m.left, m.end-m.pos)
	to := &m.body
	if m.frame.op >= opClose {
		to = &m.aside
	}
	at := len(*to)
	*to = append(*to, m.buf[m.pos:m.pos+n]...)
	unmask((*to)[at:], &m.frame.mask)
	m.pos += n
	m.left -= n
}

// unmask takes the mask off (RFC 6455 section 5.3), and turns it to where it is to go on.
func unmask(b []byte, mask *[4]byte) {
	four := uint64(binary.LittleEndian.Uint32(mask[:]))
	for eight := four<<32 | four; len(b) >= 8; b = b[8:] {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^eight)
	}
	for i := range b {
		b[i] ^= mask[i&3]
	}
	was := *mask
	for i := range mask {
		mask[i] = was[(i+len(b))&3]
	}
}

// parseFrameHead returns the length of the head that b begins with, or 0 where its end has not come.
func parseFrameHead(b []byte, h *frameHead) (int, error) {
	if len(b) < 2 {
		return 0, nil
	}
	h.fin, h.op = b[0]&0x80 != 0, b[0]&0x0F
	switch {
	case b[0]&0x70 != 0, // an extension that nobody has agreed on
		b[1]&0x80 == 0, // section 5.1: a client masks
		h.op > opBinary && h.op < opClose || h.op > opPong:
		return 0, errFrame
	}
	n := 2
	switch size := b[1] & 0x7F; size {
	case 126:
		if len(b) < n+2 {
			return 0, nil
		}
		h.size = uint64(binary.BigEndian.Uint16(b[n:]))
		n += 2
	case 127:
		if len(b) < n+8 {
			return 0, nil
		}
		if h.size = binary.BigEndian.Uint64(b[n:]); h.size > 1<<62 {
			return 0, errFrame
		}
		n += 8
	default:
		h.size = uint64(size)
	}
	if len(b) < n+4 {
		return 0, nil
	}
	copy(h.mask[:], b[n:])
	return n + 4, nil
}

// fill reads more bytes; without a buffer it waits in a few bytes of its own.
func (m *messages) fill() error {
	switch {
	case m.pos < m.end:
	case m.inside || m.started:
		m.pos, m.end = 0, 0
	default:
		m.release()
	}
	into := m.small[:]
	if m.buf != nil {
		if m.pos > 0 || m.end == len(m.buf) { // what is left is part of a head
			rest := m.buf[m.pos:m.end]
			if len(m.buf) < chunk {
				m.buf = chunks.Get().(*[chunk]byte)[:]
			}
			m.pos, m.end = 0, copy(m.buf, rest)
		}
		into = m.buf[m.end:]
	}
	n, err := m.r.Read(into)
	if n == 0 {
		if err == nil {
			err = io.ErrNoProgress
		}
		return err
	}
	if m.buf == nil {
		m.buf = chunks.Get().(*[chunk]byte)[:]
		copy(m.buf, into[:n])
		clear(m.small[:n]) // it may hold a password
	}
	m.end += n
	m.bytes += uint64(n)
	if m.budget >= 0 {
		if m.budget -= n; m.budget < 0 {
			m.budget = 0
			return &fault{xstream.PolicyViolation, "too many bytes before the log-in"}
		}
	}
	return nil
}

// release gives the buffer back, without what was in it.
func (m *messages) release() {
	if len(m.buf) == chunk {
		clear(m.buf)
		chunks.Put((*[chunk]byte)(m.buf))
	}
	m.buf, m.pos, m.end = nil, 0, 0
}

// appendFrameHead writes the head of a frame that is whole and not masked (RFC 6455 section 5.2).
func appendFrameHead(b []byte, op byte, size int) []byte {
	b = append(b, 0x80|op)
	switch {
	case size < 126:
		return append(b, byte(size))
	case size <= 0xFFFF:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(size))
	}
	return binary.BigEndian.AppendUint64(append(b, 127), uint64(size))
}
