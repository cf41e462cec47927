package api

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"trivium/identity"
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

func FuzzParseOnceKey(f *testing.F) {
	for _, s := range []string{`"a"`, `a`, `""`, `"`, `"\""`, `"\\"`, `"\x"`, `a b`, "\"\x00\"", strings.Repeat("a", 256)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, ok := parseOnceKey([]string{text})
		if !ok {
			return
		}
		if key == "" || len(key) > maxOnceKey {
			t.Errorf("%q is the key %q", text, key)
		}
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
		if again, ok := parseOnceKey([]string{quoted}); !ok || again != key {
			t.Errorf("%q: %q is read as %q", text, quoted, again)
		}
		if _, ok := parseOnceKey([]string{text, text}); ok {
			t.Error("two keys")
		}
	})
}

// What was begun and never answered has an unknown outcome, and is never done again.
func TestOnceUnknown(t *testing.T) {
	a := &API{now: func() time.Time { return time.Unix(10_000, 0) }}
	k := &onceKeeper{}
	for name, tt := range map[string]struct {
		at   int64
		code string
	}{"a moment ago": {9_999, codeBusy}, "long ago": {1_000, codeUnknown}} {
		rec := httptest.NewRecorder()
		k.again(a, rec, identity.Once{Print: []byte{1}}, identity.Once{Print: []byte{1}, At: time.Unix(tt.at, 0)})
		if rec.Code != http.StatusConflict || !strings.Contains(rec.Body.String(), tt.code) {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
}
