package ftp

import (
	"sort"
	"strings"

	"trivium/identity"
)

// siteVerb is one row of the SITE table.
type siteVerb struct {
	run    func(s *session, arg string)
	syntax string
	level  identity.Level      // the default of its rule where it is not that of all verbs
	also   []identity.Resource // the rules of verbs that do the same: they count too
	feat   bool                // FEAT names it
	chat   bool                // only where there is a chat
}

// siteVerbs is the table of SITE; its rules are ftp:SITE and ftp:SITE <NAME>.
func siteVerbs() map[string]siteVerb {
	return map[string]siteVerb{
		// here
		"HELP": {run: (*session).siteHelp, syntax: "[<command>]"},
		// site_attr.go
		"CHMOD": {run: (*session).siteChmod, syntax: "<mode> <path>"},
		"CHGRP": {run: (*session).siteChgrp, syntax: "<group> <path>"},
		"CHOWN": {run: (*session).siteChown, syntax: "<owner>[:<group>] <path>", level: identity.LevelRoot},
		"UMASK": {run: (*session).siteUmask, syntax: "[<octal mask>]"},
		"UTIME": {run: (*session).siteUtime, syntax: "YYYYMMDDhhmm[ss] <path>", also: rules("ftp:MFMT"), feat: true},
		// site_copy.go
		"COPY":    {run: (*session).siteCopy, syntax: "<from> <to>", also: rules("ftp:RETR", "ftp:STOR"), feat: true},
		"CPFR":    {run: (*session).siteCopyFrom, syntax: "<from>", also: rules("ftp:SITE COPY", "ftp:RETR", "ftp:STOR")},
		"CPTO":    {run: (*session).siteCopyTo, syntax: "<to>", also: rules("ftp:SITE COPY", "ftp:RETR", "ftp:STOR")},
		"SYMLINK": {run: (*session).siteSymlink, syntax: "<target> <link>", feat: true},
		// site_dir.go
		"MKDIR": {run: (*session).siteMkdir, syntax: "[-p] <path>", also: rules("ftp:MKD"), feat: true},
		"RMDIR": {run: (*session).siteRmdir, syntax: "<path>", also: rules("ftp:RMD"), feat: true},
		// site_info.go
		"IDLE":  {run: (*session).siteIdle, syntax: "[<seconds>]"},
		"QUOTA": {run: (*session).siteQuota, syntax: "[<path>]"},
		"WHO":   {run: (*session).siteWho},
		"ZONE":  {run: (*session).siteZone},
		// site_chat.go
		"INVITE": {run: (*session).siteInvite, syntax: "<user> <room>", chat: true},
		"MSG":    {run: (*session).siteMsg, syntax: "<user> <text>", chat: true},
	}
}

func rules(all ...identity.Resource) []identity.Resource { return all }

func siteRule(name string) identity.Resource { return identity.Resource("ftp:SITE " + name) }

func (s *session) site(arg string) {
	name, rest, _ := strings.Cut(arg, " ")
	name = strings.ToUpper(name)
	v, ok := s.srv.sites[name]
	if !ok || !s.siteOffered(name, v) {
		s.reply(502, notHere)
		return
	}
	s.verb = "SITE " + name
	v.run(s, rest)
}

// siteOffered reports whether a SITE verb is there for the session; before the log-in whatever
// needs no more than one.
func (s *session) siteOffered(name string, v siteVerb) bool {
	if v.chat && s.srv.chat == nil {
		return false
	}
	return s.holds(siteRule(name), v.level) && s.holdsAll(v.also)
}

// holdsAll asks several rules.
func (s *session) holdsAll(all []identity.Resource) bool {
	for _, r := range all {
		if !s.holds(r, 0) {
			return false
		}
	}
	return true
}

// holds asks the rule of a resource whose default is def, where that is not 0.
func (s *session) holds(r identity.Resource, def identity.Level) bool {
	var defs []identity.Level
	if def != 0 {
		defs = append(defs, def)
	}
	if !s.isLoggedIn() {
		return identity.LevelLoggedIn.Allows(s.srv.identity.Required(r, defs...))
	}
	return s.ses.Level().Allows(s.srv.identity.RequiredOf(s.ses, r, defs...))
}

// LevelOf returns the level that a SITE command asks where no rule says anything else; false where
// it is that of all verbs.
func LevelOf(r identity.Resource) (identity.Level, bool) {
	if strings.EqualFold(string(r), string(removeAllRule)) {
		return removeAllLevel, true
	}
	name, ok := strings.CutPrefix(strings.ToUpper(string(r)), "FTP:SITE ")
	v := siteVerbs()[name]
	return v.level, ok && v.level != 0
}

func (s *session) siteHelp(arg string) {
	if name := strings.ToUpper(strings.TrimSpace(arg)); name != "" {
		v, ok := s.srv.sites[name]
		if !ok || !s.siteOffered(name, v) {
			s.reply(502, notHere)
			return
		}
		s.reply(214, strings.TrimSpace("Syntax: SITE "+name+" "+s.siteSyntax(name, v)))
		return
	}
	var all []string
	for name, v := range s.srv.sites {
		if s.siteOffered(name, v) {
			all = append(all, strings.TrimSpace(name+" "+s.siteSyntax(name, v)))
		}
	}
	sort.Strings(all)
	s.replyLines(214, "These SITE commands work:", all, "End.")
}

// siteSyntax is the syntax as far as the session may use it.
func (s *session) siteSyntax(name string, v siteVerb) string {
	if name == "RMDIR" && s.mayRemoveAll() {
		return "[-r] " + v.syntax
	}
	return v.syntax
}
