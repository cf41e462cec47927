package identity

import (
	"strings"
	"unicode"
)

// lookalikes are letters of other alphabets that a reader takes for those of the Latin one, small as
// names have them (Unicode Technical Standard 39, confusables; those of Cyrillic, Greek and Armenian
// in whole, of Latin what has no mark of its own).
var lookalikes = strings.NewReplacer(
	"а", "a", "в", "b", "с", "c", "ԁ", "d", "е", "e", "һ", "h", "і", "i", "ј", "j", "к", "k", "ӏ", "l", "м", "m",
	"п", "n", "о", "o", "р", "p", "ԛ", "q", "г", "r", "ѕ", "s", "т", "t", "ц", "u", "ѵ", "v", "ԝ", "w", "х", "x", "у", "y",
	"α", "a", "β", "b", "ϲ", "c", "ε", "e", "η", "n", "ι", "i", "κ", "k", "ν", "v", "ο", "o", "ρ", "p", "τ", "t", "υ", "u", "χ", "x", "γ", "y", "ω", "w",
	"ց", "g", "հ", "h", "օ", "o", "ո", "n", "ս", "u", "զ", "q", "ւ", "l",
	"ı", "i", "ɑ", "a", "ɡ", "g", "ɩ", "i", "ʋ", "v", "ſ", "s", "ƿ", "p", "ꞵ", "b",
)

// Skeleton is what a reader may take a name for: letters that look like Latin ones have become these.
// Two names with one skeleton look alike.
func (n UserName) Skeleton() UserName {
	for i := range len(n) {
		if n[i] >= 0x80 {
			return UserName(lookalikes.Replace(string(n)))
		}
	}
	return n
}

// MixesScripts reports whether a name has letters of the Latin alphabet beside those of Cyrillic,
// Greek, Armenian or Cherokee, as hardly a word of any language has.
func (n UserName) MixesScripts() bool {
	latin, other := false, false
	for _, r := range string(n) {
		switch {
		case unicode.Is(unicode.Latin, r):
			latin = true
		case unicode.In(r, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee):
			other = true
		}
	}
	return latin && other
}
