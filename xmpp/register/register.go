// Package register is in-band registration (XEP-0077 2.4): people change their password, and where
// config lets them make and remove their account; with an invitation (XEP-0445 0.2) they make one, or
// give the one that waits for them its first password.
package register

import (
	"context"
	"encoding/xml"
	"errors"
	"strings"

	xstanza "mellium.im/xmpp/stanza"

	"trivium/identity"
	"trivium/xmpp"
)

const (
	ns        = "jabber:iq:register"
	nsFeature = "http://jabber.org/features/iq-register"
)

// Accounts is what the module needs of identity.
type Accounts interface {
	UserByID(ctx context.Context, id identity.UserID) (identity.Account, error)
	SetPassword(ctx context.Context, by identity.Actor, name string, password identity.Secret, keep *identity.Session) error
	RemoveOwn(ctx context.Context, by identity.Actor) error
	Register(ctx context.Context, ses *identity.Session, login string, password identity.Secret, p identity.Profile) (identity.Account, error)
}

// Options is what New needs.
type Options struct {
	Accounts Accounts
	Open     bool    // strangers make accounts
	Remove   bool    // people remove their own
	Invites  Invites // strangers who bring an invitation make accounts; nil: they do not
}

// Register is the module.
type Register struct {
	o      Options
	opened opened
}

// New makes the module.
func New(o Options) *Register {
	return &Register{o: o, opened: opened{by: map[*identity.Session]*identity.OpenInvitation{}}}
}

// Register implements xmpp.Module.
func (r *Register) Register(reg *xmpp.Registrar) {
	name := xml.Name{Space: ns, Local: "query"}
	service := xmpp.Service{Name: name, Resource: "xmpp:register", Set: true, Answer: r.answer}
	for _, to := range []xmpp.Target{xmpp.ToServer, xmpp.ToSelf} {
		service.To = to
		reg.Serve(service)
	}
	r.registerPreauth(reg)
	if r.o.Open || r.o.Invites != nil {
		reg.Stranger(name, "<register xmlns='"+nsFeature+"'/>", r.stranger)
	}
}

// query is what a client sends, in the plain form or as a data form.
type query struct {
	Username *string   `xml:"username"`
	Password *string   `xml:"password"`
	Email    string    `xml:"email"`
	Remove   *struct{} `xml:"remove"`
}

// read reads what a client sends.
func read(el *xmpp.Element) (*query, error) {
	q := &query{}
	if err := el.Decode(q); err != nil {
		return nil, err
	}
	f, ok := el.Form()
	if !ok {
		return nil, errForm
	}
	if f != nil {
		q.formed(f)
	}
	return q, nil
}

var errForm = errors.New("the form cannot be read")

// formed takes what the form says in the place of the plain elements, which it precedes (section
// 6).
func (q *query) formed(form *xmpp.Form) {
	for _, f := range form.Fields {
		value := f.Value()
		switch f.Var {
		case "username":
			q.Username = &value
		case "password":
			q.Password = &value
		case "email":
			q.Email = value
		}
	}
}

// answer serves those who have logged in.
func (r *Register) answer(ctx context.Context, q *xmpp.Request) {
	owner := q.By.Owner()
	if owner.ID == "" {
		q.Refuse()
		return
	}
	if q.Type == "get" {
		acc, err := r.o.Accounts.UserByID(ctx, owner.ID)
		if err != nil {
			q.Broken(err)
			return
		}
		q.Result("<query xmlns='" + ns + "'><registered/><instructions>You have an account here. Send another password to change it.</instructions><username>" +
			xmpp.Escape(string(acc.Login)) + "</username><password/><email>" + xmpp.Escape(xmpp.CleanText(acc.Profile.Email)) + "</email></query>")
		return
	}
	el, err := q.Payload()
	if err != nil {
		q.Bad()
		return
	}
	in, err := read(el)
	if err != nil {
		q.Bad()
		return
	}
	switch {
	case in.Remove != nil && len(el.Children) != 1: // section 3.2
		q.Bad()
	case q.By.Session().Method() == identity.MethodExternal: // XEP-0257 section 6
		q.FailText(xstanza.NotAuthorized, xstanza.Auth, "A client that logged in by a certificate cannot change the account. Log in with your password.", "")
	case q.Delegated():
		q.FailText(xstanza.NotAllowed, xstanza.Cancel, "An app password cannot change the account. Log in with your password.", "")
	case q.By.Session().Details().TLS == "":
		q.FailText(xstanza.NotAuthorized, xstanza.Modify, "An account is changed over TLS only.", "")
	case in.Remove != nil:
		r.remove(ctx, q)
	default:
		r.password(ctx, q, in)
	}
}

// password is section 3.3.
func (r *Register) password(ctx context.Context, q *xmpp.Request, in *query) {
	owner := q.By.Owner()
	if in.Username == nil || in.Password == nil || *in.Password == "" {
		q.Bad()
		return
	}
	// Some clients send the whole address.
	name := strings.TrimSuffix(strings.TrimSpace(*in.Username), "@"+owner.Domain())
	if own, err := identity.ParseUserName(name); err != nil || string(own) != owner.Local() {
		q.FailText(xstanza.NotAllowed, xstanza.Cancel, "The user name is not that of your account.", "")
		return
	}
	err := r.o.Accounts.SetPassword(ctx, q.Actor(), owner.String(), identity.NewSecret(*in.Password), q.By.Session())
	switch {
	case errors.Is(err, identity.ErrInvalid):
		q.FailText(xstanza.NotAcceptable, xstanza.Modify, sentence(err), "")
	case errors.Is(err, identity.ErrRefused):
		q.FailText(xstanza.NotAllowed, xstanza.Cancel, sentence(err), "")
	case errors.Is(err, identity.ErrBusy):
		q.FailText(xstanza.ResourceConstraint, xstanza.Wait, sentence(err), "")
	case err != nil:
		q.Broken(err)
	default:
		q.Result("")
	}
}

// remove is section 3.2. The answer goes with the end of the stream.
func (r *Register) remove(ctx context.Context, q *xmpp.Request) {
	if !r.o.Remove {
		q.FailText(xstanza.NotAllowed, xstanza.Cancel, "Accounts are not removed here by their owners. Ask the administrator.", "")
		return
	}
	q.By.Parting(q.Stanza.Result(""))
	err := r.o.Accounts.RemoveOwn(ctx, q.Actor())
	if err == nil {
		return
	}
	q.By.Parting(nil)
	if errors.Is(err, identity.ErrRefused) {
		q.FailText(xstanza.Forbidden, xstanza.Cancel, sentence(err), "")
		return
	}
	q.Broken(err)
}

// sentence is an error of identity as a person reads it.
func sentence(err error) string {
	text := xmpp.CleanText(err.Error())
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// form is what a stranger has to send, in both forms (section 3.1).
func form() []byte {
	const text = "Choose a user name and a password."
	f := xmpp.Form{Type: xmpp.FormOpen, Kind: ns, Title: "A new account", Instructions: text, Fields: []xmpp.Field{
		{Var: "username", Type: "text-single", Label: "User name", Required: true},
		{Var: "password", Type: "text-private", Label: "Password", Required: true},
		{Var: "email", Type: "text-single", Label: "E-mail"},
	}}
	return append(f.Append([]byte("<query xmlns='"+ns+"'><instructions>"+text+"</instructions><username/><password/><email/>")), "</query>"...)
}

// stranger makes accounts.
func (r *Register) stranger(ctx context.Context, q *xmpp.Stranger) []byte {
	if q.Type == "get" {
		return q.Result(string(form()))
	}
	el, err := q.Child(q.Children[0])
	if err != nil {
		return q.Failure(xstanza.BadRequest, xstanza.Modify)
	}
	in, err := read(el)
	if err != nil {
		return q.Failure(xstanza.BadRequest, xstanza.Modify)
	}
	if in.Username == nil || in.Password == nil || in.Remove != nil {
		return q.FailureText(xstanza.NotAcceptable, xstanza.Modify, "A user name and a password are needed.")
	}
	name := strings.TrimSuffix(strings.TrimSpace(*in.Username), "@"+q.Domain)
	if strings.Contains(name, "@") {
		return q.FailureText(xstanza.NotAcceptable, xstanza.Modify, "The user name is the part before the @.")
	}
	if inv := r.opened.get(q.Session); inv != nil {
		return r.redeem(ctx, q, inv, name, in)
	}
	if !r.o.Open {
		return q.FailureText(xstanza.NotAllowed, xstanza.Cancel, "Accounts are made by invitation here. Open the link that you were given.")
	}
	_, err = r.o.Accounts.Register(ctx, q.Session, name+"@"+q.Domain, identity.NewSecret(*in.Password), identity.Profile{Email: strings.TrimSpace(in.Email)})
	if err == nil {
		return q.Result("")
	}
	return r.refused(q, err)
}

// refused answers for an account that was not made.
func (r *Register) refused(q *xmpp.Stranger, err error) []byte {
	switch {
	case errors.Is(err, identity.ErrExists):
		return q.FailureText(xstanza.Conflict, xstanza.Cancel, "That user name is taken. Choose another one.")
	case errors.Is(err, identity.ErrInvalid):
		return q.FailureText(xstanza.NotAcceptable, xstanza.Modify, sentence(err))
	case errors.Is(err, identity.ErrThrottled), errors.Is(err, identity.ErrBusy):
		return q.FailureText(xstanza.ResourceConstraint, xstanza.Wait, "Too many accounts are being made. Try again in an hour.")
	}
	return q.Failure(xstanza.InternalServerError, xstanza.Wait)
}
