package ftp

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode"

	"trivium/files"
	"trivium/identity"
)

// newLogs opens the transfer logs of the config.
func (s *Server) newLogs() (*recorder, error) {
	return newRecorder(s.log, &recordLog{key: "ftp.xferlog", path: s.cfg.XferLog, format: appendXferlog},
		&recordLog{key: "ftp.transfer_log", path: s.cfg.TransferLog, format: appendJSON})
}

// ReopenLogs opens the transfer logs anew, as after a rotation; one that was moved away or removed
// is noticed without it.
func (s *Server) ReopenLogs() { s.records.again() }

// appendXferlog writes a line of xferlog(5) as ProFTPD does: local time, seconds, remote host,
// bytes, path, a or b, special action (none), direction, access mode, user, service, whether there
// is an RFC 1413 user, that user, and c or i.
func appendXferlog(b []byte, r *record) []byte {
	mode, user := "r", r.user
	if user == "" {
		mode, user = "a", r.anonUser
	}
	kind, done := "b", "i"
	if r.ascii {
		kind = "a"
	}
	if r.complete {
		done = "c"
	}
	method, ident := "0", "*"
	if r.ident != "" {
		method, ident = "1", unspaced(r.ident)
	}
	b = r.at.Local().AppendFormat(b, "Mon Jan 02 15:04:05 2006")
	for _, field := range []string{strconv.FormatInt(int64(r.took.Round(time.Second)/time.Second), 10), r.remote, strconv.FormatInt(r.bytes, 10),
		unspaced(r.path), kind, "_", string(r.direction), mode, unspaced(user), "ftp", method, ident, done} {
		b = append(append(b, ' '), field...)
	}
	return append(b, '\n')
}

// unspaced is a name as a field of xferlog(5): white space and control characters are underscores,
// and there is always something.
func unspaced(s string) string {
	if s == "" {
		return "*"
	}
	return strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) || unicode.IsControl(c) || c == '\u2028' || c == '\u2029' {
			return '_'
		}
		return c
	}, s)
}

// transferLine is a line of ftp.transfer_log.
type transferLine struct {
	Time       time.Time `json:"time"`
	DurationMS int64     `json:"duration_ms"`
	Session    string    `json:"session"`
	User       *string   `json:"user"`
	AnonUser   *string   `json:"anon_user"`
	Ident      *string   `json:"ident"`
	Class      *string   `json:"class"`
	Remote     string    `json:"remote"`
	Verb       string    `json:"verb"`
	Path       string    `json:"path"`
	Bytes      int64     `json:"bytes"`
	Offset     int64     `json:"offset"`
	Type       string    `json:"type"` // "ascii" or "binary"
	TLS        bool      `json:"tls"`
	Complete   bool      `json:"complete"`
	Code       int       `json:"code"`
}

func appendJSON(b []byte, r *record) []byte {
	null := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	l := transferLine{Time: r.at.UTC(), DurationMS: r.took.Milliseconds(), Session: r.session, User: null(r.user), AnonUser: null(r.anonUser),
		Ident: null(r.ident), Class: null(r.class), Remote: r.remote, Verb: r.verb, Path: r.path, Bytes: r.bytes, Offset: r.offset,
		Type: "binary", TLS: r.secure, Complete: r.complete, Code: r.code}
	if r.ascii {
		l.Type = "ascii"
	}
	line, err := json.Marshal(l)
	if err != nil {
		return b // no value here can fail
	}
	return append(append(b, line...), '\n')
}

// canonical is where a path lies, for the transfer logs; "" where there are none.
func (s *session) canonical(p string) string {
	if s.srv.records == nil || s.tree == nil {
		return ""
	}
	_, to := s.tree.Canonical(s.ctx, p)
	return to
}

// newRecord has what the logs say of a session.
func (s *session) newRecord(verb, path string) record {
	i := s.ses.Info()
	r := record{at: time.Now(), session: i.ID, remote: s.ses.Remote().Addr().String(), verb: verb, path: path}
	for to, from := range map[*string]*string{&r.user: i.User, &r.anonUser: i.AnonUser, &r.ident: i.IdentUser, &r.class: i.Class} {
		if from != nil {
			*to = *from
		}
	}
	if r.ident == identity.IdentUnknown {
		r.ident = ""
	}
	if r.user == "" && r.anonUser == "" {
		r.anonUser = "anonymous"
	}
	return r
}

// logTransfer hands the end of a transfer of a file to the transfer logs.
func (srv *Server) logTransfer(t *transfer, a answer) {
	if srv.records == nil || t.list != nil {
		return
	}
	r := t.s.newRecord(t.verb, t.canon)
	r.took, r.bytes, r.offset, r.ascii, r.secure = r.at.Sub(t.began), t.moved.Load(), t.offset, t.ascii, t.prot
	r.complete, r.code = t.err == nil, a.code
	if r.direction = 'o'; t.file == nil {
		r.direction = 'i'
	}
	srv.records.add(r)
}

// remove is Tree.Remove, and says so in the transfer logs.
func (s *session) remove(ctx context.Context, tree *files.Tree, p string) error {
	if s.srv.records == nil {
		return tree.Remove(ctx, p)
	}
	at, _ := tree.Canonical(ctx, p)
	info, _ := tree.Lstat(ctx, p) // where there is none, Remove says so
	began := time.Now()
	err := tree.Remove(ctx, p)
	if err != nil {
		return err
	}
	r := s.newRecord("DELE", at)
	r.took, r.bytes, r.direction, r.complete, r.code = r.at.Sub(began), info.Size, 'd', true, 250
	s.srv.records.add(r)
	return nil
}
