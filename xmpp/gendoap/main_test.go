package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

func TestFresh(t *testing.T) {
	source, err := os.ReadFile("../doc.go")
	if err != nil {
		t.Fatal(err)
	}
	want, err := describe(source)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/trivium.doap")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/trivium.doap is stale; run go generate ./xmpp")
	}
	page, err := os.ReadFile("../../docs/xmpp.md")
	if err != nil {
		t.Fatal(err)
	}
	if fresh, err := inserted(page, source); err != nil || !bytes.Equal(page, fresh) {
		t.Errorf("docs/xmpp.md is stale (%v); run go generate ./xmpp", err)
	}
	for d := xml.NewDecoder(bytes.NewReader(got)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestInserted(t *testing.T) {
	table := []byte("// | XEP-0198 | 1.6 | partial | a < b |\n")
	got, err := inserted([]byte("x\n"+tableBegin+"old\n"+tableEnd+"y\n"), table)
	if err != nil || !strings.HasPrefix(string(got), "x\n") || !strings.HasSuffix(string(got), "| XEP-0198 | 1.6 | partial | a < b |\n"+tableEnd+"y\n") || strings.Contains(string(got), "old") {
		t.Errorf("%v, %s", err, got)
	}
	if got, err := inserted([]byte("x\n"), table); err == nil {
		t.Errorf("no place, but %s", got)
	}
}

func TestDescribe(t *testing.T) {
	got, err := describe([]byte("// | document | version | state | what |\n// |---|---|---|---|\n// | RFC 1, RFC 6120 | | complete | x |\n"))
	if err == nil {
		t.Errorf("RFC 1 is taken: %s", got)
	}
	got, err = describe([]byte("// | XEP-0198, XEP-0199 | 1.6 | partial | a < b |\n// | RFC 6120 | | complete | x |\n"))
	for _, want := range []string{"xep-0198.html'/>\n        <xmpp:status>partial</xmpp:status>\n        <xmpp:version>1.6</xmpp:version>", "xep-0199.html", "a &lt; b", "rfc6120'/>"} {
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%v, no %q in %s", err, want, got)
		}
	}
	for _, bad := range []string{"", "// | XEP-0198 | | complete | x |\n", "// | RFC 6120 | 1 | complete | x |\n", "// | XEP-0198 | 1 | done | x |\n", "// | XEP-198 | 1 | complete | x |\n"} {
		if got, err := describe([]byte(bad)); err == nil {
			t.Errorf("%q is taken: %s", bad, got)
		}
	}
}
