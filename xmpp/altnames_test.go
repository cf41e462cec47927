package xmpp

import (
	"encoding/hex"
	"testing"
)

// FuzzAltNames: what a certificate names is a list of addresses, never more than are looked at.
func FuzzAltNames(f *testing.F) {
	for _, s := range []string{"", "3000", "301fa01d06082b06010505070805a0110c0f616c696365406578616d706c652e", "3024a02206082b06010505070805a0160c14616c696365406578616d706c652e6f72672f78",
		"3022a02006082b06010505070805a0140c12616c696365406578616d706c652e6f7267ff", "3009820765782e6f7267"} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		list := parseAltNames(der)
		if len(list) > maxAddrs {
			t.Fatal(len(list))
		}
		for _, j := range list {
			if j.Localpart() == "" || j.Domainpart() == "" {
				t.Fatal(j)
			}
		}
	})
}
