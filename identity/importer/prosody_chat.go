package importer

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of what chat kept of one account.
const (
	maxProsodyData = 4 << 20  // bytes of a store but of lists
	maxProsodyList = 64 << 20 // bytes of a list, such as an archive
	maxStanzaDepth = 50
)

// ProsodyChat writes what a data directory of Prosody (internal storage) has of each account as
// XEP-0227: contacts and requests, blocked addresses, vCard, private XML, messages that wait, nodes with
// their configuration and items, and the archive with its preferences. What cannot be read of one account is left out, and
// fault is told which file it was.
func ProsodyChat(data fs.FS, out io.Writer, fault func(name string, err error)) error {
	w := &chatWriter{b: bufio.NewWriter(out), data: data, fault: fault}
	w.text("<?xml version='1.0' encoding='UTF-8'?>\n<server-data xmlns='urn:xmpp:pie:0'>\n")
	err := prosodyHosts(data, func(host, dir string) error {
		open := false
		err := prosodyFiles(data, path.Join(dir, "accounts"), ".dat", func(login, name string) error {
			if !open {
				w.tag("host", ">\n", "jid", host)
				open = true
			}
			return w.account(host, dir, login, strings.TrimSuffix(path.Base(name), ".dat"))
		})
		if open {
			w.text("</host>\n")
		}
		return err
	})
	w.text("</server-data>\n")
	if err == nil {
		err = w.err
	}
	if err == nil {
		err = w.b.Flush()
	}
	return err
}

// chatWriter writes until the first error.
type chatWriter struct {
	b     *bufio.Writer
	err   error
	data  fs.FS
	fault func(name string, err error)
}

func (w *chatWriter) text(parts ...string) {
	for _, p := range parts {
		if w.err == nil {
			_, w.err = w.b.WriteString(p)
		}
	}
}

// escaped writes text; what XML cannot have becomes U+FFFD.
func (w *chatWriter) escaped(s string) {
	if w.err == nil {
		w.err = xml.EscapeText(w.b, []byte(s))
	}
}

// tag writes an open tag with attributes as names and values; end closes it.
func (w *chatWriter) tag(name, end string, attrs ...string) {
	w.text("<", name)
	for i := 0; i+1 < len(attrs); i += 2 {
		w.text(" ", attrs[i], "='")
		w.escaped(attrs[i+1])
		w.text("'")
	}
	w.text(end)
}

// account writes one; file is the name of its files without ending.
func (w *chatWriter) account(host, dir, login, file string) error {
	w.tag("user", ">\n", "name", login)
	p := &prosodyUser{w, host, dir, file}
	p.roster()
	p.blocked()
	p.card()
	p.private()
	p.offline()
	p.nodes()
	p.prefs()
	p.archive()
	w.text("</user>\n")
	return w.err
}

// prosodyUser is one account of a data directory.
type prosodyUser struct {
	*chatWriter
	host, dir, file string
}

// missing reports whether there is no such file; another error is noted.
func (p *prosodyUser) missing(name string, err error) bool {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.fault(name, err)
	}
	return err != nil
}

// load reads a store of the account; nil where there is none.
func (p *prosodyUser) load(store string) *luaTable {
	name := path.Join(p.dir, store, p.file+".dat")
	text, err := readBounded(p.data, name, maxProsodyData)
	if p.missing(name, err) {
		return nil
	}
	v, err := readLua(text)
	t, ok := v.(*luaTable)
	if err == nil && !ok {
		err = errLua
	}
	if p.missing(name, err) {
		return nil
	}
	return t
}

// list calls each with the entries of a list of the account.
func (p *prosodyUser) list(store string, each func(*luaTable)) {
	name := path.Join(p.dir, store, p.file+".list")
	text, err := readBounded(p.data, name, maxProsodyList)
	if p.missing(name, err) {
		return
	}
	err = readLuaList(text, func(v any) error {
		if t, ok := v.(*luaTable); ok {
			each(t)
		}
		return nil
	})
	p.missing(name, err)
}

func (p *prosodyUser) roster() {
	t := p.load("roster")
	if t == nil {
		return
	}
	meta, _ := t.no.(*luaTable)
	pending, _ := t.keys["pending"].(*luaTable) // before 0.10
	if meta != nil {
		if inner, ok := meta.keys["pending"].(*luaTable); ok {
			pending = inner
		}
	}
	p.text("<query xmlns='jabber:iq:roster'>\n")
	for _, jid := range slices.Sorted(maps.Keys(t.keys)) {
		c, ok := t.keys[jid].(*luaTable)
		if !ok || jid == "pending" {
			continue
		}
		attrs := []string{"jid", jid}
		for _, name := range []string{"name", "subscription", "ask"} {
			if v := c.text(name); v != "" {
				attrs = append(attrs, name, v)
			}
		}
		if yes, _ := c.keys["approved"].(bool); yes {
			attrs = append(attrs, "approved", "true")
		}
		p.tag("item", ">", attrs...)
		if groups, ok := c.keys["groups"].(*luaTable); ok {
			for _, g := range slices.Sorted(maps.Keys(groups.keys)) {
				p.text("<group>")
				p.escaped(g)
				p.text("</group>")
			}
		}
		p.text("</item>\n")
	}
	p.text("</query>\n")
	if pending == nil {
		return
	}
	for _, jid := range slices.Sorted(maps.Keys(pending.keys)) {
		p.tag("presence", "/>\n", "xmlns", "jabber:client", "type", "subscribe", "from", jid)
	}
}

func (p *prosodyUser) blocked() {
	t := p.load("blocklist")
	if t == nil || len(t.keys) == 0 {
		return
	}
	p.text("<blocklist xmlns='urn:xmpp:blocking'>")
	for _, jid := range slices.Sorted(maps.Keys(t.keys)) {
		p.tag("item", "/>", "jid", jid)
	}
	p.text("</blocklist>\n")
}

func (p *prosodyUser) private() {
	t := p.load("private")
	if t == nil {
		return
	}
	p.text("<query xmlns='jabber:iq:private'>")
	for _, key := range slices.Sorted(maps.Keys(t.keys)) { // name:namespace
		if el, ok := t.keys[key].(*luaTable); ok {
			p.stanza(el, "")
		}
	}
	p.text("</query>\n")
}

// when is the time of an entry, as Prosody counts it or as it has written it into the stanza.
func when(t *luaTable) (string, bool) {
	if n, ok := t.keys["when"].(float64); ok && n > 0 && n < 1e11 {
		sec, frac := math.Modf(n)
		return time.Unix(int64(sec), int64(frac*1e6)*1000).UTC().Format(time.RFC3339Nano), true
	}
	attr, ok := t.keys["attr"].(*luaTable)
	if !ok {
		return "", false
	}
	stamp := attr.text("stamp")
	_, err := time.Parse(time.RFC3339, stamp)
	return stamp, err == nil
}

// message writes an entry of a list as an element that stands for itself, without what Prosody has added.
func (p *prosodyUser) message(t *luaTable, space string, extra func()) {
	if attr, ok := t.keys["attr"].(*luaTable); ok {
		delete(attr.keys, "stamp")
		delete(attr.keys, "stamp_legacy")
	}
	p.element(t, space, 0, extra)
}

func (p *prosodyUser) offline() {
	p.text("<offline-messages>\n")
	p.list("offline", func(t *luaTable) {
		if t.text("name") != "message" {
			return
		}
		stamp, ok := when(t)
		p.message(t, "jabber:client", func() {
			if ok {
				p.tag("delay", "/>", "xmlns", "urn:xmpp:delay", "from", p.host, "stamp", stamp)
			}
		})
		p.text("\n")
	})
	p.text("</offline-messages>\n")
}

// prefs are those of the archive: of each address whether its messages are kept, and of all others by
// the key false whether they are, or those of contacts alone.
func (p *prosodyUser) prefs() {
	t := p.load("archive_prefs")
	if t == nil {
		return
	}
	def := "always"
	switch {
	case t.no == "roster":
		def = "roster"
	case t.no == false:
		def = "never"
	}
	p.tag("prefs", ">", "xmlns", "urn:xmpp:mam:2", "default", def)
	for _, part := range []struct {
		name string
		kept bool
	}{{"always", true}, {"never", false}} {
		p.tag(part.name, ">")
		for _, jid := range slices.Sorted(maps.Keys(t.keys)) {
			if t.keys[jid] == part.kept {
				p.text("<jid>")
				p.escaped(jid)
				p.text("</jid>")
			}
		}
		p.text("</", part.name, ">")
	}
	p.text("</prefs>\n")
}

func (p *prosodyUser) archive() {
	p.text("<archive xmlns='urn:xmpp:pie:0#mam'>\n")
	p.list("archive", func(t *luaTable) {
		stamp, ok := when(t)
		if t.text("name") != "message" || !ok {
			return
		}
		p.tag("result", "><forwarded xmlns='urn:xmpp:forward:0'>", "xmlns", "urn:xmpp:mam:2", "id", t.text("key"))
		p.tag("delay", "/>", "xmlns", "urn:xmpp:delay", "stamp", stamp)
		p.message(t, "jabber:client", nil)
		p.text("</forwarded></result>\n")
	})
	p.text("</archive>\n")
}

// prosodyConfig are the options of nodes that mean the same here.
func prosodyConfig() []string {
	return []string{"access_model", "description", "max_items", "notify_retract", "payload_type", "persist_items", "publish_model",
		"send_last_published_item", "title"}
}

// nodes writes those of mod_pep: "pep" has what they are, "pep_" and the name the items of each.
func (p *prosodyUser) nodes() {
	t := p.load("pep")
	if t == nil {
		return
	}
	names := slices.Sorted(maps.Keys(t.keys))
	p.text("<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>\n")
	for _, name := range names {
		node, _ := t.keys[name].(*luaTable) // true before 0.11: a node as it is by itself
		p.tag("configure", "><x xmlns='jabber:x:data' type='submit'>", "node", name)
		config, _ := field(node, "config")
		for _, key := range prosodyConfig() {
			if config == nil {
				break
			}
			if v, ok := plain(config.keys[key]); ok {
				p.tag("field", "><value>", "var", "pubsub#"+key)
				p.escaped(v)
				p.text("</value></field>")
			}
		}
		p.text("</x></configure>\n")
		if given, ok := field(node, "affiliations"); ok {
			p.tag("affiliations", ">", "node", name)
			for _, jid := range slices.Sorted(maps.Keys(given.keys)) {
				if v := given.text(jid); v != "" && v != "none" {
					p.tag("affiliation", "/>", "jid", jid, "affiliation", v)
				}
			}
			p.text("</affiliations>\n")
		}
		if subs, ok := field(node, "subscribers"); ok {
			p.tag("subscriptions", ">", "node", name)
			for _, jid := range slices.Sorted(maps.Keys(subs.keys)) {
				p.tag("subscription", "/>", "jid", jid, "subscription", "subscribed")
			}
			p.text("</subscriptions>\n")
		}
	}
	p.text("</pubsub>\n<pubsub xmlns='http://jabber.org/protocol/pubsub'>\n")
	for _, name := range names {
		open := false
		p.list(prosodyStore("pep_"+name), func(item *luaTable) {
			if !xmlName(item.text("name")) {
				return
			}
			if !open {
				p.tag("items", ">\n", "node", name)
				open = true
			}
			p.tag("item", ">", "id", item.text("key"))
			p.message(item, "http://jabber.org/protocol/pubsub", nil)
			p.text("</item>\n")
		})
		if open {
			p.text("</items>\n")
		}
	}
	p.text("</pubsub>\n")
}

// field is a table within a table that may be nil.
func field(t *luaTable, name string) (*luaTable, bool) {
	if t == nil {
		return nil, false
	}
	inner, ok := t.keys[name].(*luaTable)
	return inner, ok
}

// plain is a value as a data form has it.
func plain(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		if v {
			return "1", true
		}
		return "0", true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

// prosodyStore is the folder of a store.
func prosodyStore(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if isLetter(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}

// stanza writes an element that stands for itself, in the namespace given where it says none.
func (w *chatWriter) stanza(t *luaTable, space string) {
	w.element(t, space, 0, nil)
	w.text("\n")
}

// element writes a stanza as Prosody keeps it: name, attr, and children in their order. extra writes
// further children of the outermost one.
func (w *chatWriter) element(t *luaTable, space string, depth int, extra func()) {
	name := t.text("name")
	if !xmlName(name) || depth > maxStanzaDepth {
		return
	}
	w.text("<", name)
	attrs, _ := field(t, "attr")
	prefixes := 0
	if attrs != nil {
		if _, own := attrs.keys["xmlns"]; own {
			space = ""
		}
		for _, key := range slices.Sorted(maps.Keys(attrs.keys)) {
			value := attrs.text(key)
			if ns, local, ok := strings.Cut(key, "\x01"); ok && xmlName(local) { // of another namespace
				prefixes++
				prefix := "p" + strconv.Itoa(prefixes)
				w.text(" xmlns:", prefix, "='")
				w.escaped(ns)
				w.text("'")
				key = prefix + ":" + local
			} else if !xmlName(key) || strings.Contains(key, ":") && key != "xml:lang" {
				continue
			}
			w.text(" ", key, "='")
			w.escaped(value)
			w.text("'")
		}
	}
	if space != "" && depth == 0 {
		w.text(" xmlns='", space, "'")
	}
	w.text(">")
	for _, c := range t.list {
		switch c := c.(type) {
		case string:
			w.escaped(c)
		case *luaTable:
			w.element(c, "", depth+1, nil)
		}
	}
	if extra != nil {
		extra()
	}
	w.text("</", name, ">")
}

// xmlName reports whether a text is a name that a tag or attribute may have; names of other scripts
// are in no document of XMPP.
func xmlName(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || strings.IndexByte("-.:0123456789", c) < 0) {
			return false
		}
	}
	return s != ""
}
