package ftp

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"trivium/files"
)

// everything is what a session with all rights may do.
var everything = files.Access{List: true, Enter: true, Create: true, Mkdir: true, Purge: true, Delete: true, Rename: true, Read: true, Write: true, Append: true}

// long is a row of LIST.
func long(i files.Info, name string, now time.Time) string {
	return string(appendLong(nil, &stamps{now: now}, &i, name))
}

func FuzzListings(f *testing.F) {
	f.Add("a", "alice", "", false, int64(0), uint32(0o644))
	f.Add(" a; b=c", "Al ice;", "x\ny", true, int64(-62135596800), uint32(0o7777))
	f.Add("a\r\nType=dir; b", "", "\x1b[2J", false, int64(1<<40), uint32(0))
	f.Add("\xff\x00é\u2028", "é", "", true, int64(1), uint32(0o1000))
	f.Fuzz(func(t *testing.T, name, owner, target string, dir bool, at int64, mode uint32) {
		i := files.Info{Name: name, Dir: dir, Link: target != "", Target: target, Size: at, Owner: owner, Group: owner,
			Mode: fs.FileMode(mode), ModTime: time.Unix(at%(1<<36), 0), Unique: owner}
		entry := string(allFacts.appendFacts(nil, new(stamps), kindOf(&i), &i, everything, name))
		for _, l := range []string{long(i, name, time.Unix(0, 0)), string(appendOneLine(nil, name)), entry} {
			if strings.ContainsAny(l, "\r\n\x00") {
				t.Fatalf("more than one line: %q", l)
			}
		}
		facts, got, ok := strings.Cut(entry, " ")
		want := name
		if strings.ContainsAny(name, "\r\n\x00") {
			want = oneLine(name)
		}
		if !ok || got != want {
			t.Fatalf("the name comes back as %q, want %q", got, want)
		}
		for fact := range strings.SplitSeq(strings.TrimSuffix(facts, ";"), ";") {
			if _, _, ok := strings.Cut(fact, "="); !ok {
				t.Fatalf("%q is no fact of %q", fact, facts)
			}
		}
	})
}

func TestLongLine(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	i := files.Info{Size: 5, Mode: 0o640, ModTime: now.Add(-time.Hour), Owner: "alice", Group: "staff", Links: 1}
	for _, tt := range []struct {
		name   string
		change func(*files.Info)
		want   string
	}{
		{"file", func(*files.Info) {}, "-rw-r-----   1 alice    staff               5 Nov 21 11:00 n"},
		{"folder", func(i *files.Info) { i.Dir, i.Mode = true, 0o755|fs.ModeSetgid|fs.ModeSticky }, "drwxr-sr-t   1 alice    staff               5 Nov 21 11:00 n"},
		{"setuid without x", func(i *files.Info) { i.Mode |= fs.ModeSetuid }, "-rwSr-----   1 alice    staff               5 Nov 21 11:00 n"},
		{"old", func(i *files.Info) { i.ModTime = now.AddDate(-1, 0, 0) }, "-rw-r-----   1 alice    staff               5 Nov 21  2025 n"},
		{"link", func(i *files.Info) { i.Link, i.Target = true, "a/b" }, "lrw-r-----   1 alice    staff               5 Nov 21 11:00 n -> a/b"},
		{"nameless owner", func(i *files.Info) { i.Owner, i.UID = "", 7 }, "-rw-r-----   1 7        staff               5 Nov 21 11:00 n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := i
			tt.change(&i)
			if got := long(i, "n", now); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestFacts(t *testing.T) {
	some := parseFacts("size;TYPE;nonsense;unix.MODE")
	if some.names() != "Type;Size;UNIX.mode;" {
		t.Errorf("%s", some.names())
	}
	i := files.Info{Size: 5, Mode: 0o644}
	facts := func(set factSet, name string) string {
		return string(set.appendFacts(nil, new(stamps), "file", &i, everything, name))
	}
	if got := facts(some, "a b"); got != "Type=file;Size=5;UNIX.mode=0644; a b" {
		t.Errorf("%s", got)
	}
	if got := facts(0, "a"); got != " a" {
		t.Errorf("%q", got)
	}
	i.Owner, i.Group = "a b", "x;y"
	if got := facts(factOwner|factGroup|factUID, "a"); got != "UNIX.uid=0; a" {
		t.Errorf("%q", got)
	}
	if got := string(appendPerm(nil, &files.Info{Dir: true}, everything)); got != "cdeflmp" {
		t.Errorf("folder: %s", got)
	}
	if got := string(appendPerm(nil, &i, everything)); got != "adfrw" {
		t.Errorf("file: %s", got)
	}
}

// TestStamps: a time that is kept for the next entry is the time of that entry.
func TestStamps(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	st := stamps{now: now}
	for _, at := range []time.Time{time.Unix(0, 0), time.Unix(59, 0), time.Unix(60, 0), time.Unix(-1, 0), now, now.Add(time.Second),
		now.Add(30 * time.Hour), now.AddDate(0, -5, 0), now.AddDate(0, -7, 0), now.In(time.FixedZone("x", 3600)), {}, {}} {
		if got := string(st.appendFact(nil, at)); got != factTime(at) {
			t.Errorf("%v: %s", at, got)
		}
		want := at.UTC().Format("Jan _2 15:04")
		if at.After(now.Add(24*time.Hour)) || at.Before(now.Add(-halfYear)) {
			want = at.UTC().Format("Jan _2  2006")
		}
		if got := string(st.appendDate(nil, at)); got != want {
			t.Errorf("%v: %s, want %s", at, got, want)
		}
	}
}

func TestParseListing(t *testing.T) {
	for _, tt := range []struct {
		in   string
		name string
		o    listOptions
	}{
		{"", "", listOptions{long: true}},
		{"   ", "", listOptions{long: true}},
		{"-la", "", listOptions{long: true, dots: true}},
		{"  -a -l x", "x", listOptions{long: true, dots: true}},
		{"-l a b", "a b", listOptions{long: true}},
		{"-1", "", listOptions{}},
		{"-1l", "", listOptions{long: true}},
		{"-tSr", "", listOptions{long: true, bySize: true, reverse: true}},
		{"-S -t", "", listOptions{long: true, byTime: true}},
		{"-RFd  x", " x", listOptions{long: true, recursive: true, marks: true, itself: true}},
		{"-ALThn", "", listOptions{long: true}},
		{"-CF", "", listOptions{long: true, marks: true}},
		{"-le", "-le", listOptions{long: true}},
		{"-l -name", "-name", listOptions{long: true}},
		{"-", "-", listOptions{long: true}},
		{"--", "", listOptions{long: true}},
		{"-- -la", "-la", listOptions{long: true}},
		{"-a -- -- x", "-- x", listOptions{long: true, dots: true}},
		{" x", " x", listOptions{long: true}},
		{"x -l", "x -l", listOptions{long: true}},
		{"x ", "x ", listOptions{long: true}},
		{"./-la", "./-la", listOptions{long: true}},
	} {
		t.Run(tt.in, func(t *testing.T) {
			o, name := parseListing(tt.in, true)
			if name != tt.name || o != tt.o {
				t.Errorf("%q, %+v", name, o)
			}
		})
	}
}

func FuzzParseListing(f *testing.F) {
	for _, s := range []string{"-la x", "-- -la", " -1RtSrdFaA  y ", "-", "--", "- -", "-l-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		_, name := parseListing(arg, false)
		if !strings.HasSuffix(arg, name) {
			t.Fatalf("%q is not the end of %q", name, arg)
		}
		if o, again := parseListing("-- "+arg, false); again != arg || o != (listOptions{}) {
			t.Fatalf("behind -- : %q of %q", again, arg)
		}
	})
}

func TestPattern(t *testing.T) {
	for _, tt := range []struct {
		pattern   string
		fits, not []string
	}{
		{"*", []string{"a", "a.b", "ä"}, []string{".a", "..."}},
		{".*", []string{".a", "..."}, []string{"a"}},
		{"*.txt", []string{"a.txt", "a.b.txt"}, []string{".txt", "a.txt2", "txt"}},
		{"a?c", []string{"abc", "aäc"}, []string{"ac", "abbc"}},
		{"?a", []string{"xa"}, []string{".a"}},
		{"[a-c]x", []string{"ax", "cx"}, []string{"dx", "x", "-x"}},
		{"[!a-c]x", []string{"dx"}, []string{"ax", ".x"}},
		{"[]x]", []string{"]", "x"}, []string{"y"}},
		{"[a-]", []string{"a", "-"}, []string{"b"}},
		{"[^ä]", []string{"a"}, []string{"ä"}},
		{"a[", []string{"a["}, []string{"a"}},
		{"a[b*", []string{"a[b", "a[bc"}, []string{"ab"}},
		{"*a*b*", []string{"ab", "xaxbx", "aab"}, []string{"ba"}},
		{"{a,b}.c", []string{"a.c", "b.c"}, []string{"c.c", "{a,b}.c"}},
		{"{a,b}{1,2}", []string{"a1", "b2"}, []string{"a", "12"}},
		{"{a}", []string{"{a}"}, []string{"a"}},
		{"x{,y}", []string{"x", "xy"}, []string{"y"}},
		{`\*`, []string{`\a`}, []string{"*"}},
	} {
		t.Run(tt.pattern, func(t *testing.T) {
			p := parsePattern(tt.pattern)
			for _, n := range tt.fits {
				if !p.fits(n) {
					t.Errorf("%q does not fit", n)
				}
			}
			for _, n := range tt.not {
				if p.fits(n) {
					t.Errorf("%q fits", n)
				}
			}
		})
	}
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"*", "a*b?[c-d]", "{a,b}*", "[!]x]", strings.Repeat("*a", 50), strings.Repeat("{a,b}", 50), "[", "{,", "[a-"} {
		f.Add(s, strings.Repeat("a", 200))
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		if len(text) > maxLine || strings.Contains(text, "/") {
			return
		}
		p := parsePattern(text)
		if len(p.forms) > maxBraces {
			t.Fatalf("%d forms", len(p.forms))
		}
		fits := p.fits(name)
		if p.forms == nil && fits != (name == text) {
			t.Fatalf("%q is a name, and %q", text, name)
		}
		if all := parsePattern("*"); !strings.HasPrefix(name, ".") && !all.fits(name) {
			t.Fatalf("* is not %q", name)
		}
	})
}

// TestPage: rows wait to be sorted, and where they are too many they come as they are.
func TestPage(t *testing.T) {
	for _, tt := range []struct {
		name    string
		reverse bool
		fill    int
		want    string
	}{
		{"keys", false, 0, "h b d a c"},
		{"reversed", true, 0, "h c a d b"},
		{"too many", true, sortMemory, "h a b c d"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			p := newPage(&out)
			p.buf = append(p.buf, "h\r\n"...)
			p.sort(tt.reverse)
			for _, r := range []struct {
				name string
				key  int64
			}{{"a", 5}, {"b", 1}, {"c", 5}, {"d", 2}} {
				p.buf = append(append(p.buf, r.name...), strings.Repeat(" ", tt.fill/4)...)
				if err := p.end(r.key); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.sorted(); err != nil {
				t.Fatal(err)
			}
			if err := p.flush(); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(strings.Fields(out.String()), " "); got != tt.want {
				t.Errorf("%.80s", got)
			}
		})
	}
}
