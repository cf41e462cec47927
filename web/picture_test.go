package web

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"testing"
)

// drawn is a PNG with words in its metadata.
func drawn(t testing.TB, w, h int, c color.Color) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	chunk := append([]byte("tEXt"), "Comment\x00where I live"...)
	text := binary.BigEndian.AppendUint32(nil, uint32(len(chunk)-4))
	text = binary.BigEndian.AppendUint32(append(text, chunk...), crc32.ChecksumIEEE(chunk))
	const header = 8 + 25 // signature and IHDR
	return append(append(bytes.Clone(b.Bytes()[:header]), text...), b.Bytes()[header:]...)
}

func TestSquared(t *testing.T) {
	huge := drawn(t, 4, 4, color.White)
	binary.BigEndian.PutUint32(huge[16:], 60_000)
	binary.BigEndian.PutUint32(huge[20:], 60_000)
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	for _, tt := range []struct {
		name string
		raw  []byte
		kind string
		side int
	}{
		{"wide", drawn(t, 900, 300, color.NRGBA{200, 10, 10, 255}), "image/jpeg", 256},
		{"transparent", drawn(t, 300, 400, color.NRGBA{200, 10, 10, 100}), "image/png", 256},
		{"small", drawn(t, 20, 30, color.White), "image/jpeg", 20},
		{"none", nil, "", 0},
		{"text", []byte("GIF89a is what it says"), "", 0},
		{"cut", drawn(t, 300, 300, color.White)[:200], "", 0},
		{"too many pixels", huge, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			small, kind, err := squared(tt.raw)
			if kind != tt.kind || (err == nil) != (tt.kind != "") {
				t.Fatalf("%q, %v", kind, err)
			}
			if err != nil {
				return
			}
			c, _, err := image.DecodeConfig(bytes.NewReader(small))
			if err != nil || c.Width != tt.side || c.Height != tt.side || bytes.Contains(small, []byte("where I live")) {
				t.Errorf("%d by %d, %v", c.Width, c.Height, err)
			}
			m, _, _ := image.Decode(bytes.NewReader(small))
			want, _, _ := image.Decode(bytes.NewReader(tt.raw))
			r, _, _, a := m.At(tt.side/2, tt.side/2).RGBA()
			wr, _, _, wa := want.At(want.Bounds().Dx()/2, want.Bounds().Dy()/2).RGBA()
			if r>>8 > wr>>8+4 || wr>>8 > r>>8+4 || a>>8 != wa>>8 {
				t.Errorf("the middle is %d/%d, was %d/%d", r>>8, a>>8, wr>>8, wa>>8)
			}
		})
	}
}

func FuzzSquared(f *testing.F) {
	f.Add(drawn(f, 30, 20, color.White))
	f.Add([]byte("GIF89a\x01\x00\x01\x00"))
	f.Add([]byte("\xff\xd8\xff\xe0"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		small, _, err := squared(raw)
		if err != nil {
			return
		}
		if c, _, err := image.DecodeConfig(bytes.NewReader(small)); err != nil || c.Width > pictureSide || c.Width != c.Height {
			t.Errorf("%+v, %v", c, err)
		}
	})
}
