package vcard_test

import (
	"testing"

	"trivium/xmpp"
	"trivium/xmpp/vcard"
)

// The cards are those of XEP-0292 sections 8.2 and 8.3, with what else the forms have in common; the
// second is made of the first, and the third of the second.
func TestConversion(t *testing.T) {
	for _, tt := range []struct{ name, temp, four, back string }{
		{"names", "<FN>Peter Saint-Andre</FN><N><FAMILY>Saint-Andre</FAMILY><GIVEN>Peter</GIVEN><MIDDLE/></N><NICKNAME>stpeter</NICKNAME><NICKNAME>psa</NICKNAME>",
			"<fn><text>Peter Saint-Andre</text></fn><n><surname>Saint-Andre</surname><given>Peter</given><additional></additional></n><nickname><text>stpeter</text></nickname><nickname><text>psa</text></nickname>",
			"<FN>Peter Saint-Andre</FN><N><FAMILY>Saint-Andre</FAMILY><GIVEN>Peter</GIVEN><MIDDLE></MIDDLE></N><NICKNAME>stpeter</NICKNAME><NICKNAME>psa</NICKNAME>"},
		{"a name is always there", "<BDAY>1966-08-06</BDAY>", "<fn><text></text></fn><bday><date>1966-08-06</date></bday>", "<BDAY>1966-08-06</BDAY>"},
		{"address", "<FN>x</FN><ADR><WORK/><PREF/><EXTADD>Suite 600</EXTADD><PCODE>80202</PCODE><CTRY>USA</CTRY></ADR>",
			"<fn><text>x</text></fn><adr><parameters><type><text>work</text></type><pref><integer>1</integer></pref></parameters><ext>Suite 600</ext><code>80202</code><country>USA</country></adr>",
			"<FN>x</FN><ADR><WORK/><PREF/><EXTADD>Suite 600</EXTADD><PCODE>80202</PCODE><CTRY>USA</CTRY></ADR>"},
		{"numbers", "<FN>x</FN><TEL><CELL/><VOICE/><TEXT/><MSG/><NUMBER>+1-720</NUMBER></TEL><EMAIL><INTERNET/><PREF/><USERID>a@b.org</USERID></EMAIL><JABBERID>a@b.org</JABBERID>",
			"<fn><text>x</text></fn><tel><parameters><type><text>text</text><text>voice</text><text>cell</text></type></parameters><uri>tel:+1-720</uri></tel><email><parameters><pref><integer>1</integer></pref></parameters><text>a@b.org</text></email><impp><uri>xmpp:a@b.org</uri></impp>",
			"<FN>x</FN><TEL><TEXT/><VOICE/><CELL/><NUMBER>+1-720</NUMBER></TEL><EMAIL><PREF/><INTERNET/><USERID>a@b.org</USERID></EMAIL><JABBERID>a@b.org</JABBERID>"},
		{"the rest", "<FN>&lt;x&gt;</FN><GEO><LAT>39.59</LAT><LON>-105.01</LON></GEO><ORG><ORGNAME>XSF</ORGNAME><ORGUNIT>none</ORGUNIT></ORG><CATEGORIES><KEYWORD>a</KEYWORD></CATEGORIES><LOGO><TYPE>image/png</TYPE><BINVAL>aGk\n=</BINVAL></LOGO><SOUND><EXTVAL>https://b.org/s</EXTVAL></SOUND><KEY><CRED>k</CRED></KEY><DESC>d</DESC>",
			"<fn><text>&lt;x&gt;</text></fn><geo><uri>geo:39.59,-105.01</uri></geo><org><text>XSF</text></org><categories><text>a</text></categories><logo><uri>data:image/png;base64,aGk=</uri></logo><sound><uri>https://b.org/s</uri></sound><key><text>k</text></key><note><text>d</text></note>",
			"<FN>&lt;x&gt;</FN><GEO><LAT>39.59</LAT><LON>-105.01</LON></GEO><ORG><ORGNAME>XSF</ORGNAME></ORG><CATEGORIES><KEYWORD>a</KEYWORD></CATEGORIES><LOGO><TYPE>image/png</TYPE><BINVAL>aGk=</BINVAL></LOGO><SOUND><EXTVAL>https://b.org/s</EXTVAL></SOUND><KEY><CRED>k</CRED></KEY><DESC>d</DESC>"},
		{"what has no place", "<FN>x</FN><LABEL><LINE>l</LINE></LABEL><MAILER>m</MAILER><PHOTO><BINVAL>aGk=</BINVAL></PHOTO><x xmlns='other'/>", "<fn><text>x</text></fn>", "<FN>x</FN>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			four := vcard.Four(parse(t, "<vCard xmlns='vcard-temp'>"+tt.temp+"</vCard>"))
			if want := card4(tt.four); string(four) != want {
				t.Errorf("vCard4 is\n%s, want\n%s", four, want)
			}
			if got, want := string(vcard.Temp(parse(t, string(four)))), "<vCard xmlns='vcard-temp'>"+tt.back+"</vCard>"; got != want {
				t.Errorf("and back it is\n%s, want\n%s", got, want)
			}
		})
	}
	t.Run("only in vCard4", func(t *testing.T) {
		got := string(vcard.Temp(parse(t, card4("<group name='g'><fn><text>x</text></fn></group><lang><language-tag>en</language-tag></lang><impp><uri>sip:a@b.org</uri></impp><geo><uri>geo:1,2,3;u=4</uri></geo><org><text>a</text><text>b</text></org><photo><uri>data:image/png;base64,aGk=</uri></photo>"))))
		if want := "<vCard xmlns='vcard-temp'><FN>x</FN><GEO><LAT>1</LAT><LON>2</LON></GEO><ORG><ORGNAME>a</ORGNAME><ORGUNIT>b</ORGUNIT></ORG></vCard>"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

func parse(t testing.TB, text string) *xmpp.Element {
	t.Helper()
	el, err := xmpp.ParseElement([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return el
}

// Whatever is in a card, what is made of it can be read, and is the same when it has gone both ways twice.
func FuzzConversion(f *testing.F) {
	for _, seed := range []string{"<FN>x</FN><N><GIVEN>a</GIVEN></N>", "<TEL><HOME/><NUMBER>1</NUMBER></TEL>", "<LOGO><BINVAL>aGk=</BINVAL></LOGO>", "<GEO/>", "text", "<FN><x/></FN>",
		"<CATEGORIES/><KEY/><ORG/>", "<a:FN xmlns:a='vcard-temp'>x</a:FN>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		el, err := xmpp.ParseElement([]byte("<vCard xmlns='vcard-temp'>" + body + "</vCard>"))
		if err != nil {
			return
		}
		once := vcard.Temp(parse(t, string(vcard.Four(el))))
		twice := vcard.Temp(parse(t, string(vcard.Four(parse(t, string(once))))))
		if string(once) != string(twice) {
			t.Errorf("%s became %s", once, twice)
		}
		vcard.Four(parse(t, "<vCard xmlns='vcard-temp'>"+body+"</vCard>"))
		if four, err := xmpp.ParseElement([]byte(card4(body))); err == nil {
			parse(t, string(vcard.Temp(four)))
		}
	})
}
