// Package qr draws QR codes as SVG.
package qr

import (
	"fmt"
	"strings"
	"sync"

	"github.com/boombuler/barcode/qr"
)

// quiet is the margin in modules that a reader needs (ISO/IEC 18004 section 6.3.8).
const quiet = 4

// SVG draws text as an SVG element, dark on white in either theme, without a size of its own. It
// has at most some 2,300 bytes.
func SVG(text string) (string, error) {
	code, err := qr.Encode(text, qr.M, qr.Unicode)
	if err != nil {
		return "", fmt.Errorf("drawing a QR code: %w", err)
	}
	size := code.Bounds().Dx()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path fill="#000" d="`,
		size+2*quiet, size+2*quiet, size+2*quiet, size+2*quiet)
	dark := func(x, y int) bool {
		r, _, _, _ := code.At(x, y).RGBA()
		return r == 0
	}
	for y := range size {
		for x := 0; x < size; x++ {
			run := 0
			for x+run < size && dark(x+run, y) {
				run++
			}
			if run > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, run, run)
				x += run
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.String(), nil
}

// mostDrawn is how many drawings are kept; each has some 2 kB.
const mostDrawn = 512

// Drawings keeps what was drawn: a code takes a millisecond and more, and the same person is mostly shown
// the same ones. The zero value is ready.
type Drawings struct {
	mu    sync.Mutex // guards what follows
	drawn map[string]string
}

// SVG is [SVG], drawn once. What is secret is not to be given to it.
func (d *Drawings) SVG(text string) (string, error) {
	d.mu.Lock()
	svg, ok := d.drawn[text]
	d.mu.Unlock()
	if ok {
		return svg, nil
	}
	svg, err := SVG(text)
	if err != nil {
		return "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.drawn == nil || len(d.drawn) >= mostDrawn {
		d.drawn = map[string]string{} // who comes again is drawn again
	}
	d.drawn[text] = svg
	return svg, nil
}
