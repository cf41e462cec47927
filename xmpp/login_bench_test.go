package xmpp_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"trivium/xmpp"
)

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// BenchmarkLogin is a whole log-in by SCRAM-SHA-256 with a bound resource; the client, in the same
// process, derives its key once.
func BenchmarkLogin(b *testing.B) {
	for _, secure := range []bool{false, true} {
		name := map[bool]string{false: "clear", true: "TLS"}[secure]
		b.Run(name, func(b *testing.B) {
			s := start(b, options{xmpp: func(o *xmpp.Options) { o.Config.TLS = "optional" }})
			ctx, cancel := context.WithCancel(b.Context())
			ran := make(chan error, 1)
			go func() { ran <- s.svc.Run(ctx) }()
			defer func() { cancel(); <-ran }()
			var client []byte
			buf := make([]byte, 16<<10)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				var conn net.Conn
				conn, err := net.Dial("tcp", s.clear)
				if err != nil {
					b.Fatal(err)
				}
				if secure {
					_ = conn.Close()
					if conn, err = tls.Dial("tcp", s.tls, s.clientTLS("xmpp-client")); err != nil {
						b.Fatal(err)
					}
				}
				have := 0
				until := func(want string) string {
					for {
						if i := bytes.Index(buf[:have], []byte(want)); i >= 0 {
							text := string(buf[:i+len(want)])
							have = copy(buf, buf[i+len(want):have])
							return text
						}
						n, err := conn.Read(buf[have:])
						if err != nil {
							b.Fatal(err, string(buf[:have]))
						}
						have += n
					}
				}
				say := func(text string) { _, _ = io.WriteString(conn, text) }
				say(openStream(host))
				until("</stream:features>")
				say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>" + b64("n,,n=alice,r=fyko+d2lbbFgONRv9qkxdawL") + "</auth>")
				until(">")
				raw, _ := base64.StdEncoding.DecodeString(strings.TrimSuffix(until("</challenge>"), "</challenge>"))
				first := string(raw)
				f := strings.Split(first, ",")
				if client == nil {
					salt, _ := base64.StdEncoding.DecodeString(f[1][2:])
					n, _ := strconv.Atoi(f[2][2:])
					salted, _ := pbkdf2.Key(sha256.New, password, salt, n, 32)
					client = mac(salted, "Client Key")
				}
				stored := sha256.Sum256(client)
				without := "c=biws," + f[0]
				proof := mac(stored[:], "n=alice,r=fyko+d2lbbFgONRv9qkxdawL,"+first+","+without)
				for i := range proof {
					proof[i] ^= client[i]
				}
				say("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + b64(without+",p="+base64.StdEncoding.EncodeToString(proof)) + "</response>")
				until("</success>")
				say(openStream(host))
				until("</stream:features>")
				say(bindTo("x"))
				until("</iq>")
				say("</stream:stream>")
				until("</stream:stream>")
				_ = conn.Close()
			}
		})
	}
}
