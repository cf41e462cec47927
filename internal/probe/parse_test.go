package probe

import (
	"bufio"
	"encoding/xml"
	"strings"
	"testing"
)

func TestReplies(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		code int
		text string
	}{
		"one line":          {"220 ready\r\n", 220, "ready"},
		"code alone":        {"230\r\n", 230, ""},
		"several":           {"211-Features:\r\n MDTM\r\n211 End\r\n", 211, "End"},
		"code inside":       {"230-Welcome\r\n230 is not it\r\n", 230, "is not it"},
		"other code inside": {"230-Welcome\r\n331 no\r\n230 yes\r\n", 230, "yes"},
		"no reply":          {"SSH-2.0-OpenSSH\r\n", 0, ""},
		"no end":            {"220-\r\n", 0, ""},
		"long":              {"220 " + strings.Repeat("x", 5000) + "\r\n", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			code, text, err := readReply(bufio.NewReader(strings.NewReader(tt.in)), func(string) {})
			if code != tt.code || text != tt.text || (err == nil) != (tt.code != 0) {
				t.Errorf("%d %q %v", code, text, err)
			}
		})
	}
}

func TestPassiveReplies(t *testing.T) {
	for in, want := range map[string]string{
		"Entering Passive Mode (192,0,2,7,195,80).": "192.0.2.7:50000",
		"Entering Passive Mode 192,0,2,7,195,80":    "192.0.2.7:50000",
		"Entering (192, 0, 2, 7, 195, 80)":          "192.0.2.7:50000",
		"(192,0,2,256,195,80)":                      "", "(192,0,2,7,195)": "", "no numbers": "", "(192,0,2,7,0,0)": "",
	} {
		got, ok := parsePASV(in)
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%q: %v %v", in, got, ok)
		}
	}
	for in, want := range map[string]uint16{
		"Entering Extended Passive Mode (|||50000|).": 50000, "(!!!21!)": 21,
		"(|||0|)": 0, "(|||70000|)": 0, "(||50000|)": 0, "|||50000|": 0, "(111501)": 0, "(|||)": 0, "(|||12!)": 0,
	} {
		if got, ok := parseEPSV(in); got != want && ok || ok != (want != 0) {
			t.Errorf("%q: %d %v", in, got, ok)
		}
	}
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{"220 ready\r\n", "211-a\r\n b\r\n211 End\r\n", "227 Entering Passive Mode (1,2,3,4,5,6).\r\n", "229 x (|||7|)\r\n", "22", "220-\n\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		code, text, err := readReply(bufio.NewReader(strings.NewReader(in)), func(string) {})
		if err == nil && (code < 100 || code > 599) {
			t.Errorf("the code %d", code)
		}
		if a, ok := parsePASV(text); ok && (!a.Addr().Is4() || a.Port() == 0) {
			t.Errorf("%q is %v", text, a)
		}
		if port, ok := parseEPSV(text); ok && port == 0 {
			t.Errorf("%q is no port", text)
		}
	})
}

func FuzzElement(f *testing.F) {
	for _, s := range []string{"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", "<failure><not-authorized/><text>no</text></failure>",
		"<iq type='result'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>a@b/c</jid></bind></iq>", "<iq type='error'><error><conflict/></error></iq>", "<a><b>", "<<"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var e element
		if xml.Unmarshal([]byte(in), &e) == nil && e.Name.Local != "success" && e.refusal() == "" {
			t.Errorf("%q is no refusal", in)
		}
	})
}

func FuzzWebSocket(f *testing.F) {
	f.Add([]byte("\x81\x05<open"))
	f.Add([]byte("\x81\x7e\x00\x02ab"))
	f.Add([]byte("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if text, err := readWSText(bufio.NewReader(strings.NewReader(string(in)))); err == nil && len(text) > len(in) {
			t.Error("more came out than went in")
		}
	})
}
