package probe

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6455 names it
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	wsGUID    = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455 section 1.3
	wsText    = 1
	wsFinal   = 0x80
	wsMasked  = 0x80
	maxWSText = 16 << 10 // bytes of one frame that a probe reads
)

// talk opens a WebSocket and a stream in it.
func (p *xmppProbe) talk(ctx context.Context, s *Step, w *site) {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails (crypto/rand)
	key := base64.StdEncoding.EncodeToString(nonce[:])
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, httpURL(w.url), nil)
	if err != nil {
		s.fail(reason(err), "Pages with chat find nothing there.", "Look at web.public_url.")
		return
	}
	for name, value := range map[string]string{"User-Agent": userAgent, "Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key, "Sec-WebSocket-Protocol": "xmpp"} {
		req.Header.Set(name, value)
	}
	s.say(">", "GET "+w.url.RequestURI()+", Upgrade: websocket, Sec-WebSocket-Protocol: xmpp")
	res, err := w.http.Do(req)
	if err != nil {
		s.unanswered(err)
		return
	}
	defer func() { _ = res.Body.Close() }() // the connection ends with it
	s.say("<", res.Proto+" "+res.Status)
	sum := sha1.Sum([]byte(key + wsGUID)) //nolint:gosec // no secret
	const fix = "Let the proxy in front pass the upgrade of connections (WebSocket) for this address."
	switch {
	case res.StatusCode != http.StatusSwitchingProtocols:
		s.fail("the answer is "+answer{status: res.StatusCode}.String()+" and not 101", "Chat in web pages does not work.", fix)
		return
	case res.Header.Get("Sec-WebSocket-Accept") != base64.StdEncoding.EncodeToString(sum[:]), res.Header.Get("Sec-WebSocket-Protocol") != "xmpp":
		s.fail("the upgrade was answered wrongly", "Chat in web pages does not work.", fix)
		return
	}
	conn, ok := res.Body.(io.ReadWriteCloser)
	if !ok {
		s.skip("this client cannot upgrade")
		return
	}
	end := time.AfterFunc(perDial, func() { _ = conn.Close() }) // an upgraded body knows no deadline
	defer end.Stop()
	open := fmt.Sprintf("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='%s' version='1.0'/>", escape(p.t.Host))
	s.say(">", open)
	if _, err := conn.Write(wsFrame(open)); err != nil {
		s.unanswered(err)
		return
	}
	text, err := readWSText(bufio.NewReader(conn))
	if err != nil {
		s.fail("the upgrade went well, and nothing came after it: "+reason(err), "Chat in web pages does not work.", fix)
		return
	}
	s.say("<", text)
	if !strings.HasPrefix(text, "<open") {
		s.fail("the stream was refused", "Chat in web pages does not work.", "Look at the log of the server.")
	}
	_, _ = conn.Write(wsFrame("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"))
}

// wsFrame is a masked frame of text, as clients send it (RFC 6455 section 5.2); under 64 KiB.
func wsFrame(text string) []byte {
	var mask [4]byte
	_, _ = rand.Read(mask[:]) // never fails
	b := []byte{wsFinal | wsText}
	if n := len(text); n < 126 {
		b = append(b, wsMasked|byte(n))
	} else {
		b = binary.BigEndian.AppendUint16(append(b, wsMasked|126), uint16(n))
	}
	b = append(b, mask[:]...)
	for i := range len(text) {
		b = append(b, text[i]^mask[i%4])
	}
	return b
}

var errFrame = errors.New("what came is no frame of text")

// readWSText reads one frame of text in one piece.
func readWSText(r *bufio.Reader) (string, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", err
	}
	if head[0] != wsFinal|wsText || head[1]&wsMasked != 0 {
		return "", errFrame
	}
	n := uint64(head[1])
	switch n {
	case 126:
		var b [2]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return "", err
		}
		n = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		return "", errFrame // longer than any answer to <open/>
	}
	if n > maxWSText {
		return "", errFrame
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return string(b), err
}
