package app

import (
	"context"

	"trivium/config"
	"trivium/identity"
	"trivium/web"
	"trivium/xmpp"
	"trivium/xmpp/invite"
)

// newContacts makes the module that the chat road, the pages and identity share.
func newContacts(s *identity.Service) *invite.Contacts {
	c := invite.New(s)
	s.OnContact(c.Joined)
	return c
}

// chatPage is what pages have of chat; nil where nobody can chat.
func chatPage(cfg *config.Config, friends *invite.Contacts) *web.Chat {
	if !cfg.XMPP.WebSocket && len(cfg.XMPP.Listen)+len(cfg.XMPP.TLSListen) == 0 {
		return nil
	}
	c := &web.Chat{Register: cfg.XMPP.Registration != "off", Contacts: contactList(friends)}
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
