package web

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"trivium/identity"
	"trivium/internal/qr"
)

// Contact is one of a person's contact list, as the page shows it.
type Contact struct {
	JID, Name string
	State     string // "both", "to", "from" or "none" (RFC 6121 section 2.1.2.5)
	Asked     bool   // the other one has not answered yet
	Online    bool
	Asks      bool // to be one, and waits for the answer
}

// ContactBook changes the contacts of an account as its chat clients would, which are told at once.
type ContactBook interface {
	Rename(ctx context.Context, a identity.Account, jid, name string) error
	Remove(ctx context.Context, a identity.Account, jid string) error
	Ask(ctx context.Context, a identity.Account, jid string) error
	Answer(ctx context.Context, a identity.Account, jid string, yes bool) error
	Block(ctx context.Context, a identity.Account, jid string, on bool) error
	Blocked(ctx context.Context, a identity.Account) ([]string, error)
}

// contactsView is a person's contacts in chat, and the invitations by which they get more.
type contactsView struct {
	page
	Fresh    *freshContact // made just now: shown once
	Note     field
	Accounts bool // invitations of the visitor may make accounts
	Rows     []inviteRow
	Contacts []Contact
	Requests []Contact // that wait for an answer
	Blocked  []string
	Chat     bool // there is chat in the browser
	Change   bool // the list can be changed here
	Address  field
}

// freshContact is an invitation that nothing shows again.
type freshContact struct {
	URL   string
	App   template.URL // opens a chat app
	Until stamp
	QR    template.HTML
}

// mayContact says who has the page of contacts: whoever could log in on the chat road.
func (s *Server) mayContact(v *visit) bool {
	return s.opt.Chat != nil && v.browser != nil && s.opt.Identity.MayChat(v.browser.Session)
}

func (s *Server) newContactsView(v *visit) *contactsView {
	return &contactsView{Accounts: s.opt.Identity.MayInvite(v.actor(), identity.LevelNone) == nil, Chat: s.mayChat(v),
		Address: field{ID: "jid", Name: "jid", Label: "contacts.address", Type: "text", Required: true, Autocomplete: "off", Help: "contacts.address_help"},
		Note:    field{ID: "note", Name: "note", Label: v.T("contacts.note"), Type: "text", Help: v.T("contacts.note_help")}}
}

func (s *Server) getContacts(v *visit) error {
	return s.showContacts(v, http.StatusOK, s.newContactsView(v))
}

func (s *Server) showContacts(v *visit, status int, view *contactsView) error {
	list, err := s.opt.Identity.Invitations(v.ctx(), v.actor(), identity.InviteFilter{Creator: v.creds.UserID, Open: s.now()})
	if err != nil {
		return err
	}
	a, err := s.opt.Identity.UserByID(v.ctx(), v.creds.UserID)
	if err != nil {
		return err
	}
	if s.opt.Chat.Contacts != nil {
		if view.Contacts, err = s.opt.Chat.Contacts(v.ctx(), a); err != nil {
			return err
		}
	}
	for _, c := range view.Contacts {
		if c.Asks {
			view.Requests = append(view.Requests, c)
		}
	}
	// Who only asks is no contact yet.
	view.Contacts = slices.DeleteFunc(view.Contacts, func(c Contact) bool { return c.Asks && c.State == "none" && !c.Asked && c.Name == "" })
	if view.Change = s.opt.Chat.Book != nil; view.Change {
		if view.Blocked, err = s.opt.Chat.Book.Blocked(v.ctx(), a); err != nil {
			return err
		}
	}
	v.fill(&view.page, "contacts", "contacts.title")
	for _, inv := range list {
		if inv.Kind != identity.InviteContact && inv.Kind != identity.InviteAccount {
			continue
		}
		what := v.T("contacts.for_contact")
		if inv.Kind == identity.InviteAccount {
			what = v.T("contacts.for_account")
		}
		view.Rows = append(view.Rows, inviteRow{Invitation: inv, State: inv.State(s.now()), What: what, Base: pathOf("contacts", inv.ID),
			Created: view.Stamp(inv.CreatedAt), Expires: view.Stamp(inv.ExpiresAt)})
	}
	return s.write(v, status, "contacts", view)
}

// postInviteContact makes an invitation to become a contact (XEP-0379 section 3), which makes an account as
// well where the visitor may invite people to that and wants it (XEP-0401 section 4.1).
func (s *Server) postInviteContact(v *visit) error {
	view := s.newContactsView(v)
	view.Note.Value = v.text("note")
	accounts := view.Accounts && v.form("account") == "1"
	inv, code, err := s.opt.Identity.Invite(v.ctx(), v.actor(), identity.NewInvite{Contact: true, ContactOnly: !accounts, Note: view.Note.Value, Domain: v.creds.Domain})
	if err != nil {
		a := answerTo(err)
		if a.fallback {
			return err
		}
		view.trouble(&view.Note, a.words(v.words, err))
		return s.showContacts(v, a.status, view)
	}
	view.Note.Value = ""
	v.fill(&view.page, "contacts", "contacts.title")
	app := "xmpp:" + url.PathEscape(string(v.creds.Login)) + "@" + v.creds.Domain + "?roster;preauth=" + code.Reveal()
	if accounts && s.opt.Chat.Register {
		app += ";ibr=y"
	}
	f := &freshContact{URL: s.base(v.Request()) + pathOf("join", code.Reveal()), App: template.URL(app), Until: view.Stamp(inv.ExpiresAt)} //nolint:gosec // a scheme of ours, and an escaped name
	svg, err := qr.SVG(f.URL)
	if err != nil {
		return err
	}
	f.QR = template.HTML(svg) //nolint:gosec // drawn here, of nothing but numbers
	view.Fresh = f
	return s.showContacts(v, http.StatusOK, view)
}

// postContact changes the list; the verb says how.
func (s *Server) postContact(v *visit) error {
	book := s.opt.Chat.Book
	if book == nil {
		return identity.ErrNotFound
	}
	a, err := s.opt.Identity.UserByID(v.ctx(), v.creds.UserID)
	if err != nil {
		return err
	}
	jid, said := v.text("jid"), ""
	switch v.param("verb") {
	case "add":
		said, err = "contacts.was_asked", book.Ask(v.ctx(), a, jid)
	case "rename":
		said, err = "contacts.was_renamed", book.Rename(v.ctx(), a, jid, v.text("name"))
	case "remove":
		said, err = "contacts.was_removed", book.Remove(v.ctx(), a, jid)
	case "accept":
		said, err = "contacts.was_accepted", book.Answer(v.ctx(), a, jid, true)
	case "decline":
		said, err = "contacts.was_declined", book.Answer(v.ctx(), a, jid, false)
	case "block":
		said, err = "contacts.was_blocked", book.Block(v.ctx(), a, jid, true)
	case "unblock":
		said, err = "contacts.was_unblocked", book.Block(v.ctx(), a, jid, false)
	default:
		return identity.ErrNotFound
	}
	switch {
	case err == nil:
		return v.done("/contacts", said, jid)
	case v.param("verb") == "add":
		an := answerTo(err)
		if an.fallback {
			return err
		}
		view := s.newContactsView(v)
		view.Address.Value = jid
		v.fill(&view.page, "contacts", "contacts.title")
		view.trouble(&view.Address, an.words(v.words, err))
		return s.showContacts(v, an.status, view)
	}
	return v.refused("/contacts", "contacts.not_changed", absentAs(err, errGone))
}

func (s *Server) postRevokeContact(v *visit) error {
	if err := s.opt.Identity.RevokeInvite(v.ctx(), v.actor(), v.param("id")); err != nil {
		return v.refused("/contacts", "contacts.not_revoked", err)
	}
	return v.done("/contacts", "contacts.revoked")
}

// acceptContact lets the visitor, who is logged in, take an invitation as a contact.
func (s *Server) acceptContact(v *visit, view *joinView, o *identity.OpenInvitation) error {
	err := o.Accept(v.ctx(), v.actor(), v.creds.UserID)
	switch {
	case errors.Is(err, identity.ErrExpired), errors.Is(err, identity.ErrInvalid):
		view.Gone = sentence(strings.TrimSpace(answerTo(err).words(v.words, err)))
		return s.showJoin(v, answerTo(err).status, view)
	case err != nil:
		return err
	}
	next := "/"
	if s.mayContact(v) {
		next = "/contacts"
	}
	return v.done(next, "contacts.added", o.Inviter)
}
