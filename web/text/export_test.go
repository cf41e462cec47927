package text

import (
	"fmt"
	"html/template"
	"strings"

	"golang.org/x/text/language"
)

// Trial is H of a text that no catalogue has.
func Trial(l *Language, text string, args ...any) template.HTML {
	names, _ := placeholders(text)
	own := *l
	made := &words{messages: map[string]*message{"trial.x": compile(&entry{one: text}, names, true)}, numbers: l.words().numbers}
	own.words = func() *words { return made }
	return own.H("trial.x", args...)
}

// CheckMarkup is markup.
func CheckMarkup(text string) error { return markup(text) }

// CheckBuiltIn holds the catalogues of this program against all that those of a site have to keep to.
func CheckBuiltIn() error {
	english, err := builtIn.ReadFile("en.toml")
	if err != nil {
		return err
	}
	base, err := parse("en.toml", english)
	if err != nil {
		return err
	}
	var first *Language
	for _, file := range []string{"en.toml", "de.toml"} {
		data, err := builtIn.ReadFile(file)
		if err != nil {
			return err
		}
		own, err := parse(file, data)
		if err != nil {
			return err
		}
		l, err := newLanguage(file, language.Make(strings.TrimSuffix(file, ".toml")), own, base, first)
		if err != nil {
			return err
		}
		if first == nil {
			first = l
		}
		if quick, err := readBuiltIn(file); err != nil || len(quick) != len(own) {
			return fmt.Errorf("%s: %d texts of %d are read at the start, %v", file, len(quick), len(own), err)
		}
	}
	return nil
}
