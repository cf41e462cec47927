package ftp

import (
	"strings"

	"trivium/identity"
)

// options is OPTS (RFC 2389 section 4), of the verbs that have any. What a rule hides is as unknown
// as what is not there.
func (s *session) options(arg string) {
	name, value, _ := strings.Cut(arg, " ")
	value = strings.TrimSpace(value)
	switch name = strings.ToUpper(name); {
	case name == "UTF8", name == "UTF-8":
		if strings.EqualFold(value, "OFF") {
			s.reply(504, "Names are always UTF-8.") // RFC 2640 section 2.1
			return
		}
		s.reply(200, "Names are UTF-8.")
	case name == "MLST" && s.offered(name, s.srv.verbs[name]):
		s.params.facts = parseFacts(value)
		s.reply(200, strings.TrimSpace("MLST OPTS "+s.params.facts.names())) // RFC 3659 section 7.9
	case name == "HASH" && s.offered(name, s.srv.verbs[name]):
		s.optsHash(value)
	case name == "MODE" && s.offered(name, s.srv.verbs[name]) && s.holds(deflateRule, 0):
		s.optsMode(value)
	default:
		s.reply(501, "That command has no options.")
	}
}

// longestClient bounds what a client may say about itself, in characters.
const longestClient = 200

// client is CLNT: which program it is.
func (s *session) client(arg string) {
	s.noteClient(arg)
	s.reply(200, "Noted.")
}

func (s *session) noteClient(text string) {
	name := []rune(printable(strings.TrimSpace(text)))
	name = name[:min(len(name), longestClient)]
	s.ses.Update(func(d *identity.Details) { d.UserAgent = string(name) })
}

// clientID is CSID (draft-peterson-streamlined-ftp-command-extensions-10 section 5): the client
// says who it is, and so does the server, but for its version, which is nobody's business. Facts
// that make no sense are passed over, as the draft wants.
func (s *session) clientID(arg string) {
	facts := parseClientID(arg)
	if name := facts["name"]; name != "" {
		s.noteClient(name + " " + facts["version"])
	}
	s.reply(200, "Name=Trivium;CaseSensitive=1;DirSep=/;")
}

// parseClientID reads the facts of CSID; their names come in lower case.
func parseClientID(arg string) map[string]string {
	facts := make(map[string]string)
	for fact := range strings.SplitSeq(arg, ";") {
		name, value, ok := strings.Cut(fact, "=")
		if name = strings.ToLower(strings.TrimSpace(name)); ok && name != "" {
			facts[name] = strings.TrimSpace(value)
		}
	}
	return facts
}

// lang is LANG (RFC 2640 section 4.1): English it is, in whatever variant.
func (s *session) lang(arg string) {
	tag, ok := parseTag(arg)
	switch {
	case !ok:
		s.reply(501, "LANG <language tag>")
	case tag != "" && tag != "en":
		s.reply(504, "Replies come in English alone.")
	default:
		s.ses.Update(func(d *identity.Details) { d.Lang = "en" })
		s.reply(200, "Replies come in English.")
	}
}

// parseTag checks a language tag (RFC 2640 section 4.2) and gives its primary one in lower case; ""
// is the server's default.
func parseTag(arg string) (primary string, ok bool) {
	if arg == "" {
		return "", true
	}
	const longest = 8
	tags := strings.Split(strings.ToLower(arg), "-")
	for i, t := range tags {
		// RFC 1766 has letters alone; later tags have digits behind the first.
		if t == "" || len(t) > longest || strings.Trim(t, "abcdefghijklmnopqrstuvwxyz") != "" && (i == 0 || strings.Trim(t, "abcdefghijklmnopqrstuvwxyz0123456789") != "") {
			return "", false
		}
	}
	return tags[0], true
}
