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

func FuzzListings(f *testing.F) {
	f.Add("a", "alice", "", false, int64(0), uint32(0o644))
	f.Add(" a; b=c", "Al ice;", "x\ny", true, int64(-62135596800), uint32(0o7777))
	f.Add("a\r\nType=dir; b", "", "\x1b[2J", false, int64(1<<40), uint32(0))
	f.Add("\xff\x00é\u2028", "é", "", true, int64(1), uint32(0o1000))
	f.Fuzz(func(t *testing.T, name, owner, target string, dir bool, at int64, mode uint32) {
		i := files.Info{Name: name, Dir: dir, Link: target != "", Target: target, Size: at, Owner: owner, Group: owner,
			Mode: fs.FileMode(mode), ModTime: time.Unix(at%(1<<36), 0), Unique: owner}
		for _, l := range []string{longLine(i, name, time.Unix(0, 0)), oneLine(name), allFacts.facts(kindOf(i), i, everything, name)} {
			if strings.ContainsAny(l, "\r\n\x00") {
				t.Fatalf("more than one line: %q", l)
			}
		}
		facts, got, ok := strings.Cut(allFacts.facts(kindOf(i), i, everything, name), " ")
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
			if got := longLine(i, "n", now); got != tt.want {
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
	if got := some.facts("file", i, everything, "a b"); got != "Type=file;Size=5;UNIX.mode=0644; a b" {
		t.Errorf("%s", got)
	}
	if got := factSet(0).facts("file", i, everything, "a"); got != " a" {
		t.Errorf("%q", got)
	}
	if got := perm(files.Info{Dir: true}, everything); got != "cdeflmp" {
		t.Errorf("folder: %s", got)
	}
	if got := perm(i, everything); got != "adfrw" {
		t.Errorf("file: %s", got)
	}
}

func TestListArg(t *testing.T) {
	for in, want := range map[string]string{"": "", "-la": "", "-l a b": "a b", "-a -l x": "x", "-x": "-x", "--": "--", "-l -name": "-name"} {
		if got := listArg(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
