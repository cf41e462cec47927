package ftp

import (
	"cmp"
	"io"
	"slices"
)

const (
	// firstPage and fullPage are how many bytes of a listing are gathered before they are sent: the
	// first soon, so that a client sees that a long one has begun.
	firstPage = 4 << 10
	fullPage  = 32 << 10
	// sortMemory bounds what is held to be sorted, in bytes: some 50,000 entries.
	sortMemory = 4 << 20
)

// page gathers the rows of a listing.
type page struct {
	w    io.Writer
	buf  []byte
	most int // send at so many bytes

	// Rows of a folder that is sorted by something else than the names.
	sorting, reverse bool
	from             int // in buf, of the first
	rows             []row
}

// row is one that waits to be sorted.
type row struct {
	key int64
	end int // in buf
}

func newPage(w io.Writer) *page { return &page{w: w, most: firstPage} }

// end ends the row that has been appended to buf. Rows of lower keys come first.
func (p *page) end(key int64) error {
	p.buf = append(p.buf, '\r', '\n')
	switch {
	case p.sorting && len(p.buf) < sortMemory:
		p.rows = append(p.rows, row{key, len(p.buf)})
		return nil
	case p.sorting: // too many: this folder's rows come in the order of the names
		p.sorting, p.rows = false, p.rows[:0]
		return p.flush()
	case len(p.buf) >= p.most:
		return p.flush()
	}
	return nil
}

// flush sends what has been gathered.
func (p *page) flush() error {
	if len(p.buf) == 0 {
		return nil
	}
	_, err := p.w.Write(p.buf)
	p.buf = p.buf[:0]
	p.most = fullPage
	return err
}

// sort lets the rows from here on wait for sorted.
func (p *page) sort(reverse bool) {
	p.sorting, p.reverse, p.from, p.rows = true, reverse, len(p.buf), p.rows[:0]
}

// sorted sends the rows that have waited. Rows of one key stay in the order of the names.
func (p *page) sorted() error {
	if !p.sorting {
		return nil
	}
	p.sorting = false
	type span struct {
		key      int64
		from, to int
	}
	spans := make([]span, len(p.rows))
	from := p.from
	for i, r := range p.rows {
		spans[i], from = span{r.key, from, r.end}, r.end
	}
	slices.SortStableFunc(spans, func(a, b span) int { return cmp.Compare(a.key, b.key) })
	if p.reverse {
		slices.Reverse(spans)
	}
	out := make([]byte, 0, len(p.buf))
	out = append(out, p.buf[:p.from]...)
	for _, s := range spans {
		out = append(out, p.buf[s.from:s.to]...)
	}
	p.buf = out
	if len(p.buf) >= p.most {
		return p.flush()
	}
	return nil
}
