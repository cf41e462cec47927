package importer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of a file of Lua data.
const (
	maxLua      = 64 << 20 // bytes
	maxLuaDepth = 64
	maxLuaItems = 4 << 20 // keys and values
)

var errLua = errors.New("the file is not data that Prosody writes")

// luaTable is a table: what has keys, and what has numbers from 1.
type luaTable struct {
	keys map[string]any
	list []any
	no   any // of the key false, where Prosody keeps what is about the whole
}

func (t *luaTable) text(key string) string {
	s, _ := t.keys[key].(string)
	return s
}

// luaReader reads the part of Lua that is data: strings, numbers, true, false, nil and tables of
// these. Nothing is run: a name that stands where a value should is an error.
type luaReader struct {
	s     string
	at    int
	items int
}

// readLua reads "return value", as Prosody keeps a store.
func readLua(text string) (any, error) {
	r := &luaReader{s: text}
	if len(text) > maxLua {
		return nil, errLua
	}
	r.space()
	if !r.word("return") {
		return nil, r.fault()
	}
	v, err := r.value(0)
	if err != nil {
		return nil, err
	}
	r.space()
	r.take(';')
	r.space()
	if r.at != len(r.s) {
		return nil, r.fault()
	}
	return v, nil
}

// readLuaList reads "item(value);" again and again, as Prosody keeps a list.
func readLuaList(text string, each func(any) error) error {
	r := &luaReader{s: text}
	if len(text) > maxLua {
		return errLua
	}
	for r.space(); r.at < len(r.s); r.space() {
		if !r.word("item") {
			return r.fault()
		}
		r.space()
		if !r.take('(') {
			return r.fault()
		}
		v, err := r.value(0)
		if err != nil {
			return err
		}
		r.space()
		if !r.take(')') {
			return r.fault()
		}
		r.space()
		r.take(';')
		if err := each(v); err != nil {
			return err
		}
	}
	return nil
}

func (r *luaReader) fault() error { return fmt.Errorf("%w, at byte %d", errLua, r.at) }

// space passes over white space and comments to the end of a line.
func (r *luaReader) space() {
	for r.at < len(r.s) {
		switch c := r.s[r.at]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			r.at++
		case strings.HasPrefix(r.s[r.at:], "--") && !strings.HasPrefix(r.s[r.at:], "--["):
			n := strings.IndexByte(r.s[r.at:], '\n')
			if n < 0 {
				n = len(r.s) - r.at
			}
			r.at += n
		default:
			return
		}
	}
}

func (r *luaReader) take(c byte) bool {
	if r.at < len(r.s) && r.s[r.at] == c {
		r.at++
		return true
	}
	return false
}

func isLetter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// word takes a whole word.
func (r *luaReader) word(w string) bool {
	rest := r.s[r.at:]
	if !strings.HasPrefix(rest, w) || len(rest) > len(w) && isLetter(rest[len(w)]) {
		return false
	}
	r.at += len(w)
	return true
}

func (r *luaReader) value(depth int) (any, error) {
	if r.items++; r.items > maxLuaItems || depth > maxLuaDepth {
		return nil, r.fault()
	}
	r.space()
	if r.at >= len(r.s) {
		return nil, r.fault()
	}
	switch c := r.s[r.at]; {
	case c == '{':
		return r.tableAt(depth)
	case c == '"' || c == '\'':
		return r.quoted(c)
	case c == '[':
		return r.long()
	case c >= '0' && c <= '9' || c == '-' || c == '.' || c == '(':
		return r.number()
	case r.word("true"):
		return true, nil
	case r.word("false"):
		return false, nil
	case r.word("nil"):
		return nil, nil
	}
	return nil, r.fault()
}

// number reads a decimal number; Prosody writes what is not finite as (0/0) and alike.
func (r *luaReader) number() (any, error) {
	if r.s[r.at] == '(' {
		for _, w := range []string{"(0/0)", "(1/0)", "(-1/0)"} {
			if strings.HasPrefix(r.s[r.at:], w) {
				r.at += len(w)
				return 0.0, nil
			}
		}
		return nil, r.fault()
	}
	end := r.at
	for end < len(r.s) && (isLetter(r.s[end]) || strings.IndexByte("+-.", r.s[end]) >= 0) {
		end++
	}
	n, err := strconv.ParseFloat(r.s[r.at:end], 64)
	if err != nil {
		return nil, r.fault()
	}
	r.at = end
	return n, nil
}

// long reads [[text]], [=[text]=] and so on.
func (r *luaReader) long() (any, error) {
	open := r.at + 1
	for open < len(r.s) && r.s[open] == '=' {
		open++
	}
	if open >= len(r.s) || r.s[open] != '[' {
		return nil, r.fault()
	}
	end := "]" + r.s[r.at+1:open] + "]"
	text := r.s[open+1:]
	n := strings.Index(text, end)
	if n < 0 {
		return nil, r.fault()
	}
	r.at = open + 1 + n + len(end)
	return strings.TrimPrefix(text[:n], "\n"), nil
}

// quoted reads a string with its escapes (Lua 5.4 manual, section 3.1).
func (r *luaReader) quoted(quote byte) (any, error) {
	var b strings.Builder
	for r.at++; r.at < len(r.s); {
		c := r.s[r.at]
		r.at++
		switch c {
		case quote:
			return b.String(), nil
		case '\n':
			return nil, r.fault()
		case '\\':
			if err := r.escape(&b); err != nil {
				return nil, err
			}
		default:
			b.WriteByte(c)
		}
	}
	return nil, r.fault()
}

func (r *luaReader) escape(b *strings.Builder) error {
	if r.at >= len(r.s) {
		return r.fault()
	}
	c := r.s[r.at]
	r.at++
	if plain := strings.IndexByte("abfnrtv\\\"'\n", c); plain >= 0 {
		b.WriteByte("\a\b\f\n\r\t\v\\\"'\n"[plain])
		return nil
	}
	switch {
	case c == 'z':
		for r.at < len(r.s) && strings.IndexByte(" \t\r\n\v\f", r.s[r.at]) >= 0 {
			r.at++
		}
		return nil
	case c == 'x' && r.at+2 <= len(r.s):
		n, err := strconv.ParseUint(r.s[r.at:r.at+2], 16, 8)
		if err != nil {
			return r.fault()
		}
		r.at += 2
		b.WriteByte(byte(n))
		return nil
	case c == 'u' && r.take('{'):
		n := strings.IndexByte(r.s[r.at:], '}')
		if n < 1 || n > 8 {
			return r.fault()
		}
		v, err := strconv.ParseUint(r.s[r.at:r.at+n], 16, 32)
		if err != nil || v > utf8.MaxRune {
			return r.fault()
		}
		r.at += n + 1
		b.WriteRune(rune(v))
		return nil
	case c >= '0' && c <= '9':
		end := r.at
		for end < len(r.s) && end < r.at+2 && r.s[end] >= '0' && r.s[end] <= '9' {
			end++
		}
		n, err := strconv.ParseUint(r.s[r.at-1:end], 10, 8)
		if err != nil {
			return r.fault()
		}
		r.at = end
		b.WriteByte(byte(n))
		return nil
	}
	return r.fault()
}

// tableAt reads a table.
func (r *luaReader) tableAt(depth int) (any, error) {
	t := &luaTable{keys: map[string]any{}}
	r.at++ // {
	for {
		r.space()
		if r.take('}') {
			return t, nil
		}
		if err := r.field(t, depth+1); err != nil {
			return nil, err
		}
		r.space()
		if !r.take(';') && !r.take(',') {
			r.space()
			if !r.take('}') {
				return nil, r.fault()
			}
			return t, nil
		}
	}
}

func (r *luaReader) field(t *luaTable, depth int) error {
	var key any
	named := false
	switch rest := r.s[r.at:]; {
	case rest == "":
		return r.fault()
	case rest[0] == '[' && !strings.HasPrefix(rest, "[[") && !strings.HasPrefix(rest, "[="):
		r.at++
		var err error
		if key, err = r.value(depth); err != nil {
			return err
		}
		r.space()
		if !r.take(']') {
			return r.fault()
		}
		named = true
	case isLetter(rest[0]) && (rest[0] < '0' || rest[0] > '9') && !isConstant(rest):
		end := 0
		for end < len(rest) && isLetter(rest[end]) {
			end++
		}
		key, named = rest[:end], true
		r.at += end
	}
	if named {
		r.space()
		if !r.take('=') {
			return r.fault()
		}
	}
	v, err := r.value(depth)
	if err != nil {
		return err
	}
	t.put(key, named, v)
	return nil
}

func isConstant(rest string) bool {
	for _, w := range []string{"true", "false", "nil"} {
		if strings.HasPrefix(rest, w) && (len(rest) == len(w) || !isLetter(rest[len(w)])) {
			return true
		}
	}
	return false
}

func (t *luaTable) put(key any, named bool, v any) {
	switch k := key.(type) {
	case string:
		t.keys[k] = v
	case bool:
		if !k {
			t.no = v
		}
	case float64:
		if int(k) == len(t.list)+1 { // Prosody writes them in order
			t.list = append(t.list, v)
		}
	default:
		if !named {
			t.list = append(t.list, v)
		}
	}
}
