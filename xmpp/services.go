package xmpp

import (
	"context"
	"strconv"
	"time"

	"trivium/identity"
)

// The namespaces of what the server answers itself.
const (
	nsPing      = "urn:xmpp:ping"
	nsTime      = "urn:xmpp:time"
	nsLast      = "jabber:iq:last"
	nsVersion   = "jabber:iq:version"
	nsDiscoInfo = "http://jabber.org/protocol/disco#info"
	nsDiscoItem = "http://jabber.org/protocol/disco#items"
)

// serviceKey is whom a request is for and the name of its payload.
type serviceKey struct {
	target       Target
	space, local string
}

// service answers requests of one kind.
type service struct {
	resource identity.Resource // whom the level lets use it
	least    identity.Level    // beside the policy
	set      bool              // takes `set`, not only `get`
	answer   func(ctx context.Context, s *Stream, st *Stanza)
}

// open reports whether s may use the service now.
func (v service) open(r *Router, s *Stream) bool {
	return s.ses.Level().Allows(v.least) && r.accounts.Allowed(s.ses, v.resource)
}

// serviceTable is all that the server answers; service discovery is read off it.
func (r *Router) serviceTable() map[serviceKey]service {
	ping := service{resource: "xmpp:ping", answer: r.ping}
	items := service{resource: "xmpp:disco", answer: r.discoItems}
	t := map[serviceKey]service{
		{ToSelf, nsRoster, "query"}:      {resource: "xmpp:roster", set: true, answer: r.rosterIQ},
		{ToSelf, nsPing, "ping"}:         ping,
		{ToServer, nsPing, "ping"}:       ping,
		{ToSelf, nsDiscoItem, "query"}:   items,
		{ToServer, nsDiscoItem, "query"}: items,
		{ToSelf, nsDiscoInfo, "query"}:   {resource: "xmpp:disco", answer: r.accountInfo},
		{ToServer, nsDiscoInfo, "query"}: {resource: "xmpp:disco", answer: r.serverInfo},
		{ToServer, nsTime, "time"}:       {resource: "xmpp:time", answer: r.entityTime},
		{ToServer, nsLast, "query"}:      {resource: "xmpp:last", answer: r.lastActivity},
	}
	if r.version != "" {
		// What software runs here helps an attacker more than a guest: staff may see it.
		t[serviceKey{ToServer, nsVersion, "query"}] = service{resource: "xmpp:version", least: identity.LevelStaff, answer: r.softwareVersion}
	}
	return t
}

// ping is XEP-0199.
func (r *Router) ping(_ context.Context, s *Stream, st *Stanza) { s.Put(st.Result("")) }

// entityTime is XEP-0202.
func (r *Router) entityTime(_ context.Context, s *Stream, st *Stanza) {
	now := r.now()
	s.Put(st.Result("<time xmlns='" + nsTime + "'><tzo>" + now.Format("-07:00") + "</tzo><utc>" +
		now.UTC().Format(time.RFC3339) + "</utc></time>"))
}

// lastActivity is XEP-0012 section 5: how long the server has been up.
func (r *Router) lastActivity(_ context.Context, s *Stream, st *Stanza) {
	up := int64(r.now().Sub(r.started) / time.Second)
	s.Put(st.Result("<query xmlns='" + nsLast + "' seconds='" + strconv.FormatInt(up, 10) + "'/>"))
}

// softwareVersion is XEP-0092.
func (r *Router) softwareVersion(_ context.Context, s *Stream, st *Stanza) {
	s.Put(st.Result("<query xmlns='" + nsVersion + "'><name>Trivium</name><version>" + Escape(r.version) + "</version></query>"))
}
