package config

import (
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// key is one setting, as its struct tags describe it.
type key struct {
	Path    string // section.name; a class key is class.name
	Section string // "" at the top
	Name    string
	Env     string // "" where there is no environment form
	Type    string // form of the text: listen, level, size, …
	Doc     string
	Note    string
	Default string // as text, lists with commas
	Dev     string // the default under --dev
	Example string
	Values  []string
	Min     int64
	Max     int64 // 0: no bound
	List    bool
	Live    bool
	Secret  bool

	index []int // field of Config, or of the entry for keys of a list of sections
}

// table is what stands in the file as [[name]], or as [section.kind.NAME] where it is named.
type table struct {
	keys   []*key
	byName map[string]*key
	id     *key // names an entry: its first key
	named  bool // and stands in the header
	typ    reflect.Type
	index  []int // field of Config
}

// section is one table of the file.
type section struct {
	Name, Doc, Note string
	Many            bool // [[name]]
	Named           bool // [section.kind.NAME]: the header names each entry
	sample          string
	Map             bool // free keys
}

// head is the section's header, as it stands in the file.
func (s section) head() string {
	switch {
	case s.Many:
		return "[[" + s.Name + "]]"
	case s.Named:
		return "[" + s.Name + ".NAME]"
	}
	return "[" + s.Name + "]"
}

// schema is every key there is, in the order of the structs.
type schema struct {
	keys     []*key
	sections []section
	tables   map[string]*table
	byPath   map[string]*key
	byEnv    map[string]*key
}

func newSchema() *schema {
	s := &schema{byPath: map[string]*key{}, byEnv: map[string]*key{}, tables: map[string]*table{}}
	s.walk(reflect.TypeFor[Config](), "", nil)
	for _, k := range s.keys {
		s.byPath[k.Path], s.byEnv[k.Env] = k, k
	}
	return s
}

func (s *schema) walk(t reflect.Type, in string, index []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("toml")
		if !f.IsExported() || name == "-" {
			continue
		}
		at := append(append([]int(nil), index...), i)
		about := section{Name: name, Doc: f.Tag.Get("doc"), Note: f.Tag.Get("note")}
		switch {
		case f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[Secret]():
			s.sections = append(s.sections, about)
			s.walk(f.Type, name, at)
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct && f.Type.Elem().PkgPath() == t.PkgPath():
			if about.Many = in == ""; !about.Many {
				about.Name, about.Named, about.sample = in+"."+name, true, f.Tag.Get("sample")
			}
			s.sections = append(s.sections, about)
			s.tables[about.Name] = newTable(f.Type.Elem(), about.Name, at, about.Named)
		case f.Type.Kind() == reflect.Map:
			about.Map = true
			s.sections = append(s.sections, about)
		default:
			k := newKey(f, in, at)
			k.Env = envPrefix + strings.ToUpper(strings.ReplaceAll(k.Path, ".", "_"))
			s.keys = append(s.keys, k)
		}
	}
}

func newTable(t reflect.Type, name string, index []int, named bool) *table {
	list := &table{byName: map[string]*key{}, typ: t, index: index}
	for j := range t.NumField() {
		k := newKey(t.Field(j), name, []int{j})
		list.keys = append(list.keys, k)
		list.byName[k.Name] = k
	}
	list.id = list.keys[0]
	if list.named = named; named { // its header says the name, and no line
		list.keys = list.keys[1:]
		delete(list.byName, list.id.Name)
	}
	return list
}

// named returns the section of entries that a path leads into, as [section.kind.NAME] does.
func (s *schema) named(path []string) (section, bool) {
	if len(path) < 2 {
		return section{}, false
	}
	sec, ok := s.section(path[0] + "." + path[1])
	return sec, ok && sec.Named
}

// entry is an entry of the list with what was given, and defaults elsewhere.
func (t *table) entry(fields map[string]given) reflect.Value {
	v := reflect.New(t.typ).Elem()
	if t.named && len(fields) > 0 {
		t.id.set(v.FieldByIndex(t.id.index), fields[t.id.Name].texts)
	}
	for _, k := range t.keys {
		g, ok := fields[k.Name]
		if !ok && k.Default == "" {
			continue
		}
		if !ok {
			g.texts = []string{k.Default}
			if k.List {
				g.texts = splitList(k.Default)
			}
		}
		k.set(v.FieldByIndex(k.index), g.texts)
	}
	return v
}

func newKey(f reflect.StructField, in string, index []int) *key {
	tag := f.Tag.Get
	k := &key{Section: in, Name: tag("toml"), Type: tag("type"), Doc: tag("doc"), Note: tag("note"),
		Default: tag("default"), Example: tag("example"), Live: tag("live") == "true",
		List: f.Type.Kind() == reflect.Slice, Secret: f.Type == reflect.TypeFor[Secret](), index: index}
	k.Path = k.Name
	if in != "" {
		k.Path = in + "." + k.Name
	}
	if v := tag("values"); v != "" {
		k.Values = strings.Split(v, "|")
	}
	if k.Type == "" {
		k.Type = plainType(f.Type)
	}
	var ok bool
	if k.Dev, ok = f.Tag.Lookup("dev"); !ok {
		k.Dev = k.Default
	}
	k.Min, k.Max = bound(tag("min")), bound(tag("max"))
	return k
}

// bound reads a tag; the zero of an absent one bounds nothing, as no key takes negative numbers.
func bound(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

func plainType(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "time"
	case t == reflect.TypeFor[Size]():
		return "size"
	case t == reflect.TypeFor[netip.Prefix]():
		return "cidr"
	case t.Kind() == reflect.Bool:
		return "bool"
	case t.Kind() == reflect.Int, t.Kind() == reflect.Uint32:
		return "number"
	}
	return "text"
}

// section returns the named table.
func (s *schema) section(name string) (section, bool) {
	for _, sec := range s.sections {
		if sec.Name == name {
			return sec, true
		}
	}
	return section{}, false
}

// of returns the keys of a table; "" means those at the top.
func (s *schema) of(name string) []*key {
	if t := s.tables[name]; t != nil {
		return t.keys
	}
	var in []*key
	for _, k := range s.keys {
		if k.Section == name {
			in = append(in, k)
		}
	}
	return in
}

// fallback is the default as text.
func (k *key) fallback(dev bool) string {
	if dev {
		return k.Dev
	}
	return k.Default
}

// describeType says in words what the value is.
func (k *key) describeType() string {
	what := map[string]string{
		"text": "text", "bool": "true or false", "number": "whole number", "time": "time, such as 30s 5m 12h 7d",
		"size": "size, such as 500KB 100MB 2GiB", "listen": "address, such as :21 or 127.0.0.1:0; off or nothing turns the listener off",
		"level": "level by name or number", "domain": "domain name", "path": "path", "cidr": "address or CIDR prefix",
		"ports": "range of ports, such as 50000-50999", "address": "auto, an IP address or a host name", "umask": "octal mode bits",
		"issuer": "address, such as https://id.example.org", "ldapurl": "address, such as ldaps://ldap.example.org", "mapping": "GROUP=WHAT",
		"clock": "time of day, such as 03:00, or off", "recipient": "public key of age", "url": "URL", "site": "URL, with a path where the pages are seen below one", "origin": "origin of a site, such as https://chat.example.net", "service": "URI of a STUN or TURN server", "contact": "URI of somebody, such as mailto:abuse@example.org", "keyfile": "path, @file:PATH or PEM text", "database": "sqlite:FILE or postgres URL", "output": "stderr, stdout or a path",
		"mount": "path of one or two folders", "folder": "absolute path of a folder", "mode": "octal mode bits", "name": "name or number",
		"class": "name", "certname": "xmpp, email, profile-email, uri:PATTERN or dns:PATTERN", "nat": "NETWORK=ADDRESS", "sealkey": "32 bytes in hexadecimal or base64", "glob": "host name with * and ?",
	}[k.Type]
	if k.Values != nil {
		what = "one of " + strings.Join(k.Values, ", ")
		if k.List {
			what = strings.Join(k.Values, ", ")
		}
	}
	if k.List {
		what = "list: " + what
	}
	if k.Secret {
		what += " (secret; @file:PATH reads it from a file)"
	}
	return what
}

// literal writes a value, given as text, the way it stands in the file.
func (k *key) literal(text string) string {
	if k.List {
		items := splitList(text)
		for i, item := range items {
			items[i] = quote(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	if k.Type == "bool" || k.Type == "number" {
		return text
	}
	return quote(text)
}

// quote writes a TOML basic string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			b.WriteString(`\u00` + string("0123456789ABCDEF"[r>>4]) + string("0123456789ABCDEF"[r&15]))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// splitList cuts the one-line form of a list; off and nothing are the empty list.
func splitList(s string) []string {
	if s = strings.TrimSpace(s); s == "" || s == "off" {
		return []string{}
	}
	items := strings.Split(s, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}
