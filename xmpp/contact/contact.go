// Package contact says whom to turn to about the server (XEP-0157 1.1.1).
package contact

import (
	"context"

	"trivium/xmpp"
)

// Options are addresses as URIs, such as mailto:abuse@example.org or xmpp:admin@example.org.
type Options struct {
	Admin, Abuse, Security, Support []string
}

// Contact is the module.
type Contact struct{ form []byte }

// New makes the module.
func New(o Options) *Contact {
	b := []byte("<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>http://jabber.org/network/serverinfo</value></field>")
	none := len(b)
	for _, f := range []struct {
		name string
		list []string
	}{{"abuse-addresses", o.Abuse}, {"admin-addresses", o.Admin}, {"security-addresses", o.Security}, {"support-addresses", o.Support}} {
		if len(f.list) == 0 {
			continue
		}
		b = append(xmpp.AppendAttr(append(b, "<field type='list-multi'"...), "var", f.name), '>')
		for _, uri := range f.list {
			b = append(append(append(b, "<value>"...), xmpp.Escape(xmpp.CleanText(uri))...), "</value>"...)
		}
		b = append(b, "</field>"...)
	}
	if len(b) == none {
		return &Contact{}
	}
	return &Contact{append(b, "</x>"...)}
}

// Register implements xmpp.Module.
func (c *Contact) Register(reg *xmpp.Registrar) {
	reg.Form(xmpp.ToServer, func(context.Context, *xmpp.Request) []byte { return c.form })
}
