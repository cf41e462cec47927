package web

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
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
}

// contactsView is a person's contacts in chat, and the invitations by which they get more.
type contactsView struct {
	page
	Fresh    *freshContact // made just now: shown once
	Note     field
	Accounts bool // invitations of the visitor may make accounts
	Rows     []inviteRow
	Contacts []Contact
	Chat     bool // there is chat in the browser
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
		Note: field{ID: "note", Name: "note", Label: v.T("contacts.note"), Type: "text", Help: v.T("contacts.note_help")}}
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
