package xmpp_test

import (
	"context"
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"trivium/identity"
)

// served is a port whose connections shake hands elsewhere and are given over.
func (s *site) served() string {
	s.t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", s.cert.Config("h2", "http/1.1", "xmpp-client"))
	must(s.t, err)
	s.t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				if conn := c.(*tls.Conn); conn.Handshake() == nil {
					s.srv.ServeTLS(conn)
				}
			}()
		}
	}()
	return ln.Addr().String()
}

func TestServeTLS(t *testing.T) {
	s := start(t, options{})
	addr := s.served()
	p := s.dialTo(addr)
	p.handshake(s, "xmpp-client")
	if f := p.open(); strings.Contains(f, "starttls") || !strings.Contains(f, "SCRAM-SHA-256-PLUS") || !strings.Contains(f, "PLAIN") {
		t.Errorf("features %q", f)
	}
	p.send(authPlain("alice", password))
	p.expect("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'></success>")
	p.open()
	p.send(bindTo("desk"))
	p.expect("</iq>")
	info := s.session("alice", func(i identity.Info) bool { return i.JID != nil })
	if info.TLS == nil || *info.TLS != "TLS 1.3" || info.RemoteAddr == "" || info.LocalAddr != addr {
		t.Errorf("session %+v", info)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	must(t, s.srv.Shutdown(ctx))
	p.ends("system-shutdown")
	late, err := tls.Dial("tcp", addr, s.clientTLS("xmpp-client"))
	if err == nil {
		_, err = late.Read(make([]byte, 1))
		_ = late.Close()
	}
	if err == nil {
		t.Error("a connection after the end")
	}
}

// Who may not come is told so inside TLS, never in the clear.
func TestServeTLSRefuses(t *testing.T) {
	s := start(t, options{identity: func(o *identity.Options) { o.Limits.ConnectionsPerAddress = 1 }})
	addr := s.served()
	p := s.dialTo(addr)
	p.handshake(s, "xmpp-client")
	p.open()
	q := s.dialTo(addr)
	q.handshake(s, "xmpp-client")
	q.ends("resource-constraint")
}
