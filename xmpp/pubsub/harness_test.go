package pubsub_test

import (
	"crypto/sha1"
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/internal/sqldb/sqltest"
	"trivium/xmpp"
	"trivium/xmpp/blocking"
	"trivium/xmpp/caps"
	"trivium/xmpp/pubsub"
	"trivium/xmpp/pubsub/sqlstore"
	xmppstore "trivium/xmpp/sqlstore"
	"trivium/xmpp/xmpptest"
)

const (
	alice = xmpptest.Alice
	bob   = xmpptest.Bob
	carol = xmpptest.Carol
)

// site is a server with personal eventing.
type site struct {
	*xmpptest.Site
	t      *testing.T
	pubsub *pubsub.PubSub
	owners map[string]xmpp.Owner
}

type options struct {
	limits func(*pubsub.Limits)
	policy map[string]string
	store  func(pubsub.Store) pubsub.Store
}

func start(t *testing.T, o options) *site {
	t.Helper()
	s := &site{t: t, owners: map[string]xmpp.Owner{}}
	s.Site = xmpptest.Start(t, xmpptest.Options{Tables: []sqltest.Migrate{sqlstore.Migrate}, Modules: func(db *sqldb.DB, svc *identity.Service) []xmpp.Module {
		limits := pubsub.DefaultLimits(256 << 10)
		if o.limits != nil {
			o.limits(&limits)
		}
		c := caps.New()
		var store pubsub.Store = sqlstore.New(db)
		if o.store != nil {
			store = o.store(store)
		}
		s.pubsub = pubsub.New(pubsub.Options{Store: store, Caps: c, Limits: limits, Alone: true})
		return []xmpp.Module{blocking.New(blocking.Options{Store: xmppstore.New(db)}), c, s.pubsub}
	}, Identity: func(i *identity.Options) { i.Policy = o.policy }})
	for _, name := range []string{alice, bob, carol} {
		a, err := s.Identity.User(t.Context(), name)
		xmpptest.Must(t, err)
		local, domain, _ := strings.Cut(name, "@")
		s.owners[name] = xmpp.Owner{Address: xmpp.NewAddress(local, domain), ID: a.ID}
	}
	return s
}

var asked = regexp.MustCompile(`<iq type='get' id='([^']+)' from='([^']+)' to='[^']+'><query xmlns='http://jabber.org/protocol/disco#info' node='([^']+)'/></iq>`)

// available sends presence of a client that asks to be notified of nodes; what comes after that is
// returned.
func available(t *testing.T, c *xmpptest.Client, nodes ...string) string {
	t.Helper()
	list := slices.Clone(nodes)
	slices.Sort(list)
	text, children := "client/pc//X<", "<identity category='client' type='pc' name='X'/>"
	for _, n := range list {
		text += n + "+notify<"
		children += "<feature var='" + n + "+notify'/>"
	}
	h := sha1.Sum([]byte(text))
	got := c.Then("<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://x' ver='" + base64.StdEncoding.EncodeToString(h[:]) + "'/></presence>")[0]
	q := asked.FindStringSubmatch(got)
	if q == nil {
		return got
	}
	c.Send("<iq type='result' id='" + q[1] + "' to='" + q[2] + "'><query xmlns='http://jabber.org/protocol/disco#info' node='" + q[3] + "'>" + children + "</query></iq>")
	// The last items come in their own time, where the hash was new: it is not new for the next one.
	return asked.ReplaceAllString(got, "") + c.Settle()
}

// know makes the server know the hash of these nodes, so that later clients are served at once.
func (s *site) know(nodes ...string) {
	s.t.Helper()
	c := s.Login(carol, "know")
	available(s.t, c, nodes...)
	c.Then("<presence type='unavailable'/>")
}

// friends are alice and bob online, who see each other and ask to be notified of nodes.
func (s *site) friends(nodes ...string) (a, b *xmpptest.Client) {
	s.t.Helper()
	s.know(nodes...)
	a, b = s.Login("alice", "a"), s.Login("bob", "b")
	available(s.t, a, nodes...)
	available(s.t, b, nodes...)
	befriend(a, b)
	return a, b
}

func befriend(a, b *xmpptest.Client) {
	a.Then("<presence type='subscribe' to='"+bob+"'/>", b)
	b.Then("<presence type='subscribed' to='"+alice+"'/><presence type='subscribe' to='"+alice+"'/>", a)
	a.Then("<presence type='subscribed' to='"+bob+"'/>", b)
}

func ps(inner string) string {
	return "<pubsub xmlns='http://jabber.org/protocol/pubsub'>" + inner + "</pubsub>"
}

func own(inner string) string {
	return "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>" + inner + "</pubsub>"
}

func iq(typ, to, payload string) string {
	if to != "" {
		to = " to='" + to + "'"
	}
	return "<iq type='" + typ + "' id='q'" + to + ">" + payload + "</iq>"
}

func publish(node, id, payload string) string {
	if id != "" {
		id = " id='" + id + "'"
	}
	return "<publish node='" + node + "'><item" + id + ">" + payload + "</item></publish>"
}

const tune = "<tune xmlns='t'><title>x</title></tune>"

// form is a submitted form: name, value, name, value…
func form(kind string, fields ...string) string {
	b := "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#" + kind + "</value></field>"
	for i := 0; i < len(fields); i += 2 {
		b += "<field var='pubsub#" + fields[i] + "'><value>" + fields[i+1] + "</value></field>"
	}
	return b + "</x>"
}

func with(fields ...string) string {
	return "<publish-options>" + form("publish-options", fields...) + "</publish-options>"
}

// done checks that the request was granted.
func done(t *testing.T, c *xmpptest.Client, to, payload string) string {
	t.Helper()
	got := c.Ask("set", to, payload)
	if !strings.Contains(got, "<iq type='result' id='q'") {
		t.Fatalf("%s: got %q", payload, got)
	}
	return got
}

// codes are those of XEP-0086.
var codes = map[string]string{
	"bad-request": " code='400'", "unexpected-request": " code='400'", "not-authorized": " code='401'", "forbidden": " code='403'", "item-not-found": " code='404'",
	"not-allowed": " code='405'", "not-acceptable": " code='406'", "conflict": " code='409'", "resource-constraint": " code='500'",
	"feature-not-implemented": " code='501'", "service-unavailable": " code='503'",
}

// failed checks that the request was refused like this.
func failed(t *testing.T, c *xmpptest.Client, typ, to, payload, kind, cond, app string) {
	t.Helper()
	got := c.Ask(typ, to, payload)
	want := "<error type='" + kind + "'" + codes[cond] + "><" + cond + " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
	if !strings.Contains(got, "<iq type='error' id='q'") || !strings.Contains(got, want) ||
		app != "" && !strings.Contains(got, "<"+app+" xmlns='http://jabber.org/protocol/pubsub#errors'") {
		t.Fatalf("%s: got %q, want %s %s", payload, got, want, app)
	}
}
