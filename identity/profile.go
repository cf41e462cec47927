package identity

import (
	"net/mail"
	"strings"
	"time"
	_ "time/tzdata" // what is a time zone must not hang on what the machine has installed
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
)

// Bounds of a profile, in characters where nothing else is said.
const (
	maxEmail = 254 // bytes; RFC 5321 section 4.5.3.1.3, brackets excluded
	maxName  = 256
	maxPhone = 64
	maxAbout = 4096
	maxTag   = 64 // bytes of a language tag or time zone
)

// checked returns the profile in its normal form. The error wraps ErrInvalid and begins with the
// name of the field.
func (p Profile) checked() (Profile, error) {
	for _, f := range []struct {
		field string
		text  *string
		max   int
		lines bool
	}{
		{"e-mail", &p.Email, maxEmail, false},
		{"name", &p.Name, maxName, false},
		{"phone", &p.Phone, maxPhone, false},
		{"about", &p.About, maxAbout, true},
		{"language", &p.Lang, maxTag, false},
		{"formats", &p.Formats, maxTag, false},
		{"time zone", &p.TimeZone, maxTag, false},
	} {
		*f.text = strings.TrimSpace(*f.text)
		if err := checkText(f.field, *f.text, f.max, f.lines); err != nil {
			return p, err
		}
	}
	if p.Email != "" {
		a, err := mail.ParseAddress(p.Email)
		if err != nil || a.Address != p.Email || len(p.Email) > maxEmail {
			return p, faultf(ErrInvalid, "e-mail: %q is not an e-mail address; write it as name@example.org", p.Email)
		}
	}
	var err error
	if p.Lang, err = languageTag("language", p.Lang); err != nil {
		return p, err
	}
	if p.Formats, err = languageTag("formats", p.Formats); err != nil {
		return p, err
	}
	if p.TimeZone != "" {
		// "Local" would be the server's own.
		if _, err := time.LoadLocation(p.TimeZone); err != nil || p.TimeZone == "Local" {
			return p, faultf(ErrInvalid, "time zone: %q is not known; write an IANA name such as Europe/Berlin or UTC", p.TimeZone)
		}
	}
	return p, nil
}

func checkText(field, s string, most int, lines bool) error {
	if !utf8.ValidString(s) {
		return faultf(ErrInvalid, "%s: the text is not UTF-8", field)
	}
	if utf8.RuneCountInString(s) > most {
		return faultf(ErrInvalid, "%s: at most %d characters", field, most)
	}
	for _, r := range s {
		switch {
		case lines && (r == '\n' || r == '\r' || r == '\t'):
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return faultf(ErrInvalid, "%s: control characters are not allowed", field)
		case !lines && (r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'):
			// They turn the text around that a name stands in.
			return faultf(ErrInvalid, "%s: characters that change the direction of text are not allowed", field)
		}
	}
	return nil
}

// languageTag returns the canonical form of a tag (RFC 5646).
func languageTag(field, s string) (string, error) {
	if s == "" {
		return "", nil
	}
	t, err := language.Parse(s)
	if err != nil {
		return "", faultf(ErrInvalid, "%s: %q is not a language tag; write one such as de or en-GB", field, s)
	}
	return t.String(), nil
}

// checkRoads returns roads without doubles; the error wraps ErrInvalid.
func checkRoads(roads []Road) ([]Road, error) {
	var out []Road
	for _, known := range []Road{RoadFTP, RoadWeb, RoadXMPP} {
		for _, r := range roads {
			if r == known {
				out = append(out, known)
				break
			}
		}
	}
	for _, r := range roads {
		if r != RoadFTP && r != RoadWeb && r != RoadXMPP {
			return nil, faultf(ErrInvalid, "%q is not a road; the roads are ftp, web, xmpp", string(r))
		}
	}
	return out, nil
}
