package ftp

import (
	"fmt"
	"io/fs"
	"sort"
	"strconv"
	"strings"
	"time"

	"trivium/identity"
)

// siteVerb is one row of the SITE table.
type siteVerb struct {
	run    func(s *session, arg string)
	syntax string
}

// siteVerbs is the table of SITE; its rules are ftp:SITE and ftp:SITE <NAME>.
func siteVerbs() map[string]siteVerb {
	return map[string]siteVerb{
		"HELP":  {(*session).siteHelp, "[<command>]"},
		"CHMOD": {(*session).siteChmod, "<octal mode> <path>"},
		"UMASK": {(*session).siteUmask, "[<octal mask>]"},
		"IDLE":  {(*session).siteIdle, "[<seconds>]"},
		"WHO":   {(*session).siteWho, ""},
	}
}

func (s *session) site(arg string) {
	name, rest, _ := strings.Cut(arg, " ")
	name = strings.ToUpper(name)
	v, ok := s.srv.sites[name]
	if !ok || !s.siteOffered(name) {
		s.reply(502, notHere)
		return
	}
	v.run(s, rest)
}

func (s *session) siteOffered(name string) bool {
	if !s.isLoggedIn() {
		return identity.LevelLoggedIn.Allows(s.srv.identity.Required(identity.Resource("ftp:SITE " + name)))
	}
	return s.allowed(identity.Resource("ftp:SITE " + name))
}

func (s *session) siteHelp(arg string) {
	if name := strings.ToUpper(strings.TrimSpace(arg)); name != "" {
		v, ok := s.srv.sites[name]
		if !ok || !s.siteOffered(name) {
			s.reply(502, notHere)
			return
		}
		s.reply(214, strings.TrimSpace("Syntax: SITE "+name+" "+v.syntax))
		return
	}
	var all []string
	for name, v := range s.srv.sites {
		if s.siteOffered(name) {
			all = append(all, strings.TrimSpace(name+" "+v.syntax))
		}
	}
	sort.Strings(all)
	s.replyLines(214, "These SITE commands work:", all, "End.")
}

// parseMode reads an octal mode. Bits above 0777 are not for clients to set.
func parseMode(text string) (fs.FileMode, bool) {
	n, err := strconv.ParseUint(text, 8, 32)
	return fs.FileMode(n), err == nil && n <= 0o777 && text[0] != '+'
}

// parseChmod reads the argument of SITE CHMOD.
func parseChmod(arg string) (mode fs.FileMode, name string, ok bool) {
	text, name, _ := strings.Cut(arg, " ")
	mode, ok = parseMode(text)
	return mode, name, ok && name != ""
}

func (s *session) siteChmod(arg string) {
	mode, name, ok := parseChmod(arg)
	if !ok {
		s.reply(501, "SITE CHMOD <octal mode up to 777> <path>")
		return
	}
	p, ok := s.path(name)
	if !ok {
		return
	}
	if err := s.tree.Chmod(s.ctx, p, mode); err != nil {
		s.fail(err)
		return
	}
	s.reply(200, fmt.Sprintf("The mode is %03o.", mode))
}

// siteUmask is SITE UMASK: what this session makes lacks those bits.
func (s *session) siteUmask(arg string) {
	if arg == "" {
		if s.params.umask < 0 {
			s.reply(200, "The server's umask counts.")
			return
		}
		s.reply(200, fmt.Sprintf("The umask is %03o.", s.params.umask))
		return
	}
	mask, ok := parseMode(arg)
	if !ok {
		s.reply(501, "SITE UMASK <octal mask up to 777>")
		return
	}
	s.params.umask = int(mask)
	s.reply(200, fmt.Sprintf("The umask is %03o.", mask))
}

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
