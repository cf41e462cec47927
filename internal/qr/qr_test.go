package qr

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/boombuler/barcode/qr"
)

// The drawing has the modules of the code, and nothing that a page would have to trust.
func TestSVG(t *testing.T) {
	const text = "otpauth://totp/Example:alice@example.org?secret=GEZDGNBVGY3TQOJQ&issuer=Example"
	got, err := SVG(text)
	if err != nil {
		t.Fatal(err)
	}
	var svg struct {
		ViewBox string `xml:"viewBox,attr"`
		Paths   []struct {
			D string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal([]byte(got), &svg); err != nil || len(svg.Paths) != 2 || strings.Contains(got, "alice") || strings.Contains(got, "style") {
		t.Fatalf("%v: %s", err, got)
	}
	code, err := qr.Encode(text, qr.M, qr.Unicode)
	if err != nil {
		t.Fatal(err)
	}
	dark := 0
	size := code.Bounds().Dx()
	for y := range size {
		for x := range size {
			if r, _, _, _ := code.At(x, y).RGBA(); r == 0 {
				dark++
			}
		}
	}
	drawn, n := 0, 0
	for run := range strings.SplitSeq(svg.Paths[1].D, "M") {
		if _, h, ok := strings.Cut(run, "h"); ok {
			n = 0
			for _, c := range h {
				if c < '0' || c > '9' {
					break
				}
				n = n*10 + int(c-'0')
			}
			drawn += n
		}
	}
	if drawn != dark {
		t.Errorf("%d modules are drawn of %d", drawn, dark)
	}
	if _, err := SVG(strings.Repeat("x", 4000)); err == nil {
		t.Error("what no code can hold is drawn")
	}
}

// What was drawn is kept, and is what would be drawn.
func TestDrawings(t *testing.T) {
	var d Drawings
	for range 2 {
		for _, text := range []string{"xmpp:alice@example.org", "ftp://alice@example.org/"} {
			want, err := SVG(text)
			got, err2 := d.SVG(text)
			if err != nil || err2 != nil || got != want {
				t.Errorf("%s: %v, %v, %.60s", text, err, err2, got)
			}
		}
	}
	if len(d.drawn) != 2 {
		t.Errorf("%d are kept", len(d.drawn))
	}
}
