package httpio

import (
	"strings"
)

// Attachment is a Content-Disposition that makes any name a download: an ASCII stand-in for old
// clients (RFC 6266 section 4.3) and the name itself as RFC 8187 section 3.2 encodes it. Neither
// half can hold a quote, a line end or another parameter.
func Attachment(name string) string {
	var plain, full strings.Builder
	for _, r := range name {
		if r < 0x20 || r > 0x7e || strings.ContainsRune(`"\/%;`, r) {
			plain.WriteByte('_')
			continue
		}
		plain.WriteRune(r)
	}
	const hexDigits = "0123456789ABCDEF"
	for i := range len(name) {
		c := name[i]
		if attrChar(c) {
			full.WriteByte(c)
			continue
		}
		full.WriteByte('%')
		full.WriteByte(hexDigits[c>>4])
		full.WriteByte(hexDigits[c&15])
	}
	return `attachment; filename="` + plain.String() + `"; filename*=UTF-8''` + full.String()
}

// attrChar is attr-char of RFC 8187 section 3.2.1.
func attrChar(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0
}
