package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// plainPassword has nothing in it that a client's command line would have to quote.
const plainPassword = "Tr4-via.Quadr1via"

// programLimit bounds one run of a client program.
const programLimit = 90 * time.Second

// places is what a client is tried with: a server, an account, a folder of files to send and
// an empty one.
type places struct {
	t          *testing.T
	host, port string
	from, to   string
	home       string // of the program: no settings but ours
}

func (p places) url(rest string) string {
	return "ftp://alice:" + plainPassword + "@" + p.host + ":" + p.port + "/" + rest
}

// program runs a client; input is its standard input.
func (p places) program(input string, args ...string) string {
	p.t.Helper()
	out, err := p.try(input, args...)
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", args[0], err, out)
	}
	return out
}

func (p places) try(input string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(p.t.Context(), programLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = p.from
	cmd.Env = append(os.Environ(), "HOME="+p.home, "TERM=dumb", "LC_ALL=C.UTF-8")
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// samples fills a folder: an empty file, text, bytes of several megabytes, names with spaces and
// umlauts, folders in folders, an empty folder.
func samples(t *testing.T, dir string) {
	t.Helper()
	big := make([]byte, 3_000_017)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(big) // never fails
	for name, content := range map[string][]byte{
		"empty": nil, "text.txt": []byte("one\ntwo\n"), "sub/big.bin": big,
		"sub/deep/er/z": []byte("z"), "mit leerzeichen/grüße & küsse.txt": []byte("ü"),
	} {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "hollow"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// sums is each file of a folder with the hash of what it holds.
func sums(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		all[filepath.ToSlash(rel)] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// same compares two folders file by file.
func (p places) same(a, b string) {
	p.t.Helper()
	x, y := sums(p.t, a), sums(p.t, b)
	if len(x) == 0 {
		p.t.Fatalf("%s is empty", a)
	}
	for name, sum := range x {
		if y[name] != sum {
			p.t.Errorf("%s differs or is missing", name)
		}
	}
	for name := range y {
		if _, ok := x[name]; !ok {
			p.t.Errorf("%s is too many", name)
		}
	}
}

// TestFTPClients sends a folder of files with each client, fetches it again and compares.
func TestFTPClients(t *testing.T) {
	s := serve(t, "--set", "limits.sessions_per_user_ftp=0")
	clear := serve(t, "--set", "ftp.tls=off")
	for _, x := range []*server{s, clear} {
		x.run(t, plainPassword+"\n", "user", "add", "alice", "--password-stdin")
	}
	for _, tt := range []struct {
		name, needs string
		at          *server
		run         func(places)
	}{
		{"lftp mirrors both ways", "lftp", s, func(p places) { lftpMirror(p, "set ftp:ssl-allow no\n") }},
		{"lftp mirrors both ways over TLS", "lftp", s, func(p places) {
			lftpMirror(p, "set ftp:ssl-force yes\nset ftp:ssl-protect-data yes\nset ssl:verify-certificate no\n")
		}},
		{"lftp mirrors both ways in MODE Z", "lftp", s, func(p places) { lftpMirror(p, "set ftp:use-mode-z yes\nset ftp:ssl-allow no\n") }},
		{"lftp mirrors both ways in MODE Z over TLS", "lftp", s, func(p places) {
			lftpMirror(p, "set ftp:use-mode-z yes\nset ftp:ssl-force yes\nset ftp:ssl-protect-data yes\nset ssl:verify-certificate no\n")
		}},
		{"lftp pget in pieces over TLS", "lftp", s, lftpPieces},
		{"curl", "curl", s, func(p places) { curlBasics(p) }},
		{"curl over TLS", "curl", s, func(p places) { curlBasics(p, "--ssl-reqd", "--insecure") }},
		{"curl, active", "curl", s, func(p places) { curlBasics(p, "--ftp-port", "-") }},
		{"ncftp sends and fetches folders", "ncftpput", s, ncftp},
		{"tnftp", "tnftp", s, tnftp},
		{"wput", "wput", clear, wput}, // takes the tickets of TLS 1.3 for the end of the connection
		{"rclone", "rclone", s, func(p places) { rclone(p, "") }},
		{"rclone over TLS", "rclone", s, func(p places) { rclone(p, ",explicit_tls=true,no_check_certificate=true") }},
		{"ftplib", "/usr/bin/python3", s, func(p places) { p.program(plainPassword+"\n", p.ftplib("ftplib_all.py")...) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := exec.LookPath(tt.needs); err != nil {
				t.Skip(tt.needs + " is not installed")
			}
			host, port, err := net.SplitHostPort(tt.at.addr["ftp"])
			if err != nil {
				t.Fatal(err)
			}
			p := places{t: t, host: host, port: port, from: t.TempDir(), to: t.TempDir(), home: t.TempDir()}
			samples(t, p.from)
			tt.run(p)
		})
	}
}

// ftplib is the command line of a script of ours.
func (p places) ftplib(script string) []string {
	at, err := filepath.Abs("testdata/clients/" + script)
	if err != nil {
		p.t.Fatal(err)
	}
	return []string{"/usr/bin/python3", at, p.host + ":" + p.port, p.from}
}

// folder is a name of the subtest's own at the server.
func (p places) folder() string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == ',' {
			return '-'
		}
		return r
	}, p.t.Name())
}

func lftpMirror(p places, settings string) {
	login := settings + "set net:max-retries 1\nset cmd:fail-exit yes\nopen -u alice," + plainPassword + " -p " + p.port + " " + p.host + "\n"
	there := "'" + p.folder() + "'"
	p.program(login+"mkdir -p "+there+"\nmirror -R --parallel=3 "+p.from+" "+there+"\n", "lftp")
	p.program(login+"mirror --parallel=3 "+there+" "+p.to+"\n", "lftp")
	p.same(p.from, p.to)
	if _, err := os.Stat(filepath.Join(p.to, "hollow")); err != nil {
		p.t.Error("the empty folder did not come back")
	}
	// Nothing is sent again: sizes and times have been kept.
	if again := p.program(login+"mirror -R -n -v "+p.from+" "+there+"\n", "lftp"); strings.Contains(again, "Transferring") {
		p.t.Errorf("a second mirror sends again:\n%s", again)
	}
	if err := os.Remove(filepath.Join(p.from, "text.txt")); err != nil {
		p.t.Fatal(err)
	}
	p.program(login+"mirror -R -e "+p.from+" "+there+"\n", "lftp")
	if left := p.program(login+"cls -1 "+there+"\n", "lftp"); strings.Contains(left, "text.txt") {
		p.t.Errorf("mirror -e left text.txt:\n%s", left)
	}
	p.program(login+"rm -r "+there+"\n", "lftp")
}

func lftpPieces(p places) {
	login := "set ftp:ssl-force yes\nset ssl:verify-certificate no\nset net:max-retries 1\nset cmd:fail-exit yes\nopen -u alice," + plainPassword + " -p " + p.port + " " + p.host + "\n"
	p.program(login+"put sub/big.bin -o pieces.bin\npget -n 4 pieces.bin -o "+p.to+"/pieces.bin\nrm pieces.bin\n", "lftp")
	p.equal(filepath.Join(p.from, "sub/big.bin"), filepath.Join(p.to, "pieces.bin"))
}

// equal compares two files.
func (p places) equal(a, b string) {
	p.t.Helper()
	x, err := os.ReadFile(a)
	if err != nil {
		p.t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	if err != nil {
		p.t.Fatal(err)
	}
	if !bytes.Equal(x, y) {
		p.t.Errorf("%s (%d bytes) and %s (%d bytes) differ", a, len(x), b, len(y))
	}
}

// curlBasics uploads, lists, resumes both ways, renames and removes.
func curlBasics(p places, options ...string) {
	curl := func(args ...string) string {
		p.t.Helper()
		return p.program("", append(append([]string{"curl", "-sS", "--fail"}, options...), args...)...)
	}
	dir := strings.ReplaceAll(p.folder(), " ", "-")
	at := p.url(dir + "/")
	big, back := filepath.Join(p.from, "sub/big.bin"), filepath.Join(p.to, "back.bin")
	curl("-T", big, "--ftp-create-dirs", at+"sub/big.bin")
	curl("-T", filepath.Join(p.from, "empty"), at+"empty")
	curl("-o", back, at+"sub/big.bin")
	p.equal(big, back)
	if names := strings.Fields(curl("-l", at)); len(names) != 2 || names[0] != "empty" || names[1] != "sub" {
		p.t.Errorf("NLST: %q", names)
	}
	if long := curl(at); !strings.Contains(long, "alice") || !strings.Contains(long, " sub") {
		p.t.Errorf("LIST: %s", long)
	}
	if head := curl("-I", at+"sub/big.bin"); !strings.Contains(head, "Content-Length: 3000017") || !strings.Contains(head, "Last-Modified") {
		p.t.Errorf("SIZE and MDTM: %s", head)
	}
	// A download that was cut goes on.
	if err := os.Truncate(back, 1_000_003); err != nil {
		p.t.Fatal(err)
	}
	curl("-C", "-", "-o", back, at+"sub/big.bin")
	p.equal(big, back)
	if part := curl("-r", "100-199", at+"sub/big.bin"); len(part) != 100 {
		p.t.Errorf("a range of 100 bytes has %d", len(part))
	}
	// An upload that was cut goes on: 1 MB of it stands, the rest is appended.
	half := filepath.Join(p.from, "half")
	whole, err := os.ReadFile(big)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(half, whole[:1_000_003], 0o600); err != nil {
		p.t.Fatal(err)
	}
	curl("-T", half, at+"resumed")
	curl("-C", "-", "-T", big, at+"resumed")
	curl("-o", back, at+"resumed")
	p.equal(big, back)
	curl("-B", "-T", filepath.Join(p.from, "text.txt"), at+"text.txt")
	if text := curl("-B", at+"text.txt"); text != "one\r\ntwo\r\n" && text != "one\ntwo\n" {
		p.t.Errorf("ASCII: %q", text)
	}
	curl("-Q", "RNFR "+dir+"/empty", "-Q", "RNTO "+dir+"/renamed", "-Q", "DELE "+dir+"/renamed", "-l", at)
	if out, err := p.try("", append(append([]string{"curl", "-sS", "--fail"}, options...), at+"not-there")...); err == nil {
		p.t.Errorf("a file that is not there came: %q", out)
	}
}

func ncftp(p places) {
	login := []string{"-u", "alice", "-p", plainPassword, "-P", p.port}
	p.program("", append(append([]string{"ncftpput", "-m", "-R"}, login...), p.host, "/ncftp", p.from)...)
	if list := p.program("", append(append([]string{"ncftpls", "-1"}, login...), "ftp://"+p.host+"/ncftp/"+filepath.Base(p.from)+"/")...); !strings.Contains(list, "text.txt") {
		p.t.Errorf("ncftpls: %q", list)
	}
	if list := p.program("", append(append([]string{"ncftpls"}, login...), "ftp://"+p.host+"/ncftp/"+filepath.Base(p.from)+"/")...); !strings.Contains(list, "text.txt") {
		p.t.Errorf("ncftpls in columns: %q", list) // it sends NLST -CF
	}
	p.program("", append(append([]string{"ncftpget", "-R", "-T"}, login...), p.host, p.to, "/ncftp/"+filepath.Base(p.from))...)
	p.same(p.from, filepath.Join(p.to, filepath.Base(p.from)))
}

func tnftp(p places) {
	out := p.program("user alice "+plainPassword+"\nmkdir tn\ncd tn\nput sub/big.bin big.bin\nget big.bin "+p.to+"/big.bin\nls\nnlist\nbinary\nsize big.bin\nmodtime big.bin\n"+
		"mlsd\nmlst big.bin\nrename big.bin bigger.bin\nchmod 600 bigger.bin\nascii\nget bigger.bin "+p.to+"/ascii\npwd\ncdup\nremopts utf8 on\nfeatures\nquit\n", "tnftp", "-n", "-v", "-i", p.host, p.port)
	p.equal(filepath.Join(p.from, "sub/big.bin"), filepath.Join(p.to, "big.bin"))
	for _, want := range []string{"big.bin", "257 \"/tn\"", "MLST", "3000017"} {
		if !strings.Contains(out, want) {
			p.t.Errorf("no %q in what tnftp said", want)
		}
	}
	for _, bad := range []string{"\n500 ", "\n501 ", "\n502 ", "\n550 "} {
		if i := strings.Index(out, bad); i >= 0 {
			p.t.Errorf("tnftp heard %s", strings.SplitN(out[i+1:], "\n", 2)[0])
		}
	}
	if p.t.Failed() {
		p.t.Log(out)
	}
}

func wput(p places) {
	p.program("", "wput", "-t", "1", "-nv", "text.txt", "sub/big.bin", p.url("wput/"))
	p.program("", "wput", "-t", "1", "-nv", "--reupload", "text.txt", p.url("wput/"))
	for _, name := range []string{"text.txt", "sub/big.bin"} {
		p.program("", "curl", "-sS", "--fail", "-o", p.to+"/"+filepath.Base(name), p.url("wput/"+name))
		p.equal(filepath.Join(p.from, name), filepath.Join(p.to, filepath.Base(name)))
	}
}

func rclone(p places, more string) {
	hidden := strings.TrimSpace(p.program("", "rclone", "obscure", plainPassword))
	there := ":ftp,host=" + p.host + ",port=" + p.port + ",user=alice,pass=" + hidden + more + ":" + strings.ReplaceAll(p.folder(), " ", "-")
	p.program("", "rclone", "copy", p.from, there)
	p.program("", "rclone", "check", "--download", p.from, there)
	p.program("", "rclone", "sync", there, p.to)
	p.same(p.from, p.to)
	p.program("", "rclone", "moveto", there+"/text.txt", there+"/moved.txt")
	if list := p.program("", "rclone", "lsf", there); !strings.Contains(list, "moved.txt") || strings.Contains(list, "text.txt") {
		p.t.Errorf("rclone lsf: %q", list)
	}
	p.program("", "rclone", "purge", there)
}
