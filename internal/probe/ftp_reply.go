package probe

import (
	"bufio"
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// Bounds of a reply.
const (
	maxReplyLines = 200
	maxReplyLine  = 2048
)

var errReply = errors.New("what came is no reply of FTP")

// readReply reads one reply and returns its code and the text of its last line (RFC 959 section 4.2).
// Each line is told to saw.
func readReply(r *bufio.Reader, saw func(string)) (code int, text string, err error) {
	first := ""
	for range maxReplyLines {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) || len(line) > maxReplyLine {
			return 0, "", errReply
		}
		if err != nil {
			return 0, "", err
		}
		text := strings.TrimRight(string(line), "\r\n")
		saw(text)
		n, ok := replyCode(text)
		switch {
		case first == "" && !ok:
			return 0, "", errReply
		case first == "" && len(text) > 3 && text[3] == '-':
			first = text[:3]
		case first == "", ok && strings.HasPrefix(text, first) && (len(text) == 3 || text[3] == ' '):
			return n, strings.TrimSpace(text[3:]), nil
		}
	}
	return 0, "", errReply
}

// replyCode reads the three digits in front of a line.
func replyCode(line string) (int, bool) {
	if len(line) < 3 || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
		return 0, false
	}
	for _, c := range line[:3] {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(line[:3])
	return n, err == nil && n >= 100 && n < 600
}

// parsePASV reads the six numbers of a 227 reply; what stands around them is free (RFC 1123 section
// 4.1.2.6).
func parsePASV(text string) (netip.AddrPort, bool) {
	i := strings.IndexFunc(text, func(c rune) bool { return c >= '0' && c <= '9' })
	if i < 0 {
		return netip.AddrPort{}, false
	}
	text = text[i:]
	if end := strings.IndexFunc(text, func(c rune) bool { return (c < '0' || c > '9') && c != ',' && c != ' ' }); end >= 0 {
		text = text[:end]
	}
	var b [6]byte
	fields := strings.Split(text, ",")
	if len(fields) != len(b) {
		return netip.AddrPort{}, false
	}
	for i, f := range fields {
		n, err := strconv.ParseUint(strings.TrimSpace(f), 10, 8)
		if err != nil {
			return netip.AddrPort{}, false
		}
		b[i] = byte(n)
	}
	port := uint16(b[4])<<8 | uint16(b[5])
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), port), port != 0
}

// parseEPSV reads the port of a 229 reply: (<d><d><d>port<d>), where d is any character of 33 to 126
// (RFC 2428 section 3).
func parseEPSV(text string) (uint16, bool) {
	open := strings.IndexByte(text, '(')
	if open < 0 {
		return 0, false
	}
	in, _, ok := strings.Cut(text[open+1:], ")")
	if !ok || len(in) < 5 {
		return 0, false
	}
	d := in[0]
	if d < 33 || d > 126 || d >= '0' && d <= '9' || in[1] != d || in[2] != d || in[len(in)-1] != d {
		return 0, false
	}
	n, err := strconv.ParseUint(in[3:len(in)-1], 10, 16)
	return uint16(n), err == nil && n != 0
}
