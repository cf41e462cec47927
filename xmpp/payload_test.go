package xmpp

import (
	"encoding/xml"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// parseRosterSet is what roster.go does with a query, without a stanza around it.
func parseRosterSet(query []byte) (rosterItem, error) {
	var q rosterQuery
	if err := xml.Unmarshal(query, &q); err != nil {
		return rosterItem{}, errBadRequest
	}
	return q.item()
}

const rosterNS = ` xmlns='jabber:iq:roster'`

func TestParseRosterSet(t *testing.T) {
	many := strings.Repeat("<group>g</group>", maxContactGroups+1)
	for _, tt := range []struct {
		name, in string
		want     rosterItem
		err      error
	}{
		{"plain", `<query` + rosterNS + `><item jid='b@x'/></query>`, rosterItem{jid: "b@x"}, nil},
		{"name and groups", `<query` + rosterNS + `><item jid='b@x' name='B &amp; C'><group>z</group><group>a</group></item></query>`,
			rosterItem{jid: "b@x", name: "B & C", groups: []string{"a", "z"}}, nil},
		{"prefixed", `<r:query xmlns:r='jabber:iq:roster'><r:item jid='b@x'><r:group>g</r:group></r:item></r:query>`,
			rosterItem{jid: "b@x", groups: []string{"g"}}, nil},
		{"a forged subscription is ignored", `<query` + rosterNS + `><item jid='b@x' subscription='both' ask='subscribe' approved='true'/></query>`, rosterItem{jid: "b@x"}, nil},
		{"remove", `<query` + rosterNS + `><item jid='b@x' subscription='remove'/></query>`, rosterItem{jid: "b@x", remove: true}, nil},
		{"no item", `<query` + rosterNS + `/>`, rosterItem{}, errBadRequest},
		{"two items", `<query` + rosterNS + `><item jid='b@x'/><item jid='c@x'/></query>`, rosterItem{}, errBadRequest},
		{"no jid", `<query` + rosterNS + `><item name='b'/></query>`, rosterItem{}, errBadRequest},
		{"item of another namespace", `<query` + rosterNS + `><item xmlns='x' jid='b@x'/></query>`, rosterItem{}, errBadRequest},
		{"group twice", `<query` + rosterNS + `><item jid='b@x'><group>g</group><group>g</group></item></query>`, rosterItem{}, errBadRequest},
		{"empty group", `<query` + rosterNS + `><item jid='b@x'><group/></item></query>`, rosterItem{}, errNotAcceptable},
		{"long name", `<query` + rosterNS + `><item jid='b@x' name='` + strings.Repeat("n", maxContactName+1) + `'/></query>`, rosterItem{}, errNotAcceptable},
		{"long group", `<query` + rosterNS + `><item jid='b@x'><group>` + strings.Repeat("n", maxGroupName+1) + `</group></item></query>`, rosterItem{}, errNotAcceptable},
		{"large as a whole", `<query` + rosterNS + `><item jid='b@x' name='` + strings.Repeat("&apos;", maxContactName) + `'/></query>`, rosterItem{}, errNotAcceptable},
		{"many groups", `<query` + rosterNS + `><item jid='b@x'>` + many + `</item></query>`, rosterItem{}, errNotAcceptable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseRosterSet([]byte(tt.in))
			if !errors.Is(err, tt.err) || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%+v, %v; want %+v, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestParsePresence(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     availability
		bad      bool
	}{
		{"empty", `<presence/>`, availability{"available", 0}, false},
		{"both", `<presence><show>dnd</show><priority>-1</priority></presence>`, availability{"dnd", -1}, false},
		{"own namespace", `<presence xmlns='jabber:client'><show>xa</show></presence>`, availability{"xa", 0}, false},
		{"spaces", "<presence><priority>\n 5 </priority></presence>", availability{"available", 5}, false},
		{"lowest", `<presence><priority>-128</priority></presence>`, availability{"available", -128}, false},
		{"highest", `<presence><priority>127</priority></presence>`, availability{"available", 127}, false},
		{"too high", `<presence><priority>128</priority></presence>`, availability{}, true},
		{"too low", `<presence><priority>-129</priority></presence>`, availability{}, true},
		{"no number", `<presence><priority>high</priority></presence>`, availability{}, true},
		{"unknown show", `<presence><show>lunch</show></presence>`, availability{"available", 0}, false},
		{"foreign priority", `<presence><priority xmlns='x'>9</priority></presence>`, availability{"available", 0}, false},
		{"nested priority", `<presence><x xmlns='y'><priority xmlns='jabber:client'>9</priority></x></presence>`, availability{"available", 0}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parsePresence([]byte(tt.in))
			if (err != nil) != tt.bad || !tt.bad && got != tt.want {
				t.Errorf("%+v, %v; want %+v, bad %v", got, err, tt.want, tt.bad)
			}
		})
	}
}

func FuzzParseRosterSet(f *testing.F) {
	for _, s := range []string{
		`<query xmlns='jabber:iq:roster' ver=''/>`,
		`<query xmlns='jabber:iq:roster' ver='x'><item jid='b@x' name='n'><group>g</group></item></query>`,
		`<query xmlns='jabber:iq:roster'><item jid='b@x' subscription='remove'/></query>`,
		`<query xmlns='jabber:iq:roster'><item jid='&#x0;'/></query>`,
		`<query`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		item, err := parseRosterSet(b)
		if err != nil {
			if !errors.Is(err, errBadRequest) && !errors.Is(err, errNotAcceptable) {
				t.Errorf("error %v has no answer", err)
			}
			return
		}
		if item.jid == "" || len(item.name) > maxContactName || len(item.groups) > maxContactGroups {
			t.Errorf("out of bounds: %+v", item)
		}
		if !slices.IsSorted(item.groups) || len(slices.Compact(slices.Clone(item.groups))) != len(item.groups) || slices.Contains(item.groups, "") {
			t.Errorf("groups %q", item.groups)
		}
	})
}

func FuzzParsePresence(f *testing.F) {
	for _, s := range []string{
		`<presence/>`, `<presence><show>away</show><priority>1</priority></presence>`,
		`<presence><priority>-0</priority></presence>`, `<presence><priority><x/>1</priority></presence>`, `<presence>`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := parsePresence(b)
		if err != nil && !errors.Is(err, errBadRequest) {
			t.Errorf("error %v has no answer", err)
		}
		if !slices.Contains([]string{"available", "away", "chat", "dnd", "xa"}, a.show) {
			t.Errorf("show %q", a.show)
		}
	})
}
