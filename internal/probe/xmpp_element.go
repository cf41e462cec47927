package probe

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"strings"
)

// streamFeatures are those that a probe looks at.
type streamFeatures struct {
	StartTLS   *struct{} `xml:"urn:ietf:params:xml:ns:xmpp-tls starttls"`
	Mechanisms []string  `xml:"urn:ietf:params:xml:ns:xmpp-sasl mechanisms>mechanism"`
	Bind       *struct{} `xml:"urn:ietf:params:xml:ns:xmpp-bind bind"`
	All        []struct {
		XMLName xml.Name
	} `xml:",any"`
}

// names are those of all features, for the talk.
func (f streamFeatures) names() (list []string) {
	if f.StartTLS != nil {
		list = append(list, "starttls")
	}
	if len(f.Mechanisms) > 0 {
		list = append(list, "mechanisms "+strings.Join(f.Mechanisms, " "))
	}
	if f.Bind != nil {
		list = append(list, "bind")
	}
	for _, x := range f.All {
		list = append(list, x.XMLName.Local)
	}
	return list
}

// element is any element of a stream, with what a probe looks at.
type element struct {
	Name xml.Name `xml:"-"`
	Type string   `xml:"type,attr"`
	JID  string   `xml:"bind>jid"`
	Text string   `xml:",chardata"`

	About string `xml:"text"`
	Error *struct {
		Any []struct{ XMLName xml.Name } `xml:",any"`
		Say string                       `xml:"text"`
	} `xml:"error"`
	Any []struct{ XMLName xml.Name } `xml:",any"`
}

// UnmarshalXML keeps the name beside the rest.
func (e *element) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	type plain element
	if err := d.DecodeElement((*plain)(e), &start); err != nil {
		return err
	}
	e.Name = start.Name
	return nil
}

// condition is what an error says.
func (e element) condition() string {
	list, say := e.Any, e.About
	if e.Error != nil {
		list, say = e.Error.Any, e.Error.Say
	}
	var words []string
	for _, x := range list {
		words = append(words, x.XMLName.Local)
	}
	if say != "" {
		words = append(words, "("+say+")")
	}
	return strings.Join(words, " ")
}

// refusal is "" for <success/>, else what was said.
func (e element) refusal() string {
	if e.Name.Local == "success" {
		return ""
	}
	return clean(strings.TrimSpace(e.Name.Local + " " + e.condition()))
}

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func decode(text string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	return string(b), err
}

// escape makes text fit for an attribute.
func escape(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a buffer takes all
	return b.String()
}
