package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// pager cuts n rows into pages and finds the one that was asked for, from 1.
func pager(asked string, n int) (first, last, pages, at int) {
	pages = max(1, (n+perPage-1)/perPage)
	at, err := strconv.Atoi(asked)
	if err != nil || at < 1 {
		at = 1
	}
	at = min(at, pages)
	first = (at - 1) * perPage
	return first, min(first+perPage, n), pages, at
}

// pageLink is this page's address with another page number; "" where there is no such page.
func (v *visit) pageLink(n, pages int) string {
	if n < 1 || n > pages {
		return ""
	}
	q := v.Request().URL.Query()
	q.Set("page", strconv.Itoa(n))
	return v.Request().URL.EscapedPath() + "?" + q.Encode()
}

// backTo is the page that the form stood on where that is base with another filter, else base.
func (v *visit) backTo(base string) string {
	b := v.back()
	if u, err := url.Parse(b); err == nil && (u.Path == base || strings.HasPrefix(u.Path, base+"/")) {
		return b
	}
	return base
}

// column is a column that a table can be sorted by.
type column struct {
	key, label string
	down       bool // the first click sorts from the largest
	class      string
}

// columns are the heads of a table that is sorted by a key, with a minus sign before it the other way
// round; a click on the one that it is sorted by turns it round. The filter stays, the page does not.
func (v *visit) columns(base, by string, cols ...column) (heads []sortHead) {
	for _, c := range cols {
		h := sortHead{Label: c.label, Class: c.class}
		next := c.key
		if c.down {
			next = "-" + c.key
		}
		switch by {
		case c.key:
			h.Aria, next = "ascending", "-"+c.key
		case "-" + c.key:
			h.Aria, next = "descending", c.key
		}
		if c.key != "" {
			q := url.Values{}
			if v.Request().Method != http.MethodPost {
				q = v.Request().URL.Query()
			}
			q.Del("page")
			q.Set("sort", next)
			h.Href = base + "?" + q.Encode()
		}
		heads = append(heads, h)
	}
	return heads
}
