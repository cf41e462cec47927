package main

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
)

// benchIdle opens n XMPP sessions over TLS and says what one of them costs while it is idle.
func benchIdle(ctx context.Context, bin string, n int) error {
	s, err := start(ctx, bin)
	if err != nil {
		return err
	}
	defer s.stop()
	for i := range idleAccounts { // several resources each, so that presence goes somewhere
		if err := s.add(ctx, account(i)); err != nil {
			return err
		}
	}
	// A few log-ins first, so that what is made once is not counted.
	for i := range 20 {
		c, err := bind(s.addr["xmpps"], account(i), fmt.Sprintf("warm%d", i))
		if err != nil {
			return err
		}
		_ = c.Close()
	}
	before, err := kib(s.status(), "VmRSS")
	if err != nil {
		return err
	}
	for i := range n {
		c, err := bind(s.addr["xmpps"], account(i), fmt.Sprintf("r%d", i))
		if err != nil {
			return fmt.Errorf("session %d: %w", i, err)
		}
		defer func() { _ = c.Close() }()
	}
	after, err := kib(s.status(), "VmRSS")
	if err != nil {
		return err
	}
	fmt.Printf("idle XMPP sessions over TLS, %d:         %.1f KiB of RSS each (process %d MB before, %d MB after)\n",
		n, float64(after-before)/float64(n), before/1024, after/1024)
	return nil
}

const idleAccounts = 100

func account(i int) string { return fmt.Sprintf("bench%d", i%idleAccounts) }

func bind(addr, user, resource string) (*tls.Conn, error) {
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"xmpp-client"}}) // #nosec: the certificate is self-signed
	if err != nil {
		return nil, err
	}
	const header = `<stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`
	for _, step := range [][2]string{
		{header, "</stream:features>"},
		{`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>` + base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+password)) + `</auth>`, "<success"},
		{header, "</stream:features>"},
		{`<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>` + resource + `</resource></bind></iq>`, "</iq>"},
		{`<presence/>`, "<presence"},
	} {
		if _, err := io.WriteString(c, step[0]); err != nil {
			return nil, err
		}
		if err := until(c, step[1]); err != nil {
			return nil, fmt.Errorf("after %.40s: %w", step[0], err)
		}
	}
	return c, nil
}

func until(r io.Reader, text string) error {
	var got strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(got.String(), text) {
		n, err := r.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			return fmt.Errorf("%w; got %.200s", err, got.String())
		}
	}
	return nil
}
