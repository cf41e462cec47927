package caps

import (
	"context"
	"strings"
	"sync"

	"trivium/identity"
	"trivium/xmpp"
)

// What the server says of itself.
const (
	ownNode    = "urn:trivium"
	maxOffered = 64 // sets of features, by what sessions may see
)

// own is what the server supports, as sessions see it.
type own struct {
	router *xmpp.Router

	mu      sync.Mutex
	offered map[string]offered // by the children of disco#info
}

type offered struct {
	feature []byte   // for the stream features
	nodes   []string // that may be asked for
}

// offer is XEP-0115 section 6.3 and XEP-0390 section 5.2.
func (c *Caps) offer(ses *identity.Session) []byte { return c.own.of(ses).feature }

// of is what a session sees, hashed.
func (o *own) of(ses *identity.Session) offered {
	children := o.router.Describe(context.Background(), ses)
	o.mu.Lock()
	defer o.mu.Unlock()
	x, ok := o.offered[string(children)]
	if !ok {
		x = hashed(string(children))
		if o.offered == nil || len(o.offered) >= maxOffered {
			o.offered = map[string]offered{}
		}
		o.offered[string(children)] = x
	}
	return x
}

// hashed makes the hashes of an answer to disco#info.
func hashed(children string) (x offered) {
	el, err := xmpp.ParseElement([]byte("<query xmlns='" + nsInfo + "'>" + children + "</query>"))
	if err != nil {
		return offered{}
	}
	i, err := readInfo(el)
	if err != nil {
		return offered{}
	}
	text, _ := i.input()
	h, _ := sum("sha-1", text)
	x.feature = append(x.feature, "<c xmlns='"+nsCaps+"' hash='sha-1' node='"+ownNode+"' ver='"+h+"'/>"...)
	x.nodes = append(x.nodes, ownNode+"#"+h)
	text, ok := i.input2("")
	if !ok {
		return x
	}
	x.feature = append(x.feature, "<c xmlns='"+nsCaps2+"'>"...)
	for _, algorithm := range []string{"sha-256", "sha3-256"} {
		h, _ := sum(algorithm, text)
		x.feature = append(x.feature, "<hash xmlns='"+nsHashes+"' algo='"+algorithm+"'>"+h+"</hash>"...)
		x.nodes = append(x.nodes, nsCaps2+"#"+algorithm+"."+h)
	}
	x.feature = append(x.feature, "</c>"...)
	return x
}

// NodeInfo answers for the hashes that the asking session was offered.
func (o *own) NodeInfo(ctx context.Context, q *xmpp.Request, node string) (children []byte, ok bool) {
	if !strings.HasPrefix(node, ownNode+"#") && !strings.HasPrefix(node, nsCaps2+"#") {
		return nil, false
	}
	for _, n := range o.of(q.By.Session()).nodes {
		if n == node {
			return o.router.Describe(ctx, q.By.Session()), true
		}
	}
	return nil, false
}

// NodeItems has nothing: a hash is no node of items (XEP-0115 section 6.2).
func (o *own) NodeItems(context.Context, *xmpp.Request, string) ([]byte, bool) { return nil, false }
