// Package command lets people manage their account from chat, and administrators the accounts of
// others: ad-hoc commands (XEP-0050 1.3.0), among them those of service administration (XEP-0133
// 1.3.1). What is done goes through identity, with who asks as the actor: rights and the audit log
// are those of all other ways. A command that somebody may not use is not there for them.
package command

import (
	"context"
	"crypto/rand"
	"encoding/xml"
	"errors"
	"slices"
	"sync"
	"time"

	xstanza "mellium.im/xmpp/stanza"

	"trivium/identity"
	"trivium/xmpp"
)

const ns = "http://jabber.org/protocol/commands"

// Bounds of commands that wait for their next form.
const (
	maxOpen  = 5 // of one client; the oldest goes
	openLife = 10 * time.Minute
)

// Command is one that can be executed.
type Command struct {
	Node  string
	Name  string
	Least identity.Level // beside the policy
	// Resource is what the policy guards.
	Resource identity.Resource
	// Password says that neither an app password nor a certificate of the account suffices.
	Password bool
	Start    Step
}

// Step is one stage of a command. Its error is one of identity's, and what the person reads.
type Step func(ctx context.Context, c *Call) (*Page, error)

// Call is a request within a command.
type Call struct {
	*xmpp.Request
	Router *xmpp.Router
	Values Values // of the form; empty in the first step
}

// Page is what the person sees after a step.
type Page struct {
	Form *xmpp.Form
	Note string
	Warn bool // the note tells what went wrong
	Next Step // nil: the command is completed
}

// done is a page that ends a command.
func done(note string) (*Page, error) { return &Page{Note: note}, nil }

// Commands is the module.
type Commands struct {
	list   []Command
	router *xmpp.Router

	mu   sync.Mutex
	open map[*xmpp.Stream][]stage // the oldest first
}

// stage is a command that waits for a form.
type stage struct {
	id    string
	node  string
	next  Step
	until time.Time
}

// New makes the module with the commands.
func New(list ...Command) *Commands {
	return &Commands{list: list, open: make(map[*xmpp.Stream][]stage)}
}

// Register implements xmpp.Module.
func (c *Commands) Register(reg *xmpp.Registrar) {
	c.router = reg.Router
	reg.Serve(xmpp.Service{To: xmpp.ToServer, Name: xml.Name{Space: ns, Local: "command"}, Resource: "xmpp:command", SetOnly: true, Answer: c.answer})
	for i := range c.list {
		reg.Known(c.list[i].Resource, "command: "+c.list[i].Name, c.list[i].Least)
	}
	reg.Nodes(xmpp.ToServer, (*nodes)(c))
	reg.Down(func(_ context.Context, s *xmpp.Stream) {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.open, s)
	})
}

// allowed reports whether the asking session has the command.
func (c *Commands) allowed(q *xmpp.Request, cmd *Command) bool {
	ses := q.By.Session()
	return q.By.Owner().ID != "" && ses.Level().Allows(cmd.Least) && !(cmd.Password && q.Delegated()) && c.router.Allowed(ses, cmd.Resource)
}

// find is a command that the asking session has.
func (c *Commands) find(q *xmpp.Request, node string) *Command {
	for i := range c.list {
		if cmd := &c.list[i]; cmd.Node == node && c.allowed(q, cmd) {
			return cmd
		}
	}
	return nil
}

// answer is section 2.4.
func (c *Commands) answer(ctx context.Context, q *xmpp.Request) {
	el, err := q.Payload()
	if err != nil {
		q.Bad()
		return
	}
	node, _ := el.Attr("node")
	cmd := c.find(q, node)
	if cmd == nil {
		q.Fail(xstanza.ItemNotFound, xstanza.Cancel)
		return
	}
	values, ok := submitted(el)
	if !ok {
		fault(q, "bad-payload")
		return
	}
	id, _ := el.Attr("sessionid")
	step := cmd.Start
	if id != "" {
		st, ok := c.stage(q.By, id)
		switch {
		case !ok:
			q.FailText(xstanza.NotAllowed, xstanza.Cancel, "This command is over. Begin anew.", "<session-expired xmlns='"+ns+"'/>")
			return
		case st.node != node:
			fault(q, "bad-sessionid")
			return
		}
		step = st.next
	} else {
		id, values = rand.Text(), nil
	}
	switch action, _ := el.Attr("action"); action {
	case "", "execute", "next", "complete":
	case "cancel":
		c.close(q.By, id)
		q.Result(string(append(head(node, id, "canceled"), "/>"...)))
		return
	case "prev":
		fault(q, "bad-action")
		return
	default:
		fault(q, "malformed-action")
		return
	}
	page, err := step(ctx, &Call{q, c.router, values})
	if err != nil {
		fails(q, err)
		return
	}
	c.close(q.By, id)
	if page.Next != nil {
		c.keep(q.By, stage{id, node, page.Next, c.router.Now().Add(openLife)})
	}
	q.Result(string(page.appendTo(node, id)))
}

func head(node, id, status string) []byte {
	b := xmpp.AppendAttr([]byte("<command xmlns='"+ns+"'"), "node", node)
	b = xmpp.AppendAttr(b, "sessionid", id)
	return xmpp.AppendAttr(b, "status", status)
}

func (p *Page) appendTo(node, id string) []byte {
	status := "completed"
	if p.Next != nil {
		status = "executing"
	}
	b := append(head(node, id, status), '>')
	if p.Next != nil {
		b = append(b, "<actions execute='complete'><complete/></actions>"...)
	}
	if p.Form != nil {
		b = p.Form.Append(b)
	}
	if p.Note != "" {
		kind := "info"
		if p.Warn {
			kind = "error"
		}
		b = append(xmpp.AppendAttr(append(b, "<note"...), "type", kind), '>')
		b = append(append(b, xmpp.Escape(xmpp.CleanText(p.Note))...), "</note>"...)
	}
	return append(b, "</command>"...)
}

// fault answers a request that breaks the rules of section 4.4.
func fault(q *xmpp.Request, condition string) {
	q.FailText(xstanza.BadRequest, xstanza.Modify, "", "<"+condition+" xmlns='"+ns+"'/>")
}

// fails answers an error of a step, in the words that it has for people (XEP-0133 section 5).
func fails(q *xmpp.Request, err error) {
	for _, a := range []struct {
		err  error
		cond xstanza.Condition
		typ  xstanza.ErrorType
	}{
		{identity.ErrExists, xstanza.Conflict, xstanza.Cancel},
		{identity.ErrNotFound, xstanza.ItemNotFound, xstanza.Cancel},
		{identity.ErrRefused, xstanza.Forbidden, xstanza.Auth},
		{identity.ErrBusy, xstanza.ResourceConstraint, xstanza.Wait},
	} {
		if errors.Is(err, a.err) {
			q.FailText(a.cond, a.typ, xmpp.CleanText(err.Error()), "")
			return
		}
	}
	if errors.Is(err, identity.ErrInvalid) {
		q.FailText(xstanza.BadRequest, xstanza.Modify, xmpp.CleanText(err.Error()), "<bad-payload xmlns='"+ns+"'/>")
		return
	}
	q.Broken(err)
}

// stage finds a command that a client has begun.
func (c *Commands) stage(s *xmpp.Stream, id string) (stage, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, st := range c.open[s] {
		if st.id == id && c.router.Now().Before(st.until) {
			return st, true
		}
	}
	return stage{}, false
}

func (c *Commands) keep(s *xmpp.Stream, st stage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := append(c.open[s], st)
	c.open[s] = list[max(0, len(list)-maxOpen):]
}

func (c *Commands) close(s *xmpp.Stream, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := slices.DeleteFunc(c.open[s], func(st stage) bool { return st.id == id })
	if len(list) == 0 {
		delete(c.open, s)
	} else {
		c.open[s] = list
	}
}

// nodes is what service discovery tells of commands (sections 2.1 and 2.2).
type nodes Commands

// NodeInfo implements xmpp.Nodes.
func (n *nodes) NodeInfo(_ context.Context, q *xmpp.Request, node string) ([]byte, bool) {
	c := (*Commands)(n)
	if node == ns {
		if len(n.items(q)) == 0 {
			return nil, false
		}
		return []byte("<identity category='automation' type='command-list' name='Commands'/><feature var='" + ns + "'/>"), true
	}
	cmd := c.find(q, node)
	if cmd == nil {
		return nil, false
	}
	b := xmpp.AppendAttr([]byte("<identity category='automation' type='command-node'"), "name", cmd.Name)
	return append(b, "/><feature var='"+ns+"'/><feature var='jabber:x:data'/>"...), true
}

// NodeItems implements xmpp.Nodes.
func (n *nodes) NodeItems(_ context.Context, q *xmpp.Request, node string) ([]byte, bool) {
	if node != ns {
		return nil, false
	}
	items := n.items(q)
	return items, len(items) > 0
}

func (n *nodes) items(q *xmpp.Request) []byte {
	c := (*Commands)(n)
	var b []byte
	for i := range c.list {
		cmd := &c.list[i]
		if !c.router.Allowed(q.By.Session(), "xmpp:command") || !c.allowed(q, cmd) {
			continue
		}
		b = xmpp.AppendAttr(append(b, "<item"...), "jid", q.To.String())
		b = xmpp.AppendAttr(b, "node", cmd.Node)
		b = append(xmpp.AppendAttr(b, "name", cmd.Name), "/>"...)
	}
	return b
}
