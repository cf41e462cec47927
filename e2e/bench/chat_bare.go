package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The limit for chat passes the bytes of messages on, from each even connection to the odd one behind
// it, and looks for nothing but where they end: no protocol, no accounts. What it reaches is what this
// machine's loopback and Go's TLS let anybody reach with one write for what one read has brought.

// bareChatFlag makes this program that server, in a process of its own.
const bareChatFlag = "bare-chat"

// startBareChat starts it.
func startBareChat(ctx context.Context, pair keyPair) (*chatServer, error) {
	said, pid, stop, err := startSelf(ctx, "-"+bareChatFlag, "-cert", pair.Both)
	if err != nil {
		return nil, err
	}
	s := &chatServer{target: target{name: bareLimit, pid: pid, only: []string{"messages", "latency", "enter"}, stop: stop}}
	s.addr, s.clear, _ = strings.Cut(said, " ")
	return s, nil
}

// bareTalker connects to it; the number says whose turn it is.
func (s *chatServer) bareTalker(number int, secure bool) (*talker, error) {
	addr := s.addr
	if !secure {
		addr = s.clear
	}
	raw, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	c := &talker{raw: raw, conn: raw, jid: "limit"}
	if secure {
		c.conn = tls.Client(raw, &tls.Config{InsecureSkipVerify: true}) // #nosec: the certificates are self-signed
	}
	_ = raw.SetDeadline(time.Now().Add(patience))
	if err = c.send(strconv.Itoa(number) + "\n"); err == nil {
		_, err = c.await("<ok")
	}
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	_ = raw.SetDeadline(time.Time{})
	return c, nil
}

// serveBareChat is the server; it ends when its standard input does, which is when its parent ends.
func serveBareChat(certFile string) error {
	pair, err := tls.LoadX509KeyPair(certFile, certFile)
	if err != nil {
		return err
	}
	secure, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	clear, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	r := &bareRelay{conf: &tls.Config{Certificates: []tls.Certificate{pair}}, conns: map[int]*bareTalk{}} // #nosec: the defaults are what is measured
	done := make(chan error, 2)
	go func() { done <- r.serve(secure, true) }()
	go func() { done <- r.serve(clear, false) }()
	go func() { done <- untilParentEnds() }()
	fmt.Println(secure.Addr(), clear.Addr())
	return <-done
}

// bareRelay knows the connections by their numbers.
type bareRelay struct {
	conf  *tls.Config
	mu    sync.Mutex
	conns map[int]*bareTalk
}

type bareTalk struct {
	mu sync.Mutex // one writer at a time
	net.Conn
}

func (r *bareRelay) serve(l net.Listener, secure bool) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		if secure {
			c = tls.Server(c, r.conf)
		}
		go func() {
			if err := r.relay(&bareTalk{Conn: c}); err != nil && !errors.Is(err, io.EOF) {
				fmt.Fprintln(os.Stderr, "limit:", err)
			}
			_ = c.Close()
		}()
	}
}

func (r *bareRelay) relay(c *bareTalk) error {
	in := bufio.NewReader(c)
	hello, err := in.ReadString('\n')
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(strings.TrimSpace(hello))
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.conns[number] = c
	r.mu.Unlock()
	if _, err := io.WriteString(c, "<ok/>"); err != nil {
		return err
	}
	buf := make([]byte, 16<<10)
	var partner *bareTalk
	for have := 0; ; {
		if have == len(buf) {
			return errors.New("a message is too large for the limit")
		}
		n, err := in.Read(buf[have:])
		if err != nil {
			return err
		}
		have += n
		if bytes.HasSuffix(buf[:have], []byte("</stream:stream>")) {
			_, err := io.WriteString(c, "</stream:stream>")
			return err
		}
		end := bytes.LastIndex(buf[:have], []byte("</message>"))
		if end < 0 {
			continue
		}
		end += len("</message>")
		if partner == nil { // everybody is there before the first message
			r.mu.Lock()
			partner = r.conns[number+1]
			r.mu.Unlock()
			if partner == nil {
				return fmt.Errorf("nobody is behind %d", number)
			}
		}
		partner.mu.Lock()
		_, err = partner.Write(buf[:end])
		partner.mu.Unlock()
		if err != nil {
			return err
		}
		have = copy(buf, buf[end:have])
	}
}
