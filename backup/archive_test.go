package backup_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
	"github.com/pkg/xattr"

	"trivium/backup"
)

// store is a database of one file; the real one is tried by the end-to-end tests.
type store struct{ text string }

func (s store) Engine() string                      { return "sqlite" }
func (s store) Size(context.Context) (int64, error) { return int64(len(s.text)), nil }
func (s store) Snapshot(_ context.Context, f string) error {
	return os.WriteFile(f, []byte(s.text), 0o600)
}
func (s store) Check(_ context.Context, f string) (backup.Contents, error) {
	b, err := os.ReadFile(f)
	if err == nil && string(b) != s.text {
		err = errors.New("it is another one")
	}
	return backup.Contents{Rows: map[string]int64{"rows": int64(len(s.text))}, Versions: map[string]int64{"m": 1}}, err
}

func write(t testing.TB, name, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

var when = time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC)

// home makes a data directory.
func home(t testing.TB) backup.Source {
	t.Helper()
	dir := t.TempDir()
	root := filepath.Join(dir, "files")
	write(t, filepath.Join(dir, "seal.key"), "secret", 0o600)
	alice := filepath.Join(root, "example.org/home/alice")
	write(t, filepath.Join(alice, "a.txt"), "hello", 0o640)
	write(t, filepath.Join(alice, "new\nline\\.txt"), "odd", 0o600)
	write(t, filepath.Join(alice, "sub/empty"), "", 0o600)
	write(t, filepath.Join(alice, "zeros"), "begin"+strings.Repeat("\x00", 3<<20)+"end", 0o600)
	write(t, filepath.Join(alice, ".trivium/parts/half"), "unfinished", 0o600)
	write(t, filepath.Join(alice, ".trivium/trash/x"), "thrown away", 0o600)
	write(t, filepath.Join(root, backup.AsidePrefix+"1/old"), "old", 0o600)
	if err := os.Symlink("../../../../etc/passwd", filepath.Join(alice, "link")); err != nil {
		t.Fatal(err)
	}
	if err := xattr.Set(filepath.Join(alice, "a.txt"), "user.trivium", []byte("o\x00wner")); err != nil {
		t.Skip("the file system keeps no extended attributes:", err)
	}
	if err := os.Chmod(filepath.Join(alice, "sub"), 0o750|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"a.txt", "sub"} {
		if err := os.Chtimes(filepath.Join(alice, n), when, when); err != nil {
			t.Fatal(err)
		}
	}
	return backup.Source{Store: store{"the database"}, Version: "1", Domain: "example.org", Files: root, Temp: dir, Now: func() time.Time { return when },
		First: []backup.Extra{{Name: "data/seal.key", Path: filepath.Join(dir, "seal.key")}, {Name: "data/audit.head", Path: filepath.Join(dir, "audit.head")}}}
}

func create(t testing.TB, s backup.Source) ([]byte, backup.Manifest) {
	t.Helper()
	var out bytes.Buffer
	m, err := backup.Create(t.Context(), &out, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(s.Temp, ".trivium-backup-*"))
	if len(left) > 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
	return out.Bytes(), m
}

func extract(t testing.TB, archive []byte) (backup.Into, backup.Manifest, error) {
	t.Helper()
	into := backup.Into{Data: t.TempDir(), Files: t.TempDir(), Owner: backup.Owner{UID: -1}}
	m, err := backup.Extract(t.Context(), bytes.NewReader(archive), nil, store{"the database"}, into, nil)
	return into, m, err
}

func TestThereAndBack(t *testing.T) {
	archive, m := create(t, home(t))
	if m.Files != 5 || m.Links != 1 || m.Rows["rows"] != 12 || len(m.Unsteady) != 0 {
		t.Errorf("%+v", m)
	}
	into, got, err := extract(t, archive)
	if err != nil {
		t.Fatal(err)
	}
	if got.Sums != m.Sums || got.Files != m.Files {
		t.Errorf("%+v", got)
	}
	alice := filepath.Join(into.Files, "example.org/home/alice")
	for name, want := range map[string]string{
		filepath.Join(into.Data, "data/seal.key"): "secret", into.DatabaseIn(): "the database",
		filepath.Join(alice, "a.txt"): "hello", filepath.Join(alice, "new\nline\\.txt"): "odd", filepath.Join(alice, "sub/empty"): "",
		filepath.Join(alice, ".trivium/trash/x"): "thrown away", filepath.Join(alice, "zeros"): "begin" + strings.Repeat("\x00", 3<<20) + "end",
	} {
		if b, err := os.ReadFile(name); err != nil || string(b) != want {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
	for _, gone := range []string{filepath.Join(alice, ".trivium/parts"), filepath.Join(into.Files, backup.AsidePrefix+"1"), filepath.Join(into.Data, "data/audit.head")} {
		if _, err := os.Lstat(gone); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there: %v", gone, err)
		}
	}
	if to, err := os.Readlink(filepath.Join(alice, "link")); err != nil || to != "../../../../etc/passwd" {
		t.Errorf("link to %q, %v", to, err)
	}
	if v, err := xattr.Get(filepath.Join(alice, "a.txt"), "user.trivium"); err != nil || string(v) != "o\x00wner" {
		t.Errorf("attribute %q, %v", v, err)
	}
	for name, mode := range map[string]fs.FileMode{"a.txt": 0o640, "sub": fs.ModeDir | fs.ModeSetgid | 0o750} {
		st, err := os.Lstat(filepath.Join(alice, name))
		if err != nil || st.Mode() != mode || !st.ModTime().Equal(when) {
			t.Errorf("%s: %v of %v, %v", name, st.Mode(), st.ModTime(), err)
		}
	}
	if _, err := backup.Verify(t.Context(), bytes.NewReader(archive), nil, store{"the database"}, t.TempDir(), nil); err != nil {
		t.Error(err)
	}
}

func TestEncrypted(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	to, err := backup.ParseRecipient(id.Recipient().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.ParseRecipient("age1nonsense"); err == nil {
		t.Error("a key that is none is taken")
	}
	s := home(t)
	s.Recipients = []age.Recipient{to}
	archive, _ := create(t, s)
	if !backup.Encrypted(archive) || bytes.Contains(archive, []byte("trivium-backup")) {
		t.Error("it is not encrypted")
	}
	verify := func(b []byte, ids ...age.Identity) error {
		_, err := backup.Verify(t.Context(), bytes.NewReader(b), ids, store{"the database"}, t.TempDir(), nil)
		return err
	}
	if err := verify(archive, id); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{"without a key": verify(archive), "with another key": verify(archive, other)} {
		if !errors.Is(err, backup.ErrEncrypted) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Where the cut is inside a piece of age, it cannot be told from a change.
	if err := verify(archive[:len(archive)/2], id); !errors.Is(err, backup.ErrTruncated) && !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("half of it: %v", err)
	}
	archive[len(archive)/2] ^= 1
	if err := verify(archive, id); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("a changed bit: %v", err)
	}
}

// packed is a tar of these members in zstd.
func packed(t testing.TB, members ...any) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	for _, m := range members {
		switch m := m.(type) {
		case [2]string:
			if err := w.WriteHeader(&tar.Header{Name: m[0], Mode: 0o600, Size: int64(len(m[1]))}); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(w, m[1]); err != nil {
				t.Fatal(err)
			}
		case tar.Header:
			if err := w.WriteHeader(&m); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = w.Flush()
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// repacked is an archive whose members went through change, which may drop or alter them.
func repacked(t testing.TB, archive []byte, change func(name, body string) (string, bool)) []byte {
	t.Helper()
	z, err := zstd.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	r := tar.NewReader(z)
	var list []any
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return packed(t, list...)
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			list = append(list, *h)
			continue
		}
		if text, keep := change(h.Name, string(b)); keep {
			list = append(list, [2]string{h.Name, text})
		}
	}
}

func TestDamage(t *testing.T) {
	archive, _ := create(t, home(t))
	same := func(change func(name, body string) (string, bool)) []byte { return repacked(t, archive, change) }
	flipped := bytes.Clone(archive)
	flipped[len(flipped)-2] ^= 0x10 // in the checksum: within the data it may be a length that turns, which looks like an end
	for name, tt := range map[string]struct {
		archive []byte
		want    error
		says    string
	}{
		"nothing":         {nil, backup.ErrTruncated, "empty"},
		"something else":  {[]byte("PK\x03\x04 and so on, a zip or what it is"), backup.ErrNotBackup, ""},
		"another tar":     {packed(t, [2]string{"README", "hello"}), backup.ErrUnsafe, "README"},
		"cut in half":     {archive[:len(archive)/2], backup.ErrTruncated, "cut off"},
		"without its end": {archive[:len(archive)-1], backup.ErrTruncated, ""},
		"a flipped bit":   {flipped, backup.ErrDamaged, ""},
		"more at its end": {append(bytes.Clone(archive), archive...), backup.ErrDamaged, "follows its end"},
		"another content": {same(func(n, b string) (string, bool) {
			return strings.Replace(b, "hello", "hallo", 1), true
		}), backup.ErrDamaged, "files/example.org/home/alice/a.txt is not as it was"},
		"a file is missing":       {same(func(n, b string) (string, bool) { return b, !strings.HasSuffix(n, "a.txt") }), backup.ErrMissing, "alice/a.txt"},
		"the database is missing": {same(func(n, b string) (string, bool) { return b, n != "database.sqlite" }), backup.ErrMissing, "database.sqlite"},
		"the list is missing":     {same(func(n, b string) (string, bool) { return b, n != "SHA256SUMS" }), backup.ErrMissing, "SHA256SUMS"},
		"the manifest is missing": {same(func(n, b string) (string, bool) { return b, n != "manifest.json" }), backup.ErrTruncated, ""},
		"a newer form": {same(func(n, b string) (string, bool) {
			return strings.Replace(b, `"format": 1`, `"format": 2`, 1), true
		}), backup.ErrNewer, "later one"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := backup.Verify(t.Context(), bytes.NewReader(tt.archive), nil, store{"the database"}, t.TempDir(), nil)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("verify: %v", err)
			}
			if _, _, err := extract(t, tt.archive); !errors.Is(err, tt.want) {
				t.Errorf("extract: %v", err)
			}
		})
	}
}

func TestTricksAreRefused(t *testing.T) {
	head := [2]string{"trivium-backup.json", `{"format":1}`}
	link := tar.Header{Name: "files/x", Typeflag: tar.TypeSymlink, Linkname: "/etc"}
	for name, archive := range map[string][]byte{
		"up":                  packed(t, head, [2]string{"files/../../x", "1"}),
		"absolute":            packed(t, head, [2]string{"/etc/x", "1"}),
		"empty name in it":    packed(t, head, [2]string{"files//x", "1"}),
		"no known place":      packed(t, head, [2]string{"x", "1"}),
		"the folder itself":   packed(t, head, tar.Header{Name: "files/", Typeflag: tar.TypeDir}),
		"link in data":        packed(t, head, tar.Header{Name: "data/seal.key", Typeflag: tar.TypeSymlink, Linkname: "/etc/shadow"}),
		"folder in data":      packed(t, head, tar.Header{Name: "data/tls", Typeflag: tar.TypeDir}),
		"hard link":           packed(t, head, tar.Header{Name: "files/x", Typeflag: tar.TypeLink, Linkname: "files/y"}),
		"device":              packed(t, head, tar.Header{Name: "files/x", Typeflag: tar.TypeBlock, Devmajor: 8}),
		"pipe":                packed(t, head, tar.Header{Name: "files/x", Typeflag: tar.TypeFifo}),
		"huge":                packed(t, head, tar.Header{Name: "files/x", Size: 1 << 60, Mode: 0o600}),
		"large key":           packed(t, head, tar.Header{Name: "data/seal.key", Size: 1 << 30, Mode: 0o600}),
		"long name":           packed(t, head, [2]string{"files/" + strings.Repeat("x", 300), "1"}),
		"twice":               packed(t, head, [2]string{"data/seal.key", "1"}, [2]string{"data/seal.key", "2"}),
		"below a file":        packed(t, head, [2]string{"files/x", "1"}, [2]string{"files/x/y", "2"}),
		"in place of folder":  packed(t, head, [2]string{"files/x/y", "1"}, [2]string{"files/x", "2"}),
		"two heads":           packed(t, head, head),
		"attribute of system": packed(t, head, tar.Header{Name: "files/x", Mode: 0o600, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "1"}}),
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := extract(t, archive); !errors.Is(err, backup.ErrUnsafe) {
				t.Errorf("%v", err)
			}
		})
	}
	// What comes behind a link goes into a folder, and the link does not come to be.
	into, _, err := extract(t, packed(t, head, link, [2]string{"files/x/passwd", "1"}))
	if !errors.Is(err, backup.ErrTruncated) {
		t.Errorf("%v", err)
	}
	if b, err := os.ReadFile(filepath.Join(into.Files, "x/passwd")); err != nil || string(b) != "1" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestMovedMeanwhile moves a file from a folder that is still to be read into one that was read.
func TestMovedMeanwhile(t *testing.T) {
	s := home(t)
	alice := filepath.Join(s.Files, "example.org/home/alice")
	for i := range 20 {
		write(t, filepath.Join(alice, fmt.Sprintf("d%d/f", i)), fmt.Sprint(i), 0o600)
	}
	var out bytes.Buffer
	moved := false
	_, err := backup.Create(t.Context(), &out, s, func(p backup.Progress) {
		if p.Files > 4 && !moved {
			moved = true
			for i := range 20 {
				if err := os.Rename(filepath.Join(alice, fmt.Sprintf("d%d", i)), filepath.Join(alice, fmt.Sprintf("e%d", 19-i))); err != nil {
					t.Error(err)
				}
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	into, _, err := extract(t, out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		b, err := os.ReadFile(filepath.Join(into.Files, "example.org/home/alice", fmt.Sprintf("e%d/f", 19-i)))
		if err != nil || string(b) != fmt.Sprint(i) {
			t.Errorf("%d: %q, %v", i, b, err)
		}
	}
}

// full is a disk that takes so many bytes.
type full struct{ left int }

var errFull = errors.New("no space left on device")

func (f *full) Write(b []byte) (int, error) {
	if len(b) > f.left {
		return 0, errFull
	}
	f.left -= len(b)
	return len(b), nil
}

func TestFullDisk(t *testing.T) {
	s := home(t)
	for _, room := range []int{0, 100} {
		if _, err := backup.Create(t.Context(), &full{room}, s, nil); !errors.Is(err, errFull) {
			t.Errorf("with room for %d bytes: %v", room, err)
		}
		if left, err := filepath.Glob(filepath.Join(s.Temp, ".trivium-backup-*")); len(left) > 0 || err != nil {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	archive, _ := create(f, home(f))
	f.Add(archive)
	f.Add(archive[:len(archive)/3])
	f.Add(packed(f, [2]string{"trivium-backup.json", `{"format":1}`}, [2]string{"files/a/b", "1"}, tar.Header{Name: "files/a/c", Typeflag: tar.TypeSymlink, Linkname: "../.."}))
	f.Add([]byte("age-encryption.org/v1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		outside := t.TempDir()
		into := backup.Into{Data: filepath.Join(outside, "in/data"), Files: filepath.Join(outside, "in/files"), Owner: backup.Owner{UID: -1}}
		for _, d := range []string{into.Data, into.Files} {
			if err := os.MkdirAll(d, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, _ = backup.Extract(ctx, bytes.NewReader(b), nil, store{"the database"}, into, nil)
		list, err := os.ReadDir(outside)
		if err != nil || len(list) != 1 {
			t.Errorf("beside the folders: %v, %v", list, err)
		}
	})
}
