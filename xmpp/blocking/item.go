package blocking

import (
	"strings"
	"unicode/utf8"

	"mellium.im/xmpp/jid"
	xstanza "mellium.im/xmpp/stanza"

	"trivium/xmpp"
)

// Bounds of a report.
const (
	maxReportText = 1000 // characters
	maxReportIDs  = 50   // stanza-ids of messages
)

// item is one `<item/>` of a request.
type item struct {
	jid    jid.JID
	report *Report // nil where none was sent
}

func addresses(items []item) []string {
	var list []string
	for _, i := range items {
		list = append(list, i.jid.String())
	}
	return list
}

// items reads a request; false where it has been answered with an error.
func (b *Blocking) items(q *xmpp.Request) ([]item, bool) {
	if q.Account.ID == "" {
		q.Fail(xstanza.NotAllowed, xstanza.Cancel)
		return nil, false
	}
	el, err := q.Payload()
	if err != nil || len(el.Children) > maxBlocked {
		q.Bad()
		return nil, false
	}
	var list []item
	for _, c := range el.Children {
		child, err := el.Child(c)
		if err != nil || c.Name.Space != ns || c.Name.Local != "item" {
			q.Bad()
			return nil, false
		}
		text, _ := child.Attr("jid")
		j, err := jid.Parse(text)
		if err != nil {
			q.Fail(xstanza.JIDMalformed, xstanza.Modify)
			return nil, false
		}
		list = append(list, item{j, report(child)})
	}
	return list, true
}

// report reads `<report/>` (XEP-0377 section 4); nil where there is none that is understood.
func report(el *xmpp.Element) *Report {
	r, ok := el.Only(nsReports, "report")
	if !ok {
		return nil
	}
	why, _ := r.Attr("reason")
	reason, ok := strings.CutPrefix(why, "urn:xmpp:reporting:")
	if !ok || reason != "spam" && reason != "abuse" {
		return nil
	}
	found := &Report{Reason: reason}
	for _, c := range r.Children {
		child, err := r.Child(c)
		switch {
		case err != nil:
		case c.Name.Space == nsReports && c.Name.Local == "text" && found.Text == "":
			text, _ := child.Text()
			found.Text = first(strings.TrimSpace(text), maxReportText)
		case c.Name.Space == "urn:xmpp:sid:0" && c.Name.Local == "stanza-id" && len(found.IDs) < maxReportIDs:
			if id, ok := child.Attr("id"); ok {
				found.IDs = append(found.IDs, first(id, 100))
			}
		}
	}
	return found
}

// first cuts text after n characters.
func first(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n])
}
