package xmpp

import (
	"bytes"
	"unicode/utf8"
)

// attrValue decodes an attribute's value (XML 1.0 section 3.3.3).
func attrValue(b []byte) string {
	if bytes.IndexByte(b, '&') < 0 && !bytes.ContainsAny(b, "\t\r\n") {
		return intern(b)
	}
	b = bytes.ReplaceAll(b, []byte("\r\n"), []byte(" "))
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c == '&':
			r, n := reference(b[i:])
			out = utf8.AppendRune(out, r)
			i += max(n, 1) // never 0: the bytes are validated
			continue
		case isSpace(c):
			out = append(out, ' ')
		default:
			out = append(out, c)
		}
		i++
	}
	return string(out)
}

// content decodes character data.
func content(b []byte) string {
	if bytes.IndexByte(b, '&') < 0 && bytes.IndexByte(b, '<') < 0 && bytes.IndexByte(b, '\r') < 0 {
		return string(b)
	}
	b = bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		switch {
		case b[0] == '&':
			r, n := reference(b)
			out = utf8.AppendRune(out, r)
			b = b[max(n, 1):]
		case bytes.HasPrefix(b, []byte(cdataStart)):
			text, rest, _ := bytes.Cut(b[len(cdataStart):], []byte("]]>"))
			out = append(out, text...)
			b = rest
		default:
			out = append(out, b[0])
			b = b[1:]
		}
	}
	return string(out)
}

// known are the words that nearly every stanza has, so that they cost no memory each time.
var known = func() map[string]string {
	m := map[string]string{}
	for _, w := range []string{nsClient, nsStream, nsXML, "xmlns", "xml", "lang", "stream", "version", "to", "from", "id", "type",
		"message", "presence", "iq", "body", "subject", "thread", "query", "ping", "bind", "resource", "session",
		"show", "status", "priority", "c", "x", "r", "a", "error", "active", "composing", "paused",
		"get", "set", "result", "chat", "groupchat", "normal", "headline", "unavailable", "subscribe", "subscribed",
		"jabber:iq:roster", "urn:xmpp:ping", "jabber:x:data", "http://jabber.org/protocol/disco#info",
		"http://jabber.org/protocol/disco#items", "http://jabber.org/protocol/chatstates",
		"http://jabber.org/protocol/caps", "urn:xmpp:receipts", "request", "received", "origin-id", "urn:xmpp:sid:0"} {
		m[w] = w
	}
	return m
}()

func intern(b []byte) string {
	if s, ok := known[string(b)]; ok {
		return s
	}
	return string(b)
}
