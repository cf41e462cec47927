package web

import (
	"html/template"
	"strconv"
	"strings"
	"time"

	"trivium/identity"
	"trivium/web/text"
)

// relative writes how far t is from now. What is to come is rounded: 30 days do not become 29 in the
// moment in which they are set. What is far away is a date, in t's own zone.
func relative(words *text.Language, now, t time.Time, date string) string {
	d, key := now.Sub(t), "ago"
	if d < 0 {
		d, key = -d, "in"
		for _, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute} {
			if d > 2*unit {
				d = d.Round(unit)
				break
			}
		}
	}
	switch {
	case d < 5*time.Second:
		return words.T("time.just_now")
	case d < time.Minute:
		return words.T("time."+key+"_seconds", int(d/time.Second))
	case d < time.Hour:
		return words.T("time."+key+"_minutes", int(d/time.Minute))
	case d < 48*time.Hour:
		return words.T("time."+key+"_hours", int(d/time.Hour))
	case d < 60*24*time.Hour:
		return words.T("time."+key+"_days", int(d/(24*time.Hour)))
	}
	return t.Format(date)
}

// icons are 24×24 outlines; each is decoration beside a word.
var icons = map[string]string{
	"bell":     `<path d="M6 9a6 6 0 0 1 12 0c0 6 2.5 7 2.5 7h-17S6 15 6 9"/><path d="M10 20a2 2 0 0 0 4 0"/>`,
	"home":     `<path d="M4 11.5 12 4l8 7.5V20h-5v-6H9v6H4z"/>`,
	"folder":   `<path d="M3 6.5h6l2 2.5h10v10H3z"/>`,
	"file":     `<path d="M6 3h8l4 4v14H6z"/><path d="M14 3v4h4"/>`,
	"trash":    `<path d="M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5m4-5v5"/>`,
	"sessions": `<path d="M3 12h4l3-7 4 14 3-7h4"/>`,
	"key":      `<circle cx="8" cy="14" r="4"/><path d="m11 11 9-8m-4 3.5 3 3"/>`,
	"person":   `<circle cx="12" cy="8" r="4"/><path d="M4 21c1-5 4-7 8-7s7 2 8 7"/>`,
	"group":    `<circle cx="9" cy="9" r="3.5"/><path d="M2.5 20c.7-4.300 3-6 6.500-6s5.800 1.700 6.500 6"/><path d="M15.500 5.800a3.500 3.500 0 0 1 0 6.400M18 14.600c2 .9 3.200 2.600 3.500 5.400"/>`,
	"gauge":    `<path d="M4 18a9 9 0 1 1 16 0"/><path d="m12 14 4-5"/>`,
	"grid":     `<path d="M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z"/>`,
	"list":     `<path d="M8 6h13M8 12h13M8 18h13M3.500 6h.01M3.500 12h.01M3.500 18h.01"/>`,
	"shield":   `<path d="M12 3 4 6v6c0 5 3.500 7.800 8 9 4.500-1.200 8-4 8-9V6z"/>`,
	"pulse":    `<path d="M2.500 12h4l3-8 5 16 3-8h4"/>`,
	"minus":    `<path d="M6 12h12"/>`,
	"gear":     `<circle cx="12" cy="12" r="3.200"/><path d="M12 2.500v3m0 13v3M2.500 12h3m13 0h3M5.300 5.300l2.100 2.100m9.200 9.200 2.100 2.100m0-13.400-2.100 2.100m-9.200 9.200-2.100 2.100"/>`,
	"up":       `<path d="M12 19V5m-6 6 6-6 6 6"/>`,
	"down":     `<path d="M12 4v12m-6-5 6 6 6-6M4 20h16"/>`,
	"link":     `<path d="M10 14a4 4 0 0 0 6 0l3-3a4.200 4.200 0 0 0-6-6l-1 1m2 4a4 4 0 0 0-6 0l-3 3a4.200 4.200 0 0 0 6 6l1-1"/>`,
	"chat":     `<path d="M4 5h16v11H10l-4 4v-4H4z"/>`,
	"globe":    `<circle cx="12" cy="12" r="9"/><path d="M3 12h18M12 3c3 3 3.500 6 3.500 9s-.5 6-3.500 9c-3-3-3.500-6-3.500-9s.5-6 3.500-9z"/>`,
	"code":     `<path d="m8 7-5 5 5 5m8-10 5 5-5 5M14 4l-4 16"/>`,
	"check":    `<path d="m5 13 4.500 4.500L19 7"/>`,
	"warn":     `<path d="M12 3.500 2.500 20h19z"/><path d="M12 10v4m0 3h.01"/>`,
	"dot":      `<circle cx="12" cy="12" r="5" fill="currentColor"/>`,
	"half":     `<circle cx="12" cy="12" r="6"/><path d="M12 6a6 6 0 0 1 0 12z" fill="currentColor"/>`,
	"ring":     `<circle cx="12" cy="12" r="6"/>`,
	"stop":     `<circle cx="12" cy="12" r="9"/><path d="m6 6 12 12"/>`,
	"menu":     `<path d="M4 6h16M4 12h16M4 18h16"/>`,
}

// icon is constant markup by name; nothing of a request gets into it.
func icon(name string) template.HTML {
	return template.HTML(`<svg class="icon" viewBox="0 0 24 24" width="20" height="20" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">` + icons[name] + `</svg>`)
}

// levelNumber is a level as forms send it.
func levelNumber(l identity.Level) string { return strconv.Itoa(int(l)) }

// levelLabel is a level as people read it: staff (30).
func levelLabel(words *text.Language, l identity.Level) string {
	return levelWord(words, l) + " (" + levelNumber(l) + ")"
}

// levelWord is what a level is called.
func levelWord(words *text.Language, l identity.Level) string {
	return wordOf(words, "level."+strings.ReplaceAll(l.String(), "-", "_"), l.String())
}
