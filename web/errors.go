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
	"trivium/web/text"
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

const wrongLogin = "errors.wrong_login"

// answers is the table; the first match wins. The first four share their words: none reveals
// which accounts exist.
var answers = []answer{
	{err: identity.ErrCredentials, status: http.StatusUnauthorized, title: "errors.not_logged_in", text: wrongLogin},
	{err: identity.ErrDisabled, status: http.StatusUnauthorized, title: "errors.not_logged_in", text: wrongLogin},
	{err: identity.ErrExpired, status: http.StatusUnauthorized, title: "errors.not_logged_in", text: wrongLogin},
	{err: identity.ErrRoadClosed, status: http.StatusUnauthorized, title: "errors.not_logged_in", text: wrongLogin},
	{err: identity.ErrFactor, status: http.StatusUnauthorized, title: "errors.second_factor_needed", text: "errors.this_account_has_a_second_factor"},
	{err: identity.ErrCertificate, status: http.StatusUnauthorized, title: "errors.certificate_and_password_needed", text: "errors.here_a_client_certificate_of_the"},
	{err: identity.ErrMustChange, status: http.StatusUnauthorized, title: "errors.change_your_password", text: "errors.your_password_has_to_be_changed"},
	{err: identity.ErrTLSRequired, status: http.StatusForbidden, title: "errors.not_over_an_open_line", text: "errors.logging_in_is_only_allowed_over"},
	{err: identity.ErrThrottled, status: http.StatusTooManyRequests, title: "errors.too_many_attempts", text: "errors.too_many_attempts_2"},
	{err: identity.ErrBanned, status: http.StatusTooManyRequests, title: "errors.too_many_attempts", text: "errors.too_many_attempts_from_this_address"},
	{err: identity.ErrBusy, status: http.StatusServiceUnavailable, title: "errors.the_server_is_busy", text: "errors.the_server_is_busy_with_other"},
	{err: identity.ErrSessions, status: http.StatusServiceUnavailable, title: "errors.too_many_sessions", text: "errors.there_are_too_many_sessions_of"},
	{err: identity.ErrConnections, status: http.StatusTooManyRequests, title: "errors.too_many_connections", text: "errors.too_many_visitors_come_from_this"},
	{err: identity.ErrClassDenied, status: http.StatusForbidden, title: "errors.not_from_here", text: "errors.this_server_does_not_take_connections"},
	{err: identity.ErrEnded, status: http.StatusUnauthorized, title: "errors.session_ended", text: "errors.the_session_has_ended_log_in"},
	{err: identity.ErrHidden, status: http.StatusNotFound, title: notFoundTitle, text: notFoundText},
	{err: identity.ErrNotFound, status: http.StatusNotFound, title: notFoundTitle, text: notFoundText},
	{err: errAbsent, status: http.StatusNotFound, title: notFoundTitle, text: notFoundText},
	{err: errGone, status: http.StatusConflict, title: "errors.gone_already", text: "errors.it_is_gone_already"},
	{err: errNoGroup, status: http.StatusUnprocessableEntity, title: "errors.no_such_group", text: "errors.there_is_no_group_of_this"},
	{err: errNoUser, status: http.StatusUnprocessableEntity, title: "errors.no_such_user", text: "errors.there_is_no_user_of_this"},
	{err: errUntrusted, status: http.StatusBadRequest, title: "errors.not_sent_on", text: "errors.the_request_of_the_application_cannot", explains: true},
	{err: identity.ErrExists, status: http.StatusConflict, title: "errors.taken_already", text: "errors.that_name_is_taken_already_choose", explains: true},
	{err: identity.ErrInvalid, status: http.StatusUnprocessableEntity, title: "errors.not_valid", text: "errors.a_value_is_not_valid_correct", explains: true},
	{err: identity.ErrRefused, status: http.StatusForbidden, title: "errors.not_allowed", text: "errors.your_level_does_not_allow_this", explains: true},
	{err: identity.ErrMaintenance, status: http.StatusServiceUnavailable, title: "errors.maintenance_title", text: "errors.maintenance"},
	{err: identity.ErrUnavailable, status: http.StatusServiceUnavailable, title: "errors.accounts_cannot_be_reached", text: "errors.the_account_store_cannot_be_reached"},

	{err: files.ErrQuota, status: http.StatusInsufficientStorage, title: "errors.quota_is_full", text: "errors.the_quota_is_full_delete_files"},
	{err: files.ErrNoSpace, status: http.StatusInsufficientStorage, title: "errors.the_disk_is_full", text: "errors.the_servers_disk_is_full_try"},
	{err: files.ErrName, status: http.StatusUnprocessableEntity, title: "errors.name_not_valid", text: "errors.the_name_is_not_valid_it"},
	{err: files.ErrIsDir, status: http.StatusConflict, title: "errors.it_is_a_folder", text: "errors.there_is_a_folder_of_this"},
	{err: files.ErrNotDir, status: http.StatusConflict, title: "errors.it_is_no_folder", text: "errors.a_part_of_the_path_is"},
	{err: files.ErrNotEmpty, status: http.StatusConflict, title: "errors.the_folder_is_not_empty", text: "errors.the_folder_is_not_empty_delete"},
	{err: files.ErrOffset, status: http.StatusConflict, title: "errors.the_upload_cannot_go_on", text: "errors.the_upload_does_not_continue_where"},
	{err: files.ErrBusy, status: http.StatusLocked, title: "errors.someone_else_is_writing", text: "errors.another_upload_to_the_same_name"},
	{err: files.ErrLocked, status: http.StatusLocked, title: "errors.it_is_locked", text: "errors.somebody_works_on_it_with_a"},
	{err: files.ErrNoLock, status: http.StatusConflict, title: "errors.no_such_lock", text: "errors.the_lock_has_ended_already_open"},
	{err: files.ErrLocks, status: http.StatusServiceUnavailable, title: "errors.too_many_locks", text: "errors.your_account_holds_too_many_locks"},
	{err: files.ErrShareGone, status: http.StatusGone, title: "errors.no_longer_available", text: "errors.this_link_is_no_longer_available"},
	{err: files.ErrShareLimit, status: http.StatusConflict, title: "errors.too_many_links", text: "errors.you_have_given_out_as_many"},
	{err: files.ErrUnsupported, status: http.StatusNotImplemented, title: "errors.not_possible_here", text: "errors.the_storage_of_this_folder_cannot"},
	{err: fs.ErrNotExist, status: http.StatusNotFound, title: notFoundTitle, text: notFoundText},
	{err: fs.ErrPermission, status: http.StatusForbidden, title: "errors.not_allowed", text: "errors.your_account_has_no_permission_for"},
	{err: errStopped, status: http.StatusForbidden, title: "errors.stopped", text: "errors.an_administrator_stopped_this"},
	{err: errTaken, status: http.StatusConflict, title: "errors.taken_already", text: "errors.something_of_this_name_is_there"},
	{err: fs.ErrExist, status: http.StatusConflict, title: "errors.taken_already", text: "errors.something_of_this_name_is_there"},

	{err: errDropFull, status: http.StatusTooManyRequests, title: "errors.drop_full_title", text: "errors.drop_full"},
	{err: errStreams, status: http.StatusTooManyRequests, title: "errors.too_many_live_pages", text: "errors.this_session_has_too_many_live"},
	{err: errForeign, status: http.StatusForbidden, title: "errors.not_from_another_site", text: "errors.the_request_came_from_another_site"},
	{err: errToken, status: http.StatusForbidden, title: "errors.the_form_is_out_of_date", text: "errors.you_logged_in_or_out_since"},
	{err: errMediaType, status: http.StatusUnsupportedMediaType, title: "errors.not_a_form", text: "errors.the_request_is_no_form_that"},
	{err: errTusVersion, status: http.StatusPreconditionFailed, title: "errors.another_version", text: "errors.this_server_resumes_uploads_by_tus"},
	{err: errTusOffset, status: http.StatusConflict, title: "errors.the_upload_goes_on_elsewhere", text: "errors.the_upload_does_not_continue_where_2"},
	{err: errTusLength, status: http.StatusRequestEntityTooLarge, title: "errors.too_long", text: "errors.more_came_than_was_announced_so"},
	{err: errTusAddress, status: http.StatusNotFound, title: notFoundTitle, text: notFoundText},
	{err: errLoggedOut, status: http.StatusUnauthorized, title: "errors.not_logged_in", text: "errors.the_session_has_ended_log_in_2"},
	{err: errTooLarge, status: http.StatusRequestEntityTooLarge, title: "errors.too_large", text: "errors.the_form_is_larger_than_64"},
	{err: errSlow, status: http.StatusRequestTimeout, title: "errors.too_slow", text: "errors.the_form_did_not_arrive_in"},
	{err: errMalformed, status: http.StatusBadRequest, title: "errors.not_readable", text: "errors.the_form_could_not_be_read"},
	{err: context.Canceled, status: http.StatusRequestTimeout, title: "errors.broken_off", text: "errors.the_request_was_broken_off_so"},
	{err: context.DeadlineExceeded, status: http.StatusServiceUnavailable, title: "errors.the_server_is_busy", text: "errors.the_server_took_too_long_try"},
}

const (
	notFoundTitle = "errors.not_found_title"
	notFoundText  = "errors.not_found_text"
)

var fallback = answer{status: http.StatusInternalServerError, title: "errors.something_failed_here",
	text: "errors.the_server_could_not_do_this", fallback: true}

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
func (a answer) words(l *text.Language, err error) string {
	if name := (*files.NameError)(nil); errors.As(err, &name) {
		return sentence(l.Echo("service", name.Error()))
	}
	if a.err != nil && a.explains {
		own := strings.TrimSuffix(err.Error(), ": "+a.err.Error())
		if own != "" && own != a.err.Error() {
			return sentence(l.Echo("service", own))
		}
	}
	var soft *files.SoftLimitError
	if errors.As(err, &soft) {
		return sentence(l.Echo("service", soft.Error()))
	}
	said := ""
	if message := identity.MaintenanceMessage(err); message != "" {
		said = " " + message
	}
	if after := identity.RetryAfter(err); after > 0 {
		return l.T(a.text) + said + " " + l.T("errors.try_again_in", spell(l, after))
	}
	return l.T(a.text)
}

// spoken is what an error says, which is written for people, in the visitor's language.
func (v *visit) spoken(err error) string { return sentence(v.words.Echo("service", err.Error())) }

func sentence(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(r)) + s[n:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// spell writes a wait as people say it.
func spell(l *text.Language, d time.Duration) string {
	switch s := int((d + time.Second - 1) / time.Second); {
	case s < 120:
		return l.T("time.seconds", s)
	case s < 2*3600:
		return l.T("time.minutes", (s+59)/60)
	default:
		return l.T("time.hours", (s+3599)/3600)
	}
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
		s.tell(v, a.status, a.words(v.words, err))
		return
	}
	view := &errorView{Status: a.status, Text: a.words(v.words, err), Contact: s.opt.AdminContact}
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
	if err := v.String(status, words+" "+v.T("errors.request", requestID(v.Request()))); err != nil {
		s.log.Debug("an answer did not arrive", "request", requestID(v.Request()), "err", err)
	}
}
