// Command gendoap writes the description of the project for machines (DOAP, as XEP-0453 has it) from
// the table in a Go file, and the table into the manual: gendoap TABLE FILE MANUAL.
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
	if len(args) != 3 {
		return fmt.Errorf("three arguments are needed, the file with the table, the file to write and the page of the manual; there are %d", len(args))
	}
	source, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	doap, err := describe(source)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if err := os.WriteFile(args[1], doap, 0o644); err != nil { //nolint:gosec // it is for everybody
		return err
	}
	page, err := os.ReadFile(args[2])
	if err != nil {
		return err
	}
	if page, err = inserted(page, source); err != nil {
		return fmt.Errorf("%s: %w", args[2], err)
	}
	return os.WriteFile(args[2], page, 0o644) //nolint:gosec // so is it
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

// Between these two lines of the manual stands the table.
const (
	tableBegin = "<!-- Made from the table in xmpp/doc.go by go generate ./xmpp; edits here are lost. -->\n"
	tableEnd   = "<!-- end of the table -->\n"
)

// inserted is the page of the manual with the table as it is now.
func inserted(page, source []byte) ([]byte, error) {
	list, err := rows(source)
	if err != nil {
		return nil, err
	}
	before, rest, begun := bytes.Cut(page, []byte(tableBegin))
	_, after, ended := bytes.Cut(rest, []byte(tableEnd))
	if !begun || !ended {
		return nil, fmt.Errorf("there is no place for the table")
	}
	b := bytes.NewBuffer(bytes.Clone(before))
	b.WriteString(tableBegin + "| document | version | state | what, and what is left out |\n|---|---|---|---|\n")
	for _, r := range list {
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", strings.Join(r.documents, ", "), r.version, r.state, r.remark)
	}
	b.WriteString(tableEnd)
	b.Write(after)
	return b.Bytes(), nil
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
