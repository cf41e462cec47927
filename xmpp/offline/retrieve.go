package offline

import (
	"context"
	"strconv"

	xstanza "mellium.im/xmpp/stanza"

	"trivium/xmpp"
)

// NodeInfo says how many messages wait (XEP-0013 section 2.2). Who asks gets no flood.
func (o *Offline) NodeInfo(ctx context.Context, q *xmpp.Request, node string) ([]byte, bool) {
	if node != ns || q.Account.ID == "" {
		return nil, false
	}
	q.By.Set(o.seen|o.asks, true)
	n, err := o.store.Count(ctx, q.Account.ID)
	if err != nil {
		o.log.Error("messages that wait were not counted", "user", q.Account.String(), "error", err)
		return nil, false
	}
	f := xmpp.Form{Type: xmpp.FormResult, Kind: ns, Fields: []xmpp.Field{{Var: "number_of_messages", Values: []string{strconv.Itoa(n)}}}}
	return f.Append([]byte("<identity category='automation' type='message-list'/><feature var='" + ns + "'/>")), true
}

// NodeItems lists the senders of messages (section 2.3).
func (o *Offline) NodeItems(ctx context.Context, q *xmpp.Request, node string) ([]byte, bool) {
	if node != ns || q.Account.ID == "" {
		return nil, false
	}
	q.By.Set(o.seen|o.asks, true)
	var b []byte
	err := o.each(ctx, q, func(w Waiting) bool {
		b = xmpp.AppendAttr(append(b, "<item"...), "jid", q.Account.String())
		b = xmpp.AppendAttr(b, "node", name(w.ID))
		b = append(xmpp.AppendAttr(b, "name", w.From), "/>"...)
		return true
	})
	if err != nil {
		o.log.Error("messages that wait were not read", "user", q.Account.String(), "error", err)
		return nil, false
	}
	return b, true
}

// name is an ID on the wire: names sort as the messages came.
func name(id int64) string {
	s := strconv.FormatInt(id, 10)
	const digits = "0000000000000000000"
	return digits[:len(digits)-len(s)] + s
}

// each calls fn with all that waits for who asks.
func (o *Offline) each(ctx context.Context, q *xmpp.Request, fn func(Waiting) bool) error {
	for after := int64(0); ; {
		list, err := o.store.Wait(ctx, q.Account.ID, after, page)
		if err != nil {
			return err
		}
		for _, w := range list {
			if after = w.ID; !fn(w) {
				return nil
			}
		}
		if len(list) < page {
			return nil
		}
	}
}

// retrieve is sections 2.4 to 2.7: to view or remove some messages, or all.
func (o *Offline) retrieve(ctx context.Context, q *xmpp.Request) {
	el, err := q.Payload()
	if err != nil || q.Account.ID == "" {
		q.Bad()
		return
	}
	switch {
	case el.Has(ns, "fetch") && q.Type == "get":
		o.view(ctx, q, nil)
	case el.Has(ns, "purge") && q.Type == "set":
		if _, err := o.store.DropAll(ctx, q.Account.ID, 1<<62); err != nil {
			q.Broken(err)
			return
		}
		q.Result("")
	default:
		o.items(ctx, q, el)
	}
}

// items reads the list of nodes and does what each is named for; all ask for the same.
func (o *Offline) items(ctx context.Context, q *xmpp.Request, el *xmpp.Element) {
	want := map[int64]bool{}
	action := "view"
	if q.Type == "set" {
		action = "remove"
	}
	for _, c := range el.Children {
		item, err := el.Child(c)
		if err != nil || c.Name.Space != ns || c.Name.Local != "item" {
			q.Bad()
			return
		}
		what, _ := item.Attr("action")
		node, _ := item.Attr("node")
		id, err := strconv.ParseInt(node, 10, 64)
		switch {
		case what != action:
			q.Bad()
			return
		case err != nil || name(id) != node:
			q.Fail(xstanza.ItemNotFound, xstanza.Cancel)
			return
		}
		want[id] = true
	}
	if len(want) == 0 {
		q.Bad()
		return
	}
	if action == "view" {
		o.view(ctx, q, want)
		return
	}
	o.remove(ctx, q, want)
}

// view sends messages before the result, each with its node; nil means all. They are read twice, as
// all of them at once may be more than should be held.
func (o *Offline) view(ctx context.Context, q *xmpp.Request, want map[int64]bool) {
	found := 0
	if want != nil {
		if err := o.each(ctx, q, func(w Waiting) bool {
			if want[w.ID] {
				found++
			}
			return true
		}); err != nil {
			q.Broken(err)
			return
		}
		if found != len(want) {
			q.Fail(xstanza.ItemNotFound, xstanza.Cancel)
			return
		}
	}
	var failed error
	err := o.each(ctx, q, func(w Waiting) bool {
		if want != nil && !want[w.ID] {
			return true
		}
		item := "<offline xmlns='" + ns + "'><item node='" + name(w.ID) + "'/></offline>"
		var b []byte
		if b, failed = w.delayed(q.Account, q.By.FullJID(), item); failed != nil {
			return false
		}
		q.By.Room()
		return q.By.Put(b)
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		q.Broken(err)
		return
	}
	q.Result("")
}

// remove drops messages, all of them or none.
func (o *Offline) remove(ctx context.Context, q *xmpp.Request, want map[int64]bool) {
	var ids []int64
	err := o.each(ctx, q, func(w Waiting) bool {
		if want[w.ID] {
			ids = append(ids, w.ID)
		}
		return true
	})
	switch {
	case err != nil:
		q.Broken(err)
		return
	case len(ids) != len(want):
		q.Fail(xstanza.ItemNotFound, xstanza.Cancel)
		return
	}
	if err := o.store.Drop(ctx, q.Account.ID, ids...); err != nil {
		q.Broken(err)
		return
	}
	q.Result("")
}
