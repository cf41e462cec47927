package config

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/v2"
)

const (
	envPrefix = "TRIVIUM_"
	fileRef   = "@file:"
	pemMark   = "-----BEGIN "
)

func isFileRef(text string) bool { return strings.HasPrefix(text, fileRef) }

// file reads the document into the file layer.
func (l *loader) file() {
	d := l.doc
	for _, b := range d.broken {
		f := l.inFile(b.at, "syntax: "+codePoint.ReplaceAllString(b.message, ""), syntaxHint(b.message))
		for n := b.first; n < b.at.line; n++ {
			if l.schema.secretAt(d.lines[n-1]) > 0 {
				f.Source, f.width = "", 0
			}
		}
		l.faults = append(l.faults, f)
	}
	var layer []given
	var strange [][]string // headers that were faulted; what stands below them is not looked at
	for i := range d.items {
		it := &d.items[i]
		if slices.ContainsFunc(strange, func(p []string) bool { return len(it.path) >= len(p) && slices.Equal(it.path[:len(p)], p) }) {
			continue
		}
		if it.header {
			if !l.header(it) {
				strange = append(strange, it.path)
			}
			continue
		}
		if g, ok := l.fileValue(it); ok && l.accept(g) {
			layer = append(layer, g)
		}
	}
	l.apply(layer)
	l.noName()
}

// codePoint is what go-toml writes before a character that stands there anyway.
var codePoint = regexp.MustCompile(`U\+[0-9A-F]{4,6} `)

// syntaxHint says what to do about the mistakes that people make with TOML.
func syntaxHint(message string) string {
	switch {
	case strings.Contains(message, "start of value"):
		return "text stands in quotes"
	case strings.Contains(message, "leading zero"):
		return "write it in quotes"
	case strings.Contains(message, "already exists"):
		return "a section stands in the file once"
	case strings.Contains(message, "already defined"):
		return "a key stands in the file once"
	}
	return ""
}

// header checks one [section] or [[section]] and reports whether its keys are worth looking at.
func (l *loader) header(it *item) bool {
	if sec, ok := l.schema.named(it.path); ok {
		return l.namedHeader(it, sec)
	}
	name, path := it.path[0], it.path
	if it.many {
		path = path[:len(path)-1] // the last step is its number
	}
	sec, ok := l.schema.section(name)
	deep := len(path) > 1
	message, hint := "", ""
	switch k := l.schema.byPath[name]; {
	case ok && !deep && it.many == sec.Many:
		if sec.Many {
			l.rowAt(it.path)
		}
		return true
	case ok && !deep && sec.Many:
		message, hint = fmt.Sprintf("%s can stand in the file several times", name), "write [["+name+"]]"
	case ok && !deep:
		message, hint = fmt.Sprintf("%s is one section", name), "write ["+name+"]"
	case ok && sec.Map:
		message = "[policy] has no sections below it; write each pattern in quotes"
	case ok:
		message = "unknown section " + strings.Join(path, ".")
	case k != nil:
		message, hint = name+" is a key, not a section", "write "+k.sample()
	default:
		message, hint = "unknown section "+name, l.schema.suggestSection(name)
	}
	f := l.inFile(it.key, message, hint)
	f.Key = strings.Join(path, ".")
	l.faults = append(l.faults, f)
	return false
}

// fileValue finds the key of one line of the file and turns its value into texts.
func (l *loader) fileValue(it *item) (given, bool) {
	d, path := l.doc, strings.Join(it.path, ".")
	g := given{path: path, item: it, dir: l.dir,
		source: Source{LayerFile, d.name + ":" + strconv.Itoa(it.key.line)}}
	sec, inSection := l.schema.section(it.path[0])
	var row map[string]given
	switch kind, named := l.schema.named(it.path); {
	case named && len(it.path) == 4:
		if row = l.namedRow(it, kind); row == nil {
			return g, false
		}
		g.key, g.path = l.schema.tables[kind.Name].byName[it.path[3]], kind.Name+"."+it.path[3]
	case sec.Map && len(it.path) == 2:
		g.key = policyKey(it.path[1])
		g.path = g.key.Path
		if !l.acceptPattern(g, it.path[1]) {
			return g, false
		}
	case sec.Many && len(it.path) == 3 && l.isEntry(it.path):
		row = l.rowAt(it.path[:2])
		g.key, g.path = l.schema.tables[sec.Name].byName[it.path[2]], sec.Name+"."+it.path[2]
	case sec.Many && len(it.path) == 1 && l.emptyList(it):
		return g, false
	default:
		g.key = l.schema.byPath[path]
	}
	if g.key == nil {
		l.unknownKey(it, inSection && len(it.path) == 1, sec)
		return g, false
	}
	texts, err := g.key.fromTOML(d.lookup(it.path))
	if err != nil {
		l.fault(g, -1, g.path+err.Error(), "")
		return g, false
	}
	g.texts = texts
	if row != nil {
		if l.accept(g) {
			row[g.key.Name] = g
		}
		return g, false // entries are no layer: nothing overrides them
	}
	return g, true
}

// isEntry reports whether path leads into an entry of a list, and not into a table whose key
// happens to be a number.
func (l *loader) isEntry(path []string) bool {
	list, ok := l.doc.lookup(path[:1]).([]any)
	n, err := strconv.Atoi(path[1])
	return ok && err == nil && n >= 0 && n < len(list)
}

func (l *loader) emptyList(it *item) bool {
	list, ok := l.doc.lookup(it.path).([]any)
	if !ok {
		return false
	}
	for _, entry := range list {
		if _, ok := entry.(map[string]any); !ok {
			return false
		}
	}
	return true
}

// rowAt returns the fields of the entry of a list at path, making the entry when it is new.
func (l *loader) rowAt(path []string) map[string]given {
	n := 0
	if len(path) > 1 {
		n, _ = strconv.Atoi(path[1])
	}
	for len(l.rows[path[0]]) <= n {
		l.rows[path[0]] = append(l.rows[path[0]], map[string]given{})
	}
	return l.rows[path[0]][n]
}

// entryName is what the header of a named entry may end with: it stands in addresses too.
var entryName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

// namedHeader checks one [section.kind.NAME].
func (l *loader) namedHeader(it *item, sec section) bool {
	message := ""
	switch {
	case it.many:
		message = sec.Name + " has a name for each entry, and no double brackets"
	case len(it.path) == 2:
		message = sec.Name + " needs a name"
	case len(it.path) > 3:
		message = "unknown section " + strings.Join(it.path, ".")
	default:
		return l.namedRow(it, sec) != nil
	}
	f := l.inFile(it.key, message, "write ["+sec.Name+"."+sec.sample+"]")
	f.Key = sec.Name
	l.faults = append(l.faults, f)
	return len(it.path) == 2 && !it.many // those that have a name are worth looking at
}

// namedRow returns the fields of the entry that a path leads to, making the entry when it is new;
// nil, with the fault noted, where the name is none.
func (l *loader) namedRow(it *item, sec section) map[string]given {
	name, id := it.path[2], l.schema.tables[sec.Name].id
	for _, fields := range l.rows[sec.Name] {
		if fields[id.Name].texts[0] == name {
			return fields
		}
	}
	if !entryName.MatchString(name) {
		f := l.inFile(it.key, fmt.Sprintf("%s: %q is not a name; it has small letters, digits, - and _, 32 at most", sec.Name, shorten(name)), "write ["+sec.Name+"."+sec.sample+"]")
		f.Key = sec.Name
		l.faults = append(l.faults, f)
		return nil
	}
	at := *it
	at.value = at.key // the header is where it stands
	fields := map[string]given{id.Name: {key: id, path: id.Path, texts: []string{name}, item: &at, dir: l.dir,
		source: Source{LayerFile, l.doc.name + ":" + strconv.Itoa(it.key.line)}}}
	l.rows[sec.Name] = append(l.rows[sec.Name], fields)
	return fields
}

// noName faults entries of lists without the key that names them.
func (l *loader) noName() {
	for name, t := range l.schema.tables {
		for i, fields := range l.rows[name] {
			if _, ok := fields[t.id.Name]; !ok && !l.bad[t.id.Path] {
				l.lacks(name, i, t.id)
			}
		}
	}
}

// lacks faults the entry i of a list that has not got a key.
func (l *loader) lacks(name string, i int, k *key) {
	at := span{1, 1, 1}
	for _, it := range l.doc.items {
		if it.path[0] == name && (len(it.path) == 1 || it.path[1] == strconv.Itoa(i)) {
			at = it.key
			break
		}
	}
	f := l.inFile(at, name+" without a "+k.Name, "write "+k.sample()+" below it")
	f.Key, f.known = k.Path, true
	l.faults = append(l.faults, f)
}

func (l *loader) unknownKey(it *item, isSection bool, sec section) {
	path := strings.Join(it.path, ".")
	f := Fault{}
	switch {
	case isSection && sec.Many:
		f = l.inFile(it.key, sec.Name+" is a list of sections", "write [["+sec.Name+"]] and its keys below")
	case isSection:
		f = l.inFile(it.key, sec.Name+" is a section", "write ["+sec.Name+"] and its keys below")
	default:
		in, name := "", it.path[0]
		if len(it.path) > 1 {
			in, name = it.path[0], it.path[len(it.path)-1]
			if kind, ok := l.schema.named(it.path); ok {
				in = kind.Name
			}
			if l.schema.tables[in] != nil {
				path = in + "." + name
			}
		}
		hint := l.schema.suggest(in, name)
		f = l.inFile(it.key, "unknown key "+path, hint)
		for _, k := range l.schema.keys {
			if k.Secret && strings.Contains(hint, "did you mean "+k.Name+"?") {
				f.Source = mask(f.Source, strings.IndexByte(f.Source, '=')+1)
			}
		}
	}
	f.Key, f.known = path, false
	l.faults = append(l.faults, f)
}

// policyKey is the key of one pattern of [policy].
func policyKey(pattern string) *key {
	return &key{Path: "policy." + pattern, Section: "policy", Name: quote(pattern), Type: "level", Default: "user"}
}

func (l *loader) acceptPattern(g given, pattern string) bool {
	err := checkPattern(pattern)
	if validate := l.o.Validators["resource"]; err == nil && validate != nil {
		err = validate(pattern)
	}
	if err == nil {
		return true
	}
	l.bad[g.path] = true
	message := fmt.Sprintf("policy: %q: %v", shorten(pattern), err)
	if g.item == nil {
		l.faults = append(l.faults, Fault{Where: g.where, Layer: g.source.Layer, Key: "policy", Message: printable(message), known: true})
		return false
	}
	f := l.inFile(g.item.key, message, "")
	f.Key, f.known = "policy", true
	l.faults = append(l.faults, f)
	return false
}

var patternForm = regexp.MustCompile(`^[a-z]+:[^\x00-\x1f\x7f]+$`)

func checkPattern(pattern string) error {
	if !patternForm.MatchString(pattern) {
		return fmt.Errorf("it is not kind:segments. Examples: web:/admin/**, file:/pub/**, ftp:SITE CHMOD")
	}
	return nil
}

// inFile makes a fault with its line.
func (l *loader) inFile(at span, message, hint string) Fault {
	d := l.doc
	f := Fault{Layer: LayerFile, File: d.name, Line: at.line, Column: at.column, Message: printable(message), Hint: printable(hint),
		Where: fmt.Sprintf("%s:%d:%d", d.name, at.line, at.column)}
	line := d.lines[at.line-1]
	f.Source, f.caret, f.width = printable(line), at.column-1, at.width
	f.Source = mask(f.Source, l.schema.secretAt(f.Source))
	if n := len([]rune(f.Source)); f.caret+f.width > n {
		f.caret = max(0, min(f.caret, n-1))
		f.width = max(0, n-f.caret)
	}
	return f
}

// secretKey matches up to the = of a key whose value should not be shown, spelled right or not.
var secretKey = regexp.MustCompile(`(?i)(?:^|[\s{,."'])([a-z_-]*(?:key|seal|secret|pass|token|credential)[a-z_-]*)["']?\s*=`)

// secretAt returns the byte after the = of the first key in a line that is or may be a secret; 0
// when there is none.
func (s *schema) secretAt(line string) int {
	for _, m := range secretKey.FindAllStringSubmatchIndex(line, -1) {
		plain := false
		for _, k := range s.keys {
			if k.Name == line[m[2]:m[3]] {
				plain = !k.Secret
			}
		}
		if !plain {
			return m[1]
		}
	}
	return 0
}

// mask cuts a line at byte n, the one after the =.
func mask(line string, n int) string {
	if n <= 0 || n >= len(line) || strings.TrimSpace(line[n:]) == "" {
		return line
	}
	return line[:n] + " …"
}

// environment reads the TRIVIUM_ variables. koanf's provider picks them; the schema knows which
// key each one is, as an underscore may part words or section and key.
func (l *loader) environment() {
	var layer []given
	seen := koanf.New(delim)
	err := seen.Load(env.Provider(delim, env.Opt{Prefix: envPrefix, EnvironFunc: func() []string { return l.o.Env },
		TransformFunc: func(name, value string) (string, any) { return name, value }}), nil)
	if err != nil {
		l.faults = append(l.faults, Fault{Where: "environment", Layer: LayerEnv, Message: err.Error()})
	}
	for _, name := range seen.Keys() {
		value := seen.String(name)
		k := l.schema.byEnv[name]
		if k == nil {
			l.unknownEnv(name)
			continue
		}
		g := given{key: k, path: k.Path, texts: k.fromText(value), source: Source{LayerEnv, "env " + name},
			where: name + "=" + printable(shorten(redactURL(value))) + " (environment)", dir: l.o.Dir}
		if k.Secret {
			g.where = name + " (environment)"
		}
		if l.accept(g) {
			layer = append(layer, g)
		}
	}
	l.apply(layer)
}

// unknownEnv faults a variable that begins with a section's name, and warns of one that is nearly
// a key; any other is somebody else's.
func (l *loader) unknownEnv(name string) {
	rest := strings.ToLower(strings.TrimPrefix(name, envPrefix))
	var names []string
	for _, k := range l.schema.keys {
		names = append(names, k.Env)
	}
	near := Nearest(name, names)
	for _, sec := range l.schema.sections {
		after, ok := strings.CutPrefix(rest, sec.Name+"_")
		if !ok {
			continue
		}
		f := Fault{Where: printable(name) + " (environment)", Layer: LayerEnv, Key: sec.Name + "." + printable(after)}
		f.Message = "unknown key " + f.Key
		if near != "" {
			f.Hint = "did you mean " + near + "?"
		}
		if sec.Many || sec.Map || sec.Named {
			f.Message = "[" + sec.Name + "] has no environment form"
			f.Hint = "it stands in the file"
		}
		l.faults = append(l.faults, f)
		return
	}
	if near != "" {
		l.cfg.Warnings = append(l.cfg.Warnings, fmt.Sprintf("The environment variable %s is no setting and was not read. Did you mean %s?", printable(name), near))
	}
}

// flags reads --set and --data-dir.
func (l *loader) flags() {
	var layer []given
	for _, set := range l.o.Set {
		path, value, ok := strings.Cut(set, "=")
		path = strings.TrimSpace(path)
		g := given{source: Source{LayerFlag, "--set"}, where: "--set " + printable(shorten(path)), dir: l.o.Dir}
		if pattern, isPolicy := strings.CutPrefix(path, "policy."); isPolicy {
			g.key = policyKey(pattern)
		} else {
			g.key = l.schema.byPath[path]
		}
		if g.key == nil || !ok {
			f := Fault{Where: g.where, Layer: LayerFlag, Key: printable(path), Message: "unknown key " + printable(shorten(path)), known: g.key != nil}
			if near := l.schema.suggestPath(path); near != "" {
				f.Hint = "did you mean " + near + "?"
			}
			if g.key != nil {
				f.Message, f.Hint = "has no value", "write --set "+path+"=VALUE"
			}
			l.faults = append(l.faults, f)
			continue
		}
		g.path, g.texts = g.key.Path, g.key.fromText(value)
		if g.key.Secret {
			if value != "" && !isFileRef(value) && (g.key.Type != "keyfile" || strings.Contains(value, pemMark)) {
				// A secret in argv is readable by every account of the machine.
				l.fault(g, -1, g.path+" must not stand in a flag; use @file:PATH", "")
				continue
			}
		} else {
			g.where += "=" + printable(shorten(redactURL(value)))
		}
		if g.key.Section == "policy" && !l.acceptPattern(g, strings.TrimPrefix(path, "policy.")) {
			continue
		}
		if l.accept(g) {
			layer = append(layer, g)
		}
	}
	if l.o.DataDir != "" {
		k := l.schema.byPath["data_dir"]
		g := given{key: k, path: k.Path, texts: []string{l.o.DataDir}, source: Source{LayerFlag, "--data-dir"}, where: "--data-dir", dir: l.o.Dir}
		if l.accept(g) {
			layer = append(layer, g)
		}
	}
	l.apply(layer)
}

// resolved is an entry of a list with its secrets read and its paths made absolute.
func (l *loader) resolved(fields map[string]given) map[string]given {
	out := make(map[string]given, len(fields))
	for name, g := range fields {
		switch {
		case g.key.Secret:
			g.texts = l.readSecret(g, g.texts)
		case g.key.Type == "path" && len(g.texts) == 1 && g.texts[0] != "":
			g.texts = []string{absolute(g.dir, g.texts[0])}
		}
		if len(g.texts) > 0 || g.key.List {
			out[name] = g
		}
	}
	return out
}

// readSecret follows @file:PATH.
func (l *loader) readSecret(g given, texts []string) []string {
	if len(texts) == 0 || !isFileRef(texts[0]) {
		return texts
	}
	path := absolute(g.dir, strings.TrimPrefix(texts[0], fileRef))
	b, err := os.ReadFile(path)
	if err != nil {
		l.fault(g, -1, fmt.Sprintf("%s: %s cannot be read: %v", g.path, path, plainPathError(err)), "")
		return nil
	}
	text := strings.TrimSpace(string(b))
	if _, err := g.key.parse(text); err != nil || text == "" || isFileRef(text) {
		l.fault(g, -1, fmt.Sprintf("%s: what %s holds is no good; it must be %s", g.path, path, g.key.describeType()), "")
		return nil
	}
	return []string{text}
}
