package httpio

import (
	"mime"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzAttachment(f *testing.F) {
	for _, s := range []string{"plan.pdf", `a"b.txt`, "ä ö.txt", "x\r\nSet-Cookie: a=b", "a;b", "a%20b", "\xff\xfe", "..", "日本"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		h := Attachment(name)
		if strings.ContainsFunc(h, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
			t.Fatalf("%q holds other than printable ASCII", h)
		}
		kind, params, err := mime.ParseMediaType(h)
		if err != nil || kind != "attachment" {
			t.Fatalf("%q: %q, %v", h, kind, err)
		}
		if utf8.ValidString(name) && params["filename"] != name {
			t.Errorf("%q came back as %q", name, params["filename"])
		}
		if len(params) > 1 {
			t.Errorf("%q has further parameters: %v", h, params)
		}
	})
}
