// Package portable takes the chat data of accounts out of a server and into one (XEP-0227 1.1). What
// is written: contacts and requests that wait, blocked addresses, vCard, private XML, messages that
// wait, nodes with their configuration, items, affiliations and subscriptions, and the archive with the
// preferences of XEP-0441. The same is read, with pictures of vCards and bookmarks of XEP-0048 as the nodes that they are here.
// Passwords are not read, and written only as SCRAM keys, where whoever exports asks for them; an account
// that is not there is not made.
package portable

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"time"

	"trivium/identity"
	"trivium/xmpp"
)

// The namespaces.
const (
	ns         = "urn:xmpp:pie:0"
	nsArchive  = ns + "#mam"
	nsPrefs    = "urn:xmpp:mam:2"
	nsSCRAM    = ns + "#scram"
	nsClient   = "jabber:client"
	nsRoster   = "jabber:iq:roster"
	nsPrivate  = "jabber:iq:private"
	nsBlocking = "urn:xmpp:blocking"
	nsPubsub   = "http://jabber.org/protocol/pubsub"
	nsOwner    = nsPubsub + "#owner"
	nsDelay    = "urn:xmpp:delay"
	nsForward  = "urn:xmpp:forward:0"
	nsSID      = "urn:xmpp:sid:0"
	nsVCard    = "vcard-temp"
	nsOldMarks = "storage:bookmarks"
	nsMarks    = "urn:xmpp:bookmarks:1"
	nsAvatar   = "urn:xmpp:avatar:metadata"
	nodeCard   = "urn:xmpp:vcard4"

	nsAvatarData = "urn:xmpp:avatar:data"
)

// Node is a node of an account.
type Node struct {
	Name          string
	Form          []byte      // its configuration as a data form
	Affiliations  [][2]string // address and affiliation
	Subscriptions [][3]string // address, state and ID
}

// Sources are what an account's data is read from. A nil function has nothing.
type Sources struct {
	// Keys are those by which the password is checked: whoever has them can guess at it.
	Keys    func(ctx context.Context, id identity.UserID) ([]identity.SCRAMKeys, error)
	Roster  func(ctx context.Context, id identity.UserID) (xmpp.Roster, error)
	Blocked func(ctx context.Context, id identity.UserID) ([]string, error)
	VCard   func(ctx context.Context, id identity.UserID) ([]byte, error)
	Private func(ctx context.Context, id identity.UserID, each func(element []byte) error) error
	Offline func(ctx context.Context, id identity.UserID, each func(stanza []byte, at time.Time) error) error
	Nodes   func(ctx context.Context, owner xmpp.Owner, each func(Node) error) error
	Items   func(ctx context.Context, owner xmpp.Owner, each func(node, id string, payload []byte) error) error
	Archive func(ctx context.Context, id identity.UserID, each func(id string, at time.Time, stanza []byte) error) error
	// Prefs are the `<prefs/>` of the archive; nil where the account has chosen none.
	Prefs func(ctx context.Context, id identity.UserID) ([]byte, error)
}

// writer writes until the first error.
type writer struct {
	b   *bufio.Writer
	err error
}

func (w *writer) text(parts ...string) {
	for _, p := range parts {
		if w.err == nil {
			_, w.err = w.b.WriteString(p)
		}
	}
}

func (w *writer) bytes(b []byte) {
	if w.err == nil {
		_, w.err = w.b.Write(b)
	}
}

// tag writes an open tag with attributes as names and values; end closes it.
func (w *writer) tag(name, end string, attrs ...string) {
	b := append([]byte("<"), name...)
	for i := 0; i+1 < len(attrs); i += 2 {
		b = xmpp.AppendAttr(b, attrs[i], attrs[i+1])
	}
	w.bytes(append(b, end...))
}

// Export writes one account as a whole document. What does not fit into memory at once never has to.
func Export(ctx context.Context, out io.Writer, owner xmpp.Owner, s Sources) error {
	w := &writer{b: bufio.NewWriter(out)}
	w.text("<?xml version='1.0' encoding='UTF-8'?>\n<server-data xmlns='" + ns + "'>\n")
	w.tag("host", ">\n", "jid", owner.Domain())
	w.tag("user", ">\n", "name", owner.Local())
	for _, part := range []struct {
		name  string
		write func(context.Context, *writer, xmpp.Owner) error
	}{{"SCRAM keys", s.keys}, {"contacts", s.roster}, {"blocked addresses", s.blocked}, {"vCard", s.vcard}, {"private XML", s.private},
		{"waiting messages", s.offline}, {"nodes", s.nodes}, {"preferences of the archive", s.prefs}, {"archive", s.archive}} {
		err := part.write(ctx, w, owner)
		if err == nil {
			err = w.err
		}
		if err != nil {
			return fmt.Errorf("exporting the %s of %s: %w", part.name, owner, err)
		}
	}
	w.text("</user>\n</host>\n</server-data>\n")
	if w.err == nil {
		w.err = w.b.Flush()
	}
	return w.err
}

// keys is section 4.3.
func (s Sources) keys(ctx context.Context, w *writer, o xmpp.Owner) error {
	if s.Keys == nil {
		return nil
	}
	list, err := s.Keys(ctx, o.ID)
	for _, k := range list {
		w.tag("scram-credentials", ">", "xmlns", nsSCRAM, "mechanism", k.Mechanism)
		w.text("<iter-count>", strconv.Itoa(k.Iterations), "</iter-count>")
		for _, part := range []struct {
			name string
			key  []byte
		}{{"salt", k.Salt}, {"server-key", k.Server}, {"stored-key", k.Stored}} {
			w.text("<", part.name, ">", base64.StdEncoding.EncodeToString(part.key), "</", part.name, ">")
		}
		w.text("</scram-credentials>\n")
	}
	return err
}

// roster is sections 4.4 and 4.8.
func (s Sources) roster(ctx context.Context, w *writer, o xmpp.Owner) error {
	if s.Roster == nil {
		return nil
	}
	r, err := s.Roster(ctx, o.ID)
	if err != nil {
		return err
	}
	w.text("<query xmlns='" + nsRoster + "'>\n")
	for _, c := range r.Contacts {
		if c.Listed {
			w.bytes(append(c.AppendItem(nil), '\n'))
		}
	}
	w.text("</query>\n")
	for _, c := range r.Contacts {
		if c.State.Has(xmpp.PendingIn) {
			w.tag("presence", "/>\n", "xmlns", nsClient, "type", "subscribe", "from", c.JID)
		}
	}
	return nil
}

// blocked has a namespace that XEP-0227 does not name, as section 4 allows; other servers write it
// so, too.
func (s Sources) blocked(ctx context.Context, w *writer, o xmpp.Owner) error {
	if s.Blocked == nil {
		return nil
	}
	list, err := s.Blocked(ctx, o.ID)
	if err != nil || len(list) == 0 {
		return err
	}
	w.text("<blocklist xmlns='" + nsBlocking + "'>")
	for _, j := range list {
		w.tag("item", "/>", "jid", j)
	}
	w.text("</blocklist>\n")
	return nil
}

// vcard is section 4.7.
func (s Sources) vcard(ctx context.Context, w *writer, o xmpp.Owner) error {
	if s.VCard == nil {
		return nil
	}
	card, err := s.VCard(ctx, o.ID)
	if len(card) > 0 {
		w.bytes(append(card[:len(card):len(card)], '\n'))
	}
	return err
}

// private is section 4.6.
func (s Sources) private(ctx context.Context, w *writer, o xmpp.Owner) error {
	if s.Private == nil {
		return nil
	}
	w.text("<query xmlns='" + nsPrivate + "'>")
	err := s.Private(ctx, o.ID, func(element []byte) error {
		w.bytes(element)
		return w.err
	})
	w.text("</query>\n")
	return err
}

// offline is section 4.5.
func (s Sources) offline(ctx context.Context, w *writer, o xmpp.Owner) error {
	if s.Offline == nil {
		return nil
	}
	w.text("<offline-messages>\n")
	err := s.Offline(ctx, o.ID, func(stanza []byte, at time.Time) error {
		b, err := delayed(stanza, o.Domain(), at)
		if err != nil {
			return err
		}
		w.bytes(append(b, '\n'))
		return w.err
	})
	w.text("</offline-messages>\n")
	return err
}

// standing is a stanza as an element that stands for itself, in jabber:client.
func standing(stanza []byte, added ...string) ([]byte, error) {
	st, err := xmpp.ParseStanza(stanza)
	if err != nil {
		return nil, err
	}
	b := st.Rewritten(st.From.String(), st.To.String(), added...)
	name := 1 + len(st.Kind)
	if _, own := st.Attr("xmlns"); own || string(b[1:name]) != string(st.Kind) { // it may have a prefix
		return b, nil
	}
	return append(append(append([]byte{}, b[:name]...), " xmlns='"+nsClient+"'"...), b[name:]...), nil
}

func delayed(stanza []byte, by string, at time.Time) ([]byte, error) {
	d := xmpp.AppendAttr([]byte("<delay xmlns='"+nsDelay+"'"), "from", by)
	d = append(xmpp.AppendAttr(d, "stamp", at.UTC().Format(time.RFC3339Nano)), "/>"...)
	return standing(stanza, string(d))
}

// nodes is section 4.9.
func (s Sources) nodes(ctx context.Context, w *writer, o xmpp.Owner) error {
	if s.Nodes == nil || s.Items == nil {
		return nil
	}
	w.text("<pubsub xmlns='" + nsOwner + "'>\n")
	err := s.Nodes(ctx, o, func(n Node) error {
		w.tag("configure", ">", "node", n.Name)
		w.bytes(n.Form)
		w.text("</configure>\n")
		if len(n.Affiliations) > 0 {
			w.tag("affiliations", ">", "node", n.Name)
			for _, a := range n.Affiliations {
				w.tag("affiliation", "/>", "jid", a[0], "affiliation", a[1])
			}
			w.text("</affiliations>\n")
		}
		if len(n.Subscriptions) > 0 {
			w.tag("subscriptions", ">", "node", n.Name)
			for _, a := range n.Subscriptions {
				w.tag("subscription", "/>", "jid", a[0], "subscription", a[1], "subid", a[2])
			}
			w.text("</subscriptions>\n")
		}
		return w.err
	})
	w.text("</pubsub>\n<pubsub xmlns='" + nsPubsub + "'>\n")
	if err != nil {
		return err
	}
	open := ""
	err = s.Items(ctx, o, func(node, id string, payload []byte) error {
		if node != open {
			if open != "" {
				w.text("</items>\n")
			}
			w.tag("items", ">\n", "node", node)
			open = node
		}
		w.tag("item", ">", "id", id)
		w.bytes(payload)
		w.text("</item>\n")
		return w.err
	})
	if open != "" {
		w.text("</items>\n")
	}
	w.text("</pubsub>\n")
	return err
}

// prefs are what an account wants in its archive, in the form of XEP-0441. XEP-0227 does not name
// them; its section 4 allows what other namespaces have.
func (s Sources) prefs(ctx context.Context, w *writer, o xmpp.Owner) error {
	if s.Prefs == nil {
		return nil
	}
	el, err := s.Prefs(ctx, o.ID)
	if len(el) > 0 {
		w.bytes(append(el[:len(el):len(el)], '\n'))
	}
	return err
}

// archive is section 4.10.
func (s Sources) archive(ctx context.Context, w *writer, o xmpp.Owner) error {
	if s.Archive == nil {
		return nil
	}
	w.text("<archive xmlns='" + nsArchive + "'>\n")
	err := s.Archive(ctx, o.ID, func(id string, at time.Time, stanza []byte) error {
		b, err := standing(stanza)
		if err != nil {
			return err
		}
		w.tag("result", "><forwarded xmlns='urn:xmpp:forward:0'>", "xmlns", "urn:xmpp:mam:2", "id", id)
		w.tag("delay", "/>", "xmlns", nsDelay, "stamp", at.UTC().Format(time.RFC3339Nano))
		w.bytes(b)
		w.text("</forwarded></result>\n")
		return w.err
	})
	w.text("</archive>\n")
	return err
}
