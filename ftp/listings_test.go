package ftp_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestListings tells what LIST, NLST and STAT give for options, patterns and odd names.
func TestListings(t *testing.T) {
	w := newWorld(t)
	old := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	for i, f := range []struct {
		name string
		size int
	}{
		{"b.txt", 3}, {"a.txt", 1}, {"c.bin", 2}, {".hidden", 4}, {"-la", 5}, {" x", 6}, {"st*r", 7}, {"str", 8},
		{"sub/d.txt", 1}, {"sub/e", 1}, {"sub/deep/f.txt", 1}, {"sub2/g.txt", 1},
	} {
		at := filepath.Join(w.home, f.name)
		must(t, os.MkdirAll(filepath.Dir(at), 0o755))
		must(t, os.WriteFile(at, make([]byte, f.size), 0o640))
		must(t, os.Chtimes(at, time.Time{}, old.Add(time.Duration(i)*time.Hour)))
	}
	must(t, os.Symlink("sub", filepath.Join(w.home, "to sub")))
	must(t, os.Symlink("nowhere", filepath.Join(w.home, "dangling")))
	for _, d := range []string{"sub/deep", "sub", "sub2"} {
		must(t, os.Chtimes(filepath.Join(w.home, d), time.Time{}, old.AddDate(-1, 0, 0)))
	}
	c := dial(t, w.addr).login("alice", w.password)
	for _, tt := range []struct{ command, want string }{
		{"NLST", " x|-la|.hidden|a.txt|b.txt|c.bin|dangling|pub|st*r|str|sub|sub2|to sub"},
		{"NLST -a sub", "sub/.|sub/..|sub/d.txt|sub/deep|sub/e"},
		{"NLST sub", "sub/d.txt|sub/deep|sub/e"},
		{"NLST sub/", "sub/d.txt|sub/deep|sub/e"},
		{"NLST /sub", "/sub/d.txt|/sub/deep|/sub/e"},
		{"NLST -r sub", "sub/e|sub/deep|sub/d.txt"},
		{"NLST to sub", "to sub/d.txt|to sub/deep|to sub/e"},
		{"NLST -- -la", "-la"},
		{"NLST ./-la", "./-la"},
		{"NLST  x", " x"},
		{"NLST -1  x", " x"},
		{"NLST st*r", "st*r"},
		{"NLST st*", "st*r|str"},
		{"NLST *.txt", "a.txt|b.txt"},
		{"NLST .*", ".hidden"},
		{"NLST *b", "pub|sub|to sub"},
		{"NLST sub/*.txt", "sub/d.txt"},
		{"NLST /sub/*.txt", "/sub/d.txt"},
		{"NLST su*/*.txt", "sub/d.txt|sub2/g.txt"},
		{"NLST su*/deep/f*", "sub/deep/f.txt"},
		{"NLST */e", "sub/e|to sub/e"},
		{"NLST su?2/../*", "550"},
		{"NLST {a,c}.*", "a.txt|c.bin"},
		{"NLST [!a]*.txt", "b.txt"},
		{"NLST nothing*", ""},
		{"NLST no/thing*", "550"},
		{"NLST str/*", "550"},
		{"NLST -t *.txt", "a.txt|b.txt"},
		{"NLST -F su*", "sub/|sub2/"},
		{"NLST -F *s*", "st*r|str|sub/|sub2/|to sub@"},
		{"NLST -d sub", "sub"},
		{"NLST -d", "."},
		{"NLST -R sub", "sub/d.txt|sub/deep|sub/e|sub/deep/f.txt"},
		{"LIST -1", " x|-la|.hidden|a.txt|b.txt|c.bin|dangling|pub|st*r|str|sub|sub2|to sub"},
		{"LIST -1 sub", "d.txt|deep|e"},
		{"LIST -1R sub", "sub:|d.txt|deep|e||sub/deep:|f.txt"},
		{"LIST -1S", "=size"},
		{"LIST -1t sub", "e|d.txt|deep"},
		{"LIST -1tr sub", "deep|d.txt|e"},
		{"LIST -1d to sub", "to sub"},
		{"LIST dangling", "l… dangling -> nowhere"},
		{"LIST to*", "l… to sub -> sub"},
		{"LIST -d sub", "d… sub"},
		{"LIST -F sub", "-… d.txt|d… deep/|-… e"},
		{"NLST -l sub", "-… d.txt|d… deep|-… e"},
		{"LIST sub/*.txt", "-… sub/d.txt"},
	} {
		t.Run(tt.command, func(t *testing.T) {
			if tt.want == "550" {
				c.do(550, tt.command)
				return
			}
			got := rows(string(c.get(tt.command)))
			want := tt.want
			if want == "=size" {
				// Folders have sizes of their own; files stand from the biggest on.
				var sizes []string
				for _, n := range strings.Split(got, "|") {
					if i, err := os.Stat(filepath.Join(w.home, n)); err == nil && i.Mode().IsRegular() {
						sizes = append(sizes, fmt.Sprint(i.Size()))
					}
				}
				got, want = strings.Join(sizes, ""), "87654321"
			}
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
	for command, want := range map[string]string{
		"STAT *.txt":  " -… a.txt| -… b.txt",
		"STAT -R sub": " sub:| -… d.txt| d… deep| -… e| sub/deep:| -… f.txt",
	} {
		r := c.do(212, command)
		body := strings.Split(strings.TrimSpace(r), "\r\n")
		if got := rows(strings.Join(body[1:len(body)-1], "\r\n")); got != want {
			t.Errorf("%s: got %s", command, got)
		}
	}
	if r := c.do(250, "MLST dangling"); !strings.Contains(r, "Type=OS.unix=symlink;") || !strings.Contains(r, "; /dangling\r\n") {
		t.Errorf("%s", r)
	}
	if r := string(c.get("MLSD")); !strings.Contains(r, "Type=OS.unix=symlink;") || !strings.Contains(r, "; to sub\r\n") {
		t.Errorf("%s", r)
	}
}

// rows gives the rows of a listing, of long ones the type and the name.
func rows(listing string) string {
	all := strings.Split(strings.TrimSuffix(listing, "\r\n"), "\r\n")
	for i, r := range all {
		if !strings.Contains(r, " alice    alice ") {
			continue
		}
		at := max(strings.Index(r, " 2019 "), strings.Index(r, " 2020 "))
		if at < 0 {
			at = strings.LastIndex(r, ":") - 2 // "12:34 name"
		}
		bare := strings.TrimLeft(r, " ")
		all[i] = r[:len(r)-len(bare)] + bare[:1] + "… " + r[at+6:]
	}
	return strings.Join(all, "|")
}

// TestListingPolicy: what a rule hides is in no listing, and a pattern cannot tell that it is there.
func TestListingPolicy(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.policy = map[string]string{"file:/home/alice/secret/**": "admin", "file:/home/*/a": "admin"}
	})
	for _, n := range []string{"secret/in", "a", "b", "d/a"} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(w.home, n)), 0o755))
		w.write(n, nil)
	}
	c := dial(t, w.addr).login("alice", w.password)
	for command, want := range map[string]string{
		"NLST": "b|d|pub", "LIST -1F": "b|d/|pub/", "NLST *": "b|d|pub", "NLST s*/*": "", "NLST secret/*": "550", "NLST */a": "d/a", "LIST -1R": ".:|b|d|pub||d:|a||pub:",
	} {
		if want == "550" {
			c.do(550, command)
		} else if got := rows(string(c.get(command))); got != want {
			t.Errorf("%s: %s, want %s", command, got, want)
		}
	}
	if r := string(c.get("MLSD")); strings.Contains(r, "secret") || strings.Contains(r, " a\r\n") {
		t.Errorf("%s", r)
	}
}
