package identity

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// EventTransferStop is the row of the audit log about a transfer that somebody broke off.
const EventTransferStop = "transfer.stop"

// Move is a running transfer of a session. All methods are safe for any goroutine.
type Move struct {
	ses  *Session
	stop func()

	// Guarded by ses.mu.
	info    *TransferInfo // replaced, never changed
	next    *Move
	stopped bool
}

// Move notes a transfer that begins; it is listed until End. stop is called once at most, when somebody
// breaks the transfer off: it must not block, may come from any goroutine, and does nothing where the
// transfer has just ended. with changes the road's own fields at the same moment; nil: none.
func (s *Session) Move(info TransferInfo, stop func(), with func(*Details)) *Move {
	info.ID = s.id + "." + strconv.FormatInt(s.registry.totals.transfers.Add(1), 36)
	m := &Move{ses: s, stop: stop, info: &info}
	s.mu.Lock()
	m.next, s.moves = s.moves, m
	if with != nil {
		with(&s.details)
	}
	s.mu.Unlock()
	s.registry.changed(s)
	return m
}

// Show says how many bytes have been moved by now, and how many go a second.
func (m *Move) Show(bytes, rate int64) {
	m.ses.mu.Lock()
	info := *m.info
	info.Bytes, info.Rate = bytes, rate
	m.info = &info
	m.ses.mu.Unlock()
	m.ses.registry.changed(m.ses)
}

// End takes the transfer out of the list; with is as that of Session.Move.
func (m *Move) End(with func(*Details)) {
	s := m.ses
	s.mu.Lock()
	for at := &s.moves; *at != nil; at = &(*at).next {
		if *at == m {
			*at = m.next
			break
		}
	}
	if with != nil {
		with(&s.details)
	}
	s.mu.Unlock()
	s.registry.changed(s)
}

// Transfer is a running transfer and whose it is.
type Transfer struct {
	Session Info
	TransferInfo
}

// TransferFilter chooses transfers; what is not given chooses all.
type TransferFilter struct {
	Filter
	Path      string // a part of the path, in any case
	Direction Direction
}

// Transfers lists the chosen ones that run, oldest first.
func (r *Registry) Transfers(f TransferFilter) []Transfer {
	part := strings.ToLower(f.Path)
	list := []Transfer{}
	for _, s := range r.find(f.Filter) {
		s.mu.Lock()
		var running []*TransferInfo
		for m := s.moves; m != nil; m = m.next {
			running = append(running, m.info)
		}
		s.mu.Unlock()
		if len(running) == 0 {
			continue
		}
		info := s.Info()
		for _, x := range running {
			if (f.Direction == "" || f.Direction == x.Direction) && (part == "" || containsFold(x.Path, part)) {
				list = append(list, Transfer{info, *x})
			}
		}
	}
	slices.SortFunc(list, func(a, b Transfer) int {
		return cmp.Or(a.StartedAt.Compare(b.StartedAt), strings.Compare(a.ID, b.ID))
	})
	return list
}

// moving finds a running transfer by its id.
func (r *Registry) moving(id string) (*Move, *TransferInfo, bool) {
	dot := strings.LastIndexByte(id, '.')
	if dot < 0 {
		return nil, nil, false
	}
	s, ok := r.Get(id[:dot])
	if !ok {
		return nil, nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for m := s.moves; m != nil; m = m.next {
		if m.info.ID == id {
			return m, m.info, true
		}
	}
	return nil, nil, false
}

// Transfer finds a running one by its id.
func (r *Registry) Transfer(id string) (Transfer, bool) {
	m, x, ok := r.moving(id)
	if !ok {
		return Transfer{}, false
	}
	return Transfer{m.ses.Info(), *x}, true
}

// StopTransfer breaks off one transfer; its session goes on, and so do the session's others. ErrNotFound
// where it does not run. Who may do so is the caller's to decide.
func (s *Service) StopTransfer(by Actor, id string) error {
	m, x, ok := s.Registry.moving(id)
	if !ok {
		return ErrNotFound
	}
	ses := m.ses
	ses.mu.Lock()
	again := m.stopped
	m.stopped = true
	ses.mu.Unlock()
	if again {
		return nil // it is about to end
	}
	m.stop()
	e := AuditEvent{Event: EventTransferStop, Actor: by.User, Via: by.Via, Subject: "anonymous", Result: "ok",
		Detail: clip(x.Verb+" "+x.Path, maxAuditDetail)}
	if c, ok := ses.Credentials(); ok && c.User != "" {
		e.Subject = c.User
	}
	e = cleaned(e)
	s.trail(ses, e.Subject, e)
	return nil
}
