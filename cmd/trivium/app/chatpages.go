package app

import (
	"context"

	"trivium/config"
	"trivium/identity"
	"trivium/web"
	"trivium/xmpp"
	"trivium/xmpp/invite"
	"trivium/xmpp/vcard"
)

// chatPeople is what the pages share with the chat road.
type chatPeople struct {
	contacts *invite.Contacts
	requests contactRequests
	cards    *vcard.VCard // set when the modules of chat are made
}

func newChatPeople(s *identity.Service) *chatPeople {
	c := invite.New(s)
	s.OnContact(c.Joined)
	return &chatPeople{contacts: c, requests: contactRequests{s}}
}

// contactRequests tells people who asks to be a contact of theirs.
type contactRequests struct{ identity *identity.Service }

// Register implements xmpp.Module.
func (c contactRequests) Register(reg *xmpp.Registrar) {
	reg.Relation(func(_ context.Context, r xmpp.Relation) {
		if r.New.Has(xmpp.PendingIn) && !r.Old.Has(xmpp.PendingIn) {
			c.identity.Tell(r.Owner.ID, identity.Notice{Kind: identity.NoticeContact, Protocol: identity.ProtocolXMPP, Factor: r.Contact.String()})
		}
	})
}

// join finds the cards among the modules of chat, and adds the contacts.
func (p *chatPeople) join(list []xmpp.Module) []xmpp.Module {
	for _, m := range list {
		if cards, ok := m.(*vcard.VCard); ok {
			p.cards = cards
		}
	}
	return append(list, p.contacts, p.requests)
}

// chatPage is what pages have of chat; nil where nobody can chat.
func chatPage(cfg *config.Config, people *chatPeople) *web.Chat {
	if !cfg.XMPP.WebSocket && len(cfg.XMPP.Listen)+len(cfg.XMPP.TLSListen) == 0 {
		return nil
	}
	c := &web.Chat{Clear: cfg.XMPP.TLS == "optional", Register: cfg.XMPP.Registration != "off", Contacts: contactList(people.contacts)}
	if people.cards != nil {
		c.Pictures = people.cards
	}
	if cfg.XMPP.WebSocket {
		c.Socket = websocketPath
	}
	return c
}

// contactList gives pages the contacts of an account.
func contactList(friends *invite.Contacts) func(context.Context, identity.Account) ([]web.Contact, error) {
	return func(ctx context.Context, a identity.Account) ([]web.Contact, error) {
		list, err := friends.List(ctx, a)
		if err != nil {
			return nil, err
		}
		out := make([]web.Contact, len(list))
		for i, c := range list {
			out[i] = web.Contact{JID: c.JID, Name: c.Name, State: "none", Online: c.Online, Asked: c.State.Has(xmpp.PendingOut)}
			switch {
			case c.State.Has(xmpp.SubscriptionBoth):
				out[i].State = "both"
			case c.State.Has(xmpp.SubscriptionTo):
				out[i].State = "to"
			case c.State.Has(xmpp.SubscriptionFrom):
				out[i].State = "from"
			}
		}
		return out, nil
	}
}
