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
	f := xmpp.Form{Type: xmpp.FormResult, Kind: "http://jabber.org/network/serverinfo"}
	for _, x := range []xmpp.Field{
		{Var: "abuse-addresses", Values: o.Abuse}, {Var: "admin-addresses", Values: o.Admin},
		{Var: "security-addresses", Values: o.Security}, {Var: "support-addresses", Values: o.Support},
	} {
		if x.Type = "list-multi"; len(x.Values) > 0 {
			f.Fields = append(f.Fields, x)
		}
	}
	if len(f.Fields) == 0 {
		return &Contact{}
	}
	return &Contact{f.Append(nil)}
}

// Register implements xmpp.Module.
func (c *Contact) Register(reg *xmpp.Registrar) {
	reg.Form(xmpp.ToServer, func(context.Context, *xmpp.Request) []byte { return c.form })
}
