package command

import (
	"slices"
	"strings"

	"trivium/xmpp"
)

// Values are what somebody has filled in.
type Values map[string][]string

// One is the first value of a field without spaces around it.
func (v Values) One(name string) string {
	if len(v[name]) == 0 {
		return ""
	}
	return strings.TrimSpace(v[name][0])
}

// Lines are the values of a field that are not empty, each once.
func (v Values) Lines(name string) []string {
	var list []string
	for _, line := range v[name] {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(list, line) {
			list = append(list, line)
		}
	}
	return list
}

// Yes reads a boolean.
func (v Values) Yes(name string) bool {
	yes, _ := xmpp.ParseBool(v.One(name))
	return yes
}

// submitted reads the form in a command; nil where it has none, false where it cannot be read.
func submitted(el *xmpp.Element) (Values, bool) {
	f, ok := el.Form()
	if f == nil {
		return nil, ok
	}
	v := Values{}
	for _, x := range f.Fields {
		v[x.Var] = append(v[x.Var], x.Values...)
	}
	return v, true
}
