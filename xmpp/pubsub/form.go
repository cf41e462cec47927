package pubsub

import (
	"trivium/xmpp"
)

// Bounds of forms that clients send.
const (
	maxFields = 100
	maxValues = 100
)

// form is a data form (XEP-0004) that a client sent.
type form struct {
	typ    string // form, submit, cancel or result
	kind   string // the value of FORM_TYPE
	fields []field
}

type field struct {
	name   string
	values []string
}

// value is the first value of a field, or "".
func (f field) value() string {
	if len(f.values) == 0 {
		return ""
	}
	return f.values[0]
}

// field finds a field.
func (f *form) field(name string) (field, bool) {
	for _, x := range f.fields {
		if x.name == name {
			return x, true
		}
	}
	return field{}, false
}

// readForm reads `<x xmlns='jabber:x:data'>`; false for what is no form, or more of one than is
// reasonable.
func readForm(el *xmpp.Element) (*form, bool) {
	f := &form{}
	f.typ, _ = el.Attr("type")
	for _, c := range el.Children {
		if c.Name.Space != nsData || c.Name.Local != "field" {
			continue
		}
		x, ok := readField(el, c)
		if !ok || len(f.fields) >= maxFields {
			return nil, false
		}
		if _, twice := f.field(x.name); twice {
			return nil, false
		}
		if x.name == "FORM_TYPE" {
			f.kind = x.value()
			continue
		}
		f.fields = append(f.fields, x)
	}
	return f, true
}

func readField(el *xmpp.Element, c xmpp.Child) (field, bool) {
	in, err := el.Child(c)
	if err != nil {
		return field{}, false
	}
	var x field
	x.name, _ = in.Attr("var")
	for _, c := range in.Children {
		if c.Name.Space != nsData || c.Name.Local != "value" {
			continue
		}
		v, err := in.Child(c)
		if err != nil || len(x.values) >= maxValues {
			return field{}, false
		}
		text, ok := v.Text()
		if !ok {
			return field{}, false
		}
		x.values = append(x.values, text)
	}
	return x, true
}

// formOf finds the form inside an element, such as `<configure/>`; ok is false where what is there
// is no form. f is nil where there is nothing.
func formOf(el *xmpp.Element) (f *form, ok bool) {
	if !el.Has(nsData, "x") {
		return nil, true
	}
	x, ok := el.Only(nsData, "x")
	if !ok {
		return nil, false
	}
	return readForm(x)
}

// openForm begins a form that the server sends.
func openForm(b []byte, typ, kind string) []byte {
	b = append(b, "<x xmlns='"+nsData+"' type='"+typ+"'><field var='FORM_TYPE' type='hidden'><value>"...)
	return append(append(b, kind...), "</value></field>"...)
}

// appendField writes a field; typ, label and options are for forms that are to be filled in.
func appendField(b []byte, name, typ, label string, options, values []string) []byte {
	b = xmpp.AppendAttr(append(b, "<field"...), "var", name)
	b = xmpp.AppendAttr(b, "type", typ)
	b = append(xmpp.AppendAttr(b, "label", label), '>')
	for _, o := range options {
		b = append(append(append(b, "<option><value>"...), xmpp.Escape(o)...), "</value></option>"...)
	}
	for _, v := range values {
		b = append(append(append(b, "<value>"...), xmpp.Escape(v)...), "</value>"...)
	}
	return append(b, "</field>"...)
}
