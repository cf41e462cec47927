package ftp

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"trivium/files"
	"trivium/identity"
)

// siteIdle is SITE IDLE: how long the connection may be idle, at most the server's limit.
func (s *session) siteIdle(arg string) {
	limit := s.srv.limits.FTPIdleTimeout
	s.mu.Lock()
	now := s.idle
	s.mu.Unlock()
	if arg == "" {
		s.reply(200, fmt.Sprintf("The idle limit is %.0f seconds of %.0f at most.", now.Seconds(), limit.Seconds()))
		return
	}
	n, err := strconv.ParseUint(arg, 10, 31)
	d := time.Duration(n) * time.Second
	if err != nil || n == 0 || d > limit {
		s.reply(501, fmt.Sprintf("SITE IDLE <seconds>, from 1 to %.0f", limit.Seconds()))
		return
	}
	s.mu.Lock()
	s.idle = d
	s.mu.Unlock()
	s.reply(200, fmt.Sprintf("The idle limit is %d seconds.", n))
}

// siteWho is SITE WHO: one's own FTP sessions, and everybody's for administrators.
func (s *session) siteWho(string) {
	f := identity.Filter{Protocol: identity.ProtocolFTP}
	if s.ses.Level() < identity.LevelAdmin {
		if c, ok := s.ses.Credentials(); ok && !c.Anonymous() {
			f.Owner = c.UserID
		} else {
			f.ID = s.ses.ID()
		}
	}
	var rows []string
	for _, i := range s.srv.registry.List(f) {
		who := "-"
		switch {
		case i.User != nil:
			who = *i.User
		case i.AnonUser != nil:
			who = "anonymous"
		}
		rows = append(rows, printable(strings.TrimSpace(fmt.Sprintf("%s %s from %s since %s, %s %s", i.ID, who, i.RemoteAddr,
			i.StartedAt.Format(time.RFC3339), i.State, doing(i)))))
	}
	s.replyLines(211, "Sessions:", rows, "End.")
}

// siteZone is SITE ZONE: the time zone of listings.
func (s *session) siteZone(string) { s.reply(200, "UTC+0") }

// siteQuota is SITE QUOTA, of the tree in which a path lies.
func (s *session) siteQuota(arg string) {
	p, tree, ok := s.path(orHere(arg))
	if !ok {
		return
	}
	if _, err := tree.Stat(s.ctx, p); err != nil {
		s.fail(err)
		return
	}
	q, err := s.tree.Quota(s.ctx, p)
	if err != nil {
		s.fail(err)
		return
	}
	s.replyLines(200, "Quota of "+printable(p)+":", quotaLines(q, time.Now()), "End.")
}

// quotaLines says a quota for people.
func quotaLines(q files.Quota, now time.Time) []string {
	count := func(what string, used, soft, limit int64) string {
		text := fmt.Sprintf("%s: %d used, ", what, used)
		switch {
		case limit < 0:
			return text + "no limit"
		case soft >= 0 && soft < limit:
			return text + fmt.Sprintf("%d allowed, more than %d only for the grace", limit, soft)
		}
		return text + fmt.Sprintf("%d allowed", limit)
	}
	rows := []string{count("Bytes", q.Bytes, q.SoftBytes, q.LimitBytes), count("Files", q.Files, q.SoftFiles, q.LimitFiles)}
	switch {
	case q.GraceEnds.IsZero():
	case q.GraceEnds.After(now):
		rows = append(rows, "Grace: until "+q.GraceEnds.UTC().Format(time.RFC3339))
	default:
		rows = append(rows, "Grace: over; nothing more can be stored until less is used")
	}
	if q.Free >= 0 {
		rows = append(rows, fmt.Sprintf("Free: %d", q.Free))
	}
	return rows
}
