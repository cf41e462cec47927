package config

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Entry is one setting as `config show` and the page of the administrator list it.
type Entry struct {
	Key     string   `json:"key"`
	Value   any      `json:"value"`  // bool, int64, string, []string, map[string]any (an entry of a list of sections); a secret is "set" or ""
	Source  string   `json:"source"` // default, trivium.toml:12, env TRIVIUM_X, --set
	Layer   Layer    `json:"layer"`
	Default any      `json:"default"`
	Doc     string   `json:"doc"`
	Type    string   `json:"type"` // in words
	Env     string   `json:"env,omitempty"`
	Values  []string `json:"values,omitempty"`
	Live    bool     `json:"live"` // takes effect without a restart
	Secret  bool     `json:"secret"`
}

// Changed reports whether anybody said anything about the key.
func (e Entry) Changed() bool { return e.Layer != LayerDefault }

// Text is the value as it would stand in the file.
func (e Entry) Text() string { return literalOf(e.Value) }

// Source tells where the value of a key (ftp.listen, policy.PATTERN, class.NAME, mount.PATH) came from; the
// zero Source when there is no such key.
func (c *Config) Source(key string) Source { return c.sources[key] }

// Entries lists every key with its value, sorted by key; the rules of [policy], the classes and
// the mounts stand as policy.PATTERN, class.NAME and mount.PATH.
func (c *Config) Entries() []Entry {
	s := newSchema()
	var list []Entry
	for _, k := range s.keys {
		source := c.sources[k.Path]
		e := Entry{Key: k.Path, Value: k.value(c.values[k.Path]), Source: source.Name, Layer: source.Layer,
			Doc: k.sentence(), Type: k.describeType(), Env: k.Env, Values: k.Values, Live: k.Live, Secret: k.Secret}
		text := k.fallback(c.Dev)
		e.Default = k.value([]string{text})
		if k.List {
			e.Default = splitList(text)
		}
		if k.Secret && len(c.values[k.Path]) > 0 && c.values[k.Path][0] != "" {
			e.Value = "set"
		}
		list = append(list, e)
	}
	if sec, ok := s.section("policy"); ok {
		for pattern, level := range c.Policy {
			source := c.sources["policy."+pattern]
			list = append(list, Entry{Key: "policy." + pattern, Value: level, Source: source.Name, Layer: source.Layer, Doc: sec.Doc, Type: "level by name or number, or never"})
		}
	}
	for _, sec := range s.sections {
		t := s.tables[sec.Name]
		if t == nil {
			continue
		}
		rows := reflect.ValueOf(c).Elem().FieldByIndex(t.index)
		for i := range rows.Len() {
			row := rows.Index(i)
			name := sec.Name + "." + row.FieldByIndex(t.id.index).String()
			source := c.sources[name]
			list = append(list, Entry{Key: name, Value: t.value(row), Source: source.Name, Layer: source.Layer, Doc: sec.Doc, Type: sec.Name})
		}
	}
	slices.SortFunc(list, func(a, b Entry) int { return cmp.Compare(a.Key, b.Key) })
	return list
}

// value is the JSON form of texts.
func (k *key) value(texts []string) any {
	if k.List {
		return append([]string{}, texts...)
	}
	if len(texts) == 0 {
		return nil
	}
	if k.Secret {
		return ""
	}
	switch k.Type {
	case "bool":
		return texts[0] == "true"
	case "number":
		n, err := strconv.ParseInt(texts[0], 10, 64)
		if err == nil {
			return n
		}
	}
	return redactURL(texts[0])
}

// value holds the fields of an entry that say something else than their defaults.
func (t *table) value(row reflect.Value) map[string]any {
	m, silent := map[string]any{}, t.entry(nil)
	for _, k := range t.keys {
		if v := row.FieldByIndex(k.index); !reflect.DeepEqual(v.Interface(), silent.FieldByIndex(k.index).Interface()) {
			if m[k.Name] = v.Interface(); k.Secret {
				m[k.Name] = "set"
			}
		}
	}
	return m
}

func literalOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case time.Duration:
		return quote(FormatDuration(v))
	case string:
		return quote(v)
	case float64: // as JSON has numbers and lists
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		items := make([]string, len(v))
		for i, x := range v {
			items[i] = literalOf(x)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case Size:
		return quote(v.String())
	case []string:
		items := make([]string, len(v))
		for i, s := range v {
			items[i] = quote(s)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		var fields []string
		for name, field := range v {
			fields = append(fields, name+" = "+literalOf(field))
		}
		slices.Sort(fields)
		return "{ " + strings.Join(fields, ", ") + " }"
	}
	return ""
}

// sentence is doc and note.
func (k *key) sentence() string {
	if k.Note == "" {
		return k.Doc
	}
	return k.Doc + ". " + k.Note
}
