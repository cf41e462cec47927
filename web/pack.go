package web

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// worthPacking is how long an answer has to be before it is packed: what fits into one packet gains nothing.
const worthPacking = 1200 // bytes

// packer packs pages. A page can be packed although it holds the token of its forms, because that is
// masked anew in each page: its length tells nothing (the attack BREACH).
type packer struct{ writers sync.Pool }

// packing is what packs one page, and where it goes.
type packing struct {
	w   *gzip.Writer
	buf bytes.Buffer
}

func newPacker() *packer {
	return &packer{sync.Pool{New: func() any {
		w, _ := gzip.NewWriterLevel(io.Discard, packLevel) // fails for an unknown level alone
		return &packing{w: w}
	}}}
}

// packLevel is that of pages: a higher one makes a page a twentieth smaller for half as much time again.
const packLevel = 1

// takesGzip reports whether the client takes gzip (RFC 9110 section 12.5.3): it is named, and not with
// a weight of 0.
func takesGzip(r *http.Request) bool {
	for item := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, params, _ := strings.Cut(item, ";")
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			_, weight, given := strings.Cut(strings.ReplaceAll(params, " ", ""), "q=")
			q, err := strconv.ParseFloat(weight, 64)
			return !given || err == nil && q > 0
		}
	}
	return false
}

// page writes an HTML page, packed where that pays. It says how long the page is, so that net/http need not
// send it in chunks.
func (p *packer) page(v *visit, status int, body []byte) error {
	h := v.Response().Header()
	h.Add("Vary", "Accept-Encoding")
	if len(body) < worthPacking || !takesGzip(v.Request()) {
		return sendPage(v, status, body)
	}
	to := p.writers.Get().(*packing)
	defer p.done(to)
	to.buf.Reset()
	to.w.Reset(&to.buf)
	if _, err := to.w.Write(body); err != nil {
		return err
	}
	if err := to.w.Close(); err != nil {
		return err
	}
	h.Set("Content-Encoding", "gzip")
	return sendPage(v, status, to.buf.Bytes())
}

// done puts what packed a page back.
func (p *packer) done(to *packing) {
	if to.buf.Cap() <= mostKept {
		p.writers.Put(to)
	}
}

func sendPage(v *visit, status int, body []byte) error {
	v.Response().Header().Set("Content-Length", strconv.Itoa(len(body)))
	return v.HTMLBlob(status, body)
}
