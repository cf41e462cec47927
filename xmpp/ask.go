package xmpp

import (
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"mellium.im/xmpp/jid"
)

// Bounds of what the server asks of clients.
const (
	maxQuestions = 10000 // that wait for an answer at one time
	answerWithin = 30 * time.Second
	// questionShare is which part of the room that is left one account may take: one that answers
	// nothing leaves 16 of 17 parts, and twenty leave a third.
	questionShare = 16
)

// Errors of Ask.
var (
	ErrNobody   = errors.New("there is nobody who could answer")
	ErrNoAnswer = errors.New("no answer came in time")
	errTooMany  = errors.New("too many questions wait for an answer")
)

// questions are the requests of the server that wait for an answer. Whoever answers none cannot take
// the room of all others.
type questions struct {
	mu   sync.Mutex
	open map[string]question
	of   map[Address]int // how many wait for an account
}

type question struct {
	to    string // who alone may answer
	of    Address
	done  func(answer *Stanza, err error)
	timer *time.Timer
}

// Ask sends an IQ of the server, or in the name of one of its accounts, to a full JID, and calls
// done once with the answer of type result or error, or with an error: [ErrNobody], [ErrNoAnswer].
// payload is one whole element. done is called in some other goroutine and must not wait.
func (r *Router) Ask(from string, to jid.JID, typ, payload string, done func(answer *Stanza, err error)) {
	r.AskWithin(answerWithin, from, to, typ, payload, done)
}

// AskWithin is Ask for what a person has to answer, who takes longer than a client.
func (r *Router) AskWithin(within time.Duration, from string, to jid.JID, typ, payload string, done func(answer *Stanza, err error)) {
	id := rand.Text()
	name := to.String()
	if err := r.questions.add(id, name, addressOf(to), within, done); err != nil {
		done(nil, err)
		return
	}
	b := AppendAttr([]byte("<iq"), "type", typ)
	b = AppendAttr(b, "id", id)
	b = AppendAttr(b, "from", from)
	b = AppendAttr(b, "to", name)
	b = append(append(append(b, '>'), payload...), "</iq>"...)
	if s := r.at(to); s == nil || !s.Put(b) {
		r.questions.end(id, name, nil, ErrNobody)
	}
}

func (q *questions) add(id, to string, of Address, within time.Duration, done func(*Stanza, error)) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.of[of] >= (maxQuestions-len(q.open))/questionShare {
		return errTooMany
	}
	if q.open == nil {
		q.open, q.of = make(map[string]question), make(map[Address]int)
	}
	timer := time.AfterFunc(within, func() { q.end(id, to, nil, ErrNoAnswer) })
	q.open[id] = question{to, of, done, timer}
	q.of[of]++
	return nil
}

// end answers a question, once, where from is who was asked.
func (q *questions) end(id, from string, answer *Stanza, err error) {
	q.mu.Lock()
	a, ok := q.open[id]
	if !ok || a.to != from {
		q.mu.Unlock()
		return
	}
	delete(q.open, id)
	if q.of[a.of]--; q.of[a.of] == 0 {
		delete(q.of, a.of)
	}
	q.mu.Unlock()
	a.timer.Stop()
	a.done(answer, err)
}

// answered takes an answer to what the server asked; any other is dropped.
func (r *Router) answered(s *Stream, st *Stanza) { r.questions.end(st.ID, s.res.full, st, nil) }
