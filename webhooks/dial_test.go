package webhooks

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func TestAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"8.8.8.8:443": true, "[2606:4700::1]:443": true,
		"127.0.0.1:80": false, "10.0.0.1:443": false, "172.16.5.4:443": false, "192.168.1.1:443": false, "169.254.169.254:80": false, "0.0.0.0:80": false,
		"100.64.0.1:443": false, "224.0.0.1:443": false, "255.255.255.255:443": false, "198.18.0.1:1": false, "[::1]:443": false, "[::]:443": false,
		"[fe80::1%eth0]:443": false, "[fc00::1]:443": false, "[::ffff:127.0.0.1]:443": false, "[::ffff:10.0.0.1]:443": false, "[64:ff9b::7f00:1]:443": false,
		"[2002:7f00:1::]:443": false, "[ff02::1]:443": false, "localhost:443": false, "": false,
	} {
		if err := newReach(false).mayDial(address); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
	if err := newReach(true).mayDial("127.0.0.1:80"); err != nil {
		t.Error(err)
	}
}

// A name that leads to this machine is as its address; redirects are not followed.
func TestClient(t *testing.T) {
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer srv.Close()
	if res, err := newClient(newReach(false), nil).Get(srv.URL); !errors.Is(err, errPrivate) {
		t.Errorf("%v, %v", res, err)
	}
	res, err := newClient(newReach(true), nil).Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusFound || asked != 1 {
		t.Errorf("%d after %d requests", res.StatusCode, asked)
	}
}

// What a name leads to is looked at when it is dialled, so a name that leads elsewhere after it was checked
// gets nobody in: here it leads to this machine by all that a resolver may say.
func TestNamesThatLeadHere(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("this machine was asked") }))
	defer srv.Close()
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, leads := range []string{"127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "10.0.0.1", "0.0.0.0", "fe80::1"} {
		names := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			go answerNames(there, netip.MustParseAddr(leads))
			return here, nil
		}}
		res, err := newClient(newReach(false), names).Get("http://rebound.example.org:" + port)
		if !errors.Is(err, errPrivate) {
			t.Errorf("%s: %v, %v", leads, res, err)
		}
	}
}

// answerNames is a name server over one stream, for which each name leads to a (RFC 1035 section 4.2.2).
func answerNames(c net.Conn, a netip.Addr) {
	defer func() { _ = c.Close() }()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		ask := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, ask); err != nil {
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(ask); err != nil || len(m.Questions) != 1 {
			return
		}
		q := m.Questions[0]
		m.Response, m.Additionals = true, nil
		head := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type, TTL: 0}
		switch {
		case q.Type == dnsmessage.TypeA && a.Unmap().Is4():
			m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: a.Unmap().As4()}}}
		case q.Type == dnsmessage.TypeAAAA && a.Is6():
			m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}}}
		}
		b, err := m.AppendPack(make([]byte, 2))
		if err != nil {
			return
		}
		binary.BigEndian.PutUint16(b, uint16(len(b)-2))
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

func TestBackoff(t *testing.T) {
	total, tries := time.Duration(0), 0
	for ; total < giveUp; tries++ {
		d := backoff(tries + 1)
		if d < firstWait*4/5 || d > lastWait*6/5 {
			t.Fatalf("try %d waits %s", tries, d)
		}
		total += d
	}
	if tries < 15 || tries > 40 {
		t.Errorf("%d tries in a day", tries)
	}
}

func TestSign(t *testing.T) {
	key := []byte{0x31, 0xf2, 0x8f, 0x10}
	got := Sign(key, "msg_1", "1614265330", []byte(`{"test": 2432232314}`))
	if got != Sign(key, "msg_1", "1614265330", []byte(`{"test": 2432232314}`)) || got == Sign(key, "msg_2", "1614265330", []byte(`{"test": 2432232314}`)) ||
		got == Sign(key, "msg_1", "1614265331", []byte(`{"test": 2432232314}`)) || len(got) != 3+44 {
		t.Error(got)
	}
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, event string
		want           bool
	}{{"user.add", "user.add", true}, {"user.*", "user.add", true}, {"user.*", "users.add", false}, {"*", "user.add", true}, {"user*", "user.add", false}, {"", "user.add", false}} {
		if got := Match(tt.pattern, tt.event); got != tt.want {
			t.Errorf("Match(%q, %q) = %v", tt.pattern, tt.event, got)
		}
	}
}
