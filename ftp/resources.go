package ftp

import (
	"slices"
	"strings"

	"trivium/identity"
)

// Resources lists what rules of the policy can be about here: the verbs that have rules of their own, the
// SITE commands, and what else is asked about by name. Verbs that work before the log-in are not asked
// about at all.
func Resources() []identity.Known {
	var out []identity.Known
	add := func(r identity.Resource, text string, own identity.Level) {
		k := identity.Known{Resource: r, Group: identity.GroupFTP, Text: text}
		if own != 0 {
			k.Own = &own
		}
		out = append(out, k)
	}
	for name, v := range verbs() {
		switch {
		case v.alias != "":
		case v.open:
			out = append(out, identity.Known{Resource: identity.Resource("ftp:" + name), Group: identity.GroupFTP,
				Text: strings.TrimSpace(name + " " + v.syntax), Fixed: true})
		default:
			add(identity.Resource("ftp:"+name), strings.TrimSpace(name+" "+v.syntax), 0)
		}
	}
	for name, v := range siteVerbs() {
		add(siteRule(name), strings.TrimSpace("SITE "+name+" "+v.syntax), v.level)
	}
	add(removeAllRule, "SITE RMDIR -r: a folder with all in it", removeAllLevel)
	add(deflateRule, "MODE Z: compressed transfers", 0)
	add("ftp:"+fxpVerb, "data connections to other hosts, where the class allows them too", 0)
	slices.SortFunc(out, func(a, b identity.Known) int { return strings.Compare(string(a.Resource), string(b.Resource)) })
	return out
}
