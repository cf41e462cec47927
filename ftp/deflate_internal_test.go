package ftp

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// FuzzInflater: whatever comes, it ends; without an error only for nothing and for one stream that
// is complete, and an inflater that has met a broken stream reads the next one.
func FuzzInflater(f *testing.F) {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write([]byte("some text, some text, some text")) // to memory
	_ = z.Close()
	good := b.Bytes()
	for _, seed := range [][]byte{nil, {0}, []byte("plain"), good, good[:len(good)-1], append(bytes.Clone(good), 0), {0x78, 0x9c}, {0x78, 0xbb, 1, 2, 3, 4}} {
		f.Add(seed)
	}
	d := newDeflates()
	f.Fuzz(func(t *testing.T, in []byte) {
		const most = 1 << 20
		i := d.inflated(iotest.OneByteReader(bytes.NewReader(in)))
		n, err := io.Copy(io.Discard, io.LimitReader(i, most))
		d.put(i)
		if n < most {
			switch {
			case err == nil:
				r := bytes.NewReader(in)
				if z, zerr := zlib.NewReader(r); len(in) > 0 && zerr != nil {
					t.Errorf("%x was read: %v", in, zerr)
				} else if len(in) > 0 {
					if m, zerr := io.Copy(io.Discard, z); zerr != nil || m != n || r.Len() > 0 {
						t.Errorf("%x: %d bytes, %d expected, %d left, %v", in, n, m, r.Len(), zerr)
					}
				}
			case !errors.Is(err, errDeflate) && !errors.Is(err, errDeflateEnd):
				t.Errorf("%x: %v", in, err)
			}
		}
		i = d.inflated(bytes.NewReader(good))
		defer d.put(i)
		if text, err := io.ReadAll(i); err != nil || string(text) != "some text, some text, some text" {
			t.Errorf("after %x: %q, %v", in, text, err)
		}
	})
}

// TestDeflatesAreBounded: who finds no place is told so, and places come back.
func TestDeflatesAreBounded(t *testing.T) {
	d := newDeflates()
	for range cap(d.places) {
		if !d.enter() {
			t.Fatal("a place was missing")
		}
	}
	if d.enter() {
		t.Error("one too many")
	}
	d.leave()
	if !d.enter() {
		t.Error("the place did not come back")
	}
}
