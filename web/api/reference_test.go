package api_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The manual's page is made from the operations; go generate writes it.
func TestManualIsFresh(t *testing.T) {
	s := start(t)
	file := filepath.Join("..", "..", "docs", "api.md")
	if os.Getenv("TRIVIUM_WRITE_REFERENCE") != "" {
		check(t, os.WriteFile(file, s.api.Markdown(), 0o644))
	}
	have, err := os.ReadFile(file)
	check(t, err)
	if !bytes.Equal(have, s.api.Markdown()) {
		t.Error("docs/api.md is not what the operations are: go generate ./web/api")
	}
}

func TestReference(t *testing.T) {
	s := start(t)
	got := s.ask(t, "", http.MethodGet, "/reference", "")
	if got.status != http.StatusOK || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") || !strings.Contains(got.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%d %v", got.status, got.header)
	}
	if strings.Contains(got.body, "<script") || strings.Contains(got.body, "http://") || strings.Contains(got.body, "ZgotmplZ") {
		t.Error("the page asks for something, or has lost something")
	}
	for _, r := range s.api.Routes() {
		if r.Path != "/metrics" && !strings.Contains(got.body, `id="op-`+r.Operation+`"`) {
			t.Errorf("%s is not in the reference", r.Operation)
		}
	}
}

// Each operation says what it is, in sentences, and shows examples; each error is a problem.
func TestDocumentIsWhole(t *testing.T) {
	s := start(t)
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string
			Description string
			Tags        []string
			Parameters  []struct{ Name, In, Description string }
			RequestBody *struct {
				Content map[string]struct{ Example any }
			}
			Responses map[string]struct {
				Content map[string]struct {
					Example any
					Schema  map[string]any
				}
			}
		}
	}
	check(t, json.Unmarshal([]byte(s.ask(t, "", http.MethodGet, "/openapi.json", "").body), &doc))
	n := 0
	for path, methods := range doc.Paths {
		for method, op := range methods {
			n++
			if len(op.Description) < 20 || len(op.Tags) != 1 {
				t.Errorf("%s %s: description %q, tags %v", method, path, op.Description, op.Tags)
			}
			if op.RequestBody != nil {
				if m, ok := op.RequestBody.Content["application/json"]; ok && m.Example == nil {
					t.Errorf("%s: no example of the body", op.OperationID)
				}
			}
			for status, r := range op.Responses {
				for kind, m := range r.Content {
					switch {
					case status >= "400" && kind != "application/problem+json":
						t.Errorf("%s answers %s with %s", op.OperationID, status, kind)
					case status < "400" && kind == "application/json" && m.Example == nil:
						t.Errorf("%s: no example of the answer", op.OperationID)
					}
				}
			}
		}
	}
	if n < 90 {
		t.Errorf("%d operations", n)
	}
}
