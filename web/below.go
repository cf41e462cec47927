package web

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// below is the path that people see the pages below, that of web.public_url: "", or such as "/trivium".
//
// Within the server each path is what it would be without. Requests lose it as they come in (enter);
// what has come without it, from a proxy that takes it away, stays as it is. Addresses get it where they
// leave: in the attributes of templates when these are parsed, in headers as an answer begins, in
// cookies, and in the few documents that have addresses in them.
type below string

// firstSegment is what the path of web.public_url may begin with, each segment of it.
var firstSegment = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]*$`)

// newBelow reads the path of web.public_url. Its beginning is none of our own, or nobody could say whether
// a proxy has taken it away.
func newBelow(public string, routes []route) (below, error) {
	u, err := url.Parse(public)
	if err != nil {
		return "", fmt.Errorf("web.public_url %q cannot be read: %w", public, err)
	}
	p := strings.Trim(u.Path, "/")
	if p == "" {
		return "", nil
	}
	segments := strings.Split(p, "/")
	for _, s := range segments {
		if !firstSegment.MatchString(s) {
			return "", fmt.Errorf("web.public_url has the path /%s: use letters, digits, and - . _ ~ in it, as in https://example.org/trivium", p)
		}
	}
	if slices.ContainsFunc(routes, func(r route) bool { return segmentOf(r.Path) == segments[0] }) {
		return "", fmt.Errorf("web.public_url has the path /%s, and /%s is an address of the pages themselves: choose another, as in https://example.org/trivium", p, segments[0])
	}
	return below("/" + p), nil
}

func segmentOf(p string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
	return first
}

// add puts it before a path of ours; what is no path stays as it is.
func (b below) add(p string) string {
	if b == "" || !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") {
		return p
	}
	return string(b) + p
}

// cut takes it from a path that came from outside; what has none stays as it is.
func (b below) cut(p string) string {
	rest, ok := strings.CutPrefix(p, string(b))
	switch {
	case b == "" || !ok:
		return p
	case rest == "":
		return "/"
	case rest[0] == '/':
		return rest
	case rest[0] == '?' || rest[0] == '#':
		return "/" + rest
	}
	return p
}

// cookies is the Path of cookies.
func (b below) cookies() string {
	if b == "" {
		return "/"
	}
	return string(b)
}

// enter is the request as it would be without.
func (b below) enter(r *http.Request) *http.Request {
	if b == "" {
		return r
	}
	p := b.cut(r.URL.Path)
	if p == r.URL.Path {
		return r
	}
	r2 := new(http.Request)
	*r2 = *r
	u := *r.URL
	u.Path, u.RawPath = p, ""
	if r.URL.RawPath != "" {
		u.RawPath = b.cut(r.URL.RawPath)
	}
	r2.URL, r2.RequestURI = &u, b.cut(r.RequestURI)
	return r2
}

// headers puts it before the addresses of an answer's header.
func (b below) headers(h http.Header) {
	if b == "" {
		return
	}
	if at := h.Get(echo.HeaderLocation); at != "" {
		h.Set(echo.HeaderLocation, b.add(at))
	}
	if wait, at, ok := strings.Cut(h.Get("Refresh"), "url="); ok {
		h.Set("Refresh", wait+"url="+b.add(at))
	}
	if link, ok := strings.CutPrefix(h.Get("Link"), "<"); ok {
		h.Set("Link", "<"+b.add(link))
	}
}

// markup puts it before the addresses in words with links.
func (b below) markup(h template.HTML) template.HTML {
	if b == "" {
		return h
	}
	return template.HTML(strings.ReplaceAll(string(h), ` href="/`, ` href="`+string(b)+`/`)) //nolint:gosec // as safe as it was
}

// value is add for what templates have in an attribute.
func (b below) value(v any) any {
	switch v := v.(type) {
	case string:
		return b.add(v)
	case template.URL:
		return template.URL(b.add(string(v))) //nolint:gosec // a path of ours, or as safe as it was
	}
	return v
}

// addresses are the attributes that have addresses as their values.
var addresses = regexp.MustCompile(`\s(?:href|action|formaction|src|data-(?:live|charts|socket|script|files|options|chat-state))="`)

// template makes the attributes of a template's source have it: before a path that is written there, and
// by the function below around what is put in.
func (b below) template(source string) string {
	if b == "" {
		return source
	}
	var out strings.Builder
	for {
		at := addresses.FindStringIndex(source)
		if at == nil {
			out.WriteString(source)
			return out.String()
		}
		out.WriteString(source[:at[1]])
		n := b.attribute(&out, source[at[1]:])
		source = source[at[1]+n:]
	}
}

// attribute writes the value of an attribute, and returns where it ends in the source. Only what the value
// can begin with is touched: the branches of an action such as if each have a beginning.
func (b below) attribute(out *strings.Builder, s string) int {
	var starts []bool // of the branches that are open: whether they stand at the beginning
	first, i := true, 0
	for i < len(s) && s[i] != '"' {
		if !strings.HasPrefix(s[i:], "{{") {
			if first && s[i] == '/' && !strings.HasPrefix(s[i:], "//") {
				out.WriteString(string(b))
			}
			first = false
			out.WriteByte(s[i])
			i++
			continue
		}
		end := strings.Index(s[i:], "}}")
		if end < 0 {
			break // the parser says so
		}
		action := s[i : i+end+2]
		i += len(action)
		body := strings.Trim(action[2:len(action)-2], "- \t\n")
		word, _, _ := strings.Cut(body, " ")
		switch word {
		case "if", "with", "range":
			starts = append(starts, first)
		case "else":
			if len(starts) > 0 {
				first = starts[len(starts)-1]
			}
		case "end":
			if len(starts) > 0 {
				starts = starts[:len(starts)-1]
			}
			first = false
		default:
			if first {
				action = "{{below (" + body + ")}}"
			}
			first = false
		}
		out.WriteString(action)
	}
	return i
}
