package web

import (
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"trivium/identity"
	"trivium/internal/qr"
)

type invitesView struct {
	page
	Rows                                []inviteRow
	Level, Groups, Note, Uses, Days, To field
	Contact, Mail                       bool
	Fresh                               *freshLink // made just now: shown once
}

// freshLink is a link that nothing shows again.
type freshLink struct {
	URL   string
	For   string
	Until stamp
	QR    template.HTML
}

type inviteRow struct {
	identity.Invitation
	State, What, Base string
	Created, Expires  stamp
	Uses              []identity.InviteUse
}

func (s *Server) newInvitesView(v *visit) *invitesView {
	return &invitesView{Mail: s.opt.Mail,
		Level:  field{ID: "level", Name: "level", Label: "common.level", Options: s.inviteLevels(v)}.choose("10"),
		Groups: field{ID: "groups", Name: "groups", Label: "common.groups", Type: "text", Help: "admin_invites.names_with_spaces_between_may_stay"},
		Note:   field{ID: "note", Name: "note", Label: "admin_invites.note", Type: "text", Help: "admin_invites.for_this_list_such_as_who"},
		Uses:   field{ID: "uses", Name: "uses", Label: "admin_invites.how_many_people", Type: "number", Value: "1"},
		Days:   field{ID: "days", Name: "days", Label: "admin_invites.good_for_days", Type: "number", Value: "7"},
		To:     field{ID: "to", Name: "to", Label: "admin_invites.send_to", Type: "email", Autocomplete: "off", Help: "admin_invites.an_e_mail_address_that_the"}}
}

// inviteLevels are the levels that the visitor may invite people to.
func (s *Server) inviteLevels(v *visit) (list []option) {
	for _, l := range identity.Levels() {
		if l.Holdable() && s.opt.Identity.MayInvite(v.actor(), l) == nil {
			list = append(list, option{Value: levelNumber(l), Label: levelLabel(v.words, l)})
		}
	}
	return list
}

func (s *Server) getInvites(v *visit) error {
	return s.showInvites(v, http.StatusOK, s.newInvitesView(v))
}

func (s *Server) showInvites(v *visit, status int, view *invitesView) error {
	list, err := s.opt.Identity.Invitations(v.ctx(), v.actor(), identity.InviteFilter{})
	if err != nil {
		return err
	}
	ids := make([]string, len(list))
	for i, inv := range list {
		ids[i] = inv.ID
	}
	uses, err := s.opt.Identity.InviteUses(v.ctx(), ids...)
	if err != nil {
		return err
	}
	v.fill(&view.page, "admin.invites", "admin_invites.invitations")
	for _, inv := range list {
		row := inviteRow{Invitation: inv, State: inv.State(s.now()), Base: pathOf("admin", "invites", inv.ID), Created: view.Stamp(inv.CreatedAt),
			Expires: view.Stamp(inv.ExpiresAt), Uses: uses[inv.ID], What: "admin_invites.new_account"}
		switch inv.Kind {
		case identity.InviteFirst, identity.InviteReset:
			row.What = "password"
			if a, err := s.opt.Identity.UserByID(v.ctx(), inv.User); err == nil {
				row.What += " of " + s.display(a.Login, a.Domain)
			}
		case identity.InviteContact:
			row.What = "contact"
		}
		view.Rows = append(view.Rows, row)
	}
	return s.write(v, status, "admin_invites", view)
}

// fresh is the link of a new invitation, with its code as a picture.
func (s *Server) fresh(v *visit, p *page, inv identity.Invitation, code identity.Secret, who string) (*freshLink, error) {
	path := []string{"join", code.Reveal()}
	if inv.Kind == identity.InviteReset {
		path = []string{"login", "reset", code.Reveal()}
	}
	f := &freshLink{URL: s.base(v.Request()) + pathOf(path...), For: who, Until: p.Stamp(inv.ExpiresAt)}
	svg, err := qr.SVG(f.URL)
	if err != nil {
		return nil, err
	}
	f.QR = template.HTML(svg) //nolint:gosec // drawn here, of nothing but numbers
	return f, nil
}

func (s *Server) postNewInvite(v *visit) error {
	view := s.newInvitesView(v)
	view.Groups.Value, view.Note.Value, view.Uses.Value, view.Days.Value, view.To.Value = v.text("groups"), v.text("note"), v.text("uses"), v.text("days"), v.text("to")
	view.Level, view.Contact = view.Level.choose(v.form("level")), v.form("contact") == "1"
	level, err := identity.ParseLevel(v.form("level"))
	if err != nil {
		view.trouble(&view.Level, "admin_invites.choose_a_level")
	}
	uses, err := strconv.Atoi(view.Uses.Value)
	if err != nil || uses < 1 {
		view.trouble(&view.Uses, "admin_invites.write_a_number_from_1")
	}
	days, err := strconv.Atoi(view.Days.Value)
	if err != nil || days < 1 || days > 366 {
		view.trouble(&view.Days, "admin_invites.write_a_number_of_days_from")
	}
	if len(view.Problems) > 0 {
		return s.showInvites(v, http.StatusUnprocessableEntity, view)
	}
	inv, code, err := s.opt.Identity.Invite(v.ctx(), v.actor(), identity.NewInvite{Level: level, Groups: names(view.Groups.Value), Note: view.Note.Value,
		Uses: uses, TTL: time.Duration(days) * 24 * time.Hour, Contact: view.Contact, Mail: view.To.Value})
	if err != nil {
		a := answerTo(err)
		if a.fallback {
			return err
		}
		f := &view.Level
		if errors.Is(err, identity.ErrNotFound) {
			f, a = &view.Groups, answerTo(errNoGroup)
		}
		view.trouble(f, a.words(v.words, err))
		return s.showInvites(v, a.status, view)
	}
	done := s.newInvitesView(v)
	if done.Fresh, err = s.fresh(v, &done.page, inv, code, strings.TrimSpace(view.Note.Value)); err != nil {
		return err
	}
	return s.showInvites(v, http.StatusOK, done)
}

func (s *Server) postRevokeInvite(v *visit) error {
	if err := s.opt.Identity.RevokeInvite(v.ctx(), v.actor(), v.param("id")); err != nil {
		return v.refused("/admin/invites", "admin_invites.the_invitation_was_not_revoked", err)
	}
	return v.done("/admin/invites", "admin_invites.the_invitation_was_revoked")
}

// postUserLink makes a link that sets the password of an account.
func (s *Server) postUserLink(v *visit) error {
	a, name, err := s.target(v)
	if err != nil {
		return err
	}
	n := identity.NewInvite{User: name}
	if v.form("mail") == "1" && s.opt.Mail {
		n.Mail = a.Profile.Email
	}
	inv, code, err := s.opt.Identity.Invite(v.ctx(), v.actor(), n)
	if err != nil {
		return v.refused(userPath(name), "admin_invites.no_link_was_made", err)
	}
	view := s.newInvitesView(v)
	if view.Fresh, err = s.fresh(v, &view.page, inv, code, name); err != nil {
		return err
	}
	return s.showInvites(v, http.StatusOK, view)
}

// postUserMustChange sets or takes back that the password must be changed.
func (s *Server) postUserMustChange(v *visit) error {
	_, name, err := s.target(v)
	if err != nil {
		return err
	}
	must := v.form("must") == "1"
	if err := s.opt.Identity.RequireChange(v.ctx(), v.actor(), name, must); err != nil {
		return v.refused(userPath(name), "admin_invites.nothing_was_changed", err)
	}
	if must {
		return v.done(userPath(name), "admin_invites.has_to_choose_another_password_at", name)
	}
	return v.done(userPath(name), "admin_invites.may_go_on_with_the_password", name)
}
