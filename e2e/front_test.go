package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// fromHere is where clients of a proxy come from: another address than the proxy's own.
const fromHere = "127.7.7.7"

// fenced are the examples of a language in the manual of proxies.
func fenced(t *testing.T, language string) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/proxy.md")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		list = append(list, m[1])
	}
	return list
}

// stayOn starts a program that stays, and waits until it listens.
func stayOn(t *testing.T, addr, name string, args ...string) {
	t.Helper()
	log := &logBuffer{}
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = cmd.Process.Kill(), cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", name, log)
		}
	})
	comesTrue(t, name+" listens: "+log.String(), func() bool {
		c, err := net.Dial("tcp", addr)
		return err == nil && c.Close() == nil
	})
}

// TestExamplesOfProxies runs real proxies with the manual's own examples, with another address and certificate,
// below a path and at the top: pages, chat, live pages and uploads come through at once, and the server knows
// where clients are.
func TestExamplesOfProxies(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeLoopbackPair(t, cert, key)
	plain := binary{dir: suite.dir, path: suite.path, server: suite.path}
	for _, tt := range []struct{ name, program, path, forwarded string }{
		{"nginx below a path", "nginx", "/trivium", "x-forwarded"},
		{"nginx at the top, RFC 7239", "nginx", "", "forwarded"},
		{"caddy below a path", "caddy", "/trivium", "x-forwarded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			program, err := exec.LookPath(tt.program)
			if err != nil {
				t.Skip(tt.program + " is not installed: apt-get install nginx-light caddy")
			}
			own, back, chat := freePort(t), freePort(t), freePort(t)
			door := ""
			if tt.program == "nginx" {
				door = nginx(t, program, own, back, chat, cert, key, tt.path, tt.forwarded)
			} else {
				text := strings.NewReplacer("example.org {", "https://"+own+" {\n    tls "+cert+" "+key, "127.0.0.1:8080", back).Replace(fenced(t, "caddy")[0])
				file := write(t, t.TempDir(), "Caddyfile", []byte("{\n    admin off\n    auto_https disable_redirects\n}\n"+text))
				stayOn(t, own, program, "run", "--adapter", "caddyfile", "--config", file)
			}
			front := "https://" + own + tt.path
			s, err := start(plain, filepath.Join(t.TempDir(), "data"), "--set", "web.listen="+back, "--set", "web.public_url="+front, "--set", "web.plain=serve",
				"--set", "web.trusted_proxies=127.0.0.1", "--set", "web.forwarded="+tt.forwarded, "--set", "xmpp.proxy_from=127.0.0.1", "--set", "xmpp.tls_listen="+chat)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				s.kill()
				if t.Failed() {
					t.Logf("server log:\n%s", s.log)
				}
			})
			s.run(t, password+"\n", "user", "add", "alice", "--password-stdin")
			throughFront(t, s, front, door)
		})
	}
}

// nginx starts one with the manual's example; its stream, where it has that module, leads to chat:
// then door is the address of that.
func nginx(t *testing.T, program, own, back, chat, cert, key, path, forwarded string) (door string) {
	t.Helper()
	dir, blocks := t.TempDir(), fenced(t, "nginx")
	text := strings.NewReplacer("listen 443 ssl http2;", "listen "+own+" ssl http2; ssl_certificate "+cert+"; ssl_certificate_key "+key+";", "http://127.0.0.1:8080", "http://"+back).Replace(blocks[0])
	if path == "" {
		text = strings.Replace(text, "location /trivium/ {", "location / {", 1)
	}
	if forwarded == "forwarded" {
		outside, inside, _ := strings.Cut(blocks[1], "\n\n")
		text = regexp.MustCompile(`(?m)^.*X-Forwarded-(For|Proto).*\n`).ReplaceAllString(text, "")
		text = regexp.MustCompile(`(?m)^.*X-Forwarded-Host.*\n`).ReplaceAllLiteralString(text, strings.ReplaceAll(inside, "example.org", own)+"\n") + "\n" + outside
	}
	conf := "daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr;\nevents {}\nhttp {\naccess_log off;\n"
	for _, temp := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		conf += temp + "_temp_path " + filepath.Join(dir, temp) + ";\n"
	}
	stayOn(t, own, program, "-p", dir, "-c", write(t, dir, "nginx.conf", []byte(conf+text+"}\n")))
	const module = "/usr/lib/nginx/modules/ngx_stream_module.so"
	if _, err := os.Stat(module); err != nil {
		t.Log("nginx has no module for streams, so chat does not come by it: apt-get install libnginx-mod-stream")
		return ""
	}
	dir, door = t.TempDir(), freePort(t)
	stream := strings.NewReplacer("listen 5223", "listen "+door, "127.0.0.1:5223", chat).Replace(blocks[2])
	stayOn(t, door, program, "-p", dir, "-c", write(t, dir, "nginx.conf", []byte("load_module "+module+"; daemon off; master_process off; pid nginx.pid; error_log stderr;\nevents {}\n"+stream)))
	return door
}

// throughFront is a person's way through a proxy, and through its stream where door is not "".
func throughFront(t *testing.T, s *server, front, door string) {
	site, err := url.Parse(front)
	if err != nil {
		t.Fatal(err)
	}
	dial := (&net.Dialer{Timeout: clientLimit, LocalAddr: &net.TCPAddr{IP: net.ParseIP(fromHere)}}).DialContext
	conf := &tls.Config{InsecureSkipVerify: true}
	w := newWeb(t, "")
	w.base = front
	w.c.Transport = lying{&http.Transport{DialContext: dial, TLSClientConfig: conf, ForceAttemptHTTP2: true}}
	w.login("alice", password)
	seen := func(road string) {
		t.Helper()
		for _, x := range s.sessions(t, "--user", "alice") {
			if x.Protocol == road && !strings.HasPrefix(x.RemoteAddr, fromHere+":") {
				t.Errorf("%s comes from %s", road, x.RemoteAddr)
			}
		}
	}
	seen("web")
	ctx, cancel := context.WithTimeout(t.Context(), 2*clientLimit)
	defer cancel()

	// A live page says at once what happens.
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, front+"/sessions/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	live := &http.Client{Jar: w.c.Jar, Transport: w.c.Transport}
	res, err := live.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	event := func() {
		t.Helper()
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "event:") {
		}
		if !strings.HasPrefix(lines.Text(), "event:") {
			t.Fatalf("no event: %v", lines.Err())
		}
	}
	event()
	dialFTP(t, s.addr["ftp"]).login("alice", password)
	event()

	// Chat over WebSocket, at the address that the server gives for it.
	ws, _, err := websocket.Dial(ctx, "wss://"+site.Host+site.Path+"/xmpp-websocket", &websocket.DialOptions{Subprotocols: []string{"xmpp"},
		HTTPClient: &http.Client{Transport: &http.Transport{DialContext: dial, TLSClientConfig: conf}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ws.CloseNow() }()
	if err := ws.Write(ctx, websocket.MessageText, []byte(`<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>`)); err != nil {
		t.Fatal(err)
	}
	if _, b, err := ws.Read(ctx); err != nil || !strings.HasPrefix(string(b), "<open ") {
		t.Errorf("chat: %q, %v", b, err)
	}
	for _, x := range s.sessions(t) {
		if x.Protocol == "xmpp" && !strings.HasPrefix(x.RemoteAddr, fromHere+":") {
			t.Errorf("chat comes from %s", x.RemoteAddr)
		}
	}

	// An upload reaches the server while it is sent, not at its end.
	const size = 24 << 20
	_, _, page := w.get("/files/")
	tus := func(method, at string, body io.Reader, length int64, pairs ...string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, method, at, body)
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = length
		for i := 0; i+1 < len(pairs); i += 2 {
			r.Header.Set(pairs[i], pairs[i+1])
		}
		r.Header.Set("Tus-Resumable", "1.0.0")
		r.Header.Set("X-CSRF-Token", csrfOf(page))
		res, err := live.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res
	}
	made := tus(http.MethodPost, front+"/files/", nil, 0, "Upload-Length", strconv.Itoa(size), "Upload-Metadata", "filename "+base64.StdEncoding.EncodeToString([]byte("large")))
	at, err := made.Location()
	if err != nil || made.StatusCode != http.StatusCreated {
		t.Fatalf("an upload: %s, %v", made.Status, err)
	}
	content := noise(7, size)
	out, in := io.Pipe()
	half := make(chan struct{})
	go func() {
		_, _ = in.Write(content[:size/2])
		<-half
		_, _ = in.Write(content[size/2:])
		_ = in.Close()
	}()
	done := make(chan *http.Response, 1)
	go func() {
		done <- tus(http.MethodPatch, at.String(), out, size, "Content-Type", "application/offset+octet-stream", "Upload-Offset", "0")
	}()
	comesTrue(t, "the first half has arrived", func() bool {
		most := int64(0)
		_ = filepath.WalkDir(filepath.Join(s.data, "files"), func(_ string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() {
				if info, err := e.Info(); err == nil {
					most = max(most, info.Size())
				}
			}
			return nil // what has gone meanwhile was small
		})
		return most >= size/4
	})
	close(half)
	if res := <-done; res.StatusCode != http.StatusNoContent {
		t.Errorf("the upload: %s", res.Status)
	}
	if b, err := os.ReadFile(filepath.Join(s.data, "files", "localhost", "home", "alice", "large")); err != nil || string(b) != string(content) {
		t.Errorf("%d bytes have arrived, %v", len(b), err)
	}

	// Chat by TCP, whose PROXY header names the client.
	if door != "" {
		raw, err := dial(ctx, "tcp", door)
		if err != nil {
			t.Fatal(err)
		}
		x := &xmppClient{t: t, conn: tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"xmpp-client"}})}
		defer func() { _ = raw.Close() }()
		x.header("localhost")
		x.login("alice", password, "localhost", "desk")
		seen("xmpp")
	}
}

// lying says that it comes from elsewhere.
type lying struct{ http.RoundTripper }

func (l lying) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("X-Forwarded-For", "198.51.100.9")
	r.Header.Set("X-Forwarded-Host", "evil.example")
	r.Header.Set("Forwarded", `for="198.51.100.9`)
	return l.RoundTripper.RoundTrip(r)
}
