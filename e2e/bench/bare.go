package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// The limit is a server that does nothing but copy between a socket and a file, as fast as Go does:
// it speaks so much of FTP that the same client can be used, and checks nothing. What it reaches is
// what this machine's loopback, file system and TLS let anybody reach.

// bareFlag makes this program that server, in a process of its own.
const bareFlag = "bare"

// startBare starts it in a folder.
func startBare(ctx context.Context, dir string, pair keyPair) (*target, error) {
	home := filepath.Join(dir, "bare")
	if err := os.MkdirAll(home, 0o755); err != nil {
		return nil, err
	}
	addr, pid, stop, err := startSelf(ctx, "-"+bareFlag, home, "-cert", pair.Both)
	if err != nil {
		return nil, err
	}
	return &target{name: "limit", addr: addr, user: "x", password: "x", pid: pid, home: home,
		only: []string{"down", "up", "small"}, stop: stop}, nil
}

// serveBare is the server; it ends when its standard input does, which is when its parent ends.
func serveBare(home, certFile string) error {
	l, err := listenBare(home, certFile)
	if err != nil {
		return err
	}
	go func() {
		_ = untilParentEnds()
		l.close()
	}()
	fmt.Println(l.addr())
	if err := l.serve(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// bareListener takes the sessions.
type bareListener struct {
	l    net.Listener
	home string
	conf *tls.Config
}

func listenBare(home, certFile string) (*bareListener, error) {
	pair, err := tls.LoadX509KeyPair(certFile, certFile)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &bareListener{l, home, &tls.Config{Certificates: []tls.Certificate{pair}}}, nil // #nosec: the defaults are what is measured
}

func (l *bareListener) addr() string { return l.l.Addr().String() }
func (l *bareListener) close()       { _ = l.l.Close() }

func (l *bareListener) serve() error {
	for {
		c, err := l.l.Accept()
		if err != nil {
			return err
		}
		go func() {
			b := &bare{conn: c, r: bufio.NewReader(c), home: l.home, conf: l.conf}
			if err := b.serve(); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				fmt.Fprintln(os.Stderr, "limit:", err)
			}
			_ = c.Close()
		}()
	}
}

// bare is one session.
type bare struct {
	conn net.Conn
	r    *bufio.Reader
	home string
	conf *tls.Config
	tls  bool
	door *net.TCPListener
}

func (b *bare) say(text string) error {
	_, err := io.WriteString(b.conn, text+"\r\n")
	return err
}

func (b *bare) serve() error {
	if err := b.say("220 ready"); err != nil {
		return err
	}
	for {
		line, err := b.r.ReadString('\n')
		if err != nil {
			return err
		}
		verb, arg, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch verb {
		case "AUTH":
			if err = b.say("234 go on"); err == nil {
				t := tls.Server(b.conn, b.conf)
				b.conn, b.r, b.tls = t, bufio.NewReader(t), true
			}
		case "USER":
			err = b.say("331 go on")
		case "PASS":
			err = b.say("230 in")
		case "EPSV":
			err = b.listen()
		case "RETR", "STOR":
			err = b.transfer(verb == "STOR", filepath.Join(b.home, filepath.Base(arg)))
		case "DELE":
			err = errors.Join(os.Remove(filepath.Join(b.home, filepath.Base(arg))), b.say("250 gone"))
		case "QUIT":
			return b.say("221 bye")
		default:
			err = b.say("200 fine")
		}
		if err != nil {
			return err
		}
	}
}

func (b *bare) listen() error {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	b.door = l
	return b.say(fmt.Sprintf("229 here (|||%d|)", l.Addr().(*net.TCPAddr).Port))
}

func (b *bare) transfer(up bool, name string) error {
	c, err := b.door.AcceptTCP()
	_ = b.door.Close()
	if err != nil {
		return err
	}
	if err := b.say("150 here it comes"); err != nil {
		return err
	}
	if up {
		err = b.receive(c, name)
	} else {
		err = b.send(c, name)
	}
	if err != nil {
		_ = c.Close()
		return err
	}
	return b.say("226 done")
}

// send copies by sendfile(2), or through TLS.
func (b *bare) send(c *net.TCPConn, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if !b.tls {
		_, err := c.ReadFrom(f)
		return errors.Join(err, c.Close())
	}
	t := tls.Server(c, b.conf)
	_, err = io.CopyBuffer(struct{ io.Writer }{t}, struct{ io.Reader }{f}, make([]byte, block))
	return errors.Join(err, t.Close())
}

// receive copies by splice(2), or through TLS.
func (b *bare) receive(c *net.TCPConn, name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if b.tls {
		t := tls.Server(c, b.conf)
		_, err = io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{t}, make([]byte, block))
		return errors.Join(err, f.Close(), t.Close())
	}
	_, err = f.ReadFrom(c)
	return errors.Join(err, f.Close(), c.Close())
}
