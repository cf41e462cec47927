package web

import (
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"trivium/files"
)

// The cookies of how pages look in this browser, beside that of the theme.
const (
	viewCookie = "view" // "grid": files as tiles
	keysCookie = "keys" // "off": no keyboard shortcuts
)

const displayAge = 365 * 24 * time.Hour

// postDisplay keeps how files are shown, or whether keys are shortcuts, in a cookie.
func (s *Server) postDisplay(v *visit) error {
	for _, c := range []struct{ name, kept string }{{viewCookie, "grid"}, {keysCookie, "off"}} {
		if !v.Request().PostForm.Has(c.name) {
			continue
		}
		cookie := &http.Cookie{Name: c.name, Value: c.kept, Path: s.below.cookies(), MaxAge: int(displayAge / time.Second),
			HttpOnly: true, Secure: s.secure(v.Request()), SameSite: http.SameSiteLaxMode}
		if v.form(c.name) != c.kept {
			cookie.Value, cookie.MaxAge = "", -1
		}
		http.SetCookie(v.Response(), cookie)
	}
	return v.see(v.back())
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
