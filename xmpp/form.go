package xmpp

import "slices"

// nsForms is that of data forms (XEP-0004).
const nsForms = "jabber:x:data"

// Types of forms (XEP-0004 section 3.1).
const (
	FormOpen   = "form"   // to be filled in
	FormSubmit = "submit" // filled in
	FormCancel = "cancel" // not to be filled in
	FormResult = "result" // tells something
)

// Bounds of a form that somebody else sends.
const (
	maxFormFields = 100
	maxFormValues = 2000 // of all fields together
)

// formKind is the name of the field that says what a form is about (XEP-0068).
const formKind = "FORM_TYPE"

// Form is a data form (XEP-0004 2.13.2).
type Form struct {
	Type         string // FormOpen, FormSubmit, FormCancel or FormResult; anything where it was read
	Kind         string // value of FORM_TYPE (XEP-0068), which does not stand in Fields; "" for none
	Title        string // written, not read, as are those that follow but Fields
	Instructions string
	Fields       []Field
	Columns      []Field    // of a table (XEP-0004 section 3.4)
	Rows         [][]string // each as long as Columns
	Extra        string     // whole elements of other namespaces, at the end
}

// Field is one field of a form. Of one that was read only Var and Values are there.
type Field struct {
	Var      string
	Label    string
	Type     string // "" leaves it out
	Required bool
	Values   []string
	Options  []Option
	Extra    string // whole elements of other namespaces, at the end
}

// Option is a value that may be chosen.
type Option struct{ Label, Value string }

// Value is the first value, or "".
func (f Field) Value() string {
	if len(f.Values) == 0 {
		return ""
	}
	return f.Values[0]
}

// Field finds the first field of a name.
func (f *Form) Field(name string) (Field, bool) {
	i := slices.IndexFunc(f.Fields, func(x Field) bool { return x.Var == name })
	if i < 0 {
		return Field{}, false
	}
	return f.Fields[i], true
}

// Form reads the form that is a child of an element such as `<configure/>`. f is nil where there is
// none; ok is false where what is there cannot be read, as [ReadForm] says.
func (e *Element) Form() (f *Form, ok bool) {
	if !e.Has(nsForms, "x") {
		return nil, true
	}
	x, ok := e.Only(nsForms, "x")
	if !ok {
		return nil, false
	}
	return ReadForm(x)
}

// ReadForm reads `<x xmlns='jabber:x:data'>`: its type, its kind and its fields with their values.
// Fields stand as they came, two of one name as two. It is false for more than 100 fields or 2,000
// values, for a value that is not text, and for a FORM_TYPE that has none. The names of fields are
// parts of the element's bytes, as [Element] says.
func ReadForm(el *Element) (*Form, bool) {
	f := &Form{}
	f.Type, _ = el.Attr("type")
	values := 0
	for _, c := range el.Children {
		if c.Name.Space != nsForms || c.Name.Local != "field" {
			continue
		}
		x, ok := readField(el, c)
		values += len(x.Values)
		if !ok || len(f.Fields) >= maxFormFields || values > maxFormValues {
			return nil, false
		}
		if x.Var == formKind {
			if f.Kind = x.Value(); f.Kind == "" {
				return nil, false
			}
			continue
		}
		f.Fields = append(f.Fields, x)
	}
	return f, true
}

func readField(form *Element, c Child) (Field, bool) {
	el, err := form.Child(c)
	if err != nil {
		return Field{}, false
	}
	var x Field
	x.Var, _ = el.Attr("var")
	for _, c := range el.Children {
		if c.Name.Space != nsForms || c.Name.Local != "value" {
			continue
		}
		v, err := el.Child(c)
		if err != nil || len(x.Values) >= maxFormValues {
			return Field{}, false
		}
		text, ok := v.Text()
		if !ok {
			return Field{}, false
		}
		x.Values = append(x.Values, text)
	}
	return x, true
}

// Append appends the form as an element. Text in it may be any: what XML cannot hold is replaced.
func (f *Form) Append(b []byte) []byte {
	b = AppendAttr(append(b, "<x xmlns='"+nsForms+"'"...), "type", f.Type)
	b = append(b, '>')
	if f.Title != "" {
		b = appendText(b, "title", f.Title)
	}
	if f.Instructions != "" {
		b = appendText(b, "instructions", f.Instructions)
	}
	if f.Kind != "" {
		b = (&Field{Var: formKind, Type: "hidden", Values: []string{f.Kind}}).append(b)
	}
	for i := range f.Fields {
		b = f.Fields[i].append(b)
	}
	if len(f.Columns) > 0 {
		b = append(b, "<reported>"...)
		for i := range f.Columns {
			b = f.Columns[i].append(b)
		}
		b = append(b, "</reported>"...)
	}
	for _, row := range f.Rows {
		b = append(b, "<item>"...)
		for i, value := range row {
			b = (&Field{Var: f.Columns[i].Var, Values: []string{value}}).append(b)
		}
		b = append(b, "</item>"...)
	}
	return append(append(b, f.Extra...), "</x>"...)
}

// append writes the children in the order of the schema (XEP-0004 section 10).
func (x *Field) append(b []byte) []byte {
	b = AppendAttr(append(b, "<field"...), "var", CleanText(x.Var))
	b = AppendAttr(b, "type", x.Type)
	b = append(AppendAttr(b, "label", CleanText(x.Label)), '>')
	if x.Required {
		b = append(b, "<required/>"...)
	}
	for _, v := range x.Values {
		b = appendText(b, "value", v)
	}
	for _, o := range x.Options {
		b = append(AppendAttr(append(b, "<option"...), "label", CleanText(o.Label)), '>')
		b = append(appendText(b, "value", o.Value), "</option>"...)
	}
	return append(append(b, x.Extra...), "</field>"...)
}

// appendText appends an element that has text alone.
func appendText(b []byte, name, text string) []byte {
	b = append(append(append(b, '<'), name...), '>')
	b = append(b, Escape(CleanText(text))...)
	return append(append(append(b, "</"...), name...), '>')
}

// ParseBool reads a boolean of XML Schema, as fields of forms and attributes have it; ok is false for
// what is none.
func ParseBool(s string) (value, ok bool) {
	switch s {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}
