package xmpp

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Bounds of what clients store in rosters, in bytes or items.
const (
	maxContacts      = 2000 // contacts that a client sees
	maxWaiting       = 500  // strangers' requests that wait for an answer
	maxContactName   = 1023
	maxGroupName     = 1023
	maxContactGroups = 50
	maxContactItem   = 4096 // a contact as clients see it: 2,000 of them make 8 MB, escapes and all
	maxStoredRequest = 1024 // a longer request is stored without its payload
	// maxPresence bounds a broadcast presence: it is kept, and goes to each contact that comes.
	maxPresence = 10 << 10
	// maxDirected and maxDirectedSize bound the addresses that one stream has sent directed presence to.
	maxDirected     = 1000
	maxDirectedSize = 128 << 10
)

// Errors of payloads; each is answered with the stanza error in its text.
var (
	errBadRequest    = errors.New("bad-request")
	errNotAcceptable = errors.New("not-acceptable")
)

// rosterItem is the one item of a roster set (RFC 6121 section 2.1.2).
type rosterItem struct {
	jid    string // as it came
	name   string
	groups []string // sorted
	remove bool
}

// rosterQuery is `<query xmlns='jabber:iq:roster'>` as a client sends it.
type rosterQuery struct {
	Items []struct {
		JID          string   `xml:"jid,attr"`
		Name         string   `xml:"name,attr"`
		Subscription string   `xml:"subscription,attr"`
		Groups       []string `xml:"jabber:iq:roster group"`
	} `xml:"jabber:iq:roster item"`
}

// item reads the query as one that changes something. Errors are errBadRequest and
// errNotAcceptable (RFC 6121 section 2.3.3).
func (q *rosterQuery) item() (rosterItem, error) {
	if len(q.Items) != 1 || q.Items[0].JID == "" {
		return rosterItem{}, errBadRequest
	}
	in := q.Items[0]
	// Section 2.1.2: of what a client says about the subscription only `remove` counts.
	item := rosterItem{jid: in.JID, name: in.Name, remove: in.Subscription == "remove"}
	if item.remove {
		return item, nil
	}
	if len(in.Name) > maxContactName || len(in.Groups) > maxContactGroups {
		return rosterItem{}, errNotAcceptable
	}
	for _, g := range in.Groups {
		if g == "" || len(g) > maxGroupName {
			return rosterItem{}, errNotAcceptable
		}
	}
	item.groups = slices.Sorted(slices.Values(in.Groups))
	if len(slices.Compact(slices.Clone(item.groups))) != len(item.groups) {
		return rosterItem{}, errBadRequest // section 2.3.3: a group named twice
	}
	if len(appendItem(nil, Contact{JID: in.JID, Name: in.Name, Groups: item.groups})) > maxContactItem {
		return rosterItem{}, errNotAcceptable
	}
	return item, nil
}

// availability is what the server itself reads in a presence without type.
type availability struct {
	show     string // "away", "chat", "dnd", "xa", or "available"
	priority int8
}

// parsePresence reads show and priority of a presence without type (RFC 6121 sections 4.7.2.1
// and 4.7.2.3); the text has been validated as one element. A priority that is no number from
// -128 to +127 is errBadRequest; an unknown show counts as none.
func parsePresence(presence []byte) (availability, error) {
	a := availability{show: "available"}
	d := xml.NewDecoder(bytes.NewReader(presence))
	start, err := firstElement(d)
	if err != nil {
		return a, errBadRequest
	}
	for {
		t, err := d.Token()
		if err == io.EOF {
			return a, nil
		}
		if err != nil {
			return a, errBadRequest
		}
		child, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		// The stanza may name jabber:client itself or have it from the stream.
		if child.Name.Space != start.Name.Space || child.Name.Local != "show" && child.Name.Local != "priority" {
			if err := d.Skip(); err != nil {
				return a, errBadRequest
			}
			continue
		}
		var text string
		if err := d.DecodeElement(&text, &child); err != nil {
			return a, errBadRequest
		}
		text = strings.TrimSpace(text)
		switch {
		case child.Name.Local == "priority":
			n, err := strconv.ParseInt(text, 10, 8)
			if err != nil {
				return a, errBadRequest
			}
			a.priority = int8(n)
		case text == "away" || text == "chat" || text == "dnd" || text == "xa":
			a.show = text
		}
	}
}

func firstElement(d *xml.Decoder) (xml.StartElement, error) {
	for {
		t, err := d.Token()
		if err != nil {
			return xml.StartElement{}, err
		}
		if s, ok := t.(xml.StartElement); ok {
			return s, nil
		}
	}
}
