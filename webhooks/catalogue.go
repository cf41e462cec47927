package webhooks

import "strings"

// Family is events whose names begin alike; a subscription to Name.* has them all, with those to come.
type Family struct {
	Name   string   `json:"name"`
	Events []string `json:"events"`
}

// Catalogue lists the events that the server records, by families. A subscription may have other names
// too: what a later version, or a program by the REST interface, records.
func Catalogue() []Family {
	var list []Family
	for _, line := range []string{
		"login: ok fail throttled factor", "logout:", "session: end message signout", "device: new",
		"user: add set remove import export picture", "level: set", "password: set reset upgrade must_change", "reset: ask", "notice: set",
		"factor: add remove clone", "token: issue revoke", "link: add remove", "certificate: add remove import selfsigned renew",
		"alias: add remove", "group: add set remove", "member: add remove", "invite: add use revoke",
		"application: add set remove secret key grant refuse replay end", "source: set sync logout",
		"announcement: publish end", "maintenance: on off",
		"ban: add lift allow disallow", "policy: set unset", "setting: set unset", "config: reload",
		"share: add end", "transfer: stop", "backup: ok create verify stop download remove restore",
		"server: stop restart", "doctor: fix", "audit: broken lost expire export", "chat: report", "webhook: add set rotate remove off",
	} {
		name, events, _ := strings.Cut(line, ":")
		f := Family{Name: name}
		for _, e := range strings.Fields(events) {
			f.Events = append(f.Events, name+"."+e)
		}
		if len(f.Events) == 0 {
			f.Events = []string{name}
		}
		list = append(list, f)
	}
	return list
}
