package ftp

import (
	"bytes"
	"testing"
)

// FuzzConversion cuts a text anywhere: to and from CRLF give the same as byte for byte.
func FuzzConversion(f *testing.F) {
	for _, s := range []string{"", "a\nb\n", "a\r\nb", "\r\r\n\r", "\n", "\r", "\r\n\n\r\n", "x\ry\n\rz"} {
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, text []byte, cut uint8) {
		at := min(int(cut), len(text))
		var out bytes.Buffer
		to := &toCRLF{w: &out}
		for _, p := range [][]byte{text[:at], text[at:]} {
			if n, err := to.Write(p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
		}
		var want []byte
		for i, b := range text {
			if b == '\n' && (i == 0 || text[i-1] != '\r') {
				want = append(want, '\r')
			}
			want = append(want, b)
		}
		if !bytes.Equal(out.Bytes(), want) {
			t.Fatalf("%q cut at %d: %q, want %q", text, at, out.Bytes(), want)
		}
		out.Reset()
		from := &fromCRLF{w: &out}
		for _, p := range [][]byte{text[:at], text[at:]} {
			if n, err := from.Write(p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := from.flush(); err != nil {
			t.Fatal(err)
		}
		if want := bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")); !bytes.Equal(out.Bytes(), want) {
			t.Fatalf("%q cut at %d: %q, want %q", text, at, out.Bytes(), want)
		}
	})
}
