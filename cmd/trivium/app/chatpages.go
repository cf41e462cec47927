package app

import (
	"context"
	"fmt"

	"mellium.im/xmpp/jid"

	"trivium/config"
	"trivium/identity"
	"trivium/web"
	"trivium/xmpp"
	"trivium/xmpp/blocking"
	"trivium/xmpp/invite"
	"trivium/xmpp/vcard"
)

// chatPeople is what the pages share with the chat road.
type chatPeople struct {
	contacts *invite.Contacts
	requests contactRequests
	blocks   *blocking.Blocking
	cards    *vcard.VCard // set, as blocks is, when the modules of chat are made
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
			c.identity.Tell(r.Owner.ID, identity.Notice{Kind: identity.NoticeContact, Protocol: identity.ProtocolXMPP, What: r.Contact.String()})
		}
	})
}

// join finds the cards among the modules of chat, and adds the contacts.
func (p *chatPeople) join(list []xmpp.Module) []xmpp.Module {
	for _, m := range list {
		switch m := m.(type) {
		case *vcard.VCard:
			p.cards = m
		case *blocking.Blocking:
			p.blocks = m
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
	if people.blocks != nil {
		c.Book = contactBook{people.contacts, people.blocks}
	}
	if people.cards != nil {
		c.Pictures = people.cards
	}
	if cfg.XMPP.WebSocket {
		c.Socket = websocketPath
	}
	return c
}

// contactBook is a web.ContactBook.
type contactBook struct {
	*invite.Contacts
	blocks *blocking.Blocking
}

func chatOwner(a identity.Account) xmpp.Owner {
	return xmpp.Owner{Address: xmpp.NewAddress(string(a.Login), a.Domain), ID: a.ID}
}

// Block implements web.ContactBook.
func (b contactBook) Block(ctx context.Context, a identity.Account, text string, on bool) error {
	j, err := jid.Parse(text)
	if err != nil {
		return fmt.Errorf("an address looks like name@example.org: %w", identity.ErrInvalid)
	}
	return b.blocks.Block(ctx, chatOwner(a), on, j)
}

// Blocked implements web.ContactBook.
func (b contactBook) Blocked(ctx context.Context, a identity.Account) ([]string, error) {
	return b.blocks.Blocked(ctx, chatOwner(a))
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
			out[i] = web.Contact{JID: c.JID, Name: c.Name, State: "none", Online: c.Online, Asks: c.Asks, Asked: c.State.Has(xmpp.PendingOut)}
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
