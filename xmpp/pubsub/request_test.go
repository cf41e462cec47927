package pubsub

import (
	"errors"
	"testing"

	"trivium/xmpp"
)

func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='n'><item id='i'><p xmlns='x'/></item></publish><publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field><field var='pubsub#max_items'><value>max</value></field></x></publish-options></pubsub>",
		"<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='n' max_items='3'><item id='i'/></items><set xmlns='http://jabber.org/protocol/rsm'><max>1</max><before/><index>3</index></set></pubsub>",
		"<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><affiliations node='n'><affiliation jid='a@b' affiliation='member'/></affiliations></pubsub>",
		"<pubsub xmlns='http://jabber.org/protocol/pubsub'><create/><configure/></pubsub>",
		"<a:pubsub xmlns:a='http://jabber.org/protocol/pubsub'><a:retract node='n' notify='1'><a:item id='i'/></a:retract></a:pubsub>",
		"<pubsub xmlns='http://jabber.org/protocol/pubsub'/>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		el, err := xmpp.ParseElement([]byte(raw))
		if err != nil {
			return
		}
		r, err := readRequest(el)
		var fail *failure
		if err != nil {
			if !errors.As(err, &fail) {
				t.Fatalf("an error that is not the client's: %v", err)
			}
			return
		}
		if r.el == nil || r.verb == "" || len(r.node) > maxNameLength {
			t.Fatalf("request %+v", r)
		}
		list, err := r.items()
		if err == nil {
			for _, i := range list {
				payload, err := i.payload()
				if err != nil || payload == nil {
					continue
				}
				if _, err := xmpp.ParseElement(payload); err != nil {
					t.Fatalf("payload %q does not stand for itself: %v", payload, err)
				}
			}
		}
		_, _ = r.count()
		_, _ = r.entries("affiliation", "affiliation")
	})
}

func FuzzForm(f *testing.F) {
	l := DefaultLimits(256 << 10)
	for _, s := range settings() {
		for _, v := range append(s.options, "max", "0", "1", "true", "", "-1", "99999999999999999999") {
			f.Add("pubsub#"+s.name, v, "x")
		}
	}
	f.Add("pubsub#node_type", "leaf", "")
	f.Fuzz(func(t *testing.T, name, one, two string) {
		if xmpp.CleanText(one) != one || xmpp.CleanText(two) != two {
			return // text that is no XML cannot come from a stream
		}
		for _, values := range [][]string{nil, {one}, {one, two}} {
			c := defaults()
			unknown, bad := c.apply(&xmpp.Form{Fields: []xmpp.Field{{Var: name, Values: values}}}, &l)
			if unknown != "" || bad != "" {
				continue
			}
			// What was accepted is written, and read again it is the same.
			el, err := xmpp.ParseElement(c.form(xmpp.FormSubmit).Append(nil))
			if err != nil {
				t.Fatal(err)
			}
			again, ok := xmpp.ReadForm(el)
			if !ok || again.Kind != nsNodeConfig {
				t.Fatalf("form %q", el.Bytes())
			}
			d := defaults()
			if unknown, bad := d.apply(again, &l); unknown != "" || bad != "" || !d.equal(&c) {
				t.Errorf("%s %q: %+v became %+v (%s %s)", name, values, c, d, unknown, bad)
			}
			if c.MaxItems < 0 || c.MaxItems >= l.Items || c.Expire < 0 || c.MaxPayload < 0 {
				t.Errorf("%s %q: %+v", name, values, c)
			}
		}
	})
}

func TestEqual(t *testing.T) {
	for _, s := range settings() {
		c, d := defaults(), defaults()
		l := DefaultLimits(1 << 20)
		values := append([]string{"1", "false", "true", "7", "some text"}, s.options...)
		changed := false
		for _, v := range values {
			if s.set(&d, xmpp.Field{Values: []string{v}}, &l) && !c.equal(&d) {
				changed = true
			}
		}
		if !changed {
			t.Errorf("no value of %s makes another configuration", s.name)
		}
	}
}
