package identity

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// modelRule is a rule as docs/accounts.md tells of it, read in the simplest way.
type modelRule struct {
	text, kind, verb string // verb: of ftp
	path             []string
	bare             bool // of ftp: no path
	who              string
	level            Level
}

func (r modelRule) scope() int {
	for i, s := range []string{"user:", "group:", "class:"} {
		if strings.HasPrefix(r.who, s) {
			return i
		}
	}
	return 3
}

func (r modelRule) verbScope() int {
	switch r.verb {
	case "ALL", "*":
		return 2
	case "WRITE", "READ", "DIRS":
		return 1
	}
	return 0
}

func (r modelRule) literals() (n int) {
	for _, s := range r.path {
		if s != "*" && s != "**" {
			n++
		}
	}
	return n
}

func (r modelRule) rest() bool { return len(r.path) > 0 && r.path[len(r.path)-1] == "**" }

func (r modelRule) says(verb string, path []string, who subject) bool {
	if r.kind == kindFTP && r.verb != verb && r.verb != "*" && r.verb != "ALL" && !slices.Contains(verbGroups[r.verb], verb) {
		return false
	}
	for i, s := range r.path {
		if s == "**" {
			path = path[:i]
			break
		}
		if i >= len(path) || s != "*" && s != path[i] {
			return false
		}
	}
	if !r.rest() && len(path) != len(r.path) {
		return false
	}
	kind, name, _ := strings.Cut(r.who, ":")
	name, domain, far := strings.Cut(name, "@")
	if !far {
		domain = "example.org"
	}
	switch kind {
	case "user":
		return who.anonymous && name == "anonymous" || !who.anonymous && string(who.login) == name && who.domain == domain
	case "group":
		return who.login != "" && who.domain == domain && (who.group == name || slices.Contains(who.groups, name))
	case "class":
		return who.class == name
	}
	return true
}

// model finds what is required without any order made before: the best of all rules that say something.
func model(rules []modelRule, kind, verb string, path []string, bare bool, who subject) (best *modelRule) {
	for i := range rules {
		r := &rules[i]
		if r.kind != kind || r.bare != bare || !r.says(verb, path, who) {
			continue
		}
		if best == nil || r.before(best) {
			best = r
		}
	}
	return best
}

func (r modelRule) before(o *modelRule) bool {
	whole := func(rest bool) int {
		if rest {
			return 0
		}
		return 1
	}
	for _, pair := range [][2]int{{o.scope(), r.scope()}, {r.literals(), o.literals()}, {whole(r.rest()), whole(o.rest())},
		{len(r.path), len(o.path)}, {o.verbScope(), r.verbScope()}, {int(r.level), int(o.level)}} {
		if pair[0] != pair[1] {
			return pair[0] > pair[1]
		}
	}
	return false
}

// The table answers as the documentation tells it, for any rules.
func TestPolicyIsAsTold(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		pick := func(list ...string) string { return list[r.IntN(len(list))] }
		path := func(wild bool) (out []string) {
			for range 1 + r.IntN(3) {
				if wild && r.IntN(3) == 0 {
					out = append(out, "*")
				} else {
					out = append(out, pick("a", "b"))
				}
			}
			if wild && r.IntN(2) == 0 {
				out[len(out)-1] = "**"
			}
			return out
		}
		var rules []modelRule
		texts := map[string]string{}
		for range 1 + r.IntN(12) {
			m := modelRule{kind: pick(kindFTP, kindFTP, kindFile), level: Levels()[r.IntN(len(Levels()))]}
			m.who = pick("", "", "user:alice", "user:anonymous", "group:staff", "group:ants", "class:lan", "user:alice@example.net", "group:staff@example.net")
			m.text = m.kind + ":"
			if m.kind == kindFTP {
				m.verb, m.bare = pick("STOR", "RETR", "WRITE", "READ", "ALL", "*"), r.IntN(3) == 0
				m.text += m.verb
			}
			if !m.bare {
				if m.path = path(true); m.kind == kindFTP {
					m.text += ":"
				}
				m.text += "/" + strings.Join(m.path, "/")
			}
			if m.who != "" {
				m.text += " for " + m.who
			}
			if _, twice := texts[m.text]; twice {
				continue
			}
			texts[m.text] = m.level.String()
			if m.level == LevelNobody {
				texts[m.text] = "never"
			}
			rules = append(rules, m)
		}
		p := testPolicy(t, texts)
		for _, who := range []subject{{}, {anonymous: true, class: "lan"}, {login: "alice", domain: "example.org", group: "alice", groups: []string{"ants"}},
			{login: "alice", domain: "example.net", group: "staff"}, {login: "bob", domain: "example.org", groups: []string{"staff", "ants"}, class: "lan"}} {
			for range 12 {
				at, verb := path(false), pick("STOR", "RETR", "NOOP")
				want := LevelNone
				if m := model(rules, kindFile, "", at, false, who); m != nil {
					want = m.level
				}
				file := Resource("file:/" + strings.Join(at, "/"))
				if got := p.required(who, file); got.Level != want {
					t.Fatalf("%v: %s for %+v: %v by %q, want %v", texts, file, who, got.Level, got.Pattern, want)
				}
				want = LevelLoggedIn
				if m := model(rules, kindFTP, verb, nil, true, who); m != nil {
					want = m.level
				}
				if got := p.required(who, Resource("ftp:"+verb)); got.Level != want {
					t.Fatalf("%v: %s for %+v: %v by %q, want %v", texts, verb, who, got.Level, got.Pattern, want)
				}
				if m := model(rules, kindFTP, verb, at, false, who); m != nil {
					want = max(want, m.level)
				}
				ftp := Resource(fmt.Sprintf("ftp:%s:/%s", verb, strings.Join(at, "/")))
				if got := p.required(who, ftp); got.Level != want {
					t.Fatalf("%v: %s for %+v: %v by %q, want %v", texts, ftp, who, got.Level, got.Pattern, want)
				}
			}
		}
	}
}
