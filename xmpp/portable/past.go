package portable

import (
	"context"
	"crypto/sha1" //nolint:gosec // the name of an avatar (XEP-0084 section 4.1), no protection
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"strconv"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"trivium/xmpp"
)

// Past is a message of an archive that is read.
type Past struct {
	At       time.Time
	Sent     bool   // by the owner of the archive
	From, To string // the bare JIDs
	Stanza   []byte
}

// Messages of an archive go into the store in steps of so many, or of so many bytes.
const (
	pastCount = 500
	pastBytes = 4 << 20
)

// archive reads section 4.10: results of XEP-0313, the oldest first as a rule.
func (i *importer) archive(ctx context.Context, p *person) error {
	var list []Past
	bytes := 0
	flush := func() error {
		if len(list) == 0 {
			return nil
		}
		n, err := len(list), error(nil)
		if !i.dry {
			n, err = i.sinks.Archive(ctx, p.owner.ID, list)
		}
		p.Archive += n
		p.ArchiveLeft += len(list) - n
		list, bytes = list[:0:0], 0
		return err
	}
	err := i.children(func(e xml.StartElement) error {
		if e.Name.Local != "result" {
			_, err := i.skip("")
			return err
		}
		el, err := i.whole(e)
		if err != nil {
			return err
		}
		m, ok := p.result(el)
		if !ok {
			p.fault("a message of the archive")
			return nil
		}
		list, bytes = append(list, m), bytes+len(m.Stanza)
		if len(list) >= pastCount || bytes >= pastBytes {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// result reads one message of an archive, with the time at which it came. The ids that the other
// server gave it mean nothing here.
func (p *person) result(el *xmpp.Element) (m Past, ok bool) {
	forwarded, ok := el.Only(nsForward, "forwarded")
	if !ok {
		return m, false
	}
	delay, ok := forwarded.Only(nsDelay, "delay")
	if !ok {
		return m, false
	}
	stamp, _ := delay.Attr("stamp")
	at, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		return m, false
	}
	message, ok := forwarded.Only(nsClient, "message")
	if !ok {
		return m, false
	}
	st, err := xmpp.ParseStanza(message.Bytes())
	if err != nil {
		return m, false
	}
	me := p.owner.String()
	from, to := st.From, st.To
	if from.Domainpart() == "" {
		from = jid.MustParse(me)
	}
	if to.Domainpart() == "" {
		to = jid.MustParse(me)
	}
	m = Past{At: at, Sent: from.Bare().String() == me, From: from.Bare().String(), To: to.Bare().String()}
	if !m.Sent && m.To != me {
		return m, false // said between others, as in a room
	}
	m.Stanza = st.Without(func(c xmpp.Child) bool { return p.named(st, c) }, from.String(), to.String())
	return m, true
}

// named reports whether a child of a message is the id that the account's archive has given it.
func (p *person) named(st *xmpp.Stanza, c xmpp.Child) bool {
	if c.Name != (xml.Name{Space: nsSID, Local: "stanza-id"}) {
		return false
	}
	id, err := st.Child(c)
	if err != nil {
		return true
	}
	by, _ := id.Attr("by")
	return by == p.owner.String()
}

// maxPicture bounds the picture of a vCard that becomes an avatar, in bytes.
const maxPicture = 192 << 10

// picture notes the picture of a vCard.
func (p *person) picture(el *xmpp.Element) {
	photo, ok := el.Only(nsVCard, "PHOTO")
	if !ok {
		return
	}
	var in struct {
		Type string `xml:"TYPE"`
		Data string `xml:"BINVAL"`
	}
	if photo.Decode(&in) != nil {
		return
	}
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(in.Data), ""))
	if err != nil || len(data) == 0 || len(data) > maxPicture {
		p.leave("the picture of the vCard")
		return
	}
	p.photo, p.photoType = data, strings.TrimSpace(in.Type)
	if !strings.HasPrefix(p.photoType, "image/") || len(p.photoType) > 64 {
		p.photoType = "image/png"
	}
}

// avatar puts the picture of the vCard where the account's picture lies here, in its nodes (XEP-0398).
// An avatar that there is stays.
func (i *importer) avatar(ctx context.Context, p *person) error {
	if p.photo == nil {
		return nil
	}
	if p.nodes == nil {
		p.leave("the picture of the vCard")
		return nil
	}
	if i.dry || p.avatars {
		return nil
	}
	sum := sha1.Sum(p.photo) //nolint:gosec // as above
	id := hex.EncodeToString(sum[:])
	for _, n := range []struct{ name, payload string }{
		{nsAvatarData, "<data xmlns='" + nsAvatarData + "'>" + base64.StdEncoding.EncodeToString(p.photo) + "</data>"},
		{nsAvatar, "<metadata xmlns='" + nsAvatar + "'><info id='" + id + "' type='" + xmpp.Escape(p.photoType) + "' bytes='" + strconv.Itoa(len(p.photo)) + "'/></metadata>"},
	} {
		made, err := p.nodes.Node(ctx, n.name, open("open", "1"))
		if err != nil || !made { // it has an avatar of its own
			return err
		}
		if _, err := p.nodes.Item(ctx, n.name, id, []byte(n.payload)); err != nil {
			return err
		}
	}
	return nil
}

// open is a configuration of a node: who reads it, and how many items it keeps.
func open(access, items string) *xmpp.Form {
	return &xmpp.Form{Type: xmpp.FormSubmit, Fields: []xmpp.Field{
		{Var: "pubsub#access_model", Values: []string{access}}, {Var: "pubsub#max_items", Values: []string{items}}, {Var: "pubsub#persist_items", Values: []string{"1"}},
	}}
}

// bookmarks makes those of XEP-0048 into those of XEP-0402, which are what is kept here. A list that
// there is stays.
func (i *importer) bookmarks(ctx context.Context, p *person) error {
	if p.marks == nil {
		return nil
	}
	if p.nodes == nil {
		p.leave("bookmarks in their old form")
		return nil
	}
	if i.dry {
		return nil
	}
	made, err := p.nodes.Node(ctx, nsMarks, open("whitelist", "max"))
	if err != nil || !made {
		return err
	}
	for _, c := range p.marks.Children {
		if c.Name != (xml.Name{Space: nsOldMarks, Local: "conference"}) {
			continue
		}
		mark, err := p.marks.Child(c)
		if err != nil {
			return err
		}
		text, _ := mark.Attr("jid")
		room, err := jid.Parse(text)
		if err != nil {
			p.bare(text) // notes the fault
			continue
		}
		b := []byte("<conference xmlns='" + nsMarks + "'")
		name, _ := mark.Attr("name")
		b = xmpp.AppendAttr(b, "name", name)
		join, _ := mark.Attr("autojoin")
		if yes, _ := xmpp.ParseBool(join); yes {
			b = append(b, " autojoin='true'"...)
		}
		b = append(b, '>')
		for _, local := range []string{"nick", "password"} {
			var value struct {
				Text string `xml:",chardata"`
			}
			if el, ok := mark.Only(nsOldMarks, local); ok && el.Decode(&value) == nil {
				b = append(b, "<"+local+">"+xmpp.Escape(value.Text)+"</"+local+">"...)
			}
		}
		added, err := p.nodes.Item(ctx, nsMarks, room.Bare().String(), append(b, "</conference>"...))
		if err != nil {
			return err
		}
		if added {
			p.Bookmarks++
		}
	}
	return nil
}
