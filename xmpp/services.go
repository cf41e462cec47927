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
	target       target
	space, local string
}

// service answers requests of one kind.
type service struct {
	resource identity.Resource // whom the level lets use it
	least    identity.Level    // beside the policy
	set      bool              // takes `set`, not only `get`
	answer   func(ctx context.Context, s *stream, st *stanza)
}

// open reports whether s may use the service now.
func (v service) open(r *router, s *stream) bool {
	return s.ses.Level().Allows(v.least) && r.accounts.Allowed(s.ses, v.resource)
}

// serviceTable is all that the server answers; service discovery is read off it.
func (r *router) serviceTable() map[serviceKey]service {
	ping := service{resource: "xmpp:ping", answer: r.ping}
	items := service{resource: "xmpp:disco", answer: r.discoItems}
	t := map[serviceKey]service{
		{targetSelf, nsRoster, "query"}:      {resource: "xmpp:roster", set: true, answer: r.rosterIQ},
		{targetSelf, nsPing, "ping"}:         ping,
		{targetServer, nsPing, "ping"}:       ping,
		{targetSelf, nsDiscoItem, "query"}:   items,
		{targetServer, nsDiscoItem, "query"}: items,
		{targetSelf, nsDiscoInfo, "query"}:   {resource: "xmpp:disco", answer: r.accountInfo},
		{targetServer, nsDiscoInfo, "query"}: {resource: "xmpp:disco", answer: r.serverInfo},
		{targetServer, nsTime, "time"}:       {resource: "xmpp:time", answer: r.entityTime},
		{targetServer, nsLast, "query"}:      {resource: "xmpp:last", answer: r.lastActivity},
	}
	if r.version != "" {
		// What software runs here helps an attacker more than a guest: staff may see it.
		t[serviceKey{targetServer, nsVersion, "query"}] = service{resource: "xmpp:version", least: identity.LevelStaff, answer: r.softwareVersion}
	}
	return t
}

// ping is XEP-0199.
func (r *router) ping(_ context.Context, s *stream, st *stanza) { s.put(st.resultReply("")) }

// entityTime is XEP-0202.
func (r *router) entityTime(_ context.Context, s *stream, st *stanza) {
	now := r.now()
	s.put(st.resultReply("<time xmlns='" + nsTime + "'><tzo>" + now.Format("-07:00") + "</tzo><utc>" +
		now.UTC().Format(time.RFC3339) + "</utc></time>"))
}

// lastActivity is XEP-0012 section 5: how long the server has been up.
func (r *router) lastActivity(_ context.Context, s *stream, st *stanza) {
	up := int64(r.now().Sub(r.started) / time.Second)
	s.put(st.resultReply("<query xmlns='" + nsLast + "' seconds='" + strconv.FormatInt(up, 10) + "'/>"))
}

// softwareVersion is XEP-0092.
func (r *router) softwareVersion(_ context.Context, s *stream, st *stanza) {
	s.put(st.resultReply("<query xmlns='" + nsVersion + "'><name>Trivium</name><version>" + escape(r.version) + "</version></query>"))
}
