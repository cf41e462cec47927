package importer

import (
	"fmt"
	"strings"
	"testing"
)

func TestLua(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{`return "a\065\x42\u{43}\n\"\\\z   d";`, "aABC\n\"\\d"},
		{`return { ["a"] = 1; b = 'x', [1] = "one"; "two" };`, "map[a:1 b:x] [one two]"},
		{"return [==[\nlong ]] text]==]", "long ]] text"},
		{"-- a comment\nreturn -1.5e3;", "-1500"},
		{"return { [false] = { version = 3 } };", "no map[version:3] []"},
	} {
		v, err := readLua(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if got := printed(v); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.text, got, tt.want)
		}
	}
	for _, text := range []string{
		``, `return`, `os.execute("touch /tmp/x")`, `return os.execute("x")`, `return (function() while true do end end)()`,
		`return { a = io.open("/etc/shadow") }`, `return "a" .. "b"`, `return {} , {}`, `return "open`, `return { [function() end] = 1 }`,
		`return ("x"):rep(1e9)`, `return {`, `return "\999"`, `return "\u{FFFFFFFF}"`, `return --[[ x ]] 1`, `load("x")`,
		`return ` + strings.Repeat("{", 100000), "\x1bLua\x53",
	} {
		if v, err := readLua(text); err == nil {
			t.Errorf("%.40q was taken: %v", text, printed(v))
		}
	}
	n := 0
	if err := readLuaList(`item({ "a" });item({ "b" })`, func(any) error { n++; return nil }); err != nil || n != 2 {
		t.Errorf("a list: %d, %v", n, err)
	}
	if err := readLuaList(`item(os.exit())`, func(any) error { return nil }); err == nil {
		t.Error("a list with code was taken")
	}
}

func printed(v any) string {
	t, ok := v.(*luaTable)
	if !ok {
		return fmt.Sprint(v)
	}
	if t.no != nil {
		return "no " + printed(t.no)
	}
	return fmt.Sprint(t.keys, " ", t.list)
}

func FuzzLua(f *testing.F) {
	for _, s := range []string{`return { ["a"] = "\065"; 1, true, nil, { b = [[x]] } };`, `item({ "a" });`, "return (0/0)", "return {[1]={[2]=3}}"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, text string) {
		_, _ = readLua(text)
		_ = readLuaList(text, func(any) error { return nil })
	})
}
