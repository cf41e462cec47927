package vcard

import (
	"bytes"
	"context"

	xstanza "mellium.im/xmpp/stanza"

	"trivium/xmpp"
)

// kept is what there is of an account's card: as vcard-temp, as it came, and in the node; nil where
// there is none.
type kept struct{ temp, four []byte }

func (v *VCard) kept(ctx context.Context, owner xmpp.Owner) (k kept, err error) {
	items, err := v.nodes.Items(ctx, owner, owner, nodeCard)
	if err != nil {
		return k, err
	}
	if len(items) > 0 {
		k.four = items[len(items)-1].Payload
	}
	k.temp, err = v.store.VCard(ctx, owner.ID)
	return k, err
}

// may reports whether the reader may see the card that the node holds.
func (v *VCard) may(ctx context.Context, reader, owner xmpp.Owner) (bool, error) {
	if reader == owner {
		return true, nil
	}
	items, err := v.nodes.Items(ctx, reader, owner, nodeCard)
	return len(items) > 0, err
}

// card is the account's card as vcard-temp without its picture; nil where there is none for the reader.
func (v *VCard) card(ctx context.Context, reader, owner xmpp.Owner) ([]byte, error) {
	k, err := v.kept(ctx, owner)
	if err != nil || k.four == nil {
		return k.temp, err
	}
	if may, err := v.may(ctx, reader, owner); err != nil || !may {
		return nil, err
	}
	if of4, err := converted(k.temp); err != nil || bytes.Equal(of4, k.four) {
		return k.temp, err
	}
	el, err := xmpp.ParseElement(k.four)
	if err != nil {
		return nil, err
	}
	return Temp(el), nil
}

// converted is a vcard-temp as vCard4; nil of nil.
func converted(temp []byte) ([]byte, error) {
	if temp == nil {
		return nil, nil
	}
	el, err := xmpp.ParseElement(temp)
	if err != nil {
		return nil, err
	}
	return Four(el), nil
}

// put stores a card that came as vcard-temp and publishes it as vCard4. What the node holds already is not
// told anew.
func (v *VCard) put(ctx context.Context, owner xmpp.Owner, temp, of4 []byte) error {
	if err := v.store.PutVCard(ctx, owner.ID, temp); err != nil {
		return err
	}
	return v.put4(ctx, owner, of4)
}

func (v *VCard) put4(ctx context.Context, owner xmpp.Owner, card []byte) error {
	items, err := v.nodes.Items(ctx, owner, owner, nodeCard)
	if err != nil || len(items) > 0 && bytes.Equal(items[len(items)-1].Payload, card) {
		return err
	}
	return v.nodes.Publish(ctx, owner, nodeCard, xmpp.Item{ID: "current", Payload: card}, "open", 1)
}

// changed forgets the vcard-temp of an account that has taken its card out of the node.
func (v *VCard) changed(ctx context.Context, owner xmpp.Owner) {
	k, err := v.kept(ctx, owner)
	if err == nil && k.four == nil && k.temp != nil {
		err = v.store.PutVCard(ctx, owner.ID, nil)
	}
	if err != nil {
		v.router.Log().Error("a card that was taken back is still there as vcard-temp", "user", owner.String(), "error", err)
	}
}

// answer4 answers for vCard4 without the nodes, as XEP-0292 had it until 0.11 and clients of that time
// ask: the same card, by the same rules.
func (v *VCard) answer4(ctx context.Context, q *xmpp.Request) {
	if q.Type == "set" {
		v.set4(ctx, q)
		return
	}
	k, err := v.kept(ctx, q.Account)
	may := true
	switch {
	case err != nil:
	case k.four != nil:
		may, err = v.may(ctx, q.By.Owner(), q.Account)
	default:
		k.four, err = converted(k.temp)
	}
	switch {
	case err != nil:
		q.Broken(err)
	case may && k.four != nil:
		q.Result(string(k.four))
	case q.Target == xmpp.ToAccount:
		q.Refuse() // the same as for an account that there is not
	default:
		q.Fail(xstanza.ItemNotFound, xstanza.Cancel)
	}
}

// set4 publishes the card. It is in the node alone: what is made of it shows in vcard-temp.
func (v *VCard) set4(ctx context.Context, q *xmpp.Request) {
	el, err := q.Payload()
	if err != nil || q.Account.ID == "" {
		q.Bad()
		return
	}
	if len(el.Bytes()) > maxCard4 {
		q.FailText(xstanza.PolicyViolation, xstanza.Modify, "The card is too large. Shorten it and try again.", "")
		return
	}
	if err := v.put4(ctx, q.Account, el.Bytes()); err != nil {
		q.Broken(err)
		return
	}
	q.Result("")
}
