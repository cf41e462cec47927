package xmpp

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

// masked is a frame as a client sends it.
func masked(first byte, body string) []byte {
	b := []byte{first}
	switch n := len(body); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n <= 0xFFFF:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{0xA1, 0x5B, 0x07, 0xFE}
	b = append(b, mask[:]...)
	for i := range len(body) {
		b = append(b, body[i]^mask[i&3])
	}
	return b
}

// late fails with a deadline before each read that it lets pass.
type late struct {
	r    io.Reader
	pass bool
}

func (l *late) Read(b []byte) (int, error) {
	if l.pass = !l.pass; l.pass {
		return 0, os.ErrDeadlineExceeded
	}
	return l.r.Read(b)
}

// readMessages reads until an error other than a deadline.
func readMessages(r io.Reader, early []byte, limit int) (all, controls []string, err error) {
	m := &messages{r: r, max: limit, budget: -1, control: func(op byte, body []byte) error {
		controls = append(controls, string('0'+rune(op))+string(body))
		if op == opClose {
			return io.EOF
		}
		return nil
	}}
	m.put(early)
	for {
		b, err := m.message()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if err != nil {
			m.release()
			return all, controls, err
		}
		all = append(all, string(b))
	}
}

func TestMessages(t *testing.T) {
	long, longer := strings.Repeat("ab", 100), strings.Repeat("xyz", 30_000)
	var wire []byte
	for _, f := range [][]byte{
		masked(0x81, "one"), masked(0x89, "hey"), masked(0x01, "tw"), masked(0x8A, ""), masked(0x00, ""), masked(0x80, "o"),
		masked(0x81, ""), masked(0x81, long), masked(0x01, longer), masked(0x80, longer), masked(0x88, "\x03\xE8"), masked(0x81, "after"),
	} {
		wire = append(wire, f...)
	}
	want, wantControls := []string{"one", "two", "", long, longer + longer}, []string{"9hey", ":", "8\x03\xE8"}
	for name, r := range map[string]io.Reader{"at once": bytes.NewReader(wire), "by bytes": iotest.OneByteReader(bytes.NewReader(wire)),
		"late": &late{r: bytes.NewReader(wire)}, "late by bytes": &late{r: iotest.OneByteReader(bytes.NewReader(wire))}} {
		t.Run(name, func(t *testing.T) {
			got, controls, err := readMessages(r, nil, 1<<20)
			if !errors.Is(err, io.EOF) || strings.Join(got, "|") != strings.Join(want, "|") || strings.Join(controls, "|") != strings.Join(wantControls, "|") {
				t.Errorf("%v: %.300q %q", err, got, controls)
			}
		})
	}
	t.Run("with the request", func(t *testing.T) {
		for _, n := range []int{1, 5, 300, 5000} {
			got, _, err := readMessages(bytes.NewReader(wire[n:]), wire[:n], 1<<20)
			if !errors.Is(err, io.EOF) || strings.Join(got, "|") != strings.Join(want, "|") {
				t.Errorf("%d: %v: %.300q", n, err, got)
			}
		}
	})
}

func TestMessagesRefuse(t *testing.T) {
	for _, tt := range []struct {
		name string
		wire []byte
		text string
	}{
		{"large", masked(0x81, strings.Repeat("x", 101)), "too large"},
		{"large in parts", append(masked(0x01, strings.Repeat("x", 60)), masked(0x80, strings.Repeat("x", 41))...), "too large"},
		{"binary", masked(0x82, "x"), "text messages"},
		{"not masked", []byte{0x81, 1, 'x'}, "not valid"},
		{"extension", masked(0xC1, "x"), "not valid"},
		{"unknown", masked(0x83, "x"), "not valid"},
		{"unknown control", masked(0x8B, "x"), "not valid"},
		{"continuation of nothing", masked(0x80, "x"), "not valid"},
		{"message in a message", append(masked(0x01, "x"), masked(0x81, "x")...), "not valid"},
		{"ping in parts", masked(0x09, "x"), "not valid"},
		{"long ping", masked(0x89, strings.Repeat("x", 126)), "not valid"},
		{"negative length", []byte{0x81, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, "not valid"},
		{"length beyond all", []byte{0x81, 0xFF, 0x3F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4}, "too large"},
		{"end within a head", []byte{0x81, 0xFE, 1}, "EOF"},
		{"end within a body", masked(0x81, "xyz")[:7], "EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := readMessages(bytes.NewReader(tt.wire), nil, 100)
			if len(got) > 0 || err == nil || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// What is announced is not believed until it comes.
func TestMessagesMemory(t *testing.T) {
	m := &messages{r: bytes.NewReader(masked(0x81, strings.Repeat("x", 1<<20))[:20]), max: 1 << 20, budget: -1}
	if _, err := m.message(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if cap(m.body) > 100 {
		t.Errorf("%d bytes are held for what has not come", cap(m.body))
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(masked(0x81, "<a/>"), uint8(3))
	f.Add(append(masked(0x01, "<a"), append(masked(0x89, "p"), masked(0x80, "/>")...)...), uint8(1))
	f.Add(masked(0x88, ""), uint8(0))
	f.Add([]byte{0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0}, uint8(9))
	f.Fuzz(func(t *testing.T, wire []byte, early uint8) {
		const limit = 300
		a, ca, errA := readMessages(bytes.NewReader(wire), nil, limit)
		n := min(int(early), len(wire))
		b, cb, errB := readMessages(&late{r: iotest.OneByteReader(bytes.NewReader(wire[n:]))}, wire[:n], limit)
		if strings.Join(a, "|") != strings.Join(b, "|") || strings.Join(ca, "|") != strings.Join(cb, "|") || errA.Error() != errB.Error() {
			t.Errorf("at once %q %q %v, by bytes %q %q %v", a, ca, errA, b, cb, errB)
		}
		total := 0
		for _, s := range a {
			if total += len(s); len(s) > limit {
				t.Errorf("a message of %d bytes", len(s))
			}
		}
		if total > len(wire) {
			t.Errorf("%d bytes of %d", total, len(wire))
		}
	})
}

// Whatever is accepted of a client over TCP stands for itself over WebSocket, with the same meaning.
func FuzzStandalone(f *testing.F) {
	for _, s := range []string{
		"<message to='a'/>", "<message xmlns='jabber:client'/>", "<iq xmlns = \"jabber:client\" id='>'/>", "<message\n/>",
		"<stream:error/>", "<stream:error xmlns:stream='http://etherx.jabber.org/streams'/>", "<message a=' xmlns='><stream:x/></message>",
		"<c:message xmlns:c='jabber:client'><body/></c:message>", "<message xmlns:xmlns2='a' b='xmlns'><body xmlns='x'/></message>", "<x xmlns='y'/>",
		"<message xmlnsx='1'/>", "<message b='c'xmlns='jabber:client'/>",
	} {
		f.Add(s)
	}
	_, scope, err := parseHeader([]byte("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in string) {
		el, err := parseElement([]byte(in), scope)
		if err != nil {
			t.Skip()
		}
		at, declare := standalone(el.raw)
		out := string(el.raw[:at]) + declare + string(el.raw[at:])
		own, err := parseMessage([]byte(out))
		if err != nil || own == nil || own.Name != el.Name || len(own.Children) != len(el.Children) {
			t.Fatalf("%q became %q: %+v, %v", el.raw, out, own, err)
		}
		for i := range own.Children {
			if own.Children[i].Name != el.Children[i].Name {
				t.Errorf("%q became %q", el.raw, out)
			}
		}
		if err := xml.Unmarshal([]byte(out), new(struct{ XMLName xml.Name })); err != nil {
			t.Errorf("%q: %v", out, err)
		}
	})
}

// What is written is what a client of RFC 6455 reads: the sizes at which the form of a head changes.
func TestWriteFrames(t *testing.T) {
	for _, n := range []int{0, 125, 126, 0xFFFF, 0x10000} {
		b := appendFrameHead(nil, opText, n)
		b[1] |= 0x80 // as a client would
		var h frameHead
		if got, err := parseFrameHead(append(b, 0, 0, 0, 0), &h); err != nil || got != len(b)+4 || h.size != uint64(n) || !h.fin || h.op != opText {
			t.Errorf("%d: %+v, %v", n, h, err)
		}
	}
}
