package xmpp

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestClientFirst(t *testing.T) {
	f, err := parseClientFirst("p=tls-exporter,a=x=2Cy=3Dz,n=us=2Cer,r=abc,x=ext")
	if err != nil {
		t.Fatal(err)
	}
	if f.flag != "p" || f.binding != "tls-exporter" || f.authzid != "x,y=z" || f.name != "us,er" || f.nonce != "abc" ||
		f.header != "p=tls-exporter,a=x=2Cy=3Dz," || f.bare != "n=us=2Cer,r=abc,x=ext" {
		t.Errorf("%+v", f)
	}
}

// FuzzClientFirst: a message that passes is its parts put together again.
func FuzzClientFirst(f *testing.F) {
	for _, s := range []string{"n,,n=user,r=abc", "y,a=a@b,n=us=2Cer,r=abc,x=y", "p=tls-exporter,,n=u,r=a", "n,,m=x,n=u,r=a", "n,,n=,r=a", ",,", "n,a=,n=u,r=a", "n,,n=a=2,r=b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, msg string) {
		c, err := parseClientFirst(msg)
		if err != nil {
			return
		}
		if c.header+c.bare != msg || c.name == "" || !printable(c.nonce) {
			t.Fatalf("%q: %+v", msg, c)
		}
		if c.flag != "n" && c.flag != "y" && (c.flag != "p" || c.binding == "") {
			t.Fatalf("%q: %+v", msg, c)
		}
		esc := strings.NewReplacer("=", "=3D", ",", "=2C")
		if !strings.HasPrefix(c.bare, "n="+esc.Replace(c.name)+",r="+c.nonce) {
			t.Fatalf("%q: %+v", msg, c)
		}
	})
}

// FuzzClientFinal: the proof is the last field, and what it proves is all before it.
func FuzzClientFinal(f *testing.F) {
	for _, s := range []string{"c=biws,r=abc,p=AAAA", "c=biws,r=abc,x=y,p=AAAA", "c=biws,r=abc,p=", "r=abc,c=biws,p=AAAA", "c=b,r=a,p=AAAA", "c=biws,r=abc,p=AAAA,p=AAAA", "c=biws,r=abc,p=AA\nAA"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, msg string) {
		c, err := parseClientFinal(msg)
		if err != nil {
			return
		}
		if c.without+",p="+base64.StdEncoding.EncodeToString(c.proof) != msg || len(c.proof) == 0 {
			t.Fatalf("%q: %+v", msg, c)
		}
		if !strings.HasPrefix(c.without, "c=") || !strings.Contains(c.without, ",r="+c.nonce) {
			t.Fatalf("%q: %+v", msg, c)
		}
	})
}
