package identity

import (
	"cmp"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Filter chooses sessions; zero fields choose all.
type Filter struct {
	User     string // as Info.User
	Owner    UserID
	Protocol Protocol
	ID       string

	Road  Road
	Class string       // in any case; ClassNone for those without one
	From  netip.Prefix // block of the client's address
	Level *Level       // exactly
	State State
	Text  string    // part of user, address, client, JID, class, protocol or state, in any case
	Token string    // ID of the token that opened it
	Idle  time.Time // not heard of since

	maybeAddress bool // Text could be a part of an address
}

// ClassNone is the Filter.Class of sessions that are in no class.
const ClassNone = "-"

// SortKey is what a list of sessions is ordered by.
type SortKey string

// The keys; what is equal by one of them stands in the order of begin.
const (
	SortStarted  SortKey = "started"
	SortUser     SortKey = "user"
	SortLevel    SortKey = "level"
	SortProtocol SortKey = "protocol"
	SortClient   SortKey = "client"
	SortAddress  SortKey = "address"
	SortClass    SortKey = "class"
	SortState    SortKey = "state"
	SortActive   SortKey = "active" // last heard
	SortIn       SortKey = "in"     // bytes
	SortOut      SortKey = "out"
)

// SortKeys lists them.
func SortKeys() []SortKey {
	return []SortKey{SortStarted, SortUser, SortLevel, SortProtocol, SortClient, SortAddress, SortClass, SortState, SortActive, SortIn, SortOut}
}

// ParseSort reads a key, with a minus sign before it for the other way round; "" is SortStarted. The
// error wraps ErrInvalid and lists the keys.
func ParseSort(s string) (key SortKey, down bool, err error) {
	name, down := strings.CutPrefix(s, "-")
	key = SortKey(cmp.Or(name, string(SortStarted)))
	if !slices.Contains(SortKeys(), key) {
		var names []string
		for _, k := range SortKeys() {
			names = append(names, string(k))
		}
		return "", false, faultf(ErrInvalid, "%q is nothing to sort by; sessions are sorted by %s, with a minus sign before it the other way round", s, strings.Join(names, ", "))
	}
	return key, down, nil
}

// Page is a part of a list of sessions.
type Page struct {
	Sessions []Info
	Total    int // that the filter chooses
}

// List returns the chosen sessions, oldest first.
func (r *Registry) List(f Filter) []Info { return r.Page(f, SortStarted, false, 0, 0).Sessions }

// Page returns the chosen sessions in an order, limit of them from offset on; limit 0: all.
func (r *Registry) Page(f Filter, key SortKey, down bool, offset, limit int) Page {
	found := r.find(f)
	p := Page{Total: len(found), Sessions: []Info{}}
	offset = min(max(offset, 0), len(found))
	end := len(found)
	if limit > 0 {
		end = min(offset+limit, end)
	}
	sortSessions(found, key, down, end)
	found = found[offset:end]
	for _, s := range found {
		p.Sessions = append(p.Sessions, *s.snapshot())
	}
	return p
}

// Count is the number of sessions that List would return.
func (r *Registry) Count(f Filter) int {
	if f == (Filter{}) {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.rows)
	}
	return len(r.find(f))
}

// find returns the chosen sessions in no order. What is counted by owner, token or ID is looked up;
// else each row is looked at, and outside of the lock those sessions of which the row does not say
// enough.
func (r *Registry) find(f Filter) []*Session {
	r.mu.Lock()
	var found []*Session
	if f.User != "" && f.Owner == "" && f.ID == "" {
		f.Owner = r.ownerOf(f.User)
		if f.Owner == "" {
			r.mu.Unlock()
			return nil
		}
	}
	switch {
	case f.ID != "":
		if s, ok := r.sessions[f.ID]; ok && (f.Owner == "" || f.Owner == s.counted.owner) {
			found = append(found, s)
		}
	case f.Owner != "":
		found = keys(r.owners[f.Owner]) // those too that are just ending
	case f.Token != "":
		found = keys(r.tokens[f.Token])
	default:
		f.Text = strings.ToLower(f.Text)
		for i := range r.rows {
			if w := &r.rows[i]; f.matchesRow(w) {
				found = append(found, w.Session)
			}
		}
		if f.rowSays() {
			r.mu.Unlock()
			return found
		}
	}
	r.mu.Unlock()
	f.Text = strings.ToLower(f.Text)
	f.maybeAddress = strings.Trim(f.Text, "0123456789abcdef.:[]") == ""
	return f.pick(found)
}

// manySessions is from how many on a list is looked through by all processors.
const manySessions = 4096

// inParts runs do for parts of n things, side by side where they are many.
func inParts(n int, do func(from, to int)) {
	part := max(manySessions, (n+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
	var all sync.WaitGroup
	for from := 0; from < n; from += part {
		to := min(from+part, n)
		if to == n { // the last, here
			do(from, to)
			break
		}
		all.Go(func() { do(from, to) })
	}
	all.Wait()
}

// pick keeps those that the filter chooses.
func (f *Filter) pick(list []*Session) []*Session {
	inParts(len(list), func(from, to int) {
		for i, s := range list[from:to] {
			if !f.matches(s) {
				list[from+i] = nil
			}
		}
	})
	return slices.DeleteFunc(list, func(s *Session) bool { return s == nil })
}

// ownerOf finds the account that a name is shown for, of those that have sessions; r.mu is held.
func (r *Registry) ownerOf(user string) UserID {
	for id, list := range r.owners {
		for s := range list {
			if a := s.had(); a != nil && a.creds.User == user {
				return id
			}
			break // they all show the same name
		}
	}
	return ""
}

// matchesRow says as much as a row tells.
func (f *Filter) matchesRow(w *row) bool {
	return (f.Protocol == "" || f.Protocol == w.protocol) && (f.Road == "" || f.Road == w.protocol.Road()) &&
		(f.Level == nil || *f.Level == w.level) && (!f.From.IsValid() || f.From.Contains(w.addr)) && f.matchesClass(w.class)
}

func (f *Filter) matchesClass(c *Class) bool {
	switch f.Class {
	case "":
		return true
	case ClassNone:
		return c == nil
	}
	return strings.EqualFold(f.Class, c.name())
}

// rowSays reports whether a row tells all that the filter asks.
func (f *Filter) rowSays() bool {
	return f.State == "" && f.Text == "" && f.Idle.IsZero()
}

// matches reports whether the filter chooses s; Text is in lower case.
func (f *Filter) matches(s *Session) bool {
	if !f.Idle.IsZero() && !s.LastActivity().Before(f.Idle) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := row{Session: s, addr: s.remote.Addr().Unmap().WithZone(""), class: s.class, level: s.level}
	switch {
	case s.done, // it has ended since it was listed
		!f.matchesRow(&w),
		f.State != "" && f.State != s.details.State,
		f.User != "" && (s.has == nil || s.has.creds.User != f.User),
		f.Token != "" && (s.has == nil || s.has.creds.Grant == nil || s.has.creds.Grant.TokenID != f.Token):
		return false
	}
	return f.Text == "" || s.says(f.Text) ||
		// An address is written out only where the text could be a part of one.
		f.maybeAddress && strings.Contains(addrText(s.remote), f.Text)
}

// says reports whether text, in lower case, is in what a list shows of s besides its address; s.mu is
// held.
func (s *Session) says(text string) bool {
	if s.has != nil && containsFold(s.has.creds.User, text) {
		return true
	}
	for _, field := range [...]string{s.details.UserAgent, s.details.JID, string(s.details.State), s.class.name(), string(s.protocol)} {
		if containsFold(field, text) {
			return true
		}
	}
	return false
}

// containsFold reports whether s has part, which is in lower case and not empty, in any case. Most of
// what it is asked is ASCII, and takes no memory.
func containsFold(s, part string) bool {
	for rest := s; len(rest) >= len(part); rest = rest[1:] {
		i := indexFold(rest, part[0])
		if i < 0 || len(rest)-i < len(part) {
			break
		}
		rest = rest[i:]
		j := 1
		for j < len(part) && lower(rest[j]) == part[j] {
			j++
		}
		if j == len(part) {
			return true
		}
	}
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return strings.Contains(strings.ToLower(s), part)
		}
	}
	return false
}

// indexFold is where the lower-case byte c stands first in s, in any case; -1: nowhere.
func indexFold(s string, c byte) int {
	i := strings.IndexByte(s, c)
	if c < 'a' || c > 'z' {
		return i
	}
	if i >= 0 {
		s = s[:i]
	}
	if up := strings.IndexByte(s, c-('a'-'A')); up >= 0 {
		return up
	}
	return i
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// sortable is a session with what it is sorted by, read once.
type sortable struct {
	*Session
	text   string
	number int64
	addr   netip.AddrPort
}

// sortSessions sorts in place as far as the first most of them; 0: all. Texts and numbers are read
// once, as sessions change meanwhile.
func sortSessions(list []*Session, key SortKey, down bool, most int) {
	rows := make([]sortable, len(list))
	inParts(len(list), func(from, to int) {
		for i, s := range list[from:to] {
			rows[from+i] = s.sortable(key)
		}
	})
	before := func(a, b *sortable) int {
		c := cmp.Or(cmp.Compare(a.number, b.number), strings.Compare(a.text, b.text), a.addr.Compare(b.addr))
		if down {
			c = -c
		}
		return cmp.Or(c, byStart(a.Session, b.Session))
	}
	if most > 0 && most < len(rows)/2 {
		if down { // the newest stand last, and are mostly what is looked for then
			slices.Reverse(rows)
		}
		foremost(rows, most, before)
		rows = rows[:most]
	}
	slices.SortFunc(rows, func(a, b sortable) int { return before(&a, &b) })
	for i := range rows {
		list[i] = rows[i].Session
	}
}

// foremost brings the n rows that come before all others to the front, in no order: they are a heap
// whose top comes last.
func foremost(rows []sortable, n int, before func(a, b *sortable) int) {
	down := func(i int) {
		for {
			top := i
			for _, child := range [2]int{2*i + 1, 2*i + 2} {
				if child < n && before(&rows[child], &rows[top]) > 0 {
					top = child
				}
			}
			if top == i {
				return
			}
			rows[i], rows[top] = rows[top], rows[i]
			i = top
		}
	}
	for i := n/2 - 1; i >= 0; i-- {
		down(i)
	}
	for i := n; i < len(rows); i++ {
		if before(&rows[i], &rows[0]) < 0 {
			rows[0], rows[i] = rows[i], rows[0]
			down(0)
		}
	}
}

func byStart(a, b *Session) int {
	return cmp.Or(a.started.Compare(b.started), strings.Compare(a.id, b.id))
}

func (s *Session) sortable(key SortKey) sortable {
	row := sortable{Session: s}
	switch key {
	case SortStarted:
		row.number = s.started.UnixNano()
	case SortProtocol:
		row.text = string(s.protocol)
	case SortActive:
		row.number = s.activity.Load()
	case SortIn:
		row.number = s.in.Load()
	case SortOut:
		row.number = s.out.Load()
	}
	switch key {
	case SortUser, SortLevel, SortClient, SortAddress, SortClass, SortState:
	default:
		return row
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch key {
	case SortUser:
		if s.has != nil {
			row.text = s.has.creds.User
		}
	case SortLevel:
		row.number = int64(s.level)
	case SortClient:
		row.text = cmp.Or(s.details.UserAgent, s.details.Resource)
	case SortAddress:
		row.addr = s.remote
	case SortClass:
		row.text = s.class.name()
	case SortState:
		row.text = string(s.details.State)
	}
	return row
}
