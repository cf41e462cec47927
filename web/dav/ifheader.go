package dav

import "strings"

// maxConditions bounds the If header: each condition costs a look at the tree.
const maxConditions = 64

// ifList is one list of the If header: all its conditions must hold (RFC 4918 section 10.4).
type ifList struct {
	resource string // the tag's address; "" is the request's own
	all      []ifCondition
}

// ifCondition is a state token or an entity tag.
type ifCondition struct {
	not   bool
	token string // without its brackets; "" of an entity tag
	etag  string // with its quotes
}

// parseIf reads the If header: either lists without a tag, or tags with lists each.
func parseIf(s string) (lists []ifList, ok bool) {
	tag, tagged, lonely := "", false, false
	conditions := 0
	for s = blank(s); s != ""; s = blank(s) {
		switch s[0] {
		case '<':
			if lonely || len(lists) > 0 && !tagged {
				return nil, false // a tag without a list, or after lists that have none
			}
			if tag, s, ok = until(s[1:], '>'); !ok || tag == "" {
				return nil, false
			}
			tagged, lonely = true, true
		case '(':
			var l ifList
			if l.all, s, ok = parseList(s[1:]); !ok {
				return nil, false
			}
			l.resource, lonely = tag, false
			if conditions += len(l.all); conditions > maxConditions {
				return nil, false
			}
			lists = append(lists, l)
		default:
			return nil, false
		}
	}
	return lists, len(lists) > 0 && !lonely
}

// parseList reads conditions up to the closing parenthesis.
func parseList(s string) (all []ifCondition, rest string, ok bool) {
	for {
		var c ifCondition
		if s = blank(s); len(s) > 3 && strings.EqualFold(s[:3], "not") {
			c.not, s = true, blank(s[3:])
		}
		if s == "" {
			return nil, "", false
		}
		switch s[0] {
		case ')':
			return all, s[1:], len(all) > 0 && !c.not
		case '<':
			if c.token, s, ok = until(s[1:], '>'); !ok || c.token == "" {
				return nil, "", false
			}
		case '[':
			if c.etag, s, ok = until(s[1:], ']'); !ok || c.etag == "" {
				return nil, "", false
			}
		default:
			return nil, "", false
		}
		all = append(all, c)
	}
}

func until(s string, end byte) (head, rest string, ok bool) {
	i := strings.IndexByte(s, end)
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

func blank(s string) string { return strings.TrimLeft(s, " \t") }
