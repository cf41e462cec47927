package xmpp

import (
	"errors"
	"fmt"

	xstream "mellium.im/xmpp/stream"

	"trivium/identity"
)

// saslCondition is a condition of RFC 6120 section 6.5.
type saslCondition string

// The conditions that this server gives.
const (
	saslAborted            saslCondition = "aborted"
	saslCredentialsExpired saslCondition = "credentials-expired"
	saslEncryptionRequired saslCondition = "encryption-required"
	saslIncorrectEncoding  saslCondition = "incorrect-encoding"
	saslInvalidAuthzid     saslCondition = "invalid-authzid"
	saslInvalidMechanism   saslCondition = "invalid-mechanism"
	saslMalformedRequest   saslCondition = "malformed-request"
	saslNotAuthorized      saslCondition = "not-authorized"
	saslTemporaryFailure   saslCondition = "temporary-auth-failure"
)

// answer is what a client hears of an error of identity.
type answer struct {
	err  error
	sasl saslCondition // while it logs in
	cond xstream.Error // where the stream ends by it
	text string        // for the person
	last bool          // the stream ends after the failure, as trying again is of no use
}

const textWrong = "The name or the password is wrong."

// answers has an answer for each of identity.Errors; the first match counts. Those that would
// tell which accounts exist share their words.
func answers() []answer {
	return []answer{
		{identity.ErrCredentials, saslNotAuthorized, xstream.NotAuthorized, textWrong, false},
		{identity.ErrDisabled, saslNotAuthorized, xstream.NotAuthorized, textWrong, false},
		{identity.ErrExpired, saslNotAuthorized, xstream.NotAuthorized, textWrong, false},
		{identity.ErrRoadClosed, saslNotAuthorized, xstream.NotAuthorized, textWrong, false},
		{identity.ErrFactor, saslNotAuthorized, xstream.NotAuthorized, "This account has a second factor, which chat cannot ask for. Make an app password on the web pages and use it here.", false},
		{identity.ErrCertificate, saslNotAuthorized, xstream.NotAuthorized, "Here a client certificate of the account and its password are wanted together.", false},
		{identity.ErrMustChange, saslNotAuthorized, xstream.NotAuthorized, "Your password has to be changed first. Log in on the web pages and choose another one.", false},
		{identity.ErrTLSRequired, saslEncryptionRequired, xstream.PolicyViolation, "Log in over TLS only.", false},
		{identity.ErrThrottled, saslTemporaryFailure, xstream.PolicyViolation, "Too many attempts. Wait a little and try again.", true},
		{identity.ErrBanned, saslNotAuthorized, xstream.PolicyViolation, "Too many wrong log-ins came from this address. It is banned for a while.", true},
		{identity.ErrBusy, saslTemporaryFailure, xstream.ResourceConstraint, "The server is busy. Try again in a minute.", false},
		{identity.ErrSessions, saslTemporaryFailure, xstream.ResourceConstraint, "Too many sessions are open. Close one of them and try again.", true},
		{identity.ErrConnections, saslTemporaryFailure, xstream.ResourceConstraint, "Too many connections are open. Close one of them and try again.", true},
		{identity.ErrClassDenied, saslNotAuthorized, xstream.PolicyViolation, "Connections from this address are not allowed.", true},
		{identity.ErrEnded, saslNotAuthorized, xstream.PolicyViolation, "The session was ended.", true},
		{identity.ErrHidden, saslNotAuthorized, xstream.NotAuthorized, textWrong, false},
		{identity.ErrNotFound, saslNotAuthorized, xstream.NotAuthorized, textWrong, false},
		{identity.ErrExists, saslNotAuthorized, xstream.Conflict, textWrong, false},
		{identity.ErrInvalid, saslMalformedRequest, xstream.BadFormat, "The log-in is not valid.", false},
		{identity.ErrRefused, saslNotAuthorized, xstream.NotAuthorized, textWrong, false},
		{identity.ErrMaintenance, saslTemporaryFailure, xstream.SystemShutdown, "The server is in maintenance. Try again later.", true},
		{identity.ErrUnavailable, saslTemporaryFailure, xstream.InternalServerError, "The server cannot reach its accounts. Try again in a minute.", false},
	}
}

// answerTo finds the answer to an error of identity; one that is not in the table is an internal
// error, and ok is false.
func answerTo(err error) (a answer, ok bool) {
	for _, a := range answers() {
		if errors.Is(err, a.err) {
			if said := identity.MaintenanceMessage(err); said != "" {
				a.text = "The server is in maintenance: " + said
			}
			return a, true
		}
	}
	return answer{err, saslTemporaryFailure, xstream.InternalServerError, "The server made a mistake. Try again in a minute.", false}, false
}

// reasonError is the stream error for the end of a session, as identity.ReasonCode says; zero for
// an end that needs no words.
func reasonError(r identity.Reason) xstream.Error {
	switch r.Code {
	case identity.ReasonDisabled, identity.ReasonRevoked, identity.ReasonExpired:
		return xstream.NotAuthorized
	case identity.ReasonEnded, identity.ReasonPolicy:
		return xstream.PolicyViolation
	case identity.ReasonReplaced:
		return xstream.Conflict
	case identity.ReasonShutdown, identity.ReasonMaintenance:
		return xstream.SystemShutdown
	case identity.ReasonIdle:
		return xstream.ConnectionTimeout
	default:
		return xstream.Error{}
	}
}

// streamError writes a stream error (RFC 6120 section 4.9.2). The content of see-other-host is the
// address to go to (section 4.9.3.19); that of undefined-condition is the application's own
// condition, as an element (section 4.9.4).
func streamError(cond xstream.Error, text string) []byte {
	b := fmt.Appendf(nil, "<stream:error><%s xmlns='%s'", cond.Err, nsStreams)
	own := ""
	if cond.Is(xstream.SeeOtherHost) {
		b = fmt.Appendf(b, ">%s</%s>", Escape(cond.Content), cond.Err)
	} else {
		b, own = append(b, "/>"...), cond.Content
	}
	if text != "" {
		b = fmt.Appendf(b, "<text xmlns='%s' xml:lang='en'>%s</text>", nsStreams, Escape(text))
	}
	return append(append(b, own...), "</stream:error>"...)
}
