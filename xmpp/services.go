package xmpp

import (
	"context"
	"encoding/xml"
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

// ownServices are those that need no module.
func (r *Router) ownServices() []Service {
	query := func(space string) xml.Name { return xml.Name{Space: space, Local: "query"} }
	ping := Service{To: ToSelf, Name: xml.Name{Space: nsPing, Local: "ping"}, Resource: "xmpp:ping", Answer: r.ping}
	info := Service{To: ToSelf, Name: query(nsDiscoInfo), Resource: "xmpp:disco", Answer: r.discoInfo}
	items := Service{To: ToSelf, Name: query(nsDiscoItem), Resource: "xmpp:disco", Answer: r.discoItems, Absent: noItems}
	list := []Service{
		{To: ToSelf, Name: query(nsRoster), Resource: "xmpp:roster", Set: true, Answer: r.rosterIQ},
		ping, ping.at(ToServer),
		info, info.at(ToServer), info.at(ToAccount),
		items, items.at(ToServer), items.at(ToAccount),
		{To: ToServer, Name: xml.Name{Space: nsTime, Local: "time"}, Resource: "xmpp:time", Answer: r.entityTime},
		{To: ToServer, Name: query(nsLast), Resource: "xmpp:last", Answer: r.lastActivity},
	}
	if r.version != "" {
		// What software runs here helps an attacker more than a guest: staff may see it.
		list = append(list, Service{To: ToServer, Name: query(nsVersion), Resource: "xmpp:version", Least: identity.LevelStaff, Answer: r.softwareVersion})
	}
	return list
}

// at is the same service for another target.
func (v Service) at(t Target) Service {
	v.To = t
	return v
}

// ping is XEP-0199.
func (r *Router) ping(_ context.Context, q *Request) { q.Result("") }

// entityTime is XEP-0202.
func (r *Router) entityTime(_ context.Context, q *Request) {
	now := r.now()
	q.Result("<time xmlns='" + nsTime + "'><tzo>" + now.Format("-07:00") + "</tzo><utc>" +
		now.UTC().Format(time.RFC3339) + "</utc></time>")
}

// lastActivity is XEP-0012 section 5: how long the server has been up.
func (r *Router) lastActivity(_ context.Context, q *Request) {
	up := int64(r.now().Sub(r.started) / time.Second)
	q.Result("<query xmlns='" + nsLast + "' seconds='" + strconv.FormatInt(up, 10) + "'/>")
}

// softwareVersion is XEP-0092.
func (r *Router) softwareVersion(_ context.Context, q *Request) {
	q.Result("<query xmlns='" + nsVersion + "'><name>Trivium</name><version>" + Escape(r.version) + "</version></query>")
}
