package portable

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"trivium/identity"
	"trivium/xmpp"
)

// Sinks are where data goes. Each adds to what there is; what is there already stays as it is.
type Sinks struct {
	// Account finds login@domain; identity.ErrNotFound where there is none.
	Account func(ctx context.Context, name string) (xmpp.Owner, error)
	// Contacts adds those that are not in the roster yet, and says how many they are.
	Contacts func(ctx context.Context, id identity.UserID, list []xmpp.Contact) (added int, err error)
	Block    func(ctx context.Context, id identity.UserID, jids []string) error
	VCard    func(ctx context.Context, id identity.UserID, card []byte) (added bool, err error)
	// VCard4 makes of such a card what its node holds (XEP-0292); nil leaves the node out.
	VCard4  func(card *xmpp.Element) []byte
	Private func(ctx context.Context, id identity.UserID, name xml.Name, element []byte) (added bool, err error)
	// Offline keeps a message, unless the account has as many as it may have.
	Offline func(ctx context.Context, id identity.UserID, from string, at time.Time, stanza []byte) (kept bool, err error)
	// Archive adds messages to the archive, and says how many were not there; nil leaves them out.
	Archive func(ctx context.Context, id identity.UserID, list []Past) (added int, err error)
	// Prefs takes the `<prefs/>` of the archive; ErrNotUnderstood where it cannot be read. nil leaves
	// them out. With dry nothing is written.
	Prefs func(ctx context.Context, id identity.UserID, el *xmpp.Element, dry bool) (added bool, err error)
	// Nodes takes the nodes of an account; nil leaves them out.
	Nodes func(owner xmpp.Owner) NodeSink
}

// NodeSink takes the nodes of one account.
type NodeSink interface {
	// Node makes a node, or configures one that was made by an item before; false where it stays as
	// it is, or there is no room.
	Node(ctx context.Context, name string, form *xmpp.Form) (made bool, err error)
	Affiliate(ctx context.Context, node, jid, affiliation string) error
	Subscribe(ctx context.Context, node, jid, state string) error
	// Item adds an item behind the others; false where it is there already, or there is no room.
	Item(ctx context.Context, node, id string, payload []byte) (added bool, err error)
}

// Report is what became of one account. Counts are of what is new.
type Report struct {
	Account  string `json:"account"`
	Missing  bool   `json:"missing"` // there is no such account, and nothing was taken
	Contacts int    `json:"contacts"`
	Requests int    `json:"requests"`
	Blocked  int    `json:"blocked"`
	VCard    bool   `json:"vcard"`
	Private  int    `json:"private"`
	Offline  int    `json:"offline"`
	Nodes    int    `json:"nodes"`
	Items    int    `json:"items"`
	Archive  int    `json:"archive"`
	Prefs    bool   `json:"archive_preferences"`
	// Bookmarks are those of XEP-0048; others are items.
	Bookmarks int `json:"bookmarks"`
	// Left is what was not taken: nodes, items and messages that are there already or have no room, and
	// elements by name.
	NodesLeft   int      `json:"nodes_left"`
	ItemsLeft   int      `json:"items_left"`
	ArchiveLeft int      `json:"archive_left"`
	Full        int      `json:"offline_left"` // messages beyond the limit of those that wait
	Unknown     []string `json:"left"`
	Faults      []string `json:"faults"` // what could not be read, such as an address
}

// String is the report in one line.
func (r Report) String() string {
	if r.Missing {
		return r.Account + ": there is no such account; add it first"
	}
	var has, left []string
	count := func(list *[]string, n int, what string) {
		if n > 0 {
			*list = append(*list, fmt.Sprintf("%d %s", n, what))
		}
	}
	count(&has, r.Contacts, "contacts")
	count(&has, r.Requests, "requests")
	count(&has, r.Blocked, "blocked")
	if r.VCard {
		has = append(has, "vCard")
	}
	count(&has, r.Private, "private elements")
	count(&has, r.Offline, "waiting messages")
	count(&has, r.Nodes, "nodes")
	count(&has, r.Items, "items")
	count(&has, r.Bookmarks, "bookmarks")
	count(&has, r.Archive, "messages of the archive")
	if r.Prefs {
		has = append(has, "preferences of the archive")
	}
	count(&left, r.NodesLeft, "nodes")
	count(&left, r.ItemsLeft, "items")
	count(&left, r.ArchiveLeft, "messages of the archive")
	count(&left, r.Full, "waiting messages beyond the limit")
	left = append(left, r.Unknown...)
	line := r.Account + ": "
	if len(has) == 0 {
		line += "nothing new"
	}
	line += strings.Join(has, ", ")
	if len(left) > 0 {
		line += "; not taken: " + strings.Join(left, ", ")
	}
	if len(r.Faults) > 0 {
		line += "; not understood: " + strings.Join(r.Faults, ", ")
	}
	return line
}

// Import reads a document and calls told after each account. With dry nothing is written, and the
// report says what would be.
func Import(ctx context.Context, in io.Reader, s Sinks, dry bool, told func(Report) error) error {
	i := &importer{reader: newReader(in), sinks: s, dry: dry}
	root, ok, err := i.next()
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case ok && root.Name == (xml.Name{Space: ns, Local: "host"}): // ejabberd writes a file for each host
		return i.host(ctx, root, told)
	case !ok || root.Name != (xml.Name{Space: ns, Local: "server-data"}):
		return errForm
	}
	return i.children(func(host xml.StartElement) error {
		if host.Name != (xml.Name{Space: ns, Local: "host"}) {
			_, err := i.skip("")
			return err
		}
		return i.host(ctx, host, told)
	})
}

func (i *importer) host(ctx context.Context, host xml.StartElement, told func(Report) error) error {
	return i.children(func(user xml.StartElement) error {
		if user.Name != (xml.Name{Space: ns, Local: "user"}) {
			_, err := i.skip("")
			return err
		}
		r, err := i.user(ctx, attr(user, "name")+"@"+attr(host, "jid"))
		if err != nil {
			return fmt.Errorf("%s: %w", r.Account, err)
		}
		return told(r)
	})
}

func attr(e xml.StartElement, local string) string {
	for _, a := range e.Attr {
		if a.Name.Space == "" && a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}

// importer reads one document.
type importer struct {
	*reader
	sinks Sinks
	dry   bool
}

// children calls fn with each child's open tag; fn reads the child.
func (i *importer) children(fn func(xml.StartElement) error) error {
	for {
		start, ok, err := i.next()
		if err != nil || !ok {
			return err
		}
		if err := fn(start); err != nil {
			return err
		}
	}
}

// person is one account that is read.
type person struct {
	Report
	owner    xmpp.Owner
	nodes    NodeSink // nil: they are left out
	contacts []xmpp.Contact
	asks     []xmpp.Contact

	temp      []byte // the vCard without its picture, where it was taken
	cards     bool   // the account brings its vCard as a node
	photo     []byte // of the vCard
	photoType string
	avatars   bool          // the account brings its avatar as a node
	marks     *xmpp.Element // bookmarks of XEP-0048; nil: none
}

func (i *importer) user(ctx context.Context, name string) (Report, error) {
	p := &person{Report: Report{Account: name, Unknown: []string{}, Faults: []string{}}} // lists in JSON are never null
	owner, err := i.sinks.Account(ctx, name)
	switch {
	case errors.Is(err, identity.ErrNotFound), errors.Is(err, identity.ErrInvalid):
		p.Missing = true
		_, err := i.skip("")
		return p.Report, err
	case err != nil:
		return p.Report, err
	}
	p.owner = owner
	if i.sinks.Nodes != nil {
		p.nodes = i.sinks.Nodes(owner)
	}
	if err := i.children(func(e xml.StartElement) error { return i.part(ctx, p, e) }); err != nil {
		return p.Report, err
	}
	if err := i.avatar(ctx, p); err != nil {
		return p.Report, err
	}
	if err := i.card(ctx, p); err != nil {
		return p.Report, err
	}
	if err := i.bookmarks(ctx, p); err != nil {
		return p.Report, err
	}
	return p.Report, i.roster(ctx, p)
}

// part reads one child of a user.
func (i *importer) part(ctx context.Context, p *person, e xml.StartElement) (err error) {
	switch e.Name {
	case xml.Name{Space: ns, Local: "offline-messages"}:
		return i.children(func(m xml.StartElement) error { return i.message(ctx, p, m) })
	case xml.Name{Space: nsSCRAM, Local: "scram-credentials"}: // passwords come with the account
		_, err := i.skip("")
		return err
	case xml.Name{Space: nsArchive, Local: "archive"}:
		if i.sinks.Archive == nil {
			n, err := i.skip("result")
			p.ArchiveLeft += n
			return err
		}
		return i.archive(ctx, p)
	case xml.Name{Space: nsPubsub, Local: "pubsub"}:
		if p.nodes == nil {
			n, err := i.skip("items")
			p.NodesLeft += n
			return err
		}
		return i.children(func(e xml.StartElement) error { return i.nodeItems(ctx, p, e) })
	case xml.Name{Space: nsOwner, Local: "pubsub"}: // the configuration of those nodes
		if p.nodes == nil {
			_, err := i.skip("")
			return err
		}
		return i.children(func(e xml.StartElement) error { return i.node(ctx, p, e) })
	case xml.Name{Space: nsRoster, Local: "query"}, xml.Name{Space: nsPrivate, Local: "query"}, xml.Name{Space: nsBlocking, Local: "blocklist"},
		xml.Name{Space: nsVCard, Local: "vCard"}, xml.Name{Space: nsClient, Local: "presence"}, xml.Name{Space: nsPrefs, Local: "prefs"}:
	default:
		p.leave(e.Name.Local)
		_, err := i.skip("")
		return err
	}
	el, err := i.whole(e)
	if err != nil {
		return err
	}
	switch e.Name.Space {
	case nsRoster:
		return p.items(el)
	case nsPrivate:
		return i.private(ctx, p, el)
	case nsBlocking:
		return i.blocked(ctx, p, el)
	case nsClient:
		p.ask(el)
		return nil
	case nsPrefs:
		return i.prefs(ctx, p, el)
	}
	return i.vcard(ctx, p, el)
}

// ErrNotUnderstood is what a sink says of what it cannot read; the rest of the account is taken.
var ErrNotUnderstood = errors.New("it is not understood")

// prefs takes the preferences of the archive.
func (i *importer) prefs(ctx context.Context, p *person, el *xmpp.Element) (err error) {
	const what = "preferences of the archive"
	if i.sinks.Prefs == nil {
		p.leave(what)
		return nil
	}
	p.Prefs, err = i.sinks.Prefs(ctx, p.owner.ID, el, i.dry)
	switch {
	case errors.Is(err, ErrNotUnderstood):
		p.fault(what)
		return nil
	case err == nil && !p.Prefs:
		p.leave(what)
	}
	return err
}

// vcard takes the card without its picture, which lies in the account's nodes (XEP-0398).
func (i *importer) vcard(ctx context.Context, p *person, el *xmpp.Element) (err error) {
	card := el.Bytes()
	if el.Has(nsVCard, "PHOTO") {
		p.picture(el)
		if card, err = without(el, "PHOTO"); err != nil {
			return err
		}
	}
	p.VCard = true
	if !i.dry {
		p.VCard, err = i.sinks.VCard(ctx, p.owner.ID, card)
	}
	if p.VCard {
		p.temp = card
	}
	return err
}

// card publishes the card in the node of XEP-0292, where clients of today look for it. A card that is
// there stays.
func (i *importer) card(ctx context.Context, p *person) error {
	if p.temp == nil || p.cards || p.nodes == nil || i.sinks.VCard4 == nil || i.dry {
		return nil
	}
	el, err := xmpp.ParseElement(p.temp)
	if err != nil {
		return err
	}
	made, err := p.nodes.Node(ctx, nodeCard, open("open", "1"))
	if err != nil || !made {
		return err
	}
	_, err = p.nodes.Item(ctx, nodeCard, "current", i.sinks.VCard4(el))
	return err
}

// without is an element without its children of a name; what it says itself goes, too.
func without(el *xmpp.Element, local string) ([]byte, error) {
	b := append(xmpp.AppendAttr(append([]byte("<"), el.Name.Local...), "xmlns", el.Name.Space), '>')
	for _, c := range el.Children {
		child, err := el.Child(c)
		if err != nil {
			return nil, err
		}
		if c.Name.Local != local {
			b = append(b, child.Bytes()...)
		}
	}
	return append(append(append(b, "</"...), el.Name.Local...), '>'), nil
}

// leave notes what is not taken.
func (p *person) leave(what string) {
	if !slices.Contains(p.Unknown, what) && len(p.Unknown) < 20 {
		p.Unknown = append(p.Unknown, what)
	}
}

// bare reads an address without its resource.
func (p *person) bare(text string) (jid.JID, bool) {
	j, err := jid.Parse(text)
	if err != nil {
		p.fault(fmt.Sprintf("the address %q", text))
		return j, false
	}
	return j.Bare(), true
}

// items reads a roster.
func (p *person) items(el *xmpp.Element) error {
	var q struct {
		Items []struct {
			JID          string   `xml:"jid,attr"`
			Name         string   `xml:"name,attr"`
			Subscription string   `xml:"subscription,attr"`
			Ask          string   `xml:"ask,attr"`
			Approved     string   `xml:"approved,attr"`
			Groups       []string `xml:"group"`
		} `xml:"item"`
	}
	if err := el.Decode(&q); err != nil {
		return err
	}
	for _, item := range q.Items {
		j, ok := p.bare(item.JID)
		if !ok || j.String() == p.owner.String() {
			continue
		}
		c := xmpp.Contact{JID: j.String(), Name: item.Name, Groups: item.Groups, Listed: true}
		slices.Sort(c.Groups)
		c.Groups = slices.Compact(c.Groups)
		switch item.Subscription {
		case "both":
			c.State = xmpp.SubscriptionBoth
		case "to":
			c.State = xmpp.SubscriptionTo
		case "from":
			c.State = xmpp.SubscriptionFrom
		}
		if item.Ask == "subscribe" && !c.State.Has(xmpp.SubscriptionTo) {
			c.State |= xmpp.PendingOut
		}
		if approved, _ := xmpp.ParseBool(item.Approved); approved && !c.State.Has(xmpp.SubscriptionFrom) {
			c.State |= xmpp.PreApproved
		}
		p.contacts = append(p.contacts, c)
	}
	return nil
}

// ask reads a request that waits.
func (p *person) ask(el *xmpp.Element) {
	if typ, _ := el.Attr("type"); typ != "subscribe" {
		return
	}
	from, _ := el.Attr("from")
	j, ok := p.bare(from)
	if !ok {
		return
	}
	b := xmpp.AppendAttr([]byte("<presence type='subscribe'"), "from", j.String())
	b = append(xmpp.AppendAttr(b, "to", p.owner.String()), "/>"...)
	p.asks = append(p.asks, xmpp.Contact{JID: j.String(), State: xmpp.PendingIn, Request: b})
}

// roster writes contacts and requests, which are entries of one table.
func (i *importer) roster(ctx context.Context, p *person) error {
	for _, a := range p.asks {
		n := slices.IndexFunc(p.contacts, func(c xmpp.Contact) bool { return c.JID == a.JID })
		switch {
		case n < 0:
			p.contacts = append(p.contacts, a)
		case !p.contacts[n].State.Has(xmpp.SubscriptionFrom):
			p.contacts[n].State |= xmpp.PendingIn
			p.contacts[n].State &^= xmpp.PreApproved
			p.contacts[n].Request = a.Request
		}
	}
	p.Requests = len(p.asks)
	p.Contacts = len(p.contacts)
	if i.dry || len(p.contacts) == 0 {
		return nil
	}
	n, err := i.sinks.Contacts(ctx, p.owner.ID, p.contacts)
	p.Contacts = n
	return err
}

func (i *importer) private(ctx context.Context, p *person, el *xmpp.Element) error {
	for _, c := range el.Children {
		child, err := el.Child(c)
		if err != nil {
			return err
		}
		if child.Name == (xml.Name{Space: nsOldMarks, Local: "storage"}) {
			p.marks = child
			continue
		}
		added := true
		if !i.dry {
			if added, err = i.sinks.Private(ctx, p.owner.ID, child.Name, child.Bytes()); err != nil {
				return err
			}
		}
		if added {
			p.Private++
		}
	}
	return nil
}

func (i *importer) blocked(ctx context.Context, p *person, el *xmpp.Element) error {
	var list []string
	for _, c := range el.Children {
		item, err := el.Child(c)
		if err != nil {
			return err
		}
		text, _ := item.Attr("jid")
		if j, err := jid.Parse(text); err == nil {
			list = append(list, j.String())
		} else {
			p.bare(text) // notes the fault
		}
	}
	p.Blocked += len(list)
	if i.dry || len(list) == 0 {
		return nil
	}
	return i.sinks.Block(ctx, p.owner.ID, list)
}

// message reads one that waits. Its delay says when it came; the server says that itself again.
func (i *importer) message(ctx context.Context, p *person, e xml.StartElement) error {
	if e.Name != (xml.Name{Space: nsClient, Local: "message"}) {
		_, err := i.skip("")
		return err
	}
	el, err := i.whole(e)
	if err != nil {
		return err
	}
	st, err := xmpp.ParseStanza(el.Bytes())
	if err != nil {
		p.fault("a message")
		return nil
	}
	at := time.Time{}
	b := st.Without(func(c xmpp.Child) bool {
		if p.named(st, c) {
			return true
		}
		if c.Name != (xml.Name{Space: nsDelay, Local: "delay"}) || !at.IsZero() {
			return false
		}
		if d, err := st.Child(c); err == nil {
			stamp, _ := d.Attr("stamp")
			at, err = time.Parse(time.RFC3339, stamp)
			return err == nil
		}
		return false
	}, st.From.String(), st.To.String())
	if i.dry {
		p.Offline++
		return nil
	}
	kept, err := i.sinks.Offline(ctx, p.owner.ID, st.From.String(), at, b)
	if kept {
		p.Offline++
	} else if err == nil {
		p.Full++
	}
	return err
}
