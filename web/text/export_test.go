package text

import "html/template"

// Trial is H of a text that no catalogue has.
func Trial(l *Language, text string, args ...any) template.HTML {
	names, _ := placeholders(text)
	own := *l
	own.messages = map[string]*message{"trial.x": compile(&entry{one: text}, names, true)}
	return own.H("trial.x", args...)
}

// CheckMarkup is markup.
func CheckMarkup(text string) error { return markup(text) }
