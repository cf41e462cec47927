package identity

import (
	"slices"
	"unicode"
)

// togetherScripts are written in one word by whole peoples (UTS 39 section 5.1): Japanese, Korean and
// Chinese.
var togetherScripts = [][]string{{"Han", "Hiragana", "Katakana"}, {"Han", "Hangul"}, {"Han", "Bopomofo"}}

// oneScript refuses a new name whose letters are of several scripts: a Cyrillic letter among Latin ones
// makes a name that looks like another's. Names that there are stay as they are.
func oneScript(name UserName) error {
	found := map[string]rune{}
	for _, r := range string(name) {
		if r < unicode.MaxASCII && !unicode.IsLetter(r) || unicode.In(r, unicode.Common, unicode.Inherited) {
			continue
		}
		if s := scriptOf(r); s != "" {
			if _, ok := found[s]; !ok {
				found[s] = r
			}
		}
	}
	if len(found) < 2 {
		return nil
	}
together:
	for _, set := range togetherScripts {
		for s := range found {
			if !slices.Contains(set, s) {
				continue together
			}
		}
		return nil
	}
	var first, other string
	for s := range found {
		if first == "" || s < first {
			first, other = s, first
		} else {
			other = s
		}
	}
	return faultf(ErrInvalid, "%q mixes letters of several scripts (%s and %s), so that it could pass for another name; write it in one", string(name), first, other)
}

// scriptOf names the script of a letter; "" where it is in none.
func scriptOf(r rune) string {
	if r < unicode.MaxASCII {
		return "Latin"
	}
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return name
		}
	}
	return ""
}
