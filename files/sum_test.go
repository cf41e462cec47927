package files_test

import (
	"context"
	"encoding/hex"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"trivium/files"
	"trivium/identity"
)

func TestSum(t *testing.T) {
	w := newWorld(t)
	tree := w.alice()
	put(t, tree, "/f", "123456789")
	put(t, tree, "/empty", "")
	no(t, tree.Mkdir(t.Context(), "/d"))
	for _, tt := range []struct {
		name, path string
		a          files.Algorithm
		from, to   int64
		want       string
		err        error
	}{
		{"crc32", "/f", files.CRC32, 0, -1, "cbf43926", nil},
		{"md5", "/f", files.MD5, 0, -1, "25f9e794323b453885f5181f1b624d0b", nil},
		{"sha-1", "/f", files.SHA1, 0, 9, "f7c3bc1d808e04732adf679965ccc34ca7ae3441", nil},
		{"sha-256", "/f", files.SHA256, 0, 100, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225", nil},
		{"sha-512", "/empty", files.SHA512, 0, -1, "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e", nil},
		{"the middle", "/f", files.CRC32, 1, 2, "1ad5be0d", nil}, // of "2"
		{"nothing at the end", "/f", files.CRC32, 9, -1, "00000000", nil},
		{"beyond the end", "/f", files.CRC32, 10, -1, "", fs.ErrInvalid},
		{"backwards", "/f", files.CRC32, 3, 2, "", fs.ErrInvalid},
		{"before the begin", "/f", files.CRC32, -1, 2, "", fs.ErrInvalid},
		{"unknown", "/f", "SHA-0", 0, -1, "", files.ErrUnsupported},
		{"a folder", "/d", files.MD5, 0, -1, "", files.ErrIsDir},
		{"absent", "/absent", files.MD5, 0, -1, "", fs.ErrNotExist},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sum, err := tree.Sum(t.Context(), tt.path, tt.a, tt.from, tt.to)
			want(t, "sum", err, tt.err)
			if got := hex.EncodeToString(sum); got != tt.want {
				t.Errorf("%s; want %s", got, tt.want)
			}
		})
	}
}

// TestSumNeedsRead: who may not read a file learns nothing of its content.
func TestSumNeedsRead(t *testing.T) {
	w := newWorld(t)
	put(t, w.alice(), "/f", "secret")
	who := session("alice", aliceUID, identity.LevelUser)
	who.change(func(c *identity.Credentials) { c.Grant = &identity.Grant{Files: identity.FilesNone} })
	_, err := w.s.ViewOf(who).Sum(t.Context(), "/f", files.MD5, 0, -1)
	want(t, "a token without files", err, fs.ErrPermission)
}

func TestSumEnds(t *testing.T) {
	w := newWorld(t)
	tree := w.alice()
	put(t, tree, "/f", strings.Repeat("x", 1<<20))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := tree.Sum(ctx, "/f", files.MD5, 0, -1)
	want(t, "after the end of the context", err, context.Canceled)
}

// memorySums is a SumStore that can be looked into.
type memorySums struct {
	rows map[files.SumKey][]byte
	puts int
}

func (m *memorySums) Sum(_ context.Context, k files.SumKey) ([]byte, error) {
	if sum, ok := m.rows[k]; ok {
		return sum, nil
	}
	return nil, fs.ErrNotExist
}

func (m *memorySums) PutSum(_ context.Context, k files.SumKey, sum []byte, _ time.Time) error {
	m.rows[k], m.puts = sum, m.puts+1
	return nil
}

func (m *memorySums) PruneSums(context.Context, time.Time, int) error { return nil }

// TestSumIsKept: until the file changes, though it looks the same by size and time.
func TestSumIsKept(t *testing.T) {
	kept := &memorySums{rows: map[files.SumKey][]byte{}}
	ahead := time.Duration(0)
	w := newWorld(t, func(o *files.Options) {
		o.Sums = kept
		o.Now = func() time.Time { return time.Now().Add(ahead) }
	})
	tree := w.alice()
	sum := func(want string, puts int) {
		t.Helper()
		got, err := tree.Sum(t.Context(), "/f", files.CRC32, 0, -1)
		no(t, err)
		if hex.EncodeToString(got) != want || kept.puts != puts {
			t.Errorf("%x, %d were kept; want %s, %d", got, kept.puts, want, puts)
		}
	}
	put(t, tree, "/f", "1")
	no(t, tree.Chtimes(t.Context(), "/f", past))
	sum("83dcefb7", 0) // just changed
	ahead = time.Hour
	sum("83dcefb7", 1)
	for k := range kept.rows {
		kept.rows[k] = []byte{1}
	}
	sum("01", 1) // it is not computed again
	if _, err := tree.Sum(t.Context(), "/f", files.CRC32, 0, 0); err != nil || kept.puts != 1 {
		t.Errorf("a range was kept: %v", err)
	}
	// The same file, size and time, but not the same content: a hand that knows no upload.
	no(t, os.WriteFile(w.path("home/alice/f"), []byte("2"), 0o600))
	no(t, tree.Chtimes(t.Context(), "/f", past))
	sum("1ad5be0d", 2)
}
