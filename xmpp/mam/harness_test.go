package mam_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/internal/sqldb/sqltest"
	"trivium/xmpp"
	"trivium/xmpp/carbons"
	"trivium/xmpp/mam"
	"trivium/xmpp/mam/sqlstore"
	. "trivium/xmpp/xmpptest"
)

const ns = "urn:xmpp:mam:2"

// archive is a site with an archive.
type archive struct {
	*Site
	store  *sqlstore.Store
	module *mam.Archive
}

func start(t testing.TB, change func(*mam.Options)) *archive {
	t.Helper()
	a := new(archive)
	resumes := func(o *xmpp.Options) { o.Config.ResumeTimeout, o.Config.ResumeMemory = time.Minute, 1<<20 }
	a.Site = Start(t, Options{XMPP: resumes, Tables: []sqltest.Migrate{sqlstore.Migrate}, Modules: func(db *sqldb.DB, svc *identity.Service) []xmpp.Module {
		var err error
		a.store, err = sqlstore.Open(t.Context(), db, sqlstore.Options{})
		Must(t, err)
		t.Cleanup(a.store.Close)
		o := mam.Options{Store: a.store, Gone: func(ctx context.Context, id identity.UserID) (bool, error) {
			u, err := svc.UserByID(ctx, id)
			if errors.Is(err, identity.ErrNotFound) {
				return true, nil
			}
			return u.State == identity.UserDeleted, err
		}}
		if change != nil {
			change(&o)
		}
		a.module, err = mam.New(t.Context(), o)
		Must(t, err)
		t.Cleanup(a.module.Close)
		return []xmpp.Module{a.module, carbons.New()}
	}})
	return a
}

// result is one message of an answer.
type result struct{ id, stamp, stanza string }

var (
	resultForm   = regexp.MustCompile(`<message from='([^']*)' to='([^']*)'><result xmlns='urn:xmpp:mam:2'(?: queryid='([^']*)')? id='([^']*)'><forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='([^']*)'/>(.*?)</forwarded></result></message>`)
	finForm      = regexp.MustCompile(`<iq type='result' id='q'[^>]*><fin xmlns='urn:xmpp:mam:2'( complete='true')?><set xmlns='http://jabber.org/protocol/rsm'>(?:<first>([^<]*)</first><last>([^<]*)</last>)?(?:<count>(\d+)</count>)?</set></fin>$`)
	stanzaIDForm = regexp.MustCompile(`<stanza-id xmlns='urn:xmpp:sid:0' by='([^']*)' id='([^']*)'/>`)
)

type answer struct {
	list        []result
	complete    bool
	first, last string
	count       string
}

// bodies are the texts of the messages.
func (a answer) bodies() string {
	var all []string
	for _, r := range a.list {
		_, text, _ := strings.Cut(r.stanza, "<body>")
		text, _, _ = strings.Cut(text, "</body>")
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

func field(name, value string) string {
	return "<field var='" + name + "'><value>" + value + "</value></field>"
}

func form(fields ...string) string {
	return "<x xmlns='jabber:x:data' type='submit'>" + field("FORM_TYPE", ns) + strings.Join(fields, "") + "</x>"
}

func rsm(inner string) string {
	return "<set xmlns='http://jabber.org/protocol/rsm'>" + inner + "</set>"
}

// ask sends a query and returns what comes up to and with its answer.
func ask(c *Client, payload string) string {
	c.Send("<iq type='set' id='q'>" + payload + "</iq>")
	return c.Expect("</iq>")
}

// page asks for a page and reads it.
func page(t testing.TB, c *Client, inner string) answer {
	t.Helper()
	text := strings.TrimSuffix(ask(c, "<query xmlns='"+ns+"' queryid='x&amp;1'>"+inner+"</query>"), "</iq>")
	var a answer
	bare, _, _ := strings.Cut(c.JID, "/")
	for _, m := range resultForm.FindAllStringSubmatch(text, -1) {
		if m[1] != bare || m[2] != c.JID || m[3] != "x&amp;1" {
			t.Errorf("a result from %s to %s for query %q", m[1], m[2], m[3])
		}
		a.list = append(a.list, result{m[4], m[5], m[6]})
	}
	m := finForm.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no end of the answer in %q", text)
	}
	a.complete, a.first, a.last, a.count = m[1] != "", m[2], m[3], m[4]
	return a
}

func say(to, id, text string) string {
	return "<message type='chat' to='" + to + "' id='" + id + "'><body>" + text + "</body><origin-id xmlns='urn:xmpp:sid:0' id='" + id + "'/></message>"
}
