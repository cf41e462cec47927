package files_test

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"trivium/files"
	"trivium/identity"
)

// The two forms of "é", and of a longer name.
const nfc, nfd = "\u00e9t\u00e9", "e\u0301te\u0301"

func TestNewName(t *testing.T) {
	for _, name := range []string{"a", "a b", ".dot", "…", "日本", "a:b", "CON", "trailing.", "-", "~", "a\u00a0b", "👩‍👩‍👧", strings.Repeat("é", 127)} {
		if got, err := files.NewName(name, false); err != nil || got != name {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	if got, err := files.NewName(nfd, false); err != nil || got != nfc {
		t.Errorf("%q, %v", got, err)
	}
	for _, name := range []string{"", ".", "..", "a/b", "a\x00", "a\tb", "\x1b[2J", "a\x7f", "a\u0085b", "a\u009bb", "a\u2028b", "a\u2029b",
		"a\u202eexe.txt", "a\u202a", "\u2066a", "a\u2069", "\xff", strings.Repeat("x", 256), strings.Repeat("\u0958", 84)} {
		got, err := files.NewName(name, false)
		var why *files.NameError
		if !errors.Is(err, files.ErrName) || !errors.As(err, &why) || why.Why == "" {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"CON", "con", "nul.txt", "COM1", "lpt9.tar.gz", "aux ", "COM¹", "CONIN$", "a.", "a ", "a?", "a*b", "<a>", `a"b`, "a|b", "a:b", `a\b`, "con .txt"} {
		if _, err := files.NewName(name, true); !errors.Is(err, files.ErrName) {
			t.Errorf("portable %q: %v", name, err)
		}
	}
	for _, name := range []string{"CONSOLE", "com", "COM10", "com1x", " a", ".con", "a.b", "nul_", "été"} {
		if _, err := files.NewName(name, true); err != nil {
			t.Errorf("portable %q: %v", name, err)
		}
	}
}

func FuzzNewName(f *testing.F) {
	for _, s := range []string{"a", nfd, nfc, "CON", "a\u202eb", "\u0958", "\xff", "a\x00b", "..", "\u1e9b\u0323", "x\u0300\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		for _, portable := range []bool{false, true} {
			got, err := files.NewName(name, portable)
			if err != nil {
				if !errors.Is(err, files.ErrName) {
					t.Fatalf("%q: %v", name, err)
				}
				continue
			}
			if !norm.NFC.IsNormalString(got) || len(got) > 255 || !utf8.ValidString(got) || strings.ContainsAny(got, "/\x00\r\n") || got == "." || got == ".." {
				t.Fatalf("%q is stored as %q", name, got)
			}
			again, err := files.NewName(got, portable)
			if err != nil || again != got {
				t.Fatalf("%q, then %q: %v", got, again, err)
			}
			if p, err := files.Clean("/", got); err != nil || p != "/"+got {
				t.Fatalf("%q is no path: %q, %v", got, p, err)
			}
		}
	})
}

// TestForms: what is made is in NFC; what stands is found by either form.
func TestForms(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	tree := w.alice()
	i := put(t, tree, "/"+nfd, "x")
	if i.Name != nfc || i.Path != "/"+nfc || !exists(w.path("home/alice/"+nfc)) || exists(w.path("home/alice/"+nfd)) {
		t.Errorf("made %q at %q", i.Name, i.Path)
	}
	for _, n := range []string{nfc, nfd} {
		if get(t, tree, "/"+n) != "x" {
			t.Error(n)
		}
		put(t, tree, "/"+n, "x")
		want(t, "again", tree.Mkdir(ctx, "/"+n), fs.ErrExist)
		i, err := tree.Stat(ctx, "/"+n)
		if err != nil || i.Name != nfc {
			t.Errorf("%+v, %v", i, err)
		}
	}
	no(t, tree.Remove(ctx, "/"+nfd))
	no(t, tree.Mkdir(ctx, "/"+nfd))
	no(t, tree.MkdirAll(ctx, "/"+nfd+"/"+nfd+"/"+nfd))
	put(t, tree, "/"+nfd+"/"+nfd+"/"+nfd+"/"+nfd, "deep")
	no(t, tree.Symlink(ctx, nfd+"/"+nfd, "/l"+nfd))
	no(t, tree.Rename(ctx, "/"+nfd+"/"+nfd+"/"+nfd+"/"+nfd, "/l"+nfd+"/r"+nfd))
	no(t, tree.Copy(ctx, "/"+nfd, "/c"+nfd, files.CopyOptions{Deep: true}))
	if got := below(t, tree, "/c"+nfd); !slices.Equal(got, []string{"/c" + nfc + "/" + nfc + "/", "/c" + nfc + "/" + nfc + "/r" + nfc + " deep", "/c" + nfc + "/" + nfc + "/" + nfc + "/"}) &&
		!slices.Equal(got, []string{"/c" + nfd + "/" + nfc + "/", "/c" + nfd + "/" + nfc + "/r" + nfc + " deep", "/c" + nfd + "/" + nfc + "/" + nfc + "/"}) {
		t.Errorf("%q", got)
	}
	for _, n := range names(t, tree, "/") {
		if !norm.NFC.IsNormalString(n) {
			t.Errorf("%q was made", n)
		}
	}
	// What came from elsewhere in NFD is found, and no twin of it is made.
	no(t, os.MkdirAll(w.path("home/alice/mac/d"+nfd), 0o700))
	no(t, os.WriteFile(w.path("home/alice/mac/d"+nfd+"/"+nfd), []byte("mac"), 0o600))
	for _, n := range []string{nfc, nfd} {
		if get(t, tree, "/mac/d"+n+"/"+n) != "mac" {
			t.Error(n)
		}
		want(t, "a twin", tree.Mkdir(ctx, "/mac/d"+n), fs.ErrExist)
		put(t, tree, "/mac/d"+n+"/"+n, "mac")
	}
	if got := names(t, tree, "/mac/d"+nfc); !slices.Equal(got, []string{nfd}) {
		t.Errorf("%q", got)
	}
	no(t, tree.Rename(ctx, "/mac/d"+nfc+"/"+nfc, "/mac/d"+nfd+"/"+nfd)) // itself
	no(t, tree.RemoveAll(ctx, "/mac/d"+nfc))
	// A resumed upload is the same one by either form.
	u := create(t, tree, "/p"+nfd, files.UploadOptions{Size: -1})
	write(t, u, "half")
	no(t, u.Suspend())
	if n, ok := tree.Part(ctx, "/p"+nfc); !ok || n != 4 {
		t.Errorf("%d, %v", n, ok)
	}
	// Names that nobody could give any more can still be reached.
	no(t, os.WriteFile(w.path("home/alice/old\tname\u202e"), []byte("old"), 0o600))
	if get(t, tree, "/old\tname\u202e") != "old" {
		t.Error("an old name")
	}
	no(t, tree.Rename(ctx, "/old\tname\u202e", "/new"))
	_, err := try(t, tree, "/new\tname", "x")
	want(t, "a tab", err, files.ErrName)
	want(t, "mkdir", tree.Mkdir(ctx, "/a\u202eb"), files.ErrName)
	want(t, "mkdir all", tree.MkdirAll(ctx, "/x/a\x1b/b"), files.ErrName)
	want(t, "symlink", tree.Symlink(ctx, "new", "/a\x07"), files.ErrName)
	want(t, "rename", tree.Rename(ctx, "/new", "/a\u2028b"), files.ErrName)
	want(t, "copy", tree.Copy(ctx, "/new", "/a\u009b", files.CopyOptions{}), files.ErrName)
	want(t, "too long", tree.Mkdir(ctx, "/"+strings.Repeat("\u0958", 84)), files.ErrName)
}

// TestFormsAndRules: a rule or a token holds for a name in whatever form it is said or stored.
func TestFormsAndRules(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	no(t, os.MkdirAll(w.path("home/alice/"+nfd), 0o700))
	no(t, os.WriteFile(w.path("home/alice/"+nfd+"/f"), []byte("x"), 0o600))
	no(t, os.MkdirAll(w.path("home/alice/b"+nfc), 0o700))
	tree := openWorld(t, w.dir, func(o *files.Options) { o.Policy = rules{"/home/alice/" + nfc, "/home/alice/b" + nfc} }).alice()
	for _, n := range []string{nfc, nfd, "b" + nfc, "b" + nfd} {
		_, err := tree.Stat(ctx, "/"+n)
		want(t, "stat", err, fs.ErrNotExist)
		_, err = tree.Open(ctx, "/"+n+"/f")
		want(t, "open", err, fs.ErrNotExist)
		want(t, "mkdir", tree.Mkdir(ctx, "/"+n), fs.ErrNotExist)
	}
	if got := names(t, tree, "/"); !slices.Equal(got, []string{"pub"}) {
		t.Errorf("listed %q", got)
	}
	who := session("alice", aliceUID, identity.LevelUser)
	who.c.Grant = &identity.Grant{Files: identity.FilesWrite, Path: "/home/alice/b" + nfc}
	tree = w.s.ViewOf(who)
	put(t, tree, "/b"+nfd+"/in", "x")
	_, err := tree.Stat(ctx, "/"+nfc)
	want(t, "outside of the token", err, fs.ErrNotExist)
}

// TestReservedAtTheTop: a home gets no entry that a mount would hide, not by a link either.
func TestReservedAtTheTop(t *testing.T) {
	w := newWorld(t, mounted(t, "/media", func(m *files.Mount) { m.Mode = 0o777 }))
	ctx := t.Context()
	tree := w.alice()
	put(t, tree, "/f", "x")
	no(t, tree.Mkdir(ctx, "/d"))
	for _, name := range []string{"pub", "groups", "media"} {
		no(t, tree.Symlink(ctx, name, "/to "+name))
		_, err := try(t, tree, "/to "+name, "x")
		want(t, name, err, files.ErrName)
		want(t, name, tree.MkdirAll(ctx, "/to "+name+"/x"), files.ErrName)
		no(t, tree.Mkdir(ctx, "/d/"+name)) // elsewhere it is a name as any other
	}
}

func TestUniqueCase(t *testing.T) {
	w := newWorld(t, func(o *files.Options) { o.UniqueCase = true })
	ctx := t.Context()
	tree := w.alice()
	put(t, tree, "/Straße", "x")
	put(t, tree, "/Readme", "x")
	no(t, tree.Mkdir(ctx, "/ÉTÉ"))
	for _, name := range []string{"README", "readme", "strasse", "STRASSE", nfc, "e\u0301TE\u0301"} {
		_, err := try(t, tree, "/"+name, "x")
		want(t, "put "+name, err, fs.ErrExist)
		want(t, "mkdir "+name, tree.Mkdir(ctx, "/"+name), fs.ErrExist)
		want(t, "link "+name, tree.Symlink(ctx, "x", "/"+name), fs.ErrExist)
	}
	put(t, tree, "/other", "x")
	want(t, "rename", tree.Rename(ctx, "/other", "/README"), fs.ErrExist)
	want(t, "copy", tree.Copy(ctx, "/other", "/README", files.CopyOptions{Over: true}), fs.ErrExist)
	put(t, tree, "/Readme", "over itself")
	no(t, tree.Rename(ctx, "/Readme", "/README")) // its own other case
	no(t, tree.Rename(ctx, "/ÉTÉ", "/"+nfc))
	put(t, tree, "/"+nfc+"/README", "elsewhere")
	no(t, tree.Rename(ctx, "/README", "/"+nfc+"/Liesmich"))
	put(t, tree, "/readme", "free again")
	if w.s.Held() != 0 {
		t.Errorf("%d locks", w.s.Held())
	}

	// Of many that make it at once, in as many ways of writing it, one does.
	ways := []string{"racer", "Racer", "rAcer", "raCer", "racEr", "raceR", "RACER", "RaCeR"}
	var wg sync.WaitGroup
	made := make([]error, len(ways))
	for i, name := range ways {
		wg.Go(func() {
			if i%2 == 0 {
				made[i] = tree.Mkdir(ctx, "/"+name)
			} else {
				_, made[i] = try(t, tree, "/"+name, "x")
			}
		})
	}
	wg.Wait()
	good := 0
	for i, err := range made {
		if err == nil {
			good++
		} else if !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v", ways[i], err)
		}
	}
	if good != 1 {
		t.Errorf("%d were made", good)
	}
	// What is hidden is not told by what its name keeps from being made.
	put(t, tree, "/Secret", "x")
	hides := openWorld(t, w.dir, func(o *files.Options) { o.UniqueCase = true; o.Policy = rules{"/home/alice/Secret"} }).alice()
	for _, name := range []string{"/Secret", "/secret"} {
		want(t, name, hides.Mkdir(ctx, name), fs.ErrNotExist)
	}
}

func TestPortableNames(t *testing.T) {
	w := newWorld(t, func(o *files.Options) { o.PortableNames = true })
	tree := w.alice()
	for _, name := range []string{"CON", "a:b", "end.", "nul.txt"} {
		_, err := try(t, tree, "/"+name, "x")
		want(t, name, err, files.ErrName)
	}
	no(t, os.WriteFile(w.path("home/alice/a:b"), []byte("old"), 0o600))
	if get(t, tree, "/a:b") != "old" {
		t.Error("an old name")
	}
	put(t, tree, "/a:b", "written over")
}

// TestReservedInAnyCase: where case alone tells no names apart, it does not tell them from those of
// mounts either; and the store's own name is that in any case on every file system.
func TestReservedInAnyCase(t *testing.T) {
	w := newWorld(t, func(o *files.Options) { o.UniqueCase = true }, mounted(t, "/Media", nil))
	tree, ctx := w.alice(), t.Context()
	put(t, tree, "/f", "x")
	for _, p := range []string{"/Groups", "/PUB", "/media", "/mEDIA"} {
		want(t, "mkdir "+p, tree.Mkdir(ctx, p), files.ErrName)
		want(t, "rename "+p, tree.Rename(ctx, "/f", p), files.ErrName)
		_, err := try(t, tree, p, "x")
		want(t, "store "+p, err, files.ErrName)
	}
	u := create(t, tree, "/g", files.UploadOptions{Size: -1})
	write(t, u, "part")
	no(t, u.Suspend())
	no(t, os.Rename(w.path("home/alice/.trivium"), w.path("home/alice/.TRIVIUM"))) // as if case did not count
	for _, p := range []string{"/.TRIVIUM", "/.TRIVIUM/parts"} {
		if _, err := tree.Stat(ctx, p); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("stat %s: %v", p, err)
		}
	}
	want(t, "mkdir", tree.Mkdir(ctx, "/.Trivium"), files.ErrName)
	for _, name := range names(t, tree, "/") {
		if strings.EqualFold(name, ".trivium") {
			t.Errorf("%q is listed", name)
		}
	}
}
