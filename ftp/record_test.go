package ftp

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestXferlogLine fixes the format, field by field.
func TestXferlogLine(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.Local)
	for name, tt := range map[string]struct {
		r    record
		want string
	}{
		"upload": {record{at: at, took: 1499 * time.Millisecond, remote: "192.0.2.1", bytes: 42, path: "/home/alice/a b\tc", user: "alice", direction: 'i', complete: true},
			"Wed Mar 04 05:06:07 2026 1 192.0.2.1 42 /home/alice/a_b_c b _ i r alice ftp 0 * c\n"},
		"anonymous ASCII download, broken off": {record{at: at, took: 2 * time.Minute, remote: "2001:db8::1", path: "/pub/x", anonUser: "me @here\n", ident: "bob\r\nWed", direction: 'o', ascii: true},
			"Wed Mar 04 05:06:07 2026 120 2001:db8::1 0 /pub/x a _ o a me_@here_ ftp 1 bob__Wed i\n"},
		"deletion": {record{at: at, remote: "192.0.2.1", bytes: 9, path: "/pub/\u2028x\u0085", user: "b", direction: 'd', complete: true},
			"Wed Mar 04 05:06:07 2026 0 192.0.2.1 9 /pub/_x_ b _ d r b ftp 0 * c\n"},
	} {
		if got := string(appendXferlog(nil, &tt.r)); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// TestRecorder shows that nobody waits for a log that does not get on, that what finds no room is
// counted and said, and that the rest is written.
func TestRecorder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var said strings.Builder
	begun, goOn := make(chan struct{}), make(chan struct{})
	r, err := newRecorder(slog.New(slog.NewTextHandler(&said, nil)), &recordLog{key: "x"}, &recordLog{key: "ftp.xferlog", path: path,
		format: func(b []byte, rec *record) []byte {
			if rec.bytes == 0 {
				close(begun)
				<-goOn
			}
			return appendXferlog(b, rec)
		}})
	if err != nil {
		t.Fatal(err)
	}
	r.add(record{})
	<-begun
	for i := range recordQueue + 5 {
		r.add(record{bytes: int64(i) + 1})
	}
	if n := r.lost.Load(); n != 5 {
		t.Errorf("%d lost", n)
	}
	close(goOn)
	r.close()
	r.close()
	b, err := os.ReadFile(path)
	if n := strings.Count(string(b), "\n"); err != nil || n != recordQueue+1 {
		t.Errorf("%d lines, %v", n, err)
	}
	if !strings.Contains(said.String(), "lost=5") {
		t.Errorf("said: %s", said.String())
	}
}

// TestRecorderRotation writes on in a new file when the old one was moved away, by itself and when
// told.
func TestRecorderRotation(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	written := make(chan struct{}, 1)
	r, err := newRecorder(slog.New(slog.DiscardHandler), &recordLog{key: "ftp.xferlog", path: path, format: func(b []byte, rec *record) []byte {
		return append(append(b, rec.path...), '\n')
	}})
	if err != nil {
		t.Fatal(err)
	}
	wait := func(name, want string) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
			if b, _ := os.ReadFile(name); string(b) == want {
				return
			}
			select {
			case <-written:
			case <-time.After(time.Millisecond):
			}
		}
		b, err := os.ReadFile(name)
		t.Fatalf("%s: %q, %v, want %q", name, b, err, want)
	}
	r.add(record{path: "one"})
	wait(path, "one\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	r.add(record{path: "two"})
	wait(path, "two\n")
	if err := os.Rename(path, path+".2"); err != nil {
		t.Fatal(err)
	}
	r.again()
	wait(path, "")
	r.add(record{path: "three"})
	r.close()
	wait(path, "three\n")
	wait(path+".1", "one\n")
	wait(path+".2", "two\n")
	if _, err := newRecorder(slog.New(slog.DiscardHandler), &recordLog{key: "ftp.xferlog", path: filepath.Join(dir, "none", "log")}); err == nil ||
		!strings.Contains(err.Error(), "ftp.xferlog") {
		t.Errorf("a folder that there is not: %v", err)
	}
	var none *recorder
	none.add(record{})
	none.again()
	none.close()
}
