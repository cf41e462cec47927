package identity

import (
	"errors"
	"time"
)

// What Login, Registry.Open and the operations answer. Errors lists all of them, so that each
// road can prove that its table has an answer for every one. A road gives ErrCredentials,
// ErrDisabled, ErrExpired and ErrRoadClosed the same words: none reveals which accounts exist.
var (
	ErrCredentials = errors.New("name or password is wrong")
	ErrDisabled    = errors.New("the account is disabled")
	ErrExpired     = errors.New("the account or token has expired")
	ErrRoadClosed  = errors.New("this account may not log in on this road")
	ErrFactor      = errors.New("the account has a second factor: use an app password here")
	ErrCertificate = errors.New("a client certificate of the account and its password are wanted together")
	ErrMustChange  = errors.New("the password has to be changed first")
	ErrTLSRequired = errors.New("log in over TLS only")
	ErrThrottled   = errors.New("too many attempts")             // see RetryAfter
	ErrBanned      = errors.New("this address is banned")        // see RetryAfter
	ErrBusy        = errors.New("the server is busy, try later") // the hashing gate or a queue is full
	ErrSessions    = errors.New("too many sessions")
	ErrConnections = errors.New("too many connections")
	ErrClassDenied = errors.New("connections from this address are not allowed")
	ErrEnded       = errors.New("the session has ended")
	ErrHidden      = errors.New("no such thing") // forbidden by level: looks like absent
	ErrNotFound    = errors.New("not found")
	ErrExists      = errors.New("exists already")
	ErrInvalid     = errors.New("not valid")
	ErrRefused     = errors.New("refused") // the actor's own rights do not suffice
	ErrUnavailable = errors.New("the account store cannot be reached")
	ErrMaintenance = errors.New("the server is in maintenance") // see MaintenanceMessage, RetryAfter
)

// Errors is every sentinel above.
func Errors() []error {
	return []error{ErrCredentials, ErrDisabled, ErrExpired, ErrRoadClosed, ErrFactor, ErrCertificate, ErrMustChange, ErrTLSRequired,
		ErrThrottled, ErrBanned, ErrBusy, ErrSessions, ErrConnections, ErrClassDenied, ErrEnded,
		ErrHidden, ErrNotFound, ErrExists, ErrInvalid, ErrRefused, ErrUnavailable, ErrMaintenance}
}

// waitError carries how long to wait; it wraps ErrThrottled, ErrBanned or ErrMaintenance.
type waitError struct {
	err   error
	after time.Duration
}

func (e *waitError) Error() string { return e.err.Error() }
func (e *waitError) Unwrap() error { return e.err }

// RetryAfter returns how long to wait before the next attempt, or 0 where err does not say.
func RetryAfter(err error) time.Duration {
	var w *waitError
	if errors.As(err, &w) {
		return w.after
	}
	return 0
}
