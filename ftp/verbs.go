package ftp

import (
	"sort"
	"strings"

	"trivium/files"
	"trivium/identity"
)

// need says what stands behind a verb.
type need uint8

const (
	nothing need = iota // an argument is ignored, as some clients send one
	maybe
	something
)

// Ruled reports whether a rule of the policy for a verb counts: there is such a verb or SITE command, and its
// rule is not that of another, as MKD's for XMKD.
func Ruled(name string) bool {
	if command, ok := strings.CutPrefix(name, "SITE "); ok {
		_, known := siteVerbs()[command]
		return known || siteRule(command) == removeAllRule
	}
	v, known := verbs()[name]
	return known && v.alias == "" || name == fxpVerb
}

// verb is one row of the table.
type verb struct {
	run    func(s *session, arg string)
	now    func(c *control, arg string) // may overtake a transfer when it comes without argument
	open   bool                         // works before log-in
	arg    need
	keep   bool                // REST and ALLO stay for the next command
	any    bool                // the argument may hold any bytes: it names nothing
	syntax string              // of the argument, for HELP
	feat   string              // the line in FEAT; "" for none
	alias  string              // the verb whose rule counts
	also   []identity.Resource // rules of verbs that do the same: they count too
}

// verbs is the table of commands.
func verbs() map[string]verb {
	return map[string]verb{
		// login.go
		"HOST": {run: (*session).host, open: true, arg: something, keep: true, syntax: "<name of the server>", feat: "HOST"},
		"USER": {run: (*session).user, open: true, arg: something, syntax: "<name>"},
		"PASS": {run: (*session).pass, open: true, arg: maybe, any: true, syntax: "<password>"},
		"ACCT": {run: answering(202, "No account is needed."), open: true, arg: maybe, syntax: "<account>"},
		"REIN": {run: (*session).rein, open: true},
		"QUIT": {run: (*session).quit, open: true},
		// auth.go
		"AUTH": {run: (*session).auth, open: true, arg: something, syntax: "TLS", feat: "AUTH TLS"},
		"CCC":  {run: (*session).clearControl, feat: "CCC"},
		"PBSZ": {run: (*session).bufferSize, open: true, arg: something, keep: true, syntax: "0", feat: "PBSZ"},
		"PROT": {run: (*session).protect, open: true, arg: something, keep: true, syntax: "C|P", feat: "PROT"},
		// here
		"NOOP": {run: onControl((*control).noop), now: (*control).noop, open: true, keep: true},
		"SYST": {run: answering(215, "UNIX Type: L8"), open: true, keep: true},
		"FEAT": {run: (*session).features, open: true, keep: true},
		"HELP": {run: (*session).help, open: true, arg: maybe, keep: true, any: true, syntax: "[<command>]"},
		"OPTS": {run: (*session).options, open: true, arg: something, keep: true, syntax: "UTF8 ON | MLST [<facts>] | HASH [<algorithm>]"},
		"CLNT": {run: (*session).client, open: true, arg: something, keep: true, syntax: "<name>", feat: "CLNT"},
		"CSID": {run: (*session).clientID, open: true, arg: something, keep: true, syntax: "Name=<client>;Version=<version>;", feat: "CSID"},
		"LANG": {run: (*session).lang, open: true, arg: maybe, keep: true, syntax: "[EN]", feat: "LANG EN*"},
		// path.go
		"PWD":  {run: (*session).pwd},
		"XPWD": {run: (*session).pwd, alias: "PWD"},
		"CWD":  {run: (*session).cwd, arg: something, syntax: "<folder>"},
		"XCWD": {run: (*session).cwd, arg: something, syntax: "<folder>", alias: "CWD"},
		"CDUP": {run: (*session).cdup},
		"XCUP": {run: (*session).cdup, alias: "CDUP"},
		"MKD":  {run: (*session).mkd, arg: something, syntax: "<folder>"},
		"XMKD": {run: (*session).mkd, arg: something, syntax: "<folder>", alias: "MKD"},
		"RMD":  {run: (*session).rmd, arg: something, syntax: "<folder>"},
		"XRMD": {run: (*session).rmd, arg: something, syntax: "<folder>", alias: "RMD"},
		"DELE": {run: (*session).dele, arg: something, syntax: "<file>"},
		"RNFR": {run: (*session).renameFrom, arg: something, syntax: "<old name>"},
		"RNTO": {run: (*session).renameTo, arg: something, syntax: "<new name>"},
		"AVBL": {run: (*session).available, arg: maybe, keep: true, syntax: "[<folder>]", feat: "AVBL"},
		"COMB": {run: (*session).combine, arg: something, syntax: "<file> <part>...", feat: "COMB", also: rules("ftp:RETR", "ftp:STOR", "ftp:DELE")},
		"SIZE": {run: (*session).size, arg: something, keep: true, syntax: "<file>", feat: "SIZE"},
		// mff.go
		"MDTM": {run: (*session).mdtm, arg: something, keep: true, syntax: "[YYYYMMDDHHMMSS] <file>", feat: "MDTM"},
		"MFCT": {run: (*session).mfct, arg: something, syntax: "YYYYMMDDHHMMSS <file>", feat: "MFCT"},
		"MFMT": {run: (*session).mfmt, arg: something, syntax: "YYYYMMDDHHMMSS <file>", feat: "MFMT"},
		"MFF":  {run: (*session).mff, arg: something, syntax: "<fact>=<value>;... <file>", feat: "MFF"},
		// hash.go
		"HASH":    {run: (*session).hash, arg: something, syntax: "<file>", feat: "HASH"},
		"MD5":     {run: (*session).md5, arg: something, syntax: "<file>", feat: "MD5", also: rules("ftp:HASH")},
		"XCRC":    hashRow("XCRC", files.CRC32),
		"XMD5":    hashRow("XMD5", files.MD5),
		"XSHA":    hashRow("XSHA", files.SHA1),
		"XSHA1":   hashRow("XSHA1", files.SHA1),
		"XSHA256": hashRow("XSHA256", files.SHA256),
		"XSHA512": hashRow("XSHA512", files.SHA512),
		// list.go
		"LIST": {run: (*session).list, arg: maybe, syntax: "[<folder>]"},
		"NLST": {run: (*session).nlst, arg: maybe, syntax: "[<folder>]"},
		"MLSD": {run: (*session).mlsd, arg: maybe, syntax: "[<folder>]"},
		"MLST": {run: (*session).mlst, arg: maybe, keep: true, syntax: "[<file>]", feat: "MLST"},
		"STAT": {run: (*session).status, now: (*control).stat, arg: maybe, keep: true, syntax: "[<file>]"},
		// data.go
		"TYPE": {run: (*session).typ, arg: something, keep: true, syntax: "A|I|L 8"},
		"MODE": {run: (*session).mode, arg: something, keep: true, syntax: "S or Z"},
		"STRU": {run: (*session).stru, arg: something, keep: true, syntax: "F"},
		"PASV": {run: (*session).pasv, keep: true},
		"EPSV": {run: (*session).epsv, arg: maybe, keep: true, syntax: "[1|2|ALL]", feat: "EPSV"},
		"PORT": {run: (*session).port, arg: something, keep: true, syntax: "h1,h2,h3,h4,p1,p2"},
		"EPRT": {run: (*session).eprt, arg: something, keep: true, syntax: "|1|address|port|", feat: "EPRT"},
		"REST": {run: (*session).restart, arg: something, keep: true, syntax: "<offset>", feat: "REST STREAM"},
		"RANG": {run: (*session).rang, arg: something, keep: true, syntax: "<first byte> <last byte>", feat: "RANG STREAM"},
		"ALLO": {run: (*session).allocate, arg: something, keep: true, syntax: "<bytes> [R <record size>]"},
		"RETR": {run: (*session).retr, arg: something, syntax: "<file>", feat: "TVFS"},
		"STOR": {run: (*session).stor, arg: something, syntax: "<file>"},
		"APPE": {run: (*session).appe, arg: something, syntax: "<file>"},
		"STOU": {run: (*session).stou, arg: maybe},
		"ABOR": {run: (*session).abortIdle, now: (*control).abort},
		// site.go
		"SITE": {run: (*session).site, arg: something, syntax: "<command>"},
	}
}

// known are the verbs of RFCs and of IANA's registry (RFC 5797) that are not done here: 502 and not
// 500.
var known = map[string]bool{"SMNT": true, "ADAT": true, "CONF": true, "ENC": true, "MIC": true,
	"LPRT": true, "LPSV": true, "XSEM": true, "XSEN": true, "XRSQ": true, "XRCP": true,
	"THMB": true, "DSIZ": true, "RMDA": true, "MMD5": true, "LOCK": true,
	"MAIL": true, "MLFL": true, "MSND": true, "MSOM": true, "MSAM": true, "MRSQ": true, "MRCP": true}

const notHere = "That command is not implemented here."

// hashRow is the row of a verb for checksums.
func hashRow(name string, a files.Algorithm) verb {
	return verb{run: hashing(name, a), arg: something, syntax: `"<file>" [<first byte> <end>]`, feat: name, also: rules("ftp:HASH")}
}

func answering(code int, text string) func(*session, string) {
	return func(s *session, _ string) { s.reply(code, text) }
}

func onControl(f func(*control, string)) func(*session, string) {
	return func(s *session, arg string) { f(&s.control, arg) }
}

// permitted reports whether a rule lets the session use a verb. What works before the log-in
// is not asked about: nobody holds a level then.
func (c *control) permitted(name string, v verb) bool {
	if v.alias != "" {
		name = v.alias
	}
	if v.open {
		return true
	}
	for _, r := range v.also {
		if !c.allowed(r) {
			return false
		}
	}
	return c.allowed(identity.Resource("ftp:" + name))
}

// allowed asks the policy table.
func (c *control) allowed(r identity.Resource) bool { return c.srv.identity.Allowed(c.ses, r) }

// offered reports whether FEAT and HELP name a verb: before the log-in whatever needs no more
// than one.
func (s *session) offered(name string, v verb) bool {
	switch {
	case name == "CCC" && !s.srv.clearable():
		return false
	case name == "AUTH":
		return s.srv.explicit()
	case name == "PBSZ", name == "PROT":
		return s.srv.tls != nil
	case v.open:
		return true
	case s.isLoggedIn():
		return s.permitted(name, v)
	}
	if v.alias != "" {
		name = v.alias
	}
	return s.holds(identity.Resource("ftp:"+name), 0) && s.holdsAll(v.also)
}

func (s *session) isLoggedIn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loggedIn
}

// run runs one command and gives exactly one last reply to it, now or, for a transfer, later.
func (s *session) run(c command) {
	v, ok := s.srv.verbs[c.verb]
	in := s.isLoggedIn()
	switch {
	case c.fault != "":
		s.reply(500, c.fault)
		return
	case !ok && known[c.verb]:
		s.reply(502, notHere)
		return
	case !ok:
		s.reply(500, "Unknown command.") // nothing of the line comes back
		return
	case !in && !v.open:
		s.reply(530, "Log in first, with USER and PASS.")
		return
	case in && !s.permitted(c.verb, v):
		s.reply(502, notHere)
		return
	case v.arg == something && c.arg == "":
		s.reply(501, "The command needs an argument: "+c.verb+" "+v.syntax)
		return
	case !v.any && !plain(c.arg):
		s.reply(501, "The argument must be UTF-8 without control characters.")
		return
	}
	s.given = s.pending
	switch {
	case !v.keep:
		s.pending = none()
	case c.verb != "NOOP":
		s.pending.rnfr = "" // RFC 959 section 4.1.3: RNTO must follow at once
	}
	s.verb = c.verb
	if v.alias != "" {
		s.verb = v.alias
	}
	v.run(s, c.arg)
}

// features is FEAT (RFC 2389 section 3).
func (s *session) features(string) {
	var all []string
	for name, v := range s.srv.verbs {
		if v.feat == "" || !s.offered(name, v) {
			continue
		}
		switch name {
		case "MLST":
			all = append(all, v.feat+" "+s.params.facts.feature())
		case "HASH":
			all = append(all, s.hashFeature())
		case "MFF":
			if f := s.mffFeature(); f != "" {
				all = append(all, f)
			}
		default:
			all = append(all, v.feat)
		}
	}
	if s.offered("SITE", s.srv.verbs["SITE"]) {
		for name, v := range s.srv.sites {
			if v.feat && s.siteOffered(name, v) {
				all = append(all, "SITE "+name)
			}
		}
	}
	if s.offered("MODE", s.srv.verbs["MODE"]) && s.holds(deflateRule, 0) {
		all = append(all, "MODE Z")
	}
	all = append(all, "UTF8")
	sort.Strings(all)
	s.replyLines(211, "Features:", all, "End.")
}

// help is HELP (RFC 959 section 4.1.3).
func (s *session) help(arg string) {
	name, rest, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(arg)), " ")
	if name == "SITE" && s.offered(name, s.srv.verbs[name]) {
		s.siteHelp(rest)
		return
	}
	if name != "" {
		v, ok := s.srv.verbs[name]
		if !ok || !s.offered(name, v) {
			s.reply(502, notHere)
			return
		}
		s.reply(214, strings.TrimSpace("Syntax: "+name+" "+v.syntax))
		return
	}
	var all []string
	for name, v := range s.srv.verbs {
		if s.offered(name, v) {
			all = append(all, name)
		}
	}
	sort.Strings(all)
	var rows []string
	for len(all) > 0 {
		n := min(8, len(all))
		rows = append(rows, strings.Join(all[:n], " "))
		all = all[n:]
	}
	s.replyLines(214, "These commands work:", rows, "HELP <command> gives its syntax.")
}
