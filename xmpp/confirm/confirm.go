// Package confirm asks people in chat whether a log-in on the web is theirs (XEP-0070 1.0.1): the
// part between the server and the client, sections 4.5 and 4.6. The HTTP side is web's own log-in,
// not the realm of sections 4.2 and 4.3. A client that does not know the protocol gets a message that
// a person can answer with the code.
package confirm

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"time"

	"trivium/identity"
	"trivium/xmpp"
)

const (
	ns       = "http://jabber.org/protocol/http-auth"
	nsClient = "jabber:client"
)

// most bounds the questions that wait; identity bounds those of one account.
const most = 1000

// spare is how much longer a client may take than whoever waits: then nobody hears the answer.
const spare = 5 * time.Second

// Confirm is the module; it is identity's Chat.
type Confirm struct {
	router *xmpp.Router

	mu   sync.Mutex
	open map[string]*question // by thread
}

// question is one that waits for the first answer of any client of its account.
type question struct {
	of     xmpp.Address
	code   string
	answer chan bool
	once   sync.Once
}

func (q *question) say(yes bool) { q.once.Do(func() { q.answer <- yes }) }

var _ identity.Chat = (*Confirm)(nil)

// New makes the module.
func New() *Confirm { return &Confirm{open: make(map[string]*question)} }

// Register implements xmpp.Module.
func (c *Confirm) Register(reg *xmpp.Registrar) {
	c.router = reg.Router
	reg.Inbox(c.inbox)
}

// Reachable implements identity.Chat.
func (c *Confirm) Reachable(login identity.UserName, domain string) bool {
	return len(c.clients(xmpp.NewAddress(string(login), domain))) > 0
}

func (c *Confirm) clients(of xmpp.Address) []*xmpp.Stream {
	if c.router == nil {
		return nil
	}
	return c.router.AvailableStreams(nil, of)
}

// Confirm implements identity.Chat: all available clients are asked, and the first answer counts.
func (c *Confirm) Confirm(ctx context.Context, q identity.ChatQuestion) (bool, error) {
	of := xmpp.NewAddress(string(q.Login), q.Domain)
	clients := c.clients(of)
	if len(clients) == 0 {
		return false, identity.ErrNotFound
	}
	mine := &question{of: of, code: q.Code, answer: make(chan bool, 1)}
	thread := rand.Text()
	if !c.add(thread, mine) {
		return false, identity.ErrBusy
	}
	defer c.remove(thread)
	within := time.Minute
	if end, ok := ctx.Deadline(); ok {
		within = time.Until(end) + spare
	}
	ask := element(q)
	for _, s := range clients {
		to := s.JID()
		c.router.AskWithin(within, q.Domain, to, "get", ask, func(answer *xmpp.Stanza, err error) {
			switch {
			case err != nil:
			case answer.Type == "result":
				mine.say(true)
			case refused(answer):
				mine.say(false)
			default: // the client does not know the protocol: section 4.5 lets a person answer a message
				c.write(s, q, thread)
			}
		})
	}
	select {
	case yes := <-mine.answer:
		return yes, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func (c *Confirm) add(thread string, q *question) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) >= most {
		return false
	}
	c.open[thread] = q
	return true
}

func (c *Confirm) remove(thread string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, thread)
}

// element is the question of section 4.5.
func element(q identity.ChatQuestion) string {
	b := xmpp.AppendAttr([]byte("<confirm xmlns='"+ns+"'"), "id", xmpp.CleanText(q.Code))
	b = xmpp.AppendAttr(b, "method", xmpp.CleanText(q.Method))
	return string(append(xmpp.AppendAttr(b, "url", xmpp.CleanText(q.URL)), "/>"...))
}

// write sends the question as a message that a person can read.
func (c *Confirm) write(s *xmpp.Stream, q identity.ChatQuestion, thread string) {
	body := "Somebody is logging in to " + q.URL + " as you, from " + q.From + ".\n" +
		"Is that you, and does the page show the code " + q.Code + "? Then answer with this code.\n" +
		"If not, answer \"no\", and change your password: somebody knows it."
	b := xmpp.AppendAttr([]byte("<message type='normal'"), "from", q.Domain)
	b = xmpp.AppendAttr(b, "to", s.FullJID())
	b = xmpp.AppendAttr(b, "id", rand.Text())
	b = append(b, "><thread>"+thread+"</thread><body>"+xmpp.Escape(xmpp.CleanText(body))+"</body>"+element(q)+
		"<no-store xmlns='urn:xmpp:hints'/><no-copy xmlns='urn:xmpp:hints'/></message>"...)
	s.Put(b)
}

// refused reports whether an error is a person's no, and not a client that does not understand.
func refused(st *xmpp.Stanza) bool {
	el, ok := st.Only(nsClient, "error")
	if !ok {
		return false
	}
	for _, cond := range []string{"not-authorized", "forbidden", "not-allowed", "not-acceptable"} {
		if el.Has("urn:ietf:params:xml:ns:xmpp-stanzas", cond) {
			return true
		}
	}
	return false
}

// inbox takes the answers that come as messages (section 4.6).
func (c *Confirm) inbox(_ context.Context, m *xmpp.Message) bool {
	q := c.asked(m)
	if q == nil {
		return false
	}
	if m.Type == "error" {
		if refused(m.Stanza) {
			q.say(false)
		}
		return true // else the client could not take the message; another one may
	}
	if el, ok := m.Only(ns, "confirm"); ok {
		if id, _ := el.Attr("id"); id == q.code {
			q.say(true)
			return true
		}
	}
	switch text := childText(m.Stanza, "body"); {
	case plain(text) == plain(q.code):
		q.say(true)
	case strings.EqualFold(strings.TrimSpace(text), "no"):
		q.say(false)
	}
	return true
}

// asked finds the question of an answer: that of its thread, else the only one of its sender, as not
// every client mirrors threads. Who answers is what its stream says.
func (c *Confirm) asked(m *xmpp.Message) *question {
	if m.By == nil {
		return nil
	}
	thread := childText(m.Stanza, "thread")
	c.mu.Lock()
	defer c.mu.Unlock()
	if q := c.open[thread]; q != nil {
		if q.of == m.Sender.Address {
			return q
		}
		return nil
	}
	var only *question
	for _, q := range c.open {
		if q.of != m.Sender.Address {
			continue
		}
		if only != nil {
			return nil
		}
		only = q
	}
	return only
}

func childText(st *xmpp.Stanza, name string) string {
	el, ok := st.Only(nsClient, name)
	if !ok {
		return ""
	}
	text, _ := el.Text()
	return text
}

// plain is a code without what people leave out or change.
func plain(code string) string {
	return strings.NewReplacer("-", "", " ", "", "\n", "").Replace(strings.ToUpper(code))
}
