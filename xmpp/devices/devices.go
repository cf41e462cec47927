// Package devices shows people what has access to their account, and lets them take it back
// (XEP-0494 0.1.0): clients of the chat road, app passwords, and what is logged in on the other roads.
package devices

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"slices"
	"strconv"
	"time"

	xstanza "mellium.im/xmpp/stanza"

	"trivium/identity"
	"trivium/xmpp"
)

const ns = "urn:xmpp:cam:0"

// maxClients bounds the answer; what was seen last comes first.
const maxClients = 300

// Sessions is what the module needs of identity's list.
type Sessions interface {
	List(f identity.Filter) []identity.Info
	Get(id string) (*identity.Session, bool)
	End(id string, why identity.Reason) error
}

// Token is an app password.
type Token struct {
	ID         string
	Label      string
	Restricted bool // it opens less than the account without its level
	Created    time.Time
	LastUsed   time.Time // zero: never
}

// Tokens is what the module needs of tokens.
type Tokens interface {
	// List returns those of an account that have not expired; login is login@domain.
	List(ctx context.Context, login string) ([]Token, error)
	// Revoke ends a token and the sessions that hold it; identity.ErrNotFound where there is none.
	Revoke(ctx context.Context, by identity.Actor, id string) error
}

// Devices is the module.
type Devices struct {
	sessions Sessions
	tokens   Tokens
	router   *xmpp.Router
}

// New makes the module.
func New(s Sessions, t Tokens) *Devices { return &Devices{sessions: s, tokens: t} }

// Register implements xmpp.Module.
func (d *Devices) Register(reg *xmpp.Registrar) {
	d.router = reg.Router
	const resource = "xmpp:devices"
	reg.Serve(
		xmpp.Service{To: xmpp.ToSelf, Name: xml.Name{Space: ns, Local: "list"}, Resource: resource, Answer: d.answerList},
		xmpp.Service{To: xmpp.ToSelf, Name: xml.Name{Space: ns, Local: "revoke"}, Resource: resource, SetOnly: true, Answer: d.revoke},
	)
}

// entry is one thing that has access.
type entry struct {
	id          string
	connected   bool
	session     bool // has, or had, a session of the chat road
	first, last time.Time
	auth        []string // names of elements
	permission  string
	software    string
	device      string

	end func(ctx context.Context) error
	own bool // the asking client is it
}

// mayAsk reports whether the session may see and change what has access; else it has answered. An
// app password or a certificate does not suffice: whoever found one is not to lock its owner out.
func mayAsk(q *xmpp.Request) bool {
	switch {
	case q.Account.ID == "":
		q.Fail(xstanza.NotAllowed, xstanza.Cancel)
	case q.Delegated():
		q.FailText(xstanza.Forbidden, xstanza.Auth, "A client that logged in by an app password or a certificate cannot manage what has access to the account. Log in with your password.", "")
	default:
		return true
	}
	return false
}

// answerList is section 3.1.
func (d *Devices) answerList(ctx context.Context, q *xmpp.Request) {
	if !mayAsk(q) {
		return
	}
	list, err := d.list(ctx, q)
	if err != nil {
		q.Broken(err)
		return
	}
	b := []byte("<clients xmlns='" + ns + "'>")
	for i := range list {
		b = list[i].appendTo(b)
	}
	q.Result(string(append(b, "</clients>"...)))
}

func (e *entry) appendTo(b []byte) []byte {
	kind := "access"
	if e.session {
		kind = "session"
	}
	b = xmpp.AppendAttr(append(b, "<client"...), "connected", strconv.FormatBool(e.connected))
	b = xmpp.AppendAttr(b, "id", e.id)
	b = append(xmpp.AppendAttr(b, "type", kind), '>')
	b = appendTime(b, "first-seen", e.first)
	b = appendTime(b, "last-seen", e.last)
	b = append(b, "<auth>"...)
	for _, a := range e.auth {
		b = append(append(append(b, '<'), a...), "/>"...)
	}
	b = append(xmpp.AppendAttr(append(b, "</auth><permission"...), "status", e.permission), "/>"...)
	if e.software+e.device != "" {
		b = append(b, "<user-agent>"...)
		b = appendText(b, "software", e.software)
		b = append(appendText(b, "device", e.device), "</user-agent>"...)
	}
	return append(b, "</client>"...)
}

func appendTime(b []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	return appendText(b, name, t.UTC().Format(time.RFC3339))
}

func appendText(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	b = append(append(append(b, '<'), name...), '>')
	b = append(b, xmpp.Escape(xmpp.CleanText(text))...)
	return append(append(append(b, "</"...), name...), '>')
}

// The kinds of entries, as their ids begin.
const (
	kindClient  = "c-"
	kindSession = "s-"
	kindToken   = "t-"
)

// clientID names a client without saying what it calls itself.
func clientID(agent string) string {
	sum := sha256.Sum256([]byte("client " + agent))
	const enough = 12
	return kindClient + base64.RawURLEncoding.EncodeToString(sum[:enough])
}

// list gathers all that has access, what was seen last first.
func (d *Devices) list(ctx context.Context, q *xmpp.Request) ([]entry, error) {
	owner := q.Account
	tokens, err := d.tokens.List(ctx, owner.String())
	if err != nil {
		return nil, err
	}
	fast, err := d.router.FASTClients(ctx, owner)
	if err != nil {
		return nil, err
	}
	by := q.Actor()
	at := make(map[string]int) // in list, by id
	list := make([]entry, 0, len(tokens)+len(fast)+1)
	add := func(e entry) {
		at[e.id] = len(list)
		list = append(list, e)
	}
	for _, t := range tokens {
		e := entry{id: kindToken + t.ID, first: t.Created, last: t.LastUsed, auth: []string{"grant"}, permission: "normal", software: t.Label,
			end: func(ctx context.Context) error { return d.tokens.Revoke(ctx, by, t.ID) }}
		if t.Restricted {
			e.permission = "restricted"
		}
		add(e)
	}
	for _, c := range fast {
		add(entry{id: clientID(c.Agent.ID), session: true, first: c.FirstSeen, last: c.LastSeen, auth: []string{"fast"},
			permission: "unrestricted", software: c.Agent.Software, device: c.Agent.Device, end: d.endClient(owner, c.Agent.ID)})
	}
	agents := d.agents(owner)
	for _, info := range d.sessions.List(identity.Filter{Owner: owner.ID}) {
		chat := info.Protocol.Road() == identity.RoadXMPP
		s := entry{id: kindSession + info.ID, connected: true, session: chat, first: info.StartedAt, last: info.LastActivity,
			permission: "unrestricted", own: info.ID == q.By.Session().ID(),
			end: func(context.Context) error { return d.endSession(by, info.ID) }}
		agent := agents[info.ID]
		switch {
		case info.TokenID != nil:
			s.id = kindToken + *info.TokenID
		case agent.ID != "":
			s.id, s.software, s.device, s.end = clientID(agent.ID), agent.Software, agent.Device, d.endClient(owner, agent.ID)
		case info.UserAgent != nil:
			s.software = *info.UserAgent
		}
		if !chat && s.software == "" {
			s.software = string(info.Protocol)
		}
		if live, ok := d.sessions.Get(info.ID); ok {
			s.auth = authOf(info.Protocol, live.Method())
		}
		if i, known := at[s.id]; known {
			list[i].join(s)
		} else if info.TokenID == nil { // else it was revoked just now
			add(s)
		}
	}
	slices.SortStableFunc(list, func(a, b entry) int { return b.last.Compare(a.last) })
	return list[:min(len(list), maxClients)], nil
}

// join adds what a session says of something that is listed already.
func (e *entry) join(s entry) {
	e.connected, e.session, e.own = true, e.session || s.session, e.own || s.own
	if s.last.After(e.last) {
		e.last = s.last
	}
	if !slices.Contains(e.auth, "grant") {
		for _, a := range s.auth {
			if !slices.Contains(e.auth, a) {
				e.auth = append(e.auth, a)
			}
		}
	}
}

// authOf names how a session has shown that it may. A browser has a cookie, which the end of its
// session takes away.
func authOf(p identity.Protocol, m identity.Method) []string {
	switch {
	case m == identity.MethodFAST:
		return []string{"fast"}
	case p == identity.ProtocolWeb || m == identity.MethodBearer:
		return []string{"grant"}
	case m == identity.MethodExternal:
		return []string{"external xmlns='urn:xmpp:saslcert:1'"}
	}
	return []string{"password"}
}

// agents are what the clients that are here have said of themselves, by session.
func (d *Devices) agents(owner xmpp.Owner) map[string]xmpp.UserAgent {
	m := make(map[string]xmpp.UserAgent)
	for _, s := range d.router.Streams(nil, owner.Address) {
		m[s.Session().ID()] = s.UserAgent()
	}
	return m
}

func (d *Devices) endClient(owner xmpp.Owner, agent string) func(context.Context) error {
	return func(ctx context.Context) error {
		err := d.router.RevokeFAST(ctx, owner, agent)
		if errors.Is(err, identity.ErrNotFound) { // it has no token; its streams have ended
			return nil
		}
		return err
	}
}

func (d *Devices) endSession(by identity.Actor, id string) error {
	err := d.sessions.End(id, identity.Reason{Code: identity.ReasonEnded, Text: "ended from chat", By: &by})
	if errors.Is(err, identity.ErrNotFound) {
		return nil // it has gone by itself
	}
	return err
}

// revoke is section 3.2.
func (d *Devices) revoke(ctx context.Context, q *xmpp.Request) {
	if !mayAsk(q) {
		return
	}
	el, err := q.Payload()
	if err != nil {
		q.Bad()
		return
	}
	id, _ := el.Attr("id")
	list, err := d.list(ctx, q)
	if err != nil {
		q.Broken(err)
		return
	}
	i := slices.IndexFunc(list, func(e entry) bool { return e.id == id })
	if i < 0 {
		q.Fail(xstanza.ItemNotFound, xstanza.Cancel)
		return
	}
	e := &list[i]
	if e.own {
		q.FailText(xstanza.NotAllowed, xstanza.Cancel, "This is the client that asks. Log out instead.", "")
		return
	}
	if err := e.end(ctx); err != nil && !errors.Is(err, identity.ErrNotFound) {
		q.Broken(err)
		return
	}
	if slices.Contains(e.auth, "password") {
		q.FailText(xstanza.ServiceUnavailable, xstanza.Cancel, "It has been logged out, but it knows your password and can come again. Change the password.",
			"<password-reset-required xmlns='"+ns+"'/>")
		return
	}
	q.Result("")
}
