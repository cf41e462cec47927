package listen

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func selfSigned(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, NextProtos: []string{"h2", "http/1.1"}}
}

// port is a shared one: http, and what echoes one line.
type port struct {
	addr  string
	ln    net.Listener
	echos chan string // the protocol of each
	fails chan error
}

func sharePort(t *testing.T, o ALPN) *port {
	t.Helper()
	inner, err := TCP(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &port{addr: inner.Addr().String(), echos: make(chan string, 100), fails: make(chan error, 100)}
	o.Config = selfSigned(t)
	o.Others = map[string]func(*tls.Conn){"echo": func(c *tls.Conn) {
		p.echos <- c.ConnectionState().NegotiatedProtocol
		_, _ = io.Copy(c, c)
		_ = c.Close()
	}}
	o.Failed = func(_ net.Conn, err error) { p.fails <- err }
	p.ln = Share(inner, o)
	srv := &http.Server{TLSConfig: o.Config, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) })}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(p.ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return p
}

func (p *port) dial(alpn ...string) (*tls.Conn, error) {
	return tls.Dial("tcp", p.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: alpn})
}

func (p *port) get(t *testing.T, h2 bool) string {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: h2}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr, Timeout: 10 * time.Second}).Get("https://" + p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestShare(t *testing.T) {
	p := sharePort(t, ALPN{})
	// Others first, that shake no hands: they hold nobody up.
	for range 20 {
		c, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if got := p.get(t, false) + p.get(t, true); got != "HTTP/1.1HTTP/2.0" {
		t.Errorf("got %s", got)
	}
	for _, tt := range []struct {
		offer []string
		want  string // "" is refused
	}{{[]string{"echo"}, "echo"}, {[]string{"http/1.1"}, "http/1.1"}, {[]string{"h2"}, "h2"}, {[]string{"echo", "http/1.1"}, "http/1.1"}, {nil, "none"}, {[]string{"ftp"}, ""}} {
		c, err := p.dial(tt.offer...)
		if (err == nil) != (tt.want != "") {
			t.Errorf("%v: %v", tt.offer, err)
		}
		if err != nil {
			if err := <-p.fails; err == nil {
				t.Error("nobody heard of it")
			}
			continue
		}
		defer c.Close()
		if got := c.ConnectionState().NegotiatedProtocol; got != tt.want && tt.want != "none" {
			t.Errorf("%v: %q", tt.offer, got)
		}
		if tt.want != "echo" {
			continue
		}
		if got := <-p.echos; got != "echo" {
			t.Errorf("%q was given over", got)
		}
		if _, err := io.WriteString(c, "hello"); err != nil {
			t.Error(err)
		}
		b := make([]byte, 5)
		if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
			t.Errorf("%q, %v", b, err)
		}
	}
	if len(p.echos) > 0 {
		t.Error("more than one was given over")
	}
}

func TestShareBounds(t *testing.T) {
	t.Run("time", func(t *testing.T) {
		p := sharePort(t, ALPN{Within: 50 * time.Millisecond})
		c, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("no end")
		}
		if err := <-p.fails; !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
	t.Run("number", func(t *testing.T) {
		p := sharePort(t, ALPN{Most: 2, Within: time.Minute})
		var conns []net.Conn
		for range 3 {
			c, err := net.Dial("tcp", p.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			conns = append(conns, c)
		}
		if err := <-p.fails; err == nil { // one of the first two
			t.Error("nothing failed")
		}
		if p.get(t, false) != "HTTP/1.1" {
			t.Error("the next one does not come in")
		}
	})
}

// What others have is theirs; what shakes hands ends with the listener.
func TestShareClose(t *testing.T) {
	p := sharePort(t, ALPN{Within: time.Minute})
	c, err := p.dial("echo")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	<-p.echos
	silent, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if p.get(t, false) != "HTTP/1.1" { // by now silent has been accepted
		t.Error("no page")
	}
	if err := p.ln.Close(); err != nil {
		t.Error(err)
	}
	if _, err := silent.Read(make([]byte, 1)); err == nil {
		t.Error("a handshake goes on")
	}
	if _, err := p.ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := io.WriteString(c, "still"); err != nil {
		t.Error(err)
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "still" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := net.Dial("tcp", p.addr); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("still open: %v", err)
	}
}
