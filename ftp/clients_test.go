package ftp_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"trivium/identity"
)

// program runs a client from outside, or skips the test where it is not installed.
func program(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func bothWays(t *testing.T, f func(t *testing.T, w *world, secure bool)) {
	for _, tt := range []struct {
		name   string
		secure bool
	}{{"clear", false}, {"TLS", true}} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(w *world) {
				if tt.secure {
					w.cfg.TLS, w.cfg.TLSReuse = "required", "required"
				}
			})
			f(t, w, tt.secure)
		})
	}
}

func TestLftp(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789"), 300_000)
	bothWays(t, func(t *testing.T, w *world, secure bool) {
		w.write("käse und brot.bin", content)
		local := t.TempDir()
		must(t, os.WriteFile(filepath.Join(local, "up"), content, 0o600))
		host, port, _ := net.SplitHostPort(w.addr)
		ssl := "set ftp:ssl-allow no\n"
		if secure {
			ssl = "set ssl:verify-certificate no\nset ftp:ssl-force yes\nset ftp:ssl-protect-data yes\n"
		}
		out := program(t, ssl+"set net:max-retries 1\nset net:timeout 10\nset cmd:fail-exit yes\nlcd "+local+`
open -u alice,"`+w.password+`" -p `+port+` `+host+`
ls
get "käse und brot.bin" -o down
put up
put -c up
mkdir -p "a b/c"
cd "a b"
pwd
cd ..
mv up "a b/moved"
cls "a b"
chmod 600 "a b/moved"
mirror "a b" copy
rm "a b/moved"
rmdir "a b/c"
rmdir "a b"
bye
`, "lftp")
		for _, want := range []string{"käse und brot.bin", "a b/c/", "a b/moved"} {
			if !strings.Contains(out, want) {
				t.Errorf("%q is missing in\n%s", want, out)
			}
		}
		for _, name := range []string{"down", "copy/moved"} {
			if got, err := os.ReadFile(filepath.Join(local, name)); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s: %d bytes, %v", name, len(got), err)
			}
		}
		if w.exists("a b") || w.exists("up") {
			t.Error("something was not removed")
		}
	})
}

func TestCurl(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789"), 100_000)
	bothWays(t, func(t *testing.T, w *world, secure bool) {
		local := t.TempDir()
		up, down := filepath.Join(local, "up"), filepath.Join(local, "down")
		must(t, os.WriteFile(up, content, 0o600))
		run := func(args ...string) string {
			if secure {
				args = append([]string{"--ssl-reqd", "--insecure"}, args...)
			}
			return program(t, `user = "alice:`+w.password+`"`, "curl", append([]string{"-sS", "-K", "-"}, args...)...)
		}
		run("-T", up, "ftp://"+w.addr+"/new/x.bin", "--ftp-create-dirs")
		if got := w.read("new/x.bin"); !bytes.Equal(got, content) {
			t.Errorf("%d bytes arrived", len(got))
		}
		run("-r", "10-", "-o", down, "ftp://"+w.addr+"/new/x.bin")
		if got, err := os.ReadFile(down); err != nil || !bytes.Equal(got, content[10:]) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		if out := run("ftp://" + w.addr + "/new/"); !strings.Contains(out, "x.bin") {
			t.Errorf("%q", out)
		}
		if out := run("-l", "ftp://"+w.addr+"/new/"); strings.TrimSpace(out) != "x.bin" {
			t.Errorf("%q", out)
		}
		if !secure {
			run("-P", "-", "-o", down, "ftp://"+w.addr+"/new/x.bin")
			if got, err := os.ReadFile(down); err != nil || !bytes.Equal(got, content) {
				t.Errorf("active: %d bytes, %v", len(got), err)
			}
		}
	})
	t.Run("implicit", func(t *testing.T) {
		w := newWorld(t)
		w.write("a", content)
		out := program(t, `user = "alice:`+w.password+`"`, "curl", "-sS", "-K", "-", "--insecure", "ftps://"+w.ftps+"/a")
		if out != string(content) {
			t.Errorf("%d bytes", len(out))
		}
	})
}

const ftplibScript = `
import ftplib, io, ssl, sys
host, port, secure, password = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "true", sys.stdin.readline().rstrip("\n")
if secure:
    ctx = ssl._create_unverified_context()
    class Reusing(ftplib.FTP_TLS):
        def ntransfercmd(self, cmd, rest=None):
            conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
            return self.context.wrap_socket(conn, server_hostname=self.host, session=self.sock.session), size
    ctx.maximum_version = ssl.TLSVersion.TLSv1_2
    f = Reusing(context=ctx)
else:
    f = ftplib.FTP()
f.connect(host, port, timeout=20)
f.login("alice", password)
if secure:
    f.prot_p()
assert f.mkd('a "b"') == '/a "b"', "MKD"
f.cwd('a "b"')
assert f.pwd() == '/a "b"', "PWD"
data = b"x" * 500000
f.storbinary("STOR f", io.BytesIO(data))
out = []
f.retrbinary("RETR f", out.append)
assert b"".join(out) == data, "RETR"
out = []
f.retrbinary("RETR f", out.append, rest=499990)
assert b"".join(out) == data[499990:], "REST"
f.voidcmd("TYPE I")
assert f.size("f") == 500000, "SIZE"
assert f.nlst() == ["f"], f.nlst()
facts = dict(f.mlsd())
assert facts["f"]["type"] == "file" and facts["f"]["size"] == "500000", facts
assert facts["."]["type"] == "cdir", facts
f.storlines("STOR t", io.BytesIO(b"one\ntwo\n"))
lines = []
f.retrlines("RETR t", lines.append)
assert lines == ["one", "two"], lines
lines = []
f.dir(lines.append)
assert len(lines) == 2, lines
f.rename("t", "u")
f.delete("u")
f.set_pasv(False)
if not secure:
    assert f.nlst() == ["f"], "active"
f.set_pasv(True)
f.delete("f")
f.cwd("..")
f.rmd('a "b"')
try:
    f.cwd("nowhere")
    sys.exit("CWD nowhere")
except ftplib.error_perm as e:
    assert str(e).startswith("550"), e
f.voidcmd("NOOP")
f.quit()
print("all well")
`

func TestFtplib(t *testing.T) {
	bothWays(t, func(t *testing.T, w *world, secure bool) {
		host, port, _ := net.SplitHostPort(w.addr)
		if out := program(t, w.password+"\n", "python3", "-c", ftplibScript, host, port, map[bool]string{true: "true", false: "false"}[secure]); !strings.Contains(out, "all well") {
			t.Errorf("%s", out)
		}
	})
}

// TestClientsBearAnnouncements: what is announced while real clients work stands before replies of theirs, and
// they go on.
func TestClientsBearAnnouncements(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789"), 1000)
	const files = 20
	ftplib := `
import ftplib, sys
f = ftplib.FTP()
f.set_debuglevel(1)
f.connect(sys.argv[1], int(sys.argv[2]))
f.login("alice", sys.stdin.readline().strip())
for i in range(20):
    while "Down" not in f.voidcmd("NOOP"): pass
    f.cwd("/d")
    got = []
    f.retrbinary("RETR f%d" % i, got.append)
    assert sum(map(len, got)) == 10000, got
    assert f.pwd() == "/d" and f.size("f%d" % i) == 10000
    assert len(f.nlst()) == 20
    f.cwd("..")
f.quit()
print("all well")
`
	for name, client := range map[string]func(t *testing.T, w *world, host, port, local string) string{
		"lftp": func(t *testing.T, w *world, host, port, local string) string {
			return program(t, "debug 9\nset ftp:ssl-allow no\nset cmd:fail-exit yes\nset net:max-retries 1\nset net:timeout 10\nlcd "+local+"\nopen -u alice,\""+w.password+"\" -p "+port+" "+host+"\n"+
				"cd /d\nls\n!sleep 0.1\nquote NOOP\ncd /\nmirror --overwrite d all\nput all/f0 -o copy\nbye\n", "lftp")
		},
		"curl": func(t *testing.T, w *world, host, port, local string) string {
			return program(t, `user = "alice:`+w.password+`"`, "curl", "-sSv", "--limit-rate", "400k", "-K", "-", "--create-dirs", "-o", local+"/all/f#1", "ftp://"+w.addr+"/d/f[0-19]")
		},
		"ncftp": func(t *testing.T, w *world, host, port, local string) string {
			return program(t, "", "ncftpget", "-d", "stdout", "-R", "-u", "alice", "-p", w.password, "-P", port, host, local, "/d") + move(t, local+"/d", local+"/all")
		},
		"ftplib": func(t *testing.T, w *world, host, port, local string) string {
			out := program(t, w.password+"\n", "python3", "-c", ftplib, host, port)
			if !strings.Contains(out, "all well") {
				t.Errorf("%s", out)
			}
			return out
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.write("x", nil)
			dial(t, w.addr).login("alice", w.password).do(257, "MKD /d")
			for i := range files {
				w.write("d/f"+strconv.Itoa(i), content)
			}
			host, port, _ := net.SplitHostPort(w.addr)
			local := t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				last := ""
				for ctx.Err() == nil {
					a, err := w.identity.Announce(ctx, root, identity.NewAnnouncement{Text: "Down at 9\n530 and later", Audience: identity.Audience{Kind: identity.AudienceOnline}})
					if err != nil {
						continue // the test is over
					}
					if last != "" {
						_ = w.identity.EndAnnouncement(ctx, root, last) // there are never more than two
					}
					last = a.ID
					select {
					case <-ctx.Done():
					case <-time.After(10 * time.Millisecond):
					}
				}
			}()
			out := ""
			for range 20 { // until one was told something; a client may be faster than who announces
				must(t, os.RemoveAll(local+"/all"))
				if out = client(t, w, host, port, local); strings.Contains(out, "Down at 9") {
					break
				}
			}
			cancel()
			<-done
			if !strings.Contains(out, "Down at 9") {
				t.Errorf("it was told nothing:\n%s", out)
			}
			for i := 0; i < files && name != "ftplib"; i++ {
				if got, err := os.ReadFile(local + "/all/f" + strconv.Itoa(i)); err != nil || !bytes.Equal(got, content) {
					t.Errorf("f%d: %d bytes, %v", i, len(got), err)
				}
			}
		})
	}
}

func move(t *testing.T, from, to string) string {
	t.Helper()
	must(t, os.Rename(from, to))
	return ""
}
