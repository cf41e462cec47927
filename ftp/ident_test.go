package ftp

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestAskIdent(t *testing.T) {
	remote, local := netip.MustParseAddrPort("127.0.0.1:6193"), netip.MustParseAddrPort("127.0.0.1:21")
	for _, tt := range []struct{ name, answer, want string }{
		{"user", "6193, 21 : USERID : UNIX : alice\r\n", "alice"},
		{"no spaces", "6193,21:USERID:UNIX,US-ASCII:alice\r\n", "alice"},
		{"colon in the name", "6193, 21 : USERID : OTHER : a:b\r\n", "a:b"},
		{"error", "6193, 21 : ERROR : NO-USER\r\n", ""},
		{"other ports", "6193, 22 : USERID : UNIX : alice\r\n", ""},
		{"control characters", "6193, 21 : USERID : UNIX : a\x1b[2J\r\n", "a?[2J"},
		{"no end", "6193, 21 : USERID : UNIX : alice", ""},
		{"too long", "6193, 21 : USERID : UNIX : " + strings.Repeat("x", 5000) + "\r\n", ""},
		{"silence", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			asked := make(chan string, 1)
			go func() {
				c, err := ln.Accept()
				if err != nil {
					asked <- err.Error()
					return
				}
				l, _ := bufio.NewReader(c).ReadString('\n')
				_, _ = io.WriteString(c, tt.answer)
				_ = c.Close()
				asked <- l
			}()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			got, ok := askIdent(ctx, netip.MustParseAddrPort(ln.Addr().String()), remote, local)
			if got != tt.want || ok != (tt.want != "") {
				t.Errorf("%q, %v", got, ok)
			}
			if q := <-asked; q != "6193, 21\r\n" {
				t.Errorf("asked %q", q)
			}
		})
	}
}

func FuzzIdent(f *testing.F) {
	f.Add("6193, 21 : USERID : UNIX : alice\r\n")
	f.Add("6193,21:USERID:::\n")
	f.Add("0x1, 21 : USERID : UNIX : a")
	f.Fuzz(func(t *testing.T, text string) {
		name, ok := parseIdent(text, 6193, 21)
		if ok && (name == "" || len(name) > 128 || printable(name) != name) {
			t.Fatalf("%q", name)
		}
	})
}
