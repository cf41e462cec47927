// Package vcard makes the cards of an account one: vCard4 in the node urn:xmpp:vcard4 (XEP-0292 0.12.0),
// vcard-temp (XEP-0054 1.3) and the avatar of XEP-0084, whose picture vcard-temp has, too (XEP-0398
// 1.0.1), and whose hash presence says (XEP-0153 1.1).
//
// The nodes are the truth. A card that a client sets as vcard-temp is published there in the form of
// vCard4 and kept as it came beside it, because vCard4 has no place for some of it. It counts as long as
// the node holds what was made of it; else what clients of vcard-temp see is made of the node. Who may not
// read the node has no card in either form. A card that was imported and has no node yet is for all.
package vcard

import (
	"context"
	"crypto/sha1" //nolint:gosec // XEP-0084 names pictures by it
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"

	xstanza "mellium.im/xmpp/stanza"

	"trivium/identity"
	"trivium/xmpp"
)

// The namespaces and nodes.
const (
	ns           = "vcard-temp"
	nsUpdate     = "vcard-temp:x:update"
	nodeData     = "urn:xmpp:avatar:data"
	nodeMetadata = "urn:xmpp:avatar:metadata"
	nodeCard     = "urn:xmpp:vcard4"
	conversion   = "urn:xmpp:pep-vcard-conversion:0"
)

// Bounds of what a client stores.
const (
	maxCard    = 32 << 10  // without its picture
	maxPicture = 192 << 10 // as an image
	maxCard4   = 64 << 10  // as vCard4, which is wordier
)

// Store is what vcard needs of a database.
type Store interface {
	// VCard returns the vcard-temp without its picture; nil where none was stored.
	VCard(ctx context.Context, owner identity.UserID) ([]byte, error)
	// PutVCard replaces it; nil removes it.
	PutVCard(ctx context.Context, owner identity.UserID, card []byte) error
}

// Nodes are the nodes of accounts (XEP-0163).
type Nodes interface {
	Items(ctx context.Context, reader, owner xmpp.Owner, node string) ([]xmpp.Item, error)
	Publish(ctx context.Context, owner xmpp.Owner, node string, item xmpp.Item, access string, max int) error
	OnChange(changed func(ctx context.Context, owner xmpp.Owner, node string))
}

// VCard is the module.
type VCard struct {
	store  Store
	nodes  Nodes
	router *xmpp.Router
	hashes hashes
}

// New makes the module.
func New(store Store, nodes Nodes) *VCard {
	v := &VCard{store: store, nodes: nodes}
	v.hashes.of = map[identity.UserID]string{}
	return v
}

// Register implements xmpp.Module.
func (v *VCard) Register(reg *xmpp.Registrar) {
	v.router = reg.Router
	name, name4 := xml.Name{Space: ns, Local: "vCard"}, xml.Name{Space: ns4, Local: "vcard"}
	reg.Serve(
		xmpp.Service{To: xmpp.ToSelf, Name: name, Resource: "xmpp:vcard", Set: true, Answer: v.answer},
		xmpp.Service{To: xmpp.ToAccount, Name: name, Resource: "xmpp:vcard", Answer: v.answer},
		xmpp.Service{To: xmpp.ToSelf, Name: name4, Resource: "xmpp:vcard", Set: true, Answer: v.answer4},
		xmpp.Service{To: xmpp.ToAccount, Name: name4, Resource: "xmpp:vcard", Answer: v.answer4},
	)
	reg.Feature(xmpp.ToServer, ns, ns4)
	reg.Feature(xmpp.ToSelf, conversion)
	reg.Decorate(v.decorate)
	v.nodes.OnChange(func(ctx context.Context, owner xmpp.Owner, node string) {
		switch node {
		case nodeMetadata:
			v.hashes.forget(owner.ID)
		case nodeCard:
			v.changed(ctx, owner)
		}
	})
	reg.Removed(func(ctx context.Context, id identity.UserID) error {
		v.hashes.forget(id)
		return v.store.PutVCard(ctx, id, nil)
	})
}

// answer is XEP-0054 sections 3.1 to 3.3.
func (v *VCard) answer(ctx context.Context, q *xmpp.Request) {
	if q.Type == "set" {
		v.set(ctx, q)
		return
	}
	card, err := v.card(ctx, q.By.Owner(), q.Account)
	if err != nil {
		q.Broken(err)
		return
	}
	picture, err := v.picture(ctx, q.By.Owner(), q.Account)
	switch {
	case err != nil:
		q.Broken(err)
	case card == nil && picture == nil && q.Target == xmpp.ToAccount:
		q.Refuse() // section 3.3: the same as for an account that there is not
	case card == nil:
		q.Result("<vCard xmlns='" + ns + "'>" + string(picture) + "</vCard>")
	default:
		q.Result(string(with(card, picture)))
	}
}

// with puts the picture at the end of a card.
func with(card, picture []byte) []byte {
	const end = "</vCard>"
	if open, ok := strings.CutSuffix(string(card), "/>"); ok {
		return []byte(open + ">" + string(picture) + end)
	}
	return []byte(strings.TrimSuffix(string(card), end) + string(picture) + end)
}

// picture is the avatar as XEP-0153 section 3.1 has it, as far as the reader may see it; nil where
// there is none.
func (v *VCard) picture(ctx context.Context, reader, owner xmpp.Owner) ([]byte, error) {
	metadata, err := v.nodes.Items(ctx, reader, owner, nodeMetadata)
	if err != nil {
		return nil, err
	}
	id, typ := current(metadata)
	if id == "" {
		return nil, nil
	}
	data, err := v.nodes.Items(ctx, reader, owner, nodeData)
	if err != nil {
		return nil, err
	}
	for _, item := range data {
		if item.ID != id {
			continue
		}
		el, err := xmpp.ParseElement(item.Payload)
		if err != nil {
			return nil, err
		}
		text, _ := el.Text()
		return []byte("<PHOTO><TYPE>" + xmpp.Escape(typ) + "</TYPE><BINVAL>" + xmpp.Escape(text) + "</BINVAL></PHOTO>"), nil
	}
	return nil, nil
}

// current reads the newest metadata (XEP-0084 section 4.2): the picture that lies here, not one at
// some URL. "" where the account has none.
func current(metadata []xmpp.Item) (id, typ string) {
	if len(metadata) == 0 {
		return "", ""
	}
	el, err := xmpp.ParseElement(metadata[len(metadata)-1].Payload)
	if err != nil {
		return "", ""
	}
	for _, c := range el.Children {
		info, err := el.Child(c)
		if err != nil || c.Name.Local != "info" {
			continue
		}
		if _, elsewhere := info.Attr("url"); elsewhere {
			continue
		}
		id, _ = info.Attr("id")
		typ, _ = info.Attr("type")
		return strings.ToLower(id), typ
	}
	return "", ""
}

// set stores a card; its picture becomes the avatar.
func (v *VCard) set(ctx context.Context, q *xmpp.Request) {
	el, err := q.Payload()
	if err != nil || q.Account.ID == "" {
		q.Bad()
		return
	}
	card, photo := split(el)
	of4, err := converted(card)
	if err != nil {
		q.Broken(err)
		return
	}
	if len(card) > maxCard || len(of4) > maxCard4 {
		q.FailText(xstanza.PolicyViolation, xstanza.Modify, "The card is too large. Shorten it and try again.", "")
		return
	}
	image, typ, ok := decode(photo)
	if !ok {
		q.FailText(xstanza.NotAcceptable, xstanza.Modify, "The picture is too large, or it is none. Choose one of at most 192 KiB.", "")
		return
	}
	if err := v.put(ctx, q.Account, card, of4); err != nil {
		q.Broken(err)
		return
	}
	if err := v.publish(ctx, q.Account, image, typ); err != nil {
		q.Broken(err)
		return
	}
	q.Result("")
}

// split takes the picture out of a card.
func split(el *xmpp.Element) (card []byte, photo *xmpp.Element) {
	card = el.Cut(func(c xmpp.Child) bool {
		if c.Name.Local != "PHOTO" {
			return false
		}
		if p, err := el.Child(c); err == nil && photo == nil {
			photo = p
		}
		return true
	})
	return card, photo
}

// decode reads a picture; ok is false where it is none that can be stored. No picture at all, and
// one that lies elsewhere, is nil.
func decode(photo *xmpp.Element) (image []byte, typ string, ok bool) {
	if photo == nil {
		return nil, "", true
	}
	text, found := "", false
	for _, c := range photo.Children {
		part, err := photo.Child(c)
		if err != nil {
			return nil, "", false
		}
		switch c.Name.Local {
		case "BINVAL":
			text, _ = part.Text()
			found = true
		case "TYPE":
			typ, _ = part.Text()
		}
	}
	text = strings.Join(strings.Fields(text), "")
	if !found || text == "" {
		return nil, "", true
	}
	image, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(image) > maxPicture {
		return nil, "", false
	}
	return image, kind(image, typ), true
}

// kind is the type of a picture by its first bytes; else what the client says, where it is a name.
func kind(image []byte, said string) string {
	for _, k := range []struct{ head, typ string }{{"\x89PNG\r\n\x1a\n", "image/png"}, {"\xff\xd8\xff", "image/jpeg"}, {"GIF8", "image/gif"}} {
		if strings.HasPrefix(string(image), k.head) {
			return k.typ
		}
	}
	if len(image) > 12 && string(image[:4]) == "RIFF" && string(image[8:12]) == "WEBP" {
		return "image/webp"
	}
	if len(said) < 64 && strings.HasPrefix(said, "image/") {
		return said
	}
	return "image/png"
}

// Hash is the name of an account's avatar, the SHA-1 of the picture; "" where it has none.
func (v *VCard) Hash(ctx context.Context, a identity.Account) string { return v.hash(ctx, ownerOf(a)) }

// Avatar returns it as the account itself sees it; nil where it has none.
func (v *VCard) Avatar(ctx context.Context, a identity.Account) (image []byte, kind string, err error) {
	owner := ownerOf(a)
	photo, err := v.picture(ctx, owner, owner)
	if err != nil || photo == nil {
		return nil, "", err
	}
	el, err := xmpp.ParseElement(photo)
	if err != nil {
		return nil, "", err
	}
	image, kind, _ = decode(el)
	return image, kind, nil
}

// SetAvatar makes a picture of at most 192 KiB the account's avatar, and nil none; who follows it is told.
func (v *VCard) SetAvatar(ctx context.Context, a identity.Account, image []byte, kind string) error {
	if len(image) > maxPicture {
		return fmt.Errorf("a picture has at most %d bytes: %w", maxPicture, identity.ErrInvalid)
	}
	return v.publish(ctx, ownerOf(a), image, kind)
}

func ownerOf(a identity.Account) xmpp.Owner {
	return xmpp.Owner{Address: xmpp.NewAddress(string(a.Login), a.Domain), ID: a.ID}
}

// publish makes a picture the avatar, and no picture none (XEP-0398 section 4.2). What already is
// the avatar is not told anew.
func (v *VCard) publish(ctx context.Context, owner xmpp.Owner, image []byte, typ string) error {
	metadata, err := v.nodes.Items(ctx, owner, owner, nodeMetadata)
	if err != nil {
		return err
	}
	had, _ := current(metadata)
	if image == nil {
		if had == "" {
			return nil
		}
		return v.nodes.Publish(ctx, owner, nodeMetadata, xmpp.Item{ID: "current", Payload: []byte("<metadata xmlns='" + nodeMetadata + "'/>")}, "open", 1)
	}
	sum := sha1.Sum(image) //nolint:gosec // as above
	id := hex.EncodeToString(sum[:])
	if had == id {
		return nil
	}
	data := "<data xmlns='" + nodeData + "'>" + base64.StdEncoding.EncodeToString(image) + "</data>"
	if err := v.nodes.Publish(ctx, owner, nodeData, xmpp.Item{ID: id, Payload: []byte(data)}, "open", 1); err != nil {
		return err
	}
	info := "<metadata xmlns='" + nodeMetadata + "'><info id='" + id + "' type='" + xmpp.Escape(typ) + "' bytes='" + strconv.Itoa(len(image)) + "'/></metadata>"
	return v.nodes.Publish(ctx, owner, nodeMetadata, xmpp.Item{ID: id, Payload: []byte(info)}, "open", 1)
}
