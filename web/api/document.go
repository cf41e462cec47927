package api

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// maxExample is how deep examples nest.
const maxExample = 6

// document completes what huma knows of the operations: groups, what each asks and answers beside its
// forms, our own form of errors, and an example of each body.
func (a *API) document() {
	doc := a.huma.OpenAPI()
	reg := doc.Components.Schemas
	x := examples{reg, samples()}
	fault := reg.Schema(reflect.TypeFor[Problem](), true, "Problem")
	for _, r := range a.Routes() {
		item := doc.Paths[r.Path]
		op := operationOf(item, r.Method)
		if op == nil {
			continue
		}
		op.Tags = []string{groupOf(r.Path)}
		op.Description = describe(r, op)
		op.Parameters = append(op.Parameters, fields(r)...)
		if op.RequestBody != nil {
			for _, m := range op.RequestBody.Content {
				if m.Schema != nil && m.Example == nil {
					m.Example = x.example(m.Schema, "body", 0, true)
				}
			}
		}
		for status, res := range op.Responses {
			if status >= "400" { // "default" too
				res.Content = map[string]*huma.MediaType{"application/problem+json": {Schema: fault}}
				continue
			}
			for _, m := range res.Content {
				if m.Schema != nil && m.Example == nil {
					m.Example = x.example(m.Schema, "body", 0, false)
				}
			}
			if r.pages == pagesAfter || r.pages == pagesOwn {
				head(res, "Link", `rel="next": the next page, with the same filter (RFC 8288); absent: this is the last one`)
			}
			if !r.stream && r.Method == "GET" {
				head(res, "ETag", "of this answer, for If-None-Match, and where the thing can be changed for If-Match")
			}
		}
	}
}

func head(res *huma.Response, name, text string) {
	if res.Headers == nil {
		res.Headers = map[string]*huma.Param{}
	}
	if res.Headers[name] == nil {
		res.Headers[name] = &huma.Param{Description: text, Schema: &huma.Schema{Type: huma.TypeString}}
	}
}

func operationOf(item *huma.PathItem, method string) *huma.Operation {
	if item == nil {
		return nil
	}
	switch method {
	case "GET":
		return item.Get
	case "POST":
		return item.Post
	case "PUT":
		return item.Put
	case "PATCH":
		return item.Patch
	case "DELETE":
		return item.Delete
	}
	return nil
}

// groupOf is the first part of a path.
func groupOf(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if first == "openapi.json" || first == "reference" || first == "version" || first == "status" || first == "config" || first == "setup-link" {
		return "server"
	}
	return first
}

// describe says in sentences what the table of operations says.
func describe(r Route, op *huma.Operation) string {
	out := strings.TrimSuffix(op.Summary, ".") + "."
	if r.Level > 0 {
		out += fmt.Sprintf(" Needs the level %s; for who has less there is no such path.", r.Level)
	} else {
		out += " For everybody."
	}
	if r.Confirm {
		out += " Not with a token without the scope admin."
	}
	if r.pages != pagesNone {
		out += fmt.Sprintf(" The list comes in pages of at most %d.", maxPage)
	}
	if r.Conditional {
		out += " With If-Match it is done only where nothing was changed since; else the answer is 412."
	}
	if r.stream {
		out += " The answer is sent as it is made."
	}
	return out
}

// fields are the parameters that an operation has by what it is.
func fields(r Route) []*huma.Param {
	text := func(max int) *huma.Schema { return &huma.Schema{Type: huma.TypeString, MaxLength: &max} }
	var out []*huma.Param
	if r.pages == pagesAfter {
		least, most := 0.0, float64(maxPage)
		out = append(out,
			&huma.Param{Name: "limit", In: "query", Description: "how many at most; 0: 1,000", Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: &least, Maximum: &most}},
			&huma.Param{Name: "cursor", In: "query", Description: "of the page before, from its Link", Schema: text(maxCursor)})
	}
	if r.Conditional {
		out = append(out, &huma.Param{Name: "If-Match", In: "header", Description: "ETag of what was read, or *", Schema: text(maxTagField)})
	}
	if r.Method == "GET" && !r.stream {
		out = append(out, &huma.Param{Name: "If-None-Match", In: "header", Description: "ETag of what one has: 304 where it is as it was", Schema: text(maxTagField)})
	}
	if r.Method == "POST" {
		out = append(out, &huma.Param{Name: "Idempotency-Key", In: "header", Description: "a text of one's own, new for each request: sent twice it is done once, and answered the same for 24 hours", Schema: text(maxOnceKey)})
	}
	return out
}

// samples are values of examples by name.
func samples() map[string]any {
	return map[string]any{"login": "alice", "user": "alice", "name": "alice", "email": "alice@example.org", "display": "Alice Adams", "domain": "example.org",
		"url": "https://example.org/in", "link": "https://example.org/join/k7m2", "prefix": "192.0.2.0/24", "address": "192.0.2.7", "remote_addr": "192.0.2.7:50312",
		"lang": "en", "time_zone": "Europe/Berlin", "formats": "de", "path": "/photos", "pattern": "web:/shares", "resource": "web:/shares", "event": "user.set",
		"note": "for the choir", "label": "phone", "reason": "a scan of ports", "password": "correct horse battery", "uid": 10000, "gid": 10000, "level": 10, "group": "alice",
		"groups": []any{"choir"}, "scopes": []any{"ftp"}, "users": []any{"alice"}, "events": []any{"user.*"}, "redirects": []any{"https://wiki.example.org/in"},
		"expires_at": "2030-01-31T00:00:00Z", "alias": "ally", "secret": "whsec_MfKQ9r8G", "status": 200, "title": "OK", "code": "ok", "ttl": 86400, "uses": 1}
}

// examples makes values of schemas.
type examples struct {
	reg     huma.Registry
	samples map[string]any
}

// example is a value that a schema takes.
func (x examples) example(s *huma.Schema, name string, depth int, input bool) any {
	for s.Ref != "" {
		s = x.reg.SchemaFromRef(s.Ref)
	}
	switch {
	case len(s.Examples) > 0:
		return s.Examples[0]
	case s.Default != nil:
		return s.Default
	case len(s.Enum) > 0:
		return s.Enum[0]
	case len(s.AnyOf) > 0:
		return x.fit(s.AnyOf[0], name)
	case depth > maxExample:
		return nil
	}
	switch s.Type {
	case huma.TypeObject:
		out := map[string]any{}
		for k, p := range s.Properties {
			if k == "$schema" || input && !slices.Contains(s.Required, k) && depth > 0 {
				continue
			}
			if v := x.example(p, k, depth+1, input); v != nil {
				out[k] = v
			}
		}
		return out
	case huma.TypeArray:
		if v, ok := x.samples[name].([]any); ok && s.Items != nil && s.Items.Type == huma.TypeString {
			return v
		}
		if s.Items == nil {
			return []any{}
		}
		if v := x.example(s.Items, strings.TrimSuffix(name, "s"), depth+1, input); v != nil {
			return []any{v}
		}
		return []any{}
	}
	return x.fit(s, name)
}

// fit is a plain value by name, else by type.
func (x examples) fit(s *huma.Schema, name string) any {
	v := x.samples[name]
	switch s.Type {
	case huma.TypeBoolean:
		return true
	case huma.TypeInteger, huma.TypeNumber:
		n, ok := v.(int)
		if !ok {
			n = 1
		}
		if s.Minimum != nil && float64(n) < *s.Minimum {
			n = int(*s.Minimum)
		}
		if s.Maximum != nil && float64(n) > *s.Maximum {
			n = int(*s.Maximum)
		}
		return n
	case huma.TypeString:
		switch text, ok := v.(string); {
		case s.Format == "date-time":
			return "2026-01-31T12:00:00Z"
		case s.ContentEncoding == "base64":
			return "AAECAw=="
		case ok && (s.MaxLength == nil || len(text) <= *s.MaxLength):
			return text
		}
		return "text"
	}
	return nil
}
