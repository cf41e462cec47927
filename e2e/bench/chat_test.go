package main

import (
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"time"
)

// TestElement: elements are cut where they end, whatever stands in them.
func TestElement(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     int // bytes of the first; 0: not whole yet
	}{
		{"nothing", "", 0},
		{"half a tag", "<message to='a", 0},
		{"empty", "<presence/><x/>", 11},
		{"quoted end", "<presence to='/>'/>x", 19},
		{"text", "<iq><query/></iq><iq>", 17},
		{"no end", "<iq><query/></i", 0},
		{"no last byte", "<iq></iq", 0},
		{"within itself", "<message><x><message a='1'>y</message></x></message>z", 52},
		{"open tag of a stream", "<stream:stream to='a'><stream:features/>", 22},
		{"declaration", "<?xml version='1.0'?><stream:stream>", 21},
		{"end of the stream", "</stream:stream>", 16},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := element([]byte(tt.in)); got != tt.want {
				t.Errorf("%d bytes of %q, want %d", got, tt.in, tt.want)
			}
		})
	}
}

// TestAttribute: attributes are found by their whole names.
func TestAttribute(t *testing.T) {
	el := []byte(`<iq xml:lang='en' id="7" to='b@c' type='result'><q from='x'/></iq>`)
	for name, want := range map[string]string{"id": "7", "to": "b@c", "type": "result", "from": ""} {
		if got := string(attribute(el, name)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := text([]byte("<a b='c>'>d</a>")); got != "d" {
		t.Errorf("text %q", got)
	}
}

// TestBareChat: messages pass through the limit, under TLS and without.
func TestBareChat(t *testing.T) {
	pair, err := newKeyPair(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.LoadX509KeyPair(pair.Both, pair.Both)
	if err != nil {
		t.Fatal(err)
	}
	r := &bareRelay{conf: &tls.Config{Certificates: []tls.Certificate{cert}}, conns: map[int]*bareTalk{}}
	s := &chatServer{target: target{name: bareLimit, pid: 1}}
	for _, secure := range []bool{true, false} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- r.serve(l, secure) }()
		defer func() {
			_ = l.Close()
			if err := <-done; !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		}()
		s.addr, s.clear = l.Addr().String(), l.Addr().String()
		var both [2]*talker
		for i := range both {
			if both[i], err = s.bareTalker(i, secure); err != nil {
				t.Fatal(err)
			}
			defer both[i].leave()
		}
		partner := both[1]
		_ = partner.raw.SetDeadline(time.Now().Add(10 * time.Second))
		if err := both[0].send("<message id='a'><body>x</body></message><message id='b'/><message id='c'></message>"); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"a", "b", "c"} {
			el, err := partner.next()
			if err != nil || string(attribute(el, "id")) != want {
				t.Errorf("%q, %v; want %s", el, err, want)
			}
		}
	}
}
