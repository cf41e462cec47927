package ftp

import (
	"fmt"
	"io/fs"
	"math"
	"path"
	"reflect"
	"strings"
	"testing"
	"time"

	"trivium/files"
)

func TestParseHost(t *testing.T) {
	for _, tt := range []struct {
		arg, name, addr string
		ok              bool
	}{
		{"Example.ORG", "example.org", "", true},
		{"xn--e1afmkfd.com", "xn--e1afmkfd.com", "", true},
		{"localhost", "localhost", "", true},
		{"192.0.2.1", "192.0.2.1", "192.0.2.1", true},
		{"[2001:db8::c000:201]", "[2001:db8::c000:201]", "2001:db8::c000:201", true},
		{"[::192.0.2.1]", "[::192.0.2.1]", "::c000:201", true},
		{"192.0.2.1:2112", "", "", false},
		{"[2001:db8::c000:201]:2112", "", "", false},
		{"2001:db8::1", "", "", false},
		{"[192.0.2.1]", "", "", false},
		{"[fe80::1%eth0]", "", "", false},
		{"[::1", "", "", false},
		{"example.org:21", "", "", false},
		{"example.org.", "", "", false},
		{"-a.org", "", "", false},
		{"a-.org", "", "", false},
		{"a b", "", "", false},
		{"bücher.example", "", "", false},
		{strings.Repeat("a", 64) + ".org", "", "", false},
		{strings.Repeat("a.", 127) + "a", "", "", false},
	} {
		t.Run(tt.arg, func(t *testing.T) {
			name, addr, ok := parseHost(tt.arg)
			shown := ""
			if addr.IsValid() {
				shown = addr.String()
			}
			if ok != tt.ok || ok && (name != tt.name || shown != tt.addr) {
				t.Errorf("%q %s %v", name, shown, ok)
			}
		})
	}
}

func FuzzHost(f *testing.F) {
	for _, s := range []string{"example.org", "[::1]", "192.0.2.1", "[", "]", "[]", "a..b", "[::ffff:1.2.3.4]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		name, addr, ok := parseHost(arg)
		if !ok {
			return
		}
		if again, a, ok := parseHost(name); !ok || again != name || a != addr || name != strings.ToLower(arg) {
			t.Fatalf("%q became %q %v, then %q %v", arg, name, addr, again, a)
		}
		if strings.Contains(name, ":") != (name[0] == '[') {
			t.Fatalf("%q has a port", arg)
		}
	})
}

func FuzzSpan(f *testing.F) {
	for _, s := range []string{"0 0", "1 0", "5 4", "0 9223372036854775807", "1 9223372036854775807", "-1 2", "+1 2", "1", "1 2 3", "1  2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		g, reset, ok := parseSpan(arg)
		switch {
		case !ok && reset:
			t.Fatalf("%q", arg)
		case !ok:
		case reset != (arg == "1 0") && strings.TrimLeft(arg, "0") == arg && !strings.Contains(arg, " 0"):
			t.Fatalf("%q is a reset: %v", arg, reset)
		case !reset && (g.from < 0 || g.to < g.from || g.length() <= 0):
			t.Fatalf("%q became %+v", arg, g)
		}
	})
}

func TestSpanClipped(t *testing.T) {
	for _, tt := range []struct {
		name           string
		g              span
		size, from, to int64
		ok             bool
	}{
		{"inside", span{from: 2, to: 4}, 10, 2, 4, true},
		{"over the end", span{from: 2, to: 40}, 10, 2, 9, true},
		{"last byte", span{from: 9, to: 9}, 10, 9, 9, true},
		{"behind", span{from: 10, to: 12}, 10, 10, 9, false},
		{"empty file", span{from: 0, to: 0}, 0, 0, -1, false},
		{"huge", span{from: 0, to: math.MaxInt64 - 1}, 10, 0, 9, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if from, to, ok := tt.g.clipped(tt.size); from != tt.from || to != tt.to || ok != tt.ok {
				t.Errorf("%d-%d %v", from, to, ok)
			}
		})
	}
}

func TestParseHashed(t *testing.T) {
	for _, tt := range []struct {
		arg, name string
		numbers   []int64
		ok        bool
	}{
		{"a.bin", "a.bin", nil, true},
		{"a b.bin", "a b.bin", nil, true},
		{"a.bin 0 5", "a.bin", []int64{0, 5}, true},
		{"a b 0 5", "a b", []int64{0, 5}, true},
		{"a 5", "a 5", nil, true},
		{`"a b" 1 2`, "a b", []int64{1, 2}, true},
		{`"a ""b""" 1 2`, `a "b"`, []int64{1, 2}, true},
		{`"a b"`, "a b", nil, true},
		{`"a b" 1`, "", nil, false},
		{`"a b" 1 2 3`, "", nil, false},
		{`"a b" x y`, "", nil, false},
		{`"a b"1 2`, "", nil, false},
		{`"a b`, "", nil, false},
		{`""`, "", nil, false},
		{"1 2", "1 2", nil, true},
		{"a 1 -2", "a 1 -2", nil, true},
	} {
		t.Run(tt.arg, func(t *testing.T) {
			name, numbers, ok := parseHashed(tt.arg)
			if ok != tt.ok || ok && (name != tt.name || !reflect.DeepEqual(numbers, tt.numbers)) {
				t.Errorf("%q %v %v", name, numbers, ok)
			}
		})
	}
}

func FuzzHashed(f *testing.F) {
	for _, s := range []string{"a", `"a b" 1 2`, "a 1 2", `"`, `""`, `"a""`, " ", "a  1 2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		name, numbers, ok := parseHashed(arg)
		if !ok {
			return
		}
		if name == "" || len(numbers) != 0 && len(numbers) != 2 {
			t.Fatalf("%q became %q %v", arg, name, numbers)
		}
		for _, n := range numbers {
			if n < 0 {
				t.Fatalf("%q became %v", arg, numbers)
			}
		}
	})
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"a b", `"a b" c`, `"a""b" "c"`, `"a"b`, `""`, "  a  b  ", `a"b c`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		names, ok := parseNames(arg)
		if !ok {
			return
		}
		var b strings.Builder
		for _, n := range names {
			if n == "" {
				t.Fatalf("%q has an empty name", arg)
			}
			b.WriteString(` "` + strings.ReplaceAll(n, `"`, `""`) + `"`)
		}
		if again, ok := parseNames(b.String()); !ok || !reflect.DeepEqual(again, names) {
			t.Fatalf("%q became %q, then %q", arg, names, again)
		}
	})
}

func TestModeChange(t *testing.T) {
	for _, tt := range []struct {
		text      string
		from      fs.FileMode
		dir       bool
		want      fs.FileMode
		forbidden bool
	}{
		{text: "640", from: 0o777, want: 0o640},
		{text: "0640", from: 0o777, want: 0o640},
		{text: "u+rwx,g=r", from: 0o060, want: 0o740},
		{text: "go-w", from: 0o666, want: 0o644},
		{text: "a+x", from: 0o644, want: 0o755},
		{text: "+x", from: 0o600, want: 0o711},
		{text: "=", from: 0o777, want: 0},
		{text: "o=", from: 0o777, want: 0o770},
		{text: "g=u", from: 0o740, want: 0o770},
		{text: "o+g", from: 0o750, want: 0o755},
		{text: "u=o", from: 0o705, want: 0o505},
		{text: "a+X", from: 0o644, want: 0o644},
		{text: "a+X", from: 0o744, want: 0o755},
		{text: "a+X", from: 0o644, dir: true, want: 0o755},
		{text: "u-x+w", from: 0o500, want: 0o600},
		{text: "ug+rw-x", from: 0o111, want: 0o661},
		{text: "u+s", forbidden: true},
		{text: "+t", forbidden: true},
		{text: "1777", dir: true, want: 0o777 | fs.ModeSticky},
		{text: "1777", want: 0o777},
		{text: "2775", dir: true, want: 0o775 | fs.ModeSetgid},
		{text: "00755", dir: true, want: 0o755 | fs.ModeDir},
		{text: "00755", want: 0o755},
		{text: "4755", forbidden: true},
		{text: "7777", forbidden: true},
		{text: "u", forbidden: true},
		{text: "", forbidden: true},
		{text: "u+r,", forbidden: true},
		{text: "8", forbidden: true},
		{text: "z+r", forbidden: true},
	} {
		t.Run(fmt.Sprintf("%s of %o", tt.text, tt.from), func(t *testing.T) {
			m, ok := parseModeChange(tt.text)
			if ok == tt.forbidden {
				t.Fatal(ok)
			}
			if !ok {
				return
			}
			if got := m.apply(tt.from, tt.dir); got != tt.want {
				t.Errorf("%o, want %o", got, tt.want)
			}
		})
	}
}

func FuzzModeChange(f *testing.F) {
	for _, s := range []string{"644", "u+rwx,g=r", "+44", "a=u,o-X", "u+-=", "ugo", ",", "-1", "37777777777"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, ok := parseModeChange(text)
		if !ok {
			return
		}
		for _, from := range []fs.FileMode{0, 0o777, 0o641, fs.ModeDir | fs.ModeSetgid | 0o750} {
			if got := m.apply(from, from.IsDir()); got&^(fs.ModeDir|fs.ModeSetgid|fs.ModeSticky) > 0o777 || !from.IsDir() && got > 0o777 {
				t.Fatalf("%q of %o is %o", text, from, got)
			}
		}
	})
}

func FuzzMFF(f *testing.F) {
	for _, s := range []string{"Modify=20200101000000; a b", "a=;b=c; x", "; x", "a=b x", "a=b;", "=b; x", "a=b; "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		facts, name, ok := parseMFF(arg)
		if !ok {
			return
		}
		var b strings.Builder
		for _, p := range facts {
			b.WriteString(p.name + "=" + p.value + ";")
		}
		if len(facts) == 0 || name == "" || b.String()+" "+name != arg {
			t.Fatalf("%q became %v %q", arg, facts, name)
		}
	})
}

func TestParseUtime(t *testing.T) {
	for _, tt := range []struct {
		arg, name, at string
		ok            bool
	}{
		{"202001020304 a b", "a b", "20200102030400", true},
		{"20200102030405 a", "a", "20200102030405", true},
		{"a b 20190101000000 20200102030405 20180101000000 UTC", "a b", "20200102030405", true},
		{"a 201901010000 202001020304 201801010000 UTC", "a", "20200102030400", true},
		{"202001020304 a UTC", "a UTC", "20200102030400", true},
		{"202001020304", "", "", false},
		{"202013020304 a", "", "", false},
		{"2020010203 a", "", "", false},
		{"20200102030405.5 a", "", "", false},
		{"a x y z UTC", "", "", false},
		{"20190101000000 20200102030405 20180101000000 UTC", "20200102030405 20180101000000 UTC", "20190101000000", true},
	} {
		t.Run(tt.arg, func(t *testing.T) {
			at, name, ok := parseUtime(tt.arg)
			if ok != tt.ok || ok && (name != tt.name || factTime(at) != tt.at) {
				t.Errorf("%q %v %v", name, at, ok)
			}
		})
	}
}

func FuzzUtime(f *testing.F) {
	for _, s := range []string{"202001020304 a", "a 20190101000000 20200102030405 20180101000000 UTC", " UTC", "   UTC", "000000000000 x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		at, name, ok := parseUtime(arg)
		if ok && (name == "" || !strings.Contains(arg, name) || at.Location() != time.UTC || at.Year() < 1 || at.Year() > 9999) {
			t.Fatalf("%q became %q %v", arg, name, at)
		}
	})
}

func TestRelative(t *testing.T) {
	for _, tt := range []struct{ dir, to, want string }{
		{"/", "/a/b", "a/b"}, {"/a", "/a/b", "b"}, {"/a/c", "/a/b", "../b"}, {"/x/y", "/a", "../../a"}, {"/a/b", "/a/b", "."}, {"/", "/", "."}, {"/a", "/", ".."},
	} {
		t.Run(tt.dir+" to "+tt.to, func(t *testing.T) {
			got := relative(tt.dir, tt.to)
			if got != tt.want || path.Join(tt.dir, got) != tt.to {
				t.Errorf("%q", got)
			}
		})
	}
}

func FuzzTag(f *testing.F) {
	for _, s := range []string{"en", "EN-us", "de-CH-1996", "-", "e n", "1", "en-", "toolongtag"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		if primary, ok := parseTag(arg); ok && (primary == "") != (arg == "") || ok && !strings.HasPrefix(strings.ToLower(arg), primary) {
			t.Fatalf("%q became %q", arg, primary)
		}
	})
}

func FuzzClientID(f *testing.F) {
	for _, s := range []string{"Name=X;Version=1;", "=;=", ";;;", "name", "a=b=c; d = e "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		for name, value := range parseClientID(arg) {
			if name == "" || strings.ContainsAny(name+value, ";") {
				t.Fatalf("%q: %q=%q", arg, name, value)
			}
		}
	})
}

func TestParseAllo(t *testing.T) {
	for _, tt := range []struct {
		arg  string
		want int64
		ok   bool
	}{
		{"5", 5, true}, {"5 R 2", 5, true}, {"5 r 2", 5, true}, {"5 R x", 0, false}, {"5 2", 0, false}, {"R 2", 0, false}, {"5 R", 0, false}, {"-1", 0, false}, {"", 0, false},
	} {
		t.Run(tt.arg, func(t *testing.T) {
			if n, ok := parseAllo(tt.arg); ok != tt.ok || ok && n != tt.want {
				t.Errorf("%d %v", n, ok)
			}
		})
	}
}

func TestQuotaLines(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		name string
		q    files.Quota
		want []string
	}{
		{"none", files.Quota{Bytes: 5, Files: 1, LimitBytes: -1, LimitFiles: -1, SoftBytes: -1, SoftFiles: -1, Free: -1},
			[]string{"Bytes: 5 used, no limit", "Files: 1 used, no limit"}},
		{"grace", files.Quota{Bytes: 95, LimitBytes: 100, SoftBytes: 90, LimitFiles: 10, SoftFiles: -1, Free: 5, GraceEnds: now.Add(time.Hour)},
			[]string{"Bytes: 95 used, 100 allowed, more than 90 only for the grace", "Files: 0 used, 10 allowed", "Grace: until 2026-01-02T04:04:05Z", "Free: 5"}},
		{"over", files.Quota{Bytes: 95, LimitBytes: 100, SoftBytes: 90, LimitFiles: -1, SoftFiles: -1, Free: 0, GraceEnds: now},
			[]string{"Bytes: 95 used, 100 allowed, more than 90 only for the grace", "Files: 0 used, no limit", "Grace: over; nothing more can be stored until less is used", "Free: 0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := quotaLines(tt.q, now); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%q", got)
			}
		})
	}
}
