package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Bounds of pages.
const (
	maxPage     = 1000 // elements of a page, and of one where no limit is given
	maxCursor   = 1024 // characters
	cursorForm  = 1
	cursorLists = 4 // bytes that say which list
	cursorKeys  = 8 // bytes of the hash of an element's name
)

// listed is the answer that has a list as JSON; one of nothing is [], not null.
func listed[T, U any](list []T, as func(T) U) *struct{ Body []U } {
	out := &struct{ Body []U }{make([]U, 0, len(list))}
	for _, x := range list {
		out.Body = append(out.Body, as(x))
	}
	return out
}

// pages says who cuts a list.
type pages uint8

const (
	pagesNone  pages = iota // no list, or one with a way of its own
	pagesAfter              // whoever answers gives the whole list, and page cuts it
	pagesOwn                // whoever answers cuts it, by at and limit
)

// PageIn is a page in a query, for those who cut their lists themselves.
type PageIn struct {
	Limit  int    `query:"limit" minimum:"0" maximum:"1000" doc:"how many at most; 0: 1,000"`
	Cursor string `query:"cursor" maxLength:"1024" doc:"of the page before, from its Link"`
}

// pageAsk is a page that is asked for.
type pageAsk struct {
	limit int
	from  place
	list  [cursorLists]byte // of the operation and its filter
}

// place is where a page begins: behind the element of that key, or where that is gone by then, at the
// index.
type place struct {
	index int
	key   []byte
}

// readPage reads cursor and limit.
func readPage(q url.Values, route Route) (pageAsk, error) {
	p := pageAsk{limit: maxPage, list: listOf(route.Operation, q)}
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > maxPage {
			return p, invalid("limit is a number from 1 to %d; 0 is %d", maxPage, maxPage)
		}
		if n > 0 {
			p.limit = n
		}
	}
	var err error
	p.from, err = parseCursor(q.Get("cursor"), p.list)
	return p, err
}

// listOf marks a list: a cursor of one means nothing in another, nor with another filter.
func listOf(operation string, q url.Values) (sum [cursorLists]byte) {
	h := sha256.New()
	_, _ = h.Write([]byte(operation))
	for _, name := range slices.Sorted(maps.Keys(q)) {
		if name != "cursor" && name != "limit" {
			_, _ = fmt.Fprintf(h, "%q%q", name, q[name])
		}
	}
	copy(sum[:], h.Sum(nil))
	return sum
}

func cursorText(list [cursorLists]byte, at place) string {
	b := append([]byte{cursorForm}, list[:]...)
	b = binary.AppendUvarint(b, uint64(max(at.index, 0)))
	return base64.RawURLEncoding.EncodeToString(append(b, at.key...))
}

// parseCursor reads what cursorText wrote; "" is the beginning.
func parseCursor(text string, list [cursorLists]byte) (place, error) {
	if text == "" {
		return place{}, nil
	}
	wrong := func() (place, error) {
		return place{}, invalid("cursor is none of this list with this filter; take the one of the Link of the page before")
	}
	if len(text) > maxCursor {
		return wrong()
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 1+cursorLists || b[0] != cursorForm || [cursorLists]byte(b[1:1+cursorLists]) != list {
		return wrong()
	}
	n, used := binary.Uvarint(b[1+cursorLists:])
	if used <= 0 || n > 1<<31-1 {
		return wrong()
	}
	return place{int(n), b[1+cursorLists+used:]}, nil
}

// cut leaves the page of a list that was asked for; what comes after it stands in Link.
func (x *exchange) cut(list reflect.Value) reflect.Value {
	n, key := list.Len(), keyField(list.Type().Elem())
	start := min(x.page.from.index, n)
	if want := x.page.from.key; len(want) > 0 {
		for i := range n {
			if slices.Equal(keyOf(list.Index(i), key), want) {
				start = i + 1
				break
			}
		}
	}
	end := min(start+x.page.limit, n)
	if end < n {
		x.next(place{end, keyOf(list.Index(end-1), key)})
	}
	return list.Slice(start, end)
}

// next says in Link (RFC 8288) where the next page is.
func (x *exchange) next(at place) {
	q := maps.Clone(x.query)
	q.Set("cursor", cursorText(x.page.list, at))
	x.header.Set("Link", "<"+x.path+"?"+q.Encode()+`>; rel="next"`)
}

// keys are the members by which elements of lists are known, the first that one has.
func keys() []string {
	return []string{"id", "fingerprint", "prefix", "pattern", "tree", "alias", "session", "subject", "resource", "key", "name"}
}

// keyOf is a short hash of what names an element; none where nothing does.
func keyOf(v reflect.Value, at []int) []byte {
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	var text string
	switch {
	case v.Kind() == reflect.String:
		text = v.String()
	case at != nil:
		if f, err := v.FieldByIndexErr(at); err == nil {
			text = fmt.Sprint(f.Interface())
		}
	}
	if text == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(text))
	return sum[:cursorKeys]
}

// keyField is the field by which the elements of a list are known; nil where there is none.
func keyField(t reflect.Type) []int {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	fields := reflect.VisibleFields(t)
	for _, name := range keys() {
		for _, f := range fields {
			if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == name && f.IsExported() {
				return f.Index
			}
		}
	}
	return nil
}

// listBody is the slice in an output whose body is a list.
func listBody(out reflect.Type) (field int, ok bool) {
	if out.Kind() != reflect.Struct {
		return 0, false
	}
	f, ok := out.FieldByName("Body")
	if !ok || f.Type.Kind() != reflect.Slice || f.Type.Elem().Kind() == reflect.Uint8 || len(f.Index) != 1 {
		return 0, false
	}
	return f.Index[0], true
}

// asks reports whether an input has a field for a parameter of the query.
func asks(in reflect.Type, name string) bool {
	if in.Kind() != reflect.Struct {
		return false
	}
	for _, f := range reflect.VisibleFields(in) {
		if f.Tag.Get("query") == name {
			return true
		}
	}
	return false
}

// embeds reports whether an input embeds another one.
func embeds(in, other reflect.Type) bool {
	if in.Kind() != reflect.Struct {
		return false
	}
	for _, f := range reflect.VisibleFields(in) {
		if f.Anonymous && f.Type == other {
			return true
		}
	}
	return false
}

// withoutPage is the request for those who know nothing of pages.
func withoutPage(r *http.Request, x *exchange, route Route) *http.Request {
	if route.pages != pagesAfter || !x.query.Has("cursor") && !x.query.Has("limit") {
		return r
	}
	q := maps.Clone(x.query)
	q.Del("cursor")
	q.Del("limit")
	u := *r.URL
	u.RawQuery = q.Encode()
	r2 := *r
	r2.URL = &u
	return &r2
}
