package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// refGroup is a group of operations in the reference.
type refGroup struct {
	Name       string
	Operations []refOperation
}

type refOperation struct {
	ID, Method, Path, Summary, Text string
	Parameters, Body, Answer        []refField
	Status                          string
	Curl, Example                   string
}

type refField struct {
	Name, In, Type, Text string
	Required             bool
}

// reference reads the document.
func (a *API) reference() []refGroup {
	doc := a.huma.OpenAPI()
	reg := doc.Components.Schemas
	by := map[string][]refOperation{}
	for _, r := range a.Routes() {
		op := operationOf(doc.Paths[r.Path], r.Method)
		if op == nil {
			continue
		}
		x := refOperation{ID: op.OperationID, Method: r.Method, Path: Prefix + r.Path, Summary: op.Summary, Text: op.Description}
		for _, p := range op.Parameters {
			f := refField{Name: p.Name, In: p.In, Text: p.Description, Required: p.Required}
			if p.Schema != nil {
				f.Type = typeOf(reg, p.Schema)
				if f.Text == "" {
					f.Text = p.Schema.Description
				}
			}
			x.Parameters = append(x.Parameters, f)
		}
		body := ""
		if op.RequestBody != nil {
			for kind, m := range op.RequestBody.Content {
				x.Body = members(reg, m.Schema)
				if m.Example != nil && kind == "application/json" {
					body = compact(m.Example)
				}
			}
		}
		for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
			if status >= "300" {
				break
			}
			x.Status = status
			for _, m := range op.Responses[status].Content {
				x.Answer = members(reg, m.Schema)
				if m.Example != nil {
					x.Example = pretty(m.Example)
				}
			}
		}
		x.Curl = curl(r, body)
		group := op.Tags[0]
		by[group] = append(by[group], x)
	}
	var out []refGroup
	for _, name := range slices.Sorted(maps.Keys(by)) {
		out = append(out, refGroup{name, by[name]})
	}
	return out
}

func curl(r Route, body string) string {
	path := strings.NewReplacer("{name}", "alice", "{user}", "alice", "{alias}", "ally", "{source}", "office", "{prefix}", "192.0.2.0%2F24", "{address}", "192.0.2.7",
		"{id}", "ID", "{fingerprint}", "SHA256").Replace(r.Path)
	line := "curl"
	if r.stream && strings.HasSuffix(path, "events") {
		line += " -N"
	}
	if r.Method != "GET" {
		line += " -X " + r.Method
	}
	if r.Level > 0 {
		line += ` -H "Authorization: Bearer $TOKEN"`
	}
	if body != "" {
		line += " --json '" + strings.ReplaceAll(body, "'", `'\''`) + "'"
	}
	return line + " https://example.org" + Prefix + path
}

func compact(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

func pretty(v any) string {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return ""
	}
	return string(b)
}

// typeOf names a type in words.
func typeOf(reg huma.Registry, s *huma.Schema) string {
	if s.Ref != "" {
		return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
	}
	switch {
	case len(s.AnyOf) > 0:
		return "integer or string"
	case len(s.Enum) > 0:
		var words []string
		for _, e := range s.Enum {
			words = append(words, fmt.Sprint(e))
		}
		return strings.Join(words, ", ")
	case s.Type == huma.TypeArray && s.Items != nil:
		return "list of " + typeOf(reg, s.Items)
	case s.Format == "date-time":
		return "time"
	case s.Type == "":
		return "any"
	}
	return s.Type
}

// members are those of an object, or of the elements of a list.
func members(reg huma.Registry, s *huma.Schema) []refField {
	for s != nil && (s.Ref != "" || s.Type == huma.TypeArray) {
		if s.Ref != "" {
			s = reg.SchemaFromRef(s.Ref)
		} else {
			s = s.Items
		}
	}
	if s == nil {
		return nil
	}
	var out []refField
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		out = append(out, refField{Name: name, Type: typeOf(reg, p), Text: p.Description, Required: slices.Contains(s.Required, name)})
	}
	return out
}

// Markdown is the reference for the manual.
func (a *API) Markdown() []byte {
	var b bytes.Buffer
	b.WriteString(refIntro)
	cell := strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;")
	table := func(title string, list []refField, in bool) {
		if len(list) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n%s\n\n| name | type | meaning |\n|---|---|---|\n", title)
		for _, f := range list {
			name, text := "`"+f.Name+"`", f.Text
			if in {
				name += " (" + f.In + ")"
			}
			if f.Required && title != "Answer:" {
				text = strings.TrimSpace("required. " + text)
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", name, cell.Replace(f.Type), cell.Replace(text))
		}
	}
	for _, g := range a.reference() {
		fmt.Fprintf(&b, "\n## %s\n", g.Name)
		for _, o := range g.Operations {
			fmt.Fprintf(&b, "\n### %s\n\n`%s %s`\n\n%s\n", o.ID, o.Method, o.Path, cell.Replace(o.Text))
			table("Parameters:", o.Parameters, true)
			table("Body:", o.Body, false)
			table("Answer:", o.Answer, false)
			fmt.Fprintf(&b, "\n```sh\n%s\n```\n", o.Curl)
		}
	}
	return b.Bytes()
}

const refStyle = `:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}` +
	`h2{border-bottom:1px solid;margin-top:3rem}h3{margin-top:2rem}table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;overflow-wrap:anywhere}` +
	`pre{overflow:auto;padding:.6rem;border:1px solid;border-radius:.3rem}nav a{margin-right:.8rem;display:inline-block;padding:.2rem 0}code{overflow-wrap:anywhere}` +
	`@media print{nav{display:none}h3,pre{break-inside:avoid}pre{white-space:pre-wrap}}`

var refPage = template.Must(template.New("reference").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>REST interface</title><style>{{.Style}}</style></head>
<body><header><h1>REST interface</h1><p>Version {{.Version}}. For programs: <a href="openapi.json">openapi.json</a>.</p>
<nav aria-label="Groups">{{range .Groups}}<a href="#{{.Name}}">{{.Name}}</a>{{end}}</nav></header><main>
{{- range .Groups}}
<section aria-labelledby="{{.Name}}"><h2 id="{{.Name}}">{{.Name}}</h2>
{{- range .Operations}}
<article aria-labelledby="op-{{.ID}}"><h3 id="op-{{.ID}}">{{.ID}}</h3><p><code>{{.Method}} {{.Path}}</code></p><p>{{.Text}}</p>
{{- template "fields" .Parameters}}{{if .Body}}<h4>Body</h4>{{template "fields" .Body}}{{end}}
{{- if .Answer}}<h4>Answer {{.Status}}</h4>{{template "fields" .Answer}}{{end}}
<pre tabindex="0"><code>{{.Curl}}</code></pre>{{with .Example}}<details><summary>Example of the answer</summary><pre tabindex="0"><code>{{.}}</code></pre></details>{{end}}</article>
{{- end}}</section>
{{- end}}
</main></body></html>
{{define "fields"}}{{if .}}<table><thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">Meaning</th></tr></thead><tbody>{{range .}}<tr><td><code>{{.Name}}</code>{{with .In}} ({{.}}){{end}}</td><td>{{.Type}}</td><td>{{if .Required}}<b>required</b> {{end}}{{.Text}}</td></tr>{{end}}</tbody></table>{{end}}{{end}}`))

// refHTML is the reference as one page that asks nobody for anything.
func (a *API) refHTML() ([]byte, error) {
	var b bytes.Buffer
	err := refPage.Execute(&b, map[string]any{"Style": template.CSS(refStyle), "Groups": a.reference(), "Version": a.o.Version})
	return b.Bytes(), err
}

type refOut struct {
	ContentType string `header:"Content-Type"`
	Policy      string `header:"Content-Security-Policy"`
	Body        []byte
}

func (a *API) showReference(context.Context, *struct{}) (*refOut, error) {
	page, err := a.page()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(refStyle))
	return &refOut{"text/html; charset=utf-8", "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'", page}, nil
}

const refIntro = "# The REST interface\n\n" +
	"<!-- Made from the operations by go generate ./web/api; do not edit. -->\n\n" +
	"Everything is below `/api/v1`; the document of OpenAPI 3.1 is at `/api/v1/openapi.json`, and this reference for the\n" +
	"running version at `/api/v1/reference`. What belongs to all operations:\n\n" +
	"- **Who asks**: a token with scope `api` as a bearer token (`trivium token issue LOGIN --scope api`; with scope `admin`\n" +
	"  too where more than the rights of a customer are needed), or Basic with login and password.\n" +
	"- **Errors** are problem documents (RFC 9457) with a stable `code`, a sentence in `detail` and what to do next in `hint`.\n" +
	"  What the level of the caller hides looks like what is not there: 404, the same bytes.\n" +
	"- **Lists** are arrays in pages: `limit` is at most 1,000, and `Link` with `rel=\"next\"` has the address of the next page.\n" +
	"  A cursor is good for its own list and filter. The audit log has cursors of its own kind.\n" +
	"- **Tags**: each answer to GET has an `ETag`; `If-None-Match` is answered with 304 where nothing has changed. Changes of\n" +
	"  accounts, groups, applications, invitations and rules take `If-Match` with the tag of what was read: the tag is looked at\n" +
	"  in the transaction of the change, so no change of somebody else gets lost; else the answer is 412 `changed`. The last log-in\n" +
	"  of an account changes its tag for `If-None-Match` alone. Where an operation does not know `If-Match` it refuses it.\n" +
	"- **Creating once**: a POST with an `Idempotency-Key` is done once; the same request with the same key gets the same answer\n" +
	"  for 24 hours, with `Idempotency-Replayed: true`. While the first is not done the second gets 409, with another body 422. The\n" +
	"  answers lie sealed in the store; keys belong to the token or password that they came with. What failed may come again.\n" +
	"- **Limits**: `web.api_rate` requests a second for each token, `web.api_account_rate` for each account; `RateLimit` and\n" +
	"  `RateLimit-Policy` say what is left, and 429 has `Retry-After`.\n"
