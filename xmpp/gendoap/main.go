// Command gendoap writes the description of the project for machines (DOAP, as XEP-0453 has it) from
// the table in a Go file: gendoap TABLE FILE.
package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"regexp"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gendoap:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("two arguments are needed, the file with the table and the file to write; there are %d", len(args))
	}
	source, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	doap, err := describe(source)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return os.WriteFile(args[1], doap, 0o644) //nolint:gosec // it is for everybody
}

// row is a line of the table.
type row struct {
	documents     []string // "RFC 6120" or "XEP-0198"
	version       string
	state, remark string
}

var (
	rowForm      = regexp.MustCompile(`^// \| ([^|]+) \|([^|]*)\| (complete|partial|planned) \| ([^|]+) \|$`)
	documentForm = regexp.MustCompile(`^(RFC \d{4}|XEP-\d{4})$`)
)

// rows reads the table; what looks like a line of it and is none is an error.
func rows(source []byte) ([]row, error) {
	var list []row
	for i, line := range strings.Split(string(source), "\n") {
		if !strings.HasPrefix(line, "// | ") || strings.HasPrefix(line, "// | document ") {
			continue
		}
		m := rowForm.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("line %d is no row of the table: %s", i+1, line)
		}
		r := row{strings.Split(m[1], ", "), strings.TrimSpace(m[2]), m[3], m[4]}
		for _, d := range r.documents {
			if !documentForm.MatchString(d) {
				return nil, fmt.Errorf("line %d: %q is neither an RFC nor a XEP", i+1, d)
			}
			if strings.HasPrefix(d, "XEP-") == (r.version == "") {
				return nil, fmt.Errorf("line %d: a XEP has a version, and an RFC has none", i+1)
			}
		}
		list = append(list, r)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("there is no table")
	}
	return list, nil
}

const head = `<?xml version='1.0' encoding='UTF-8'?>
<!-- Made from the table in xmpp/doc.go by go generate ./xmpp; do not edit. -->
<rdf:RDF xmlns='http://usefulinc.com/ns/doap#' xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns:xmpp='https://linkmauve.fr/ns/xmpp-doap#'>
  <Project>
    <name>Trivium</name>
    <shortdesc xml:lang='en'>One server for files, web and chat, with one account for each person</shortdesc>
    <programming-language>Go</programming-language>
    <category rdf:resource='https://linkmauve.fr/ns/xmpp-doap#category-server'/>
`

const tail = `  </Project>
</rdf:RDF>
`

// describe makes the description.
func describe(source []byte) ([]byte, error) {
	list, err := rows(source)
	if err != nil {
		return nil, err
	}
	b := bytes.NewBufferString(head)
	for _, r := range list {
		for _, d := range r.documents {
			if rfc, ok := strings.CutPrefix(d, "RFC "); ok {
				fmt.Fprintf(b, "    <implements rdf:resource='https://www.rfc-editor.org/info/rfc%s'/>\n", rfc)
				continue
			}
			fmt.Fprintf(b, "    <implements>\n      <xmpp:SupportedXep>\n        <xmpp:xep rdf:resource='https://xmpp.org/extensions/%s.html'/>\n        <xmpp:status>%s</xmpp:status>\n        <xmpp:version>%s</xmpp:version>\n        <xmpp:note xml:lang='en'>%s</xmpp:note>\n      </xmpp:SupportedXep>\n    </implements>\n",
				strings.ToLower(d), r.state, r.version, escape(r.remark))
		}
	}
	b.WriteString(tail)
	return b.Bytes(), nil
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder does not fail
	return b.String()
}
