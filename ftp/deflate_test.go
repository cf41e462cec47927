package ftp_test

import (
	"bytes"
	"compress/zlib"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"testing"

	"trivium/identity"
)

func deflate(t *testing.T, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	if _, err := z.Write(content); err != nil {
		t.Fatal(err)
	}
	must(t, z.Close())
	return b.Bytes()
}

func inflate(t *testing.T, content []byte) string {
	t.Helper()
	z, err := zlib.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatalf("%d bytes: %v", len(content), err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Errorf("after %d bytes: %v", len(b), err)
	}
	return string(b)
}

// sendRaw uploads exactly these bytes, and wants that answer.
func (c *client) sendRaw(conf *tls.Config, code int, command string, content []byte) {
	c.t.Helper()
	var d net.Conn = c.passive()
	c.do(150, command)
	if conf != nil {
		d = tls.Client(d, conf)
	}
	_, _ = d.Write(content) // the server may have had enough
	_ = d.Close()
	c.want(code)
}

// TestDeflate moves files and listings as zlib streams, in the clear and under TLS, with offsets
// that count bytes of the file.
func TestDeflate(t *testing.T) {
	for _, secure := range []bool{false, true} {
		name := "clear"
		if secure {
			name = "tls"
		}
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c := dial(t, w.addr)
			var conf *tls.Config
			get := func(command string) string { return inflate(t, c.get(command)) }
			if secure {
				conf = insecure(0)
				c.secure(conf)
				get = func(command string) string { return inflate(t, c.getTLS(conf, command)) }
			}
			c.login("alice", w.password)
			c.do(200, "TYPE I")
			c.do(200, "MODE Z")
			noise := make([]byte, 300_000)
			_, _ = rand.NewChaCha8([32]byte{1}).Read(noise) // never fails
			text := strings.Repeat("what is said again and again\n", 40_000)
			for name, content := range map[string]string{"empty": "", "one": "1", "noise": string(noise), "text": text} {
				c.sendRaw(conf, 226, "STOR "+name, deflate(t, []byte(content)))
				if got := w.read(name); string(got) != content {
					t.Errorf("%s: %d bytes stand there", name, len(got))
				}
				if got := get("RETR " + name); got != content {
					t.Errorf("%s: %d bytes came back", name, len(got))
				}
			}
			c.sendRaw(conf, 226, "STOR nothing", nil)
			if got := w.read("nothing"); len(got) != 0 {
				t.Errorf("of nothing %d bytes", len(got))
			}
			c.do(350, "REST 1000000")
			if got := get("RETR text"); got != text[1_000_000:] {
				t.Errorf("%d bytes from an offset on", len(got))
			}
			c.do(350, "RANG 5 7")
			if got := get("RETR text"); got != text[5:8] {
				t.Errorf("a range: %q", got)
			}
			c.sendRaw(conf, 226, "APPE one", deflate(t, []byte("2")))
			c.do(350, "REST 2")
			c.do(200, "ALLO 3")
			c.sendRaw(conf, 226, "STOR one", deflate(t, []byte("3")))
			c.do(350, "RANG 0 0")
			c.sendRaw(conf, 226, "STOR one", deflate(t, []byte("x")))
			if got := w.read("one"); string(got) != "x23" {
				t.Errorf("put together: %q", got)
			}
			c.do(200, "ALLO 100")
			c.sendRaw(conf, 426, "STOR short", deflate(t, make([]byte, 99)))
			for _, command := range []string{"LIST", "NLST", "MLSD"} {
				if got := get(command); !strings.Contains(got, "noise") {
					t.Errorf("%s: %q", command, got)
				}
			}
			c.do(200, "TYPE A")
			c.sendRaw(conf, 226, "STOR lines", deflate(t, []byte("a\r\nb\r\n")))
			if got := w.read("lines"); string(got) != "a\nb\n" {
				t.Errorf("lines: %q", got)
			}
			if got := get("RETR lines"); got != "a\r\nb\r\n" {
				t.Errorf("lines came back as %q", got)
			}
			c.do(200, "MODE S")
			c.do(200, "TYPE I")
			c.sendRaw(conf, 226, "STOR plain", []byte("plain"))
			if got := w.read("plain"); string(got) != "plain" {
				t.Errorf("MODE S: %q", got)
			}
		})
	}
}

// TestDeflateBroken: what is no zlib stream leaves everything as it was; one that breaks off leaves a
// part that goes on where it ends.
func TestDeflateBroken(t *testing.T) {
	w := newWorld(t)
	c := dial(t, w.addr).login("alice", w.password)
	c.do(200, "TYPE I")
	c.do(200, "MODE Z")
	noise := make([]byte, 200_000)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(noise) // never fails
	good := deflate(t, noise)
	bad := bytes.Clone(good)
	bad[len(bad)-1] ^= 1
	for name, content := range map[string][]byte{
		"no stream": []byte("plain text, as MODE S has it"), "checksum": bad, "more behind": append(bytes.Clone(good), 'x'),
		"a dictionary": {0x78, 0xbb, 1, 2, 3, 4, 5},
	} {
		c.sendRaw(nil, 451, "STOR "+name, content)
		if w.exists(name) {
			t.Errorf("%s stands there", name)
		}
		c.do(550, "SIZE "+name)
	}
	// Behind a part, too: it has its old size again.
	c.sendRaw(nil, 426, "STOR part", good[:len(good)/2])
	size := c.do(213, "SIZE part")
	kept := strings.TrimSpace(strings.TrimPrefix(size, "213 "))
	c.do(350, "REST "+kept)
	c.sendRaw(nil, 451, "STOR part", bad)
	if again := c.do(213, "SIZE part"); again != size {
		t.Errorf("the part was %q, and is %q", size, again)
	}
	at, err := strconv.Atoi(kept)
	must(t, err)
	if at == 0 || at >= len(noise) {
		t.Fatalf("%d bytes were kept", at)
	}
	c.do(350, "REST "+kept)
	c.sendRaw(nil, 226, "STOR part", deflate(t, noise[at:]))
	if got := w.read("part"); !bytes.Equal(got, noise) {
		t.Errorf("%d bytes stand there", len(got))
	}
}

// TestDeflateQuota: a small stream that becomes a big file meets the quota.
func TestDeflateQuota(t *testing.T) {
	w := newWorld(t, func(w *world) { w.quota = 1 << 20 })
	c := dial(t, w.addr).login("alice", w.password)
	c.do(200, "TYPE I")
	c.do(200, "MODE Z")
	c.sendRaw(nil, 552, "STOR bomb", deflate(t, make([]byte, 16<<20)))
	if w.exists("bomb") {
		t.Error("it stands there")
	}
	c.sendRaw(nil, 226, "STOR fits", deflate(t, make([]byte, 1<<19)))
}

// TestDeflatePlaces: where too many run, MODE S goes on, and every end gives its place back.
func TestDeflatePlaces(t *testing.T) {
	w := newWorld(t)
	w.write("one", []byte("1"))
	c := dial(t, w.addr).login("alice", w.password)
	c.do(200, "MODE Z")
	c.sendRaw(nil, 451, "STOR bad", []byte("no stream"))
	c.do(229, "EPSV")
	c.do(550, "RETR nosuch")
	if got := inflate(t, c.get("RETR one")); got != "1" {
		t.Errorf("%q", got)
	}
	if n := w.srv.Deflating(); n != 0 {
		t.Errorf("%d places are taken", n)
	}
	free := w.srv.FillDeflates()
	d := c.passive()
	c.do(450, "RETR one")
	_ = d.Close()
	c.do(200, "MODE S")
	if got := c.get("RETR one"); string(got) != "1" {
		t.Errorf("MODE S: %q", got)
	}
	free()
	c.do(200, "MODE Z")
	if got := inflate(t, c.get("RETR one")); got != "1" {
		t.Errorf("%q", got)
	}
}

// TestDeflateHidden: a rule takes MODE Z away as if it were not there.
func TestDeflateHidden(t *testing.T) {
	w := newWorld(t, func(w *world) { w.policy = map[string]string{"ftp:MODE Z for user:bob": "never"} })
	w.add("bob", identity.LevelUser)
	c := dial(t, w.addr).login("alice", w.password)
	if got := c.do(211, "FEAT"); !strings.Contains(got, "MODE Z") {
		t.Errorf("FEAT: %s", got)
	}
	b := dial(t, w.addr).login("bob", w.password)
	if got := b.do(211, "FEAT"); strings.Contains(got, "MODE Z") {
		t.Errorf("FEAT: %s", got)
	}
	b.do(504, "MODE Z")
	b.do(501, "OPTS MODE Z LEVEL 1")
	b.do(200, "MODE S")
}
