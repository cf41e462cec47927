package xmpp_test

import (
	"reflect"
	"strings"
	"testing"

	"trivium/xmpp"
)

func formIn(t testing.TB, children string) (*xmpp.Form, bool) {
	t.Helper()
	el, err := xmpp.ParseElement([]byte("<q xmlns='urn:q'>" + children + "</q>"))
	if err != nil {
		t.Fatal(err)
	}
	return el.Form()
}

func TestForm(t *testing.T) {
	const x = "<x xmlns='jabber:x:data' type='submit'>"
	field := func(name string, values ...string) xmpp.Field { return xmpp.Field{Var: name, Values: values} }
	tests := []struct {
		name, text string
		want       *xmpp.Form
		ok         bool
	}{
		{"none", "<y/>", nil, true},
		{"of another namespace", "<x xmlns='urn:y'/>", nil, true},
		{"empty", x + "</x>", &xmpp.Form{Type: "submit"}, true},
		{"kind", x + "<field var='a'><value>1</value></field><field var='FORM_TYPE' type='hidden'><value>urn:k</value></field></x>",
			&xmpp.Form{Type: "submit", Kind: "urn:k", Fields: []xmpp.Field{field("a", "1")}}, true},
		{"several values", x + "<field var='a'><value>1</value><value/><value>&lt;</value></field></x>",
			&xmpp.Form{Type: "submit", Fields: []xmpp.Field{field("a", "1", "", "<")}}, true},
		{"a field twice", x + "<field var='a'/><field var='a'><value>2</value></field></x>",
			&xmpp.Form{Type: "submit", Fields: []xmpp.Field{field("a"), field("a", "2")}}, true},
		{"what belongs to others", x + "text<y/><field xmlns='urn:y' var='b'/><field var='a'><value xmlns='urn:y'>1</value></field></x>",
			&xmpp.Form{Type: "submit", Fields: []xmpp.Field{field("a")}}, true},
		{"with a prefix", "<d:x xmlns:d='jabber:x:data' type='submit'><d:field var='a'><d:value>1</d:value></d:field></d:x>",
			&xmpp.Form{Type: "submit", Fields: []xmpp.Field{field("a", "1")}}, true},
		{"an element as value", x + "<field var='a'><value><b/></value></field></x>", nil, false},
		{"no kind", x + "<field var='FORM_TYPE'/></x>", nil, false},
		{"many fields", x + strings.Repeat("<field/>", 100) + "</x>", &xmpp.Form{Type: "submit", Fields: make([]xmpp.Field, 100)}, true},
		{"too many fields", x + strings.Repeat("<field/>", 101) + "</x>", nil, false},
		{"too many values", x + "<field>" + strings.Repeat("<value/>", 2001) + "</field></x>", nil, false},
		{"too many values in all", x + strings.Repeat("<field>"+strings.Repeat("<value/>", 21)+"</field>", 100) + "</x>", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := formIn(t, tt.text); ok != tt.ok || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v, want %+v, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestWriteForm(t *testing.T) {
	f := xmpp.Form{Type: xmpp.FormOpen, Kind: "urn:k", Title: "A & B", Instructions: "Do.", Extra: "<y/>",
		Fields: []xmpp.Field{{Var: "a", Type: "list-single", Label: "'A'", Required: true, Values: []string{"1\x00"},
			Options: []xmpp.Option{{Value: "1"}, {Label: "two", Value: "2"}}, Extra: "<z/>"}},
		Columns: []xmpp.Field{{Var: "c", Label: "C"}}, Rows: [][]string{{"x"}, {"<"}}}
	const want = "<x xmlns='jabber:x:data' type='form'><title>A &amp; B</title><instructions>Do.</instructions>" +
		"<field var='FORM_TYPE' type='hidden'><value>urn:k</value></field>" +
		"<field var='a' type='list-single' label='&apos;A&apos;'><required/><value>1\uFFFD</value>" +
		"<option><value>1</value></option><option label='two'><value>2</value></option><z/></field>" +
		"<reported><field var='c' label='C'></field></reported>" +
		"<item><field var='c'><value>x</value></field></item><item><field var='c'><value>&lt;</value></field></item><y/></x>"
	if got := string(f.Append(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// FuzzDataForm: what is read keeps to the bounds, and written and read again it is the same.
func FuzzDataForm(f *testing.F) {
	for _, seed := range []string{
		"<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:k</value></field><field var='a'><value>1</value><value>&#xA;</value></field></x>",
		"<x xmlns='jabber:x:data'><title/><reported><field var='a'/></reported><item><field var='a'><value>1</value></field></item></x>",
		"<d:x xmlns:d='jabber:x:data'><d:field><d:value><![CDATA[<]]></d:value></d:field></d:x>",
		"<x xmlns='jabber:x:data'><field var='FORM_TYPE'/></x>", "<x/>", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		el, err := xmpp.ParseElement([]byte("<q xmlns='urn:q'>" + text + "</q>"))
		if err != nil {
			return
		}
		form, ok := el.Form()
		if form == nil || !ok {
			return
		}
		values := 0
		for _, x := range form.Fields {
			values += len(x.Values)
		}
		if len(form.Fields) > 100 || values > 2000 {
			t.Fatalf("%d fields with %d values", len(form.Fields), values)
		}
		again, ok := formIn(t, string(form.Append(nil)))
		if !ok || !reflect.DeepEqual(form, again) {
			t.Errorf("%+v became %+v", form, again)
		}
	})
}

func TestPaging(t *testing.T) {
	none := xmpp.Paging{Max: -1}
	tests := []struct {
		name, set string
		want      xmpp.Paging
		ok        bool
	}{
		{"empty", "", none, true},
		{"forward", "<max> 10 </max><after>a b</after>", xmpp.Paging{Max: 10, After: "a b"}, true},
		{"from the end", "<max>0</max><before/>", xmpp.Paging{Max: 0, Backward: true}, true},
		{"backward", "<before>x</before>", xmpp.Paging{Max: -1, Before: "x", Backward: true}, true},
		{"by number", "<index>371</index>", xmpp.Paging{Max: -1, Index: true}, true},
		{"very many", "<max>5000000000</max>", xmpp.Paging{Max: 1<<31 - 1}, true},
		{"of another namespace", "<max xmlns='urn:y'>x</max>", none, true},
		{"less than none", "<max>-1</max>", none, false},
		{"no number", "<max>ten</max>", none, false},
		{"more than a number has room for", "<max>99999999999999999999</max>", none, false},
		{"an element as text", "<after><b/></after>", none, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			el, err := xmpp.ParseElement([]byte("<q xmlns='urn:q'><set xmlns='http://jabber.org/protocol/rsm'>" + tt.set + "</set></q>"))
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := el.Paging(); ok != tt.ok || ok && *got != tt.want {
				t.Errorf("got %+v, %v, want %+v, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
	el, err := xmpp.ParseElement([]byte("<q xmlns='urn:q'/>"))
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := el.Paging(); got != nil || !ok {
		t.Errorf("where nothing is asked: %+v, %v", got, ok)
	}
}

func TestResultSet(t *testing.T) {
	tests := []struct {
		name string
		set  xmpp.ResultSet
		want string
	}{
		{"nothing known", xmpp.ResultSet{Index: -1, Count: -1}, ""},
		{"a count", xmpp.ResultSet{Index: -1, Count: 0}, "<count>0</count>"},
		{"a page", xmpp.ResultSet{First: "a<", Last: "b", Index: -1, Count: -1}, "<first>a&lt;</first><last>b</last>"},
		{"all", xmpp.ResultSet{First: "a", Last: "b", Index: 0, Count: 7}, "<first index='0'>a</first><last>b</last><count>7</count>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, want := string(tt.set.Append(nil)), "<set xmlns='http://jabber.org/protocol/rsm'>"+tt.want+"</set>"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// FuzzPaging: whatever is in a set, what is read keeps to its bounds.
func FuzzPaging(f *testing.F) {
	for _, seed := range []string{"<max>1</max><before/><index>3</index>", "<max>99999999999</max><after>x</after>", "<max>x</max>", "<before>a</before>", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		el, err := xmpp.ParseElement([]byte("<q xmlns='urn:q'><set xmlns='http://jabber.org/protocol/rsm'>" + text + "</set></q>"))
		if err != nil {
			return
		}
		if p, ok := el.Paging(); ok && p != nil && (p.Max < -1 || p.Max > 1<<31-1 || p.Before != "" && !p.Backward) {
			t.Errorf("%q: %+v", text, p)
		}
	})
}
