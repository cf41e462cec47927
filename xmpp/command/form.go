package command

import (
	"slices"
	"strings"

	"trivium/xmpp"
)

const nsForms = "jabber:x:data"

// Form is a data form (XEP-0004 2.13.1): one to fill in, or with Result one that tells.
type Form struct {
	Title        string
	Instructions string
	Type         string // FORM_TYPE (XEP-0068); "" for none
	Result       bool
	Fields       []Field
	Columns      []Field // of a table
	Rows         [][]string
	Extra        string // a whole element at the end
}

// Field is one field of a form.
type Field struct {
	Var      string
	Label    string
	Type     string // "" leaves it out
	Required bool
	Values   []string
	Options  []Option
}

// Option is a value that may be chosen.
type Option struct{ Label, Value string }

func (f *Form) appendTo(b []byte) []byte {
	typ := "form"
	if f.Result {
		typ = "result"
	}
	b = append(append(append(b, "<x xmlns='"+nsForms+"' type='"...), typ...), "'>"...)
	b = appendText(b, "title", f.Title)
	b = appendText(b, "instructions", f.Instructions)
	if f.Type != "" {
		b = (&Field{Var: "FORM_TYPE", Type: "hidden", Values: []string{f.Type}}).appendTo(b)
	}
	for i := range f.Fields {
		b = f.Fields[i].appendTo(b)
	}
	if len(f.Columns) > 0 {
		b = append(b, "<reported>"...)
		for i := range f.Columns {
			b = f.Columns[i].appendTo(b)
		}
		b = append(b, "</reported>"...)
	}
	for _, row := range f.Rows {
		b = append(b, "<item>"...)
		for i, value := range row {
			b = (&Field{Var: f.Columns[i].Var, Values: []string{value}}).appendTo(b)
		}
		b = append(b, "</item>"...)
	}
	return append(append(b, f.Extra...), "</x>"...)
}

func (f *Field) appendTo(b []byte) []byte {
	b = xmpp.AppendAttr(append(b, "<field"...), "var", f.Var)
	b = xmpp.AppendAttr(b, "type", f.Type)
	b = append(xmpp.AppendAttr(b, "label", f.Label), '>')
	if f.Required {
		b = append(b, "<required/>"...)
	}
	for _, v := range f.Values {
		b = appendWhole(b, "value", v)
	}
	for _, o := range f.Options {
		b = append(xmpp.AppendAttr(append(b, "<option"...), "label", xmpp.CleanText(o.Label)), '>')
		b = append(appendWhole(b, "value", o.Value), "</option>"...)
	}
	return append(b, "</field>"...)
}

func appendText(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	return appendWhole(b, name, text)
}

func appendWhole(b []byte, name, text string) []byte {
	b = append(append(append(b, '<'), name...), '>')
	b = append(b, xmpp.Escape(xmpp.CleanText(text))...)
	return append(append(append(b, "</"...), name...), '>')
}

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
func (v Values) Yes(name string) bool { return v.One(name) == "1" || v.One(name) == "true" }

// submitted reads the form in a command; nil where it has none.
func submitted(el *xmpp.Element) (Values, error) {
	c, ok := el.Find(nsForms, "x")
	if !ok {
		return nil, nil
	}
	var x struct {
		Fields []struct {
			Var    string   `xml:"var,attr"`
			Values []string `xml:"value"`
		} `xml:"field"`
	}
	if err := el.DecodeChild(c, &x); err != nil {
		return nil, err
	}
	v := Values{}
	for _, f := range x.Fields {
		v[f.Var] = append(v[f.Var], f.Values...)
	}
	return v, nil
}
