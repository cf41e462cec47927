package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// surfer is one connection of a browser. It is made to cost little: of an answer it reads the status and
// where it ends, and nothing else is looked at.
type surfer struct {
	conn net.Conn
	r    *bufio.Reader
	host string
}

// reply is what came for one request.
type reply struct {
	status   int
	bytes    int64 // of the body, as it was on the wire
	location string
}

var errReply = errors.New("an answer that is none of HTTP/1.1")

func (s *webServer) surf() (*surfer, error) {
	conn, err := net.DialTimeout("tcp", s.addr, patience)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	_ = conn.SetDeadline(time.Now().Add(2 * patience))
	return &surfer{conn: conn, r: bufio.NewReaderSize(conn, block), host: s.addr}, nil
}

// surfers are n connections; shut closes those that there are, on an error too.
func (s *webServer) surfers(n int) (all []*surfer, shut func(), err error) {
	shut = func() {
		for _, c := range all {
			c.close()
		}
	}
	for range n {
		c, err := s.surf()
		if err != nil {
			return all, shut, err
		}
		all = append(all, c)
	}
	return all, shut, nil
}

// head is a request as a browser sends it.
func (c *surfer) head(method, path, cookie string, more ...string) []byte {
	lines := []string{method + " " + path + " HTTP/1.1", "Host: " + c.host, "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Accept-Language: en-GB,en;q=0.5", "Accept-Encoding: gzip, deflate, br, zstd",
		"Sec-Fetch-Dest: document", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: same-origin"}
	if cookie != "" {
		lines = append(lines, "Cookie: "+cookie)
	}
	return []byte(strings.Join(append(lines, more...), "\r\n") + "\r\n\r\n")
}

// do sends a request and reads its answer.
func (c *surfer) do(request []byte) (reply, error) {
	if _, err := c.conn.Write(request); err != nil {
		return reply{}, err
	}
	return c.answer()
}

func (c *surfer) answer() (a reply, err error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return a, err
	}
	if len(line) < len("HTTP/1.1 200\r\n") {
		return a, errReply
	}
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return a, err
	}
	length, chunked := int64(0), false
	for {
		if line, err = c.r.ReadSlice('\n'); err != nil {
			return a, err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		switch {
		case bytes.HasPrefix(line, []byte("Content-Length: ")):
			if length, err = strconv.ParseInt(string(line[len("Content-Length: "):]), 10, 64); err != nil {
				return a, err
			}
		case bytes.HasPrefix(line, []byte("Transfer-Encoding: chunked")):
			chunked = true
		case bytes.HasPrefix(line, []byte("Location: ")):
			a.location = string(line[len("Location: "):])
		}
	}
	if !chunked {
		a.bytes = length
		return a, c.skip(length)
	}
	for {
		if line, err = c.r.ReadSlice('\n'); err != nil {
			return a, err
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 64)
		if err != nil {
			return a, err
		}
		if err := c.skip(n + int64(len("\r\n"))); err != nil || n == 0 {
			return a, err
		}
		a.bytes += n
	}
}

// skip reads over n bytes.
func (c *surfer) skip(n int64) error {
	for n > 0 {
		k, err := c.r.Discard(int(min(n, block)))
		if n -= int64(k); err != nil {
			return err
		}
	}
	return nil
}

// want is do, for what has to succeed.
func (c *surfer) want(request []byte, status int) (reply, error) {
	a, err := c.do(request)
	if err == nil && a.status != status {
		line, _, _ := bytes.Cut(request, []byte("\r\n"))
		err = fmt.Errorf("%s was answered %d", line, a.status)
	}
	return a, err
}

func (c *surfer) close() { _ = c.conn.Close() }

// once asks for one page.
func (s *webServer) once(path, cookie string) (reply, error) {
	c, err := s.surf()
	if err != nil {
		return reply{}, err
	}
	defer c.close()
	return c.want(c.head("GET", path, cookie), 200)
}
