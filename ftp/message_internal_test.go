package ftp

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// FuzzLead shows that no text ends a reply early or puts a line of its own into it.
func FuzzLead(f *testing.F) {
	for _, s := range []string{"", "one", "one\ntwo\r\n", "250 x\n250 y\n", "\n\n250 z", "\r250 x\r", "a\x00\x1b[2J\u2028\u0085250 x", "\xff\n\xfe", "\t250 x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		reply := lead(250, textLines(text)) + line(250, "Done.")
		lines := strings.Split(strings.TrimSuffix(reply, "\r\n"), "\r\n")
		for i, l := range lines {
			switch {
			case strings.ContainsAny(l, "\r\n\x00\x1b"), i < len(lines)-1 && strings.HasPrefix(l, "250 "),
				i == 0 && len(lines) > 1 && !strings.HasPrefix(l, "250-"), i > 0 && i < len(lines)-1 && !strings.HasPrefix(l, " "):
				t.Fatalf("%q: line %d is %q", text, i, l)
			}
		}
		if lines[len(lines)-1] != "250 Done." {
			t.Fatalf("%q ends in %q", text, lines[len(lines)-1])
		}
	})
}

// FuzzRecordLines shows that a record is one line of the same number of fields, whatever names are
// in it, and that the JSON gives the path back.
func FuzzRecordLines(f *testing.F) {
	f.Add("/home/alice/a b", "alice", "bob")
	f.Add("/x\r\nMon Jan 01 00:00:00 2026 0 h 1 /forged b _ o r root ftp 0 * c", "a\nb", "\r\n\t")
	f.Add("", "", "")
	f.Add("/\u00a0\u2028\u0085\x7f\xff", "me@example.net", "x y")
	f.Fuzz(func(t *testing.T, path, user, ident string) {
		r := record{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), remote: "192.0.2.1", path: path, anonUser: user, ident: ident, direction: 'i'}
		text := string(appendXferlog(nil, &r))
		if n := len(strings.Fields(text)); n != 18 || strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, " i\n") || strings.Count(text, " ") != 17 {
			t.Fatalf("%d fields in %q", n, text)
		}
		b := appendJSON(nil, &r)
		var back transferLine
		if err := json.Unmarshal(b, &back); err != nil || strings.Count(string(b), "\n") != 1 || back.Path != strings.ToValidUTF8(path, "\ufffd") && strings.ToValidUTF8(path, "") == path {
			t.Fatalf("%q: %v, %+v", b, err, back)
		}
	})
}
