package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// worthPacking is how long an answer has to be before it is packed: what fits into one packet gains nothing.
const worthPacking = 1200 // bytes

// packer packs pages. A page can be packed although it holds the token of its forms, because that is
// masked anew in each page: its length tells nothing (the attack BREACH).
type packer struct{ writers sync.Pool }

func newPacker() *packer {
	return &packer{sync.Pool{New: func() any {
		w, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed+1) // fails for an unknown level alone
		return w
	}}}
}

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

// page writes an HTML page, packed where that pays.
func (p *packer) page(v *visit, status int, body []byte) error {
	h := v.Response().Header()
	h.Add("Vary", "Accept-Encoding")
	if len(body) < worthPacking || !takesGzip(v.Request()) {
		return v.HTMLBlob(status, body)
	}
	w := p.writers.Get().(*gzip.Writer)
	defer p.writers.Put(w)
	var buf bytes.Buffer
	buf.Grow(len(body) / 3)
	w.Reset(&buf)
	if _, err := w.Write(body); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	h.Set("Content-Encoding", "gzip")
	return v.HTMLBlob(status, buf.Bytes())
}
