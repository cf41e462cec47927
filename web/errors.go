package web

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"trivium/files"
	"trivium/identity"
)

// errGone is a thing in a list that went between the list and the button.
var errGone = errors.New("gone already")

// answer is what a person gets for an error: the status, what it means and what to do.
type answer struct {
	err      error
	status   int
	title    string
	text     string
	explains bool // the error's own words, written for people, say more than text
	fallback bool
}

const wrongLogin = "Name or password is wrong."

// answers is the table; the first match wins. The first four share their words: none reveals
// which accounts exist.
var answers = []answer{
	{err: identity.ErrCredentials, status: http.StatusUnauthorized, title: "Not logged in", text: wrongLogin},
	{err: identity.ErrDisabled, status: http.StatusUnauthorized, title: "Not logged in", text: wrongLogin},
	{err: identity.ErrExpired, status: http.StatusUnauthorized, title: "Not logged in", text: wrongLogin},
	{err: identity.ErrRoadClosed, status: http.StatusUnauthorized, title: "Not logged in", text: wrongLogin},
	{err: identity.ErrFactor, status: http.StatusUnauthorized, title: "Second factor needed", text: "This account has a second factor. Use an app password here."},
	{err: identity.ErrCertificate, status: http.StatusUnauthorized, title: "Certificate and password needed", text: "Here a client certificate of the account and its password are wanted together."},
	{err: identity.ErrMustChange, status: http.StatusUnauthorized, title: "Change your password", text: "Your password has to be changed first."},
	{err: identity.ErrTLSRequired, status: http.StatusForbidden, title: "Not over an open line", text: "Logging in is only allowed over https. Open this page with https:// in front."},
	{err: identity.ErrThrottled, status: http.StatusTooManyRequests, title: "Too many attempts", text: "Too many attempts."},
	{err: identity.ErrBanned, status: http.StatusTooManyRequests, title: "Too many attempts", text: "Too many attempts from this address."},
	{err: identity.ErrBusy, status: http.StatusServiceUnavailable, title: "The server is busy", text: "The server is busy with other log-ins. Try again in a few seconds."},
	{err: identity.ErrSessions, status: http.StatusServiceUnavailable, title: "Too many sessions", text: "There are too many sessions, of this account or on this server. End one you no longer use, or try again later."},
	{err: identity.ErrConnections, status: http.StatusTooManyRequests, title: "Too many connections", text: "Too many visitors come from this address. Try again in a minute."},
	{err: identity.ErrClassDenied, status: http.StatusForbidden, title: "Not from here", text: "This server does not take connections from this address. Ask its administrator."},
	{err: identity.ErrEnded, status: http.StatusUnauthorized, title: "Session ended", text: "The session has ended. Log in again."},
	{err: identity.ErrHidden, status: http.StatusNotFound, title: notFoundTitle, text: notFoundText},
	{err: identity.ErrNotFound, status: http.StatusNotFound, title: notFoundTitle, text: notFoundText},
	{err: errAbsent, status: http.StatusNotFound, title: notFoundTitle, text: notFoundText},
	{err: errGone, status: http.StatusConflict, title: "Gone already", text: "It is gone already."},
	{err: errNoGroup, status: http.StatusUnprocessableEntity, title: "No such group", text: "There is no group of this name. Create it first, or check the spelling."},
	{err: errNoUser, status: http.StatusUnprocessableEntity, title: "No such user", text: "There is no user of this name, or it is not a member. Check the spelling."},
	{err: errUntrusted, status: http.StatusBadRequest, title: "Not sent on", text: "The request of the application cannot be answered. Go back and try again.", explains: true},
	{err: identity.ErrExists, status: http.StatusConflict, title: "Taken already", text: "That name is taken already. Choose another.", explains: true},
	{err: identity.ErrInvalid, status: http.StatusUnprocessableEntity, title: "Not valid", text: "A value is not valid. Correct it and send the form again.", explains: true},
	{err: identity.ErrRefused, status: http.StatusForbidden, title: "Not allowed", text: "Your level does not allow this: nobody changes an account whose level is not below their own.", explains: true},
	{err: identity.ErrUnavailable, status: http.StatusServiceUnavailable, title: "Accounts cannot be reached", text: "The account store cannot be reached at the moment. Try again in a minute."},

	{err: files.ErrQuota, status: http.StatusInsufficientStorage, title: "Quota is full", text: "The quota is full. Delete files you no longer need, or ask an administrator for more room."},
	{err: files.ErrNoSpace, status: http.StatusInsufficientStorage, title: "The disk is full", text: "The server's disk is full. Try later, and tell the administrator."},
	{err: files.ErrName, status: http.StatusUnprocessableEntity, title: "Name not valid", text: "The name is not valid: it may not be empty, contain a slash or control characters, or be longer than 255 bytes. Choose another."},
	{err: files.ErrIsDir, status: http.StatusConflict, title: "It is a folder", text: "There is a folder of this name. Choose another name."},
	{err: files.ErrNotDir, status: http.StatusConflict, title: "It is no folder", text: "A part of the path is a file, not a folder. Choose another place."},
	{err: files.ErrNotEmpty, status: http.StatusConflict, title: "The folder is not empty", text: "The folder is not empty. Delete what is in it first."},
	{err: files.ErrOffset, status: http.StatusConflict, title: "The upload cannot go on", text: "The upload does not continue where the first part ended. Send the whole file again."},
	{err: files.ErrBusy, status: http.StatusLocked, title: "Someone else is writing", text: "Another upload to the same name is running. Wait until it ends, or choose another name."},
	{err: files.ErrLocked, status: http.StatusLocked, title: "It is locked", text: "Somebody works on it with a program that has locked it. Wait until they have closed it, or an hour at most, or choose another name."},
	{err: files.ErrNoLock, status: http.StatusConflict, title: "No such lock", text: "The lock has ended already. Open the file again."},
	{err: files.ErrLocks, status: http.StatusServiceUnavailable, title: "Too many locks", text: "Your account holds too many locks. Close some files, or wait an hour."},
	{err: files.ErrShareGone, status: http.StatusGone, title: "No longer available", text: "This link is no longer available. Ask whoever sent it for a new one."},
	{err: files.ErrShareLimit, status: http.StatusConflict, title: "Too many links", text: "You have given out as many links as an account may. End some on the page Shares."},
	{err: files.ErrUnsupported, status: http.StatusNotImplemented, title: "Not possible here", text: "The storage of this folder cannot do that."},
	{err: fs.ErrNotExist, status: http.StatusNotFound, title: notFoundTitle, text: notFoundText},
	{err: fs.ErrPermission, status: http.StatusForbidden, title: "Not allowed", text: "Your account has no permission for this: the owner, group and mode shown in the list decide. Ask the owner."},
	{err: errStopped, status: http.StatusForbidden, title: "Stopped", text: "An administrator stopped this transfer. Ask why before you begin it again."},
	{err: errTaken, status: http.StatusConflict, title: "Taken already", text: "Something of this name is there already. Choose another name, or delete the old one first."},
	{err: fs.ErrExist, status: http.StatusConflict, title: "Taken already", text: "Something of this name is there already. Choose another name, or delete the old one first."},

	{err: errStreams, status: http.StatusTooManyRequests, title: "Too many live pages", text: "This session has too many live pages open. Close some of them, then load this one again."},
	{err: errForeign, status: http.StatusForbidden, title: "Not from another site", text: "The request came from another site, so nothing was changed. Open the page here and try again."},
	{err: errToken, status: http.StatusForbidden, title: "The form is out of date", text: "You logged in or out since the form was opened, or it is too old, so nothing was changed. Open the page again and resend it."},
	{err: errMediaType, status: http.StatusUnsupportedMediaType, title: "Not a form", text: "The request is no form that this page can read, so nothing was changed. Use the form on the page."},
	{err: errTusVersion, status: http.StatusPreconditionFailed, title: "Another version", text: "This server resumes uploads by tus 1.0.0."},
	{err: errTusOffset, status: http.StatusConflict, title: "The upload goes on elsewhere", text: "The upload does not continue where the first part ended. Ask how much has come, and go on there."},
	{err: errTusLength, status: http.StatusRequestEntityTooLarge, title: "Too long", text: "More came than was announced, so it was not taken. Begin the upload again."},
	{err: errTusAddress, status: http.StatusNotFound, title: notFoundTitle, text: notFoundText},
	{err: errLoggedOut, status: http.StatusUnauthorized, title: "Not logged in", text: "The session has ended. Log in again, then go on."},
	{err: errTooLarge, status: http.StatusRequestEntityTooLarge, title: "Too large", text: "The form is larger than 64 kB, so nothing was changed. Shorten it."},
	{err: errSlow, status: http.StatusRequestTimeout, title: "Too slow", text: "The form did not arrive in time, so nothing was changed. Send it again."},
	{err: errMalformed, status: http.StatusBadRequest, title: "Not readable", text: "The form could not be read to its end, so nothing was changed. Send it again."},
	{err: context.Canceled, status: http.StatusRequestTimeout, title: "Broken off", text: "The request was broken off, so it was not finished."},
	{err: context.DeadlineExceeded, status: http.StatusServiceUnavailable, title: "The server is busy", text: "The server took too long. Try again in a minute."},
}

const (
	notFoundTitle = "Page not found"
	notFoundText  = "There is no page at this address, or it is not for you. Check the address, or go on from the home page."
)

var fallback = answer{status: http.StatusInternalServerError, title: "Something failed here",
	text: "The server could not do this, and nothing says that it was your fault. Try again; if it stays so, tell the administrator the request number.", fallback: true}

// answer finds what a person gets for err.
func (s *Server) answer(err error) answer { return answerTo(err) }

func answerTo(err error) answer {
	for _, a := range answers {
		if errors.Is(err, a.err) {
			return a
		}
	}
	return fallback
}

// words is a sentence: what the error itself says, where that was written for people.
func (a answer) words(err error) string {
	if name := (*files.NameError)(nil); errors.As(err, &name) {
		return sentence(name.Error())
	}
	if a.err != nil && a.explains {
		own := strings.TrimSuffix(err.Error(), ": "+a.err.Error())
		if own != "" && own != a.err.Error() {
			return sentence(own)
		}
	}
	var soft *files.SoftLimitError
	if errors.As(err, &soft) {
		return sentence(soft.Error())
	}
	if after := identity.RetryAfter(err); after > 0 {
		return a.text + " Try again in " + spell(after) + "."
	}
	return a.text
}

func sentence(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(r)) + s[n:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// spell writes a wait as people say it.
func spell(d time.Duration) string {
	switch s := int((d + time.Second - 1) / time.Second); {
	case s < 120:
		return plural(s, "second", "seconds")
	case s < 2*3600:
		return plural((s+59)/60, "minute", "minutes")
	default:
		return plural((s+3599)/3600, "hour", "hours")
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// retryAfter adds the header where err knows how long to wait.
func retryAfter(h http.Header, err error) {
	if after := identity.RetryAfter(err); after > 0 {
		h.Set("Retry-After", strconv.Itoa(int((after+time.Second-1)/time.Second)))
	}
}

// errorView is the page of every error.
type errorView struct {
	page
	Status  int
	Text    string
	Contact string
	Login   string // address of the log-in that comes back here; "" when logged in
}

// onError turns an error into a page. A path that does not exist comes here too, as errAbsent, so
// that both answers are made by the same lines.
func (s *Server) onError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	var he *echo.HTTPError
	if errors.As(err, &he) {
		err = errAbsent // echo's own: no such route
	}
	v := s.visit(c)
	if v.browser == nil {
		if rerr := s.resume(v); rerr != nil && !errors.Is(err, errAbsent) {
			s.log.Debug("no session for an error page", "request", requestID(c.Request()), "err", rerr)
		}
	}
	a := answerTo(err)
	if a.fallback {
		s.log.Error("a page failed", "request", requestID(c.Request()), "path", c.Request().URL.Path, "err", err)
	}
	retryAfter(c.Response().Header(), err)
	if v.byScript() {
		s.tell(v, a.status, a.words(err))
		return
	}
	view := &errorView{Status: a.status, Text: a.words(err), Contact: s.opt.AdminContact}
	if !v.known {
		view.Login = "/login?next=" + queryEscape(v.back())
	}
	v.fill(&view.page, "error", a.title)
	if werr := s.write(v, a.status, "error", view); werr != nil {
		s.log.Error("an error page failed", "request", requestID(c.Request()), "err", werr)
		c.Response().WriteHeader(http.StatusInternalServerError)
	}
}

// tell answers a script in words alone.
func (s *Server) tell(v *visit, status int, words string) {
	if err := v.String(status, words+" (request "+requestID(v.Request())+")"); err != nil {
		s.log.Debug("an answer did not arrive", "request", requestID(v.Request()), "err", err)
	}
}
