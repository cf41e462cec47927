package web

import (
	"net/http"
	"strconv"
	"time"

	"golang.org/x/text/language"

	"trivium/identity"
)

// timeForm is how somebody reads times: as layouts of package time.
type timeForm struct{ date, moment string }

// isoForm is read everywhere, and stands where nobody has said anything.
var isoForm = timeForm{time.DateOnly, "2006-01-02 15:04:05 MST"}

// timeForms are by region where it is the region that decides, else by language.
func timeForms() map[string]timeForm {
	dots, slashes := timeForm{"02.01.2006", "02.01.2006 15:04:05 MST"}, timeForm{"02/01/2006", "02/01/2006 15:04:05 MST"}
	return map[string]timeForm{
		"US": {"01/02/2006", "01/02/2006 3:04:05 PM MST"}, "GB": slashes, "IE": slashes, "AU": slashes, "NZ": slashes, "IN": slashes,
		"de": dots, "pl": dots, "cs": dots, "sk": dots, "ru": dots, "uk": dots, "fi": dots, "nb": dots, "da": dots, "tr": dots, "ro": dots,
		"fr": slashes, "es": slashes, "it": slashes, "pt": slashes, "nl": {"02-01-2006", "02-01-2006 15:04:05 MST"},
	}
}

// formOf is the form of the first language that is asked for: formats is a language tag or an
// Accept-Language header (RFC 9110 section 12.5.4).
func formOf(formats string) timeForm {
	tags, _, err := language.ParseAcceptLanguage(formats)
	if err != nil || len(tags) == 0 {
		return isoForm
	}
	all := timeForms()
	base, _ := tags[0].Base()
	if region, sure := tags[0].Region(); sure == language.Exact {
		if f, ok := all[region.String()]; ok && base.String() == "en" {
			return f
		}
	}
	if f, ok := all[base.String()]; ok {
		return f
	}
	return isoForm
}

// formFor is how somebody reads times: as they have said, else as their browser has, unless its language is
// another one than the pages', else as the pages' language has it.
func formFor(chosen, browser, pages string) timeForm {
	if chosen != "" {
		return formOf(chosen)
	}
	if tags, _, err := language.ParseAcceptLanguage(browser); err == nil && len(tags) > 0 {
		asked, _ := tags[0].Base()
		if shown, _ := language.Make(pages).Base(); asked == shown {
			return formOf(browser)
		}
	}
	return formOf(pages)
}

// date is a day as the visitor reads it.
func (v *visit) date(t time.Time) string {
	form := v.times
	if form == (timeForm{}) {
		form = isoForm
	}
	return t.In(v.clock()).Format(form.date)
}

// readTimes notes where and how the visitor reads times: what the account says, else what the browser has said.
func (v *visit) readTimes(b *identity.Browser, p identity.Profile) {
	v.zone, v.words = nil, v.language(p.Lang)
	v.times = formFor(clip(p.Formats, 64), clip(b.Engine().Formats, 64), v.words.Tag)
	if z, err := time.LoadLocation(p.TimeZone); err == nil && p.TimeZone != "" {
		v.zone = z
	} else if minutes, ok := b.TimeZone(); ok {
		v.zone = time.FixedZone("", minutes*60)
	}
}

// zoneNoted is the offset that the session's browser has said, as the page tells its script; "" where it
// has not.
func (v *visit) zoneNoted() string {
	if minutes, ok := v.browser.TimeZone(); ok {
		return strconv.Itoa(minutes)
	}
	return "unknown"
}

// postZone notes the offset of the browser's clock. The script of the page sends it where the session
// does not know it yet.
func (s *Server) postZone(v *visit) error {
	minutes, err := strconv.Atoi(v.form("offset"))
	if err != nil {
		return errMalformed
	}
	if err := v.browser.SetTimeZone(minutes); err != nil {
		return err
	}
	return v.NoContent(http.StatusNoContent)
}
