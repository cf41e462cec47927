package mam

import (
	"slices"
	"strings"
	"time"

	"mellium.im/xmpp/jid"
	xstanza "mellium.im/xmpp/stanza"

	"trivium/identity"
	"trivium/xmpp"
)

// Bounds of a query.
const (
	usualPage  = 50
	maxPage    = 100
	pageBytes  = 1 << 20
	maxQueryID = 256  // it stands in each result
	maxText    = 1024 // of what is searched for
	maxWords   = 16
	// maxScan is how many messages one query that looks at the content may read.
	maxScan = 50_000
)

const stampForm = "2006-01-02T15:04:05.000000Z" // as exact as ids, so that it may come back as start or end

// request is a query that has been understood.
type request struct {
	Query
	id       string // the client's
	flip     bool
	count    bool // it is the number of messages that is asked for (XEP-0059 section 2.7)
	narrowed bool // by something that Count does not know
	words    []string
	full     string // the contact's full JID
}

// wrong is what a query is answered that cannot be: a condition of RFC 6120 section 8.3.3.
type wrong xstanza.Condition

func (w wrong) Error() string { return string(w) }

const (
	errBad       = wrong(xstanza.BadRequest)
	errUnknown   = wrong(xstanza.FeatureNotImplemented)
	errAbsent    = wrong(xstanza.ItemNotFound)
	errMalformed = wrong(xstanza.JIDMalformed)
	errTooMuch   = wrong(xstanza.NotAcceptable)
)

// understand reads a query for the archive of owner.
func (w Wire) understand(owner identity.UserID, el *xmpp.Element) (*request, error) {
	r := &request{Query: Query{Max: usualPage, Bytes: pageBytes}, flip: el.Has(ns, "flip-page")}
	r.id, _ = el.Attr("queryid")
	if len(r.id) > maxQueryID {
		return nil, errBad
	}
	if node, _ := el.Attr("node"); node != "" { // XEP-0442, of nodes; an account has none
		return nil, errAbsent
	}
	form, ok := el.Form()
	if !ok {
		return nil, errBad
	}
	if form != nil {
		if err := w.form(owner, r, form); err != nil {
			return nil, err
		}
	}
	r.Max = max(r.Max, len(r.IDs))
	paging, ok := el.Paging()
	if !ok {
		return nil, errBad
	}
	if paging != nil {
		if err := w.paging(owner, r, paging); err != nil {
			return nil, err
		}
	}
	r.matcher()
	return r, nil
}

// paging reads what the client asks for by XEP-0059.
func (w Wire) paging(owner identity.UserID, r *request, p *xmpp.Paging) (err error) {
	if p.Index {
		return errUnknown // XEP-0059 section 2.6
	}
	if p.Max >= 0 {
		r.Max, r.count = min(p.Max, maxPage), p.Max == 0
	}
	if p.After != "" {
		if r.PageAfter, err = w.parseField(owner, strings.TrimSpace(p.After)); err != nil {
			return err
		}
	}
	if r.Backward = p.Backward; p.Before != "" {
		r.PageBefore, err = w.parseField(owner, strings.TrimSpace(p.Before))
	}
	return err
}

// form reads what the client chooses by (XEP-0313 section 4.1).
func (w Wire) form(owner identity.UserID, r *request, f *xmpp.Form) error {
	if f.Type != xmpp.FormSubmit || f.Kind != "" && strings.TrimSpace(f.Kind) != ns {
		return errBad
	}
	for _, x := range f.Fields {
		if err := w.field(owner, r, x.Var, x.Values); err != nil {
			return err
		}
	}
	return nil
}

// field reads a field of the form.
func (w Wire) field(owner identity.UserID, r *request, name string, values []string) error {
	value := ""
	if len(values) > 0 {
		value = strings.TrimSpace(values[0])
	}
	if name == "ids" {
		return w.ids(owner, r, values)
	}
	if value == "" {
		return r.known(name)
	}
	var err error
	switch name {
	case "with":
		return r.with(value)
	case "start":
		r.Start, err = readStamp(value)
		r.narrowed = true
	case "end":
		r.End, err = readStamp(value)
		r.narrowed = true
	case "before-id":
		r.Before, err = w.parseField(owner, value)
		r.narrowed = true
	case "after-id":
		r.After, err = w.parseField(owner, value)
		r.narrowed = true
	case "include-groupchat":
		switch value {
		case "true", "false", "1", "0": // there is none either way
		default:
			err = errBad
		}
	case "{" + nsFulltext + "}fulltext":
		r.words = strings.Fields(strings.ToLower(value))
		if len(value) > maxText || len(r.words) > maxWords {
			err = errTooMuch
		}
	default:
		err = errUnknown
	}
	return err
}

// known answers for a field without a value.
func (r *request) known(name string) error {
	if slices.Contains([]string{"with", "start", "end", "before-id", "after-id", "include-groupchat", "{" + nsFulltext + "}fulltext"}, name) {
		return nil
	}
	return errUnknown
}

func (w Wire) parseField(owner identity.UserID, value string) (ID, error) {
	id, ok := w.Parse(owner, value)
	if !ok {
		return 0, errAbsent
	}
	return id, nil
}

func (w Wire) ids(owner identity.UserID, r *request, values []string) error {
	if len(values) > maxPage {
		return errTooMuch
	}
	r.narrowed = true
	r.IDs = []ID{}
	for _, v := range values {
		id, err := w.parseField(owner, strings.TrimSpace(v))
		if err != nil {
			return err
		}
		r.IDs = append(r.IDs, id)
	}
	return nil
}

func (r *request) with(value string) error {
	j, err := jid.Parse(value)
	if err != nil {
		return errMalformed
	}
	r.With = xmpp.AddressOf(j).String()
	if j.Resourcepart() != "" {
		r.full = j.String()
	}
	return nil
}

// readStamp reads a time (XEP-0082 section 3.2).
func readStamp(value string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, value)
	if err != nil {
		return t, errBad
	}
	return t, nil
}

// matcher sets what chooses by content.
func (r *request) matcher() {
	if r.full == "" && len(r.words) == 0 {
		return
	}
	r.narrowed = true
	r.Scan = maxScan
	r.Match = func(stanza []byte) bool {
		if len(r.words) > 0 && !says(stanza, r.words) {
			return false
		}
		return r.full == "" || isWith(stanza, r.full)
	}
}

// isWith reports whether a stored message is from or to a full JID.
func isWith(stanza []byte, full string) bool {
	el, err := xmpp.ParseElement(stanza)
	if err != nil {
		return false
	}
	from, _ := el.Attr("from")
	to, _ := el.Attr("to")
	if from == full || to == full {
		return true
	}
	j, err := jid.Parse(to) // as the client wrote it
	return err == nil && j.String() == full
}

// says reports whether all words, in lower case, stand in the text of a stored message.
func says(stanza []byte, words []string) bool {
	raw := string(stanza)
	if !strings.Contains(raw, "&") && !strings.Contains(raw, "<![CDATA[") {
		raw = strings.ToLower(raw) // most messages go by this
		for _, w := range words {
			if !strings.Contains(raw, w) {
				return false
			}
		}
	}
	el, err := xmpp.ParseElement(stanza)
	if err != nil {
		return false
	}
	text := ""
	for _, c := range el.Children {
		if c.Name.Space != nsClient || c.Name.Local != "body" && c.Name.Local != "subject" {
			continue
		}
		if child, err := el.Child(c); err == nil {
			t, _ := child.Text()
			text += strings.ToLower(t) + "\n"
		}
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// emptyForm is what may be in a query (XEP-0313 section 4.1.5).
func emptyForm() []byte {
	f := xmpp.Form{Type: xmpp.FormOpen, Kind: ns, Fields: []xmpp.Field{
		{Var: "with", Type: "jid-single"},
		{Var: "start", Type: "text-single"},
		{Var: "end", Type: "text-single"},
		{Var: "before-id", Type: "text-single"},
		{Var: "after-id", Type: "text-single"},
		{Var: "ids", Type: "list-multi", Extra: "<validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:string'><open/></validate>"},
		{Var: "include-groupchat", Type: "boolean"},
		{Var: "{" + nsFulltext + "}fulltext", Type: "text-single"},
	}}
	return append(f.Append([]byte("<query xmlns='"+ns+"'>")), "</query>"...)
}
