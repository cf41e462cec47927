package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// block is how much the client reads or writes at once: so much that it is not what is measured.
const block = 256 << 10

// patience ends what hangs.
const patience = 2 * time.Minute

// client is one FTP session.
type client struct {
	raw  net.Conn
	conn net.Conn // raw, or TLS on it
	r    *bufio.Reader
	tls  *tls.Config // nil: clear; data connections resume the control connection's session
}

// clientTLS trusts anybody: the certificates are self-signed.
func clientTLS() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(8)} // #nosec
}

// dial connects; with a TLS configuration it sends AUTH TLS at once and protects data too.
func dial(addr string, conf *tls.Config) (*client, error) {
	raw, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	c := &client{raw: raw, conn: raw, r: bufio.NewReaderSize(raw, 1024), tls: conf}
	c.hurry()
	if _, err := c.reply("220"); err != nil {
		c.close()
		return nil, err
	}
	if conf == nil {
		return c, nil
	}
	err = c.want("AUTH TLS", "234")
	if err == nil {
		t := tls.Client(raw, conf)
		if err = t.Handshake(); err == nil {
			c.conn, c.r = t, bufio.NewReaderSize(t, 1024)
			err = errors.Join(c.want("PBSZ 0", "200"), c.want("PROT P", "200"))
		}
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// hurry gives the session some time more.
func (c *client) hurry() { _ = c.raw.SetDeadline(time.Now().Add(patience)) }

func (c *client) close() { _ = c.raw.Close() }

// reply reads one reply, which must begin with code.
func (c *client) reply(code string) (string, error) {
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return line, err
		}
		if len(line) > 3 && line[3] == ' ' {
			line = strings.TrimSpace(line)
			if !strings.HasPrefix(line, code) {
				err = fmt.Errorf("got %q instead of %s", line, code)
			}
			return line, err
		}
	}
}

func (c *client) do(command, code string) (string, error) {
	if _, err := io.WriteString(c.conn, command+"\r\n"); err != nil {
		return "", err
	}
	line, err := c.reply(code)
	if err != nil {
		verb, _, _ := strings.Cut(command, " ")
		err = fmt.Errorf("%s: %w", verb, err)
	}
	return line, err
}

func (c *client) want(command, code string) error {
	_, err := c.do(command, code)
	return err
}

func (c *client) login(user, password string) error {
	if err := c.want("USER "+user, "331"); err != nil {
		return err
	}
	return c.want("PASS "+password, "230")
}

// session is dial, log-in and TYPE I.
func session(t *target, secure bool) (*client, error) {
	var conf *tls.Config
	if secure {
		conf = clientTLS()
	}
	c, err := dial(t.addr, conf)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.name, err)
	}
	err = c.login(t.user, t.password)
	if err == nil {
		err = c.want("TYPE I", "200")
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("%s: %w", t.name, err)
	}
	return c, nil
}

// data opens a data connection for the command that is then sent.
func (c *client) data(command string) (net.Conn, error) {
	c.hurry()
	line, err := c.do("EPSV", "229")
	if err != nil {
		return nil, err
	}
	_, rest, _ := strings.Cut(line, "(|||")
	digits, _, _ := strings.Cut(rest, "|")
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("EPSV: %q", line)
	}
	host, _, err := net.SplitHostPort(c.raw.RemoteAddr().String())
	if err != nil {
		return nil, err
	}
	d, err := net.DialTimeout("tcp", net.JoinHostPort(host, strconv.FormatUint(port, 10)), patience)
	if err != nil {
		return nil, err
	}
	_ = d.SetDeadline(time.Now().Add(patience))
	if err := c.want(command, "1"); err != nil {
		_ = d.Close()
		return nil, err
	}
	if c.tls != nil {
		return tls.Client(d, c.tls), nil
	}
	return d, nil
}

// get reads what a command sends and says how much it was.
func (c *client) get(command string, buf []byte) (n int64, err error) {
	d, err := c.data(command)
	if err != nil {
		return 0, err
	}
	for err == nil {
		var k int
		k, err = d.Read(buf)
		n += int64(k)
	}
	_ = d.Close()
	if !errors.Is(err, io.EOF) {
		return n, fmt.Errorf("%s: %w", command, err)
	}
	_, err = c.reply("226")
	return n, err
}

// put sends n bytes, buf again and again.
func (c *client) put(command string, buf []byte, n int64) error {
	d, err := c.data(command)
	if err != nil {
		return err
	}
	for n > 0 && err == nil {
		part := buf[:min(n, int64(len(buf)))]
		_, err = d.Write(part)
		n -= int64(len(part))
	}
	if err == nil {
		err = finish(d)
	}
	_ = d.Close()
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	_, err = c.reply("226")
	return err
}

// finish ends an upload. Under TLS what the server has sent meanwhile (session tickets) must be read:
// a close with unread bytes resets the connection, and takes the end of the upload with it.
func finish(d net.Conn) error {
	t, ok := d.(*tls.Conn)
	if !ok {
		return nil
	}
	if err := t.CloseWrite(); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, t)
	return err
}
