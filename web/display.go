package web

import (
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"trivium/files"
	"trivium/identity"
)

// The cookies of how pages look in this browser, beside that of the theme.
const (
	viewCookie = "view" // "grid": files as tiles
	keysCookie = "keys" // "off": no keyboard shortcuts; of before that was a setting of the account, which is what counts else
)

const displayAge = 365 * 24 * time.Hour

// postDisplay keeps how files are shown in a cookie, and whether keys are shortcuts in the profile.
func (s *Server) postDisplay(v *visit) error {
	form := v.Request().PostForm
	if form.Has(viewCookie) {
		s.keepLook(v, viewCookie, "grid", v.form(viewCookie) == "grid")
	}
	if form.Has(keysCookie) {
		s.keepLook(v, keysCookie, "", false)
		if off := v.form(keysCookie) == "off"; off != v.creds.Profile.KeysOff && v.known {
			a, err := s.opt.Identity.UserByID(v.ctx(), v.creds.UserID)
			if err != nil {
				return err
			}
			p := a.Profile
			p.KeysOff = off
			if _, err := s.opt.Identity.SetUser(v.ctx(), v.actor(), v.creds.User, identity.UserChange{Profile: &p}); err != nil {
				return v.refused(v.back(), "account.not_saved", err)
			}
		}
	}
	return v.see(v.back())
}

// keepLook sets a cookie of how pages look, or takes it away.
func (s *Server) keepLook(v *visit, name, value string, on bool) {
	c := &http.Cookie{Name: name, Value: value, Path: s.below.cookies(), MaxAge: int(displayAge / time.Second),
		HttpOnly: true, Secure: s.secure(v.Request()), SameSite: http.SameSiteLaxMode}
	if !on {
		c.Value, c.MaxAge = "", -1
	}
	http.SetCookie(v.Response(), c)
}

// keeps reports whether the browser has kept a choice of postDisplay.
func (v *visit) keeps(cookie, kept string) bool {
	c, err := v.Request().Cookie(cookie)
	return err == nil && c.Value == kept
}

// maxThumb bounds the pictures that stand in a tile themselves, in bytes: the browser fetches the whole of
// each, when it comes into sight, and nothing is decoded here.
const maxThumb = 4 << 20

// thumbTypes are pictures of points, which browsers show alike; a drawing may refer to what is elsewhere.
func thumbTypes() []string {
	return []string{"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"}
}

// thumbnail reports whether a file is small and of a kind that its tile can show.
func thumbnail(i files.Info) bool {
	kind, _, _ := mime.ParseMediaType(mime.TypeByExtension(strings.ToLower(path.Ext(i.Name))))
	return !i.Dir && !i.Link && !i.Part && i.Size > 0 && i.Size <= maxThumb && slices.Contains(thumbTypes(), kind)
}
