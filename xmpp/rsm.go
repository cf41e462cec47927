package xmpp

import (
	"math"
	"strconv"
	"strings"
)

// nsRSM is that of result sets (XEP-0059).
const nsRSM = "http://jabber.org/protocol/rsm"

// Paging is what somebody asks for of a result set (XEP-0059 1.0).
type Paging struct {
	Max      int    // results on the page, at most 2^31-1; -1 where nothing is said
	After    string // the id behind which the page begins; "" for none
	Before   string // the id before which it ends; "" for none
	Backward bool   // the page is the last one before Before, or of all (sections 2.3 and 2.5)
	Index    bool   // it is to begin at a number (section 2.6), which who does not do so refuses
}

// Paging reads the `<set/>` that is a child of e. p is nil where there is none; ok is false where what
// is there cannot be read: a number that is none, or an element in the place of text.
func (e *Element) Paging() (p *Paging, ok bool) {
	if !e.Has(nsRSM, "set") {
		return nil, true
	}
	set, ok := e.Only(nsRSM, "set")
	if !ok {
		return nil, false
	}
	p = &Paging{Max: -1}
	for _, c := range set.Children {
		if c.Name.Space != nsRSM {
			continue
		}
		el, err := set.Child(c)
		if err != nil {
			return nil, false
		}
		text, ok := el.Text()
		if !ok {
			return nil, false
		}
		switch c.Name.Local {
		case "max":
			n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 63)
			if err != nil {
				return nil, false
			}
			p.Max = int(min(n, math.MaxInt32))
		case "after":
			p.After = text
		case "before":
			p.Before, p.Backward = text, true
		case "index":
			p.Index = true
		}
	}
	return p, true
}

// ResultSet says which part of the results an answer has (XEP-0059).
type ResultSet struct {
	First, Last string // ids of the first and the last result of the page; "" where it is empty
	Index       int    // of the first among all results, -1 where it is not told
	Count       int    // of all results, -1 where it is not told
}

// Append appends it as `<set/>`.
func (r ResultSet) Append(b []byte) []byte {
	b = append(b, "<set xmlns='"+nsRSM+"'>"...)
	if r.First != "" {
		b = append(b, "<first"...)
		if r.Index >= 0 {
			b = append(strconv.AppendInt(append(b, " index='"...), int64(r.Index), 10), '\'')
		}
		b = append(append(append(b, '>'), Escape(r.First)...), "</first><last>"...)
		b = append(append(b, Escape(r.Last)...), "</last>"...)
	}
	if r.Count >= 0 {
		b = append(strconv.AppendInt(append(b, "<count>"...), int64(r.Count), 10), "</count>"...)
	}
	return append(b, "</set>"...)
}
