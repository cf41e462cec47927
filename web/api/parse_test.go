package api

import (
	"reflect"
	"strings"
	"testing"
)

func FuzzParseTags(f *testing.F) {
	for _, s := range []string{`*`, `"a"`, `W/"a"`, `"a", "b"`, `,,"a",`, `"`, `W/`, `""`, "\"\x7f\"", `"a"b`, `*,"a"`, strings.Repeat(`"x",`, 65)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		x, ok := parseTags([]string{text})
		if !ok {
			if x.any {
				t.Error("no field, and any")
			}
			return
		}
		if x.any == (len(x.list) > 0) || len(x.list) > maxTags {
			t.Errorf("%q: %+v", text, x)
		}
		for _, tag := range x.list {
			weak := strings.HasPrefix(tag, "W/") && strings.Contains(text, "W/")
			head, _, _ := strings.Cut(tag, ".")
			if !weak && !x.holds(head) || !x.same(strings.TrimPrefix(tag, "W/")) {
				t.Errorf("%q: %q does not meet itself", text, tag)
			}
		}
	})
}

func FuzzParseCursor(f *testing.F) {
	list := listOf("list-groups", nil)
	f.Add(cursorText(list, place{3, []byte("12345678")}))
	f.Add(cursorText(list, place{0, nil}))
	f.Add("")
	f.Add("AQ")
	f.Add("////")
	f.Fuzz(func(t *testing.T, text string) {
		at, err := parseCursor(text, list)
		if err != nil || text == "" {
			return
		}
		if at.index < 0 {
			t.Errorf("%q: %+v", text, at)
		}
		again, err := parseCursor(cursorText(list, at), list)
		if err != nil || again.index != at.index || string(again.key) != string(at.key) {
			t.Errorf("%q: %+v and %+v, %v", text, at, again, err)
		}
		if _, err := parseCursor(text, listOf("list-users", nil)); err == nil {
			t.Errorf("%q is good in another list", text)
		}
		x := exchange{page: pageAsk{limit: 2, from: at, list: list}, header: map[string][]string{}, query: map[string][]string{}}
		if n := x.cut(reflect.ValueOf([]string{"a", "b", "c"})).Len(); n > 2 {
			t.Errorf("a page of %d", n)
		}
	})
}
