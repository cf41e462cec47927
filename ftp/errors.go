package ftp

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"syscall"

	"trivium/files"
	"trivium/identity"
)

// answer is a reply to an error.
type answer struct {
	code int
	text string
}

// loginRefused is the one answer for all that would tell which accounts exist.
const loginRefused = "Log-in failed: name or password is wrong, or the account may not use FTP."

// absent is the answer for what is not there and for what a level hides, byte for byte the same.
const absent = "No such file or folder."

// answers has one row for each error of identity and files (RFC 959 section 4.2); the first that
// matches counts. 421 ends the connection.
var answers = []struct {
	err error
	answer
}{
	{identity.ErrCredentials, answer{530, loginRefused}},
	{identity.ErrDisabled, answer{530, loginRefused}},
	{identity.ErrExpired, answer{530, loginRefused}},
	{identity.ErrRoadClosed, answer{530, loginRefused}},
	{identity.ErrFactor, answer{530, "The account has a second factor: make an app password on the web page and log in with it."}},
	{identity.ErrCertificate, answer{530, "Log in with a client certificate of the account and its password, over TLS."}},
	{identity.ErrMustChange, answer{530, "Your password has to be changed first: log in on the web page and choose another one."}},
	{identity.ErrTLSRequired, answer{534, "Log in over TLS only: send AUTH TLS first."}},
	{identity.ErrThrottled, answer{530, "Too many attempts; try again later."}},
	{identity.ErrBanned, answer{421, "Too many wrong log-ins from your address; try again later."}},
	{identity.ErrBusy, answer{421, "The server is busy; try again in a moment."}},
	{identity.ErrSessions, answer{421, "Too many sessions are open; close one and try again."}},
	{identity.ErrConnections, answer{421, "Too many connections; try again later."}},
	{identity.ErrClassDenied, answer{421, "Connections from your address are not allowed."}},
	{identity.ErrEnded, answer{421, "The session has ended."}},
	{identity.ErrHidden, answer{550, absent}},
	{identity.ErrNotFound, answer{550, absent}},
	{identity.ErrExists, answer{550, "It exists already."}},
	{identity.ErrInvalid, answer{501, "That is not valid."}},
	{identity.ErrRefused, answer{550, "You may not do that."}},
	{identity.ErrMaintenance, answer{421, "The server is in maintenance; try again later."}},
	{identity.ErrUnavailable, answer{421, "The accounts cannot be reached now; try again later."}},

	{files.ErrQuota, answer{552, "Your space is used up: delete something, or ask for more."}},
	{files.ErrNoSpace, answer{452, "The server's disk is full; try later, and tell the administrator."}},
	{files.ErrName, answer{553, "That name is not allowed."}},
	{files.ErrIsDir, answer{550, "It is a folder."}},
	{files.ErrNotDir, answer{550, "It is not a folder."}},
	{files.ErrNotEmpty, answer{550, "The folder is not empty."}},
	{files.ErrOffset, answer{554, "REST does not fit: go on at the size of what has come, or send the whole file."}}, // RFC 1123 section 4.1.3.4
	{files.ErrBusy, answer{450, "Somebody is writing it; try again when that is done."}},
	{files.ErrLocked, answer{450, "Somebody has locked it; try again when the lock has ended."}},
	{files.ErrNoLock, answer{450, "There is no such lock any more."}},
	{files.ErrLocks, answer{450, "Too many locks are held."}},
	{files.ErrUnsupported, answer{504, "The storage here cannot do that."}},
	{fs.ErrNotExist, answer{550, absent}},
	{fs.ErrPermission, answer{550, "Permission denied."}},
	{fs.ErrExist, answer{550, "It exists already."}},
}

// failed is the answer for what no row names: our side, and perhaps better next time.
var failed = answer{451, "The server could not do that; the administrator's log says why."}

// replyTo finds the answer to an error of identity or files.
func replyTo(err error) answer {
	var soft *files.SoftLimitError
	if errors.As(err, &soft) { // it says since when, and what to do
		return answer{552, "Refused: " + soft.Error() + "."}
	}
	if name := (*files.NameError)(nil); errors.As(err, &name) {
		return answer{553, "That name is not allowed: " + name.Why + "."}
	}
	for _, a := range answers {
		if errors.Is(err, a.err) {
			return a.answer
		}
	}
	return failed
}

// reasonText is the text of a 421 for a session that was ended.
func reasonText(r identity.Reason) string {
	if r.Text != "" {
		return printable(r.Text)
	}
	switch r.Code {
	case identity.ReasonDisabled:
		return "The account is disabled; the session has ended."
	case identity.ReasonRevoked:
		return "What you logged in with is no longer valid; the session has ended."
	case identity.ReasonExpired:
		return "The account or token has expired; the session has ended."
	case identity.ReasonPolicy:
		return "The rules no longer allow this session."
	case identity.ReasonShutdown:
		return shutdownText
	case identity.ReasonMaintenance:
		return "The server is in maintenance; the session has ended."
	default:
		return "The session was ended by an administrator."
	}
}

// haltedText is the reply to a transfer that an administrator broke off.
const haltedText = "An administrator stopped the transfer; what came is kept and can be resumed."

// lostText is the reply to a transfer whose right was taken away while it ran.
const lostText = "You may not go on with this transfer: your rights have changed."

// crowdedText is the reply to a transfer for which there is no place.
const crowdedText = "Too many transfers are going on; try again when one has ended."

// The ways in which a transfer fails on the way, beside errors of files.
var (
	errAborted   = errors.New("the transfer was stopped")
	errCutOff    = errors.New("the upload ended without a proper end")
	errShort     = errors.New("fewer bytes came than ALLO had said")
	errShrunk    = errors.New("the file became shorter while it was sent")
	errHandshake = errors.New("the TLS handshake of the data connection failed")
)

// transferReply is the last reply of a transfer: 226, or which side failed. An *os.File wraps
// the errors of a socket that it reads from, so the network's are looked for first.
func transferReply(err error, upload bool) answer {
	var ne net.Error
	switch {
	case err == nil:
		return answer{226, "Transfer complete."}
	case errors.Is(err, errListBounds):
		return answer{451, "The listing is not complete, as it would be too long: ask for less of it."}
	case errors.Is(err, errAborted):
		if upload {
			return answer{426, "Transfer stopped; what came is kept and can be resumed."}
		}
		return answer{426, "Transfer stopped."}
	case errors.Is(err, errReuse):
		return answer{522, "The data connection must resume the TLS session of the control connection."}
	case errors.Is(err, errHandshake):
		return answer{426, "The TLS handshake of the data connection failed."}
	case errors.Is(err, errNoConnection):
		return answer{425, "The data connection could not be opened."}
	case errors.Is(err, errCutOff):
		return answer{426, "The data connection broke off; what came is kept and can be resumed."}
	case errors.Is(err, errDeflateEnd):
		return answer{426, "The compressed stream broke off; what came is kept and can be resumed."}
	case errors.Is(err, errDeflate):
		return answer{451, "What came is no zlib stream, and nothing of it was stored; MODE S sends files as they are."}
	case errors.Is(err, errSpan):
		return answer{551, "More bytes came than RANG said; nothing was stored."}
	case errors.Is(err, errShrunk):
		return answer{451, "The file became shorter while it was sent; ask for it again."}
	case errors.Is(err, errShort):
		return answer{426, "Fewer bytes came than ALLO said; what came is kept and can be resumed."}
	case errors.As(err, &ne) && ne.Timeout(), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return answer{426, "No byte moved for too long; transfer stopped."}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ENOTCONN):
		return answer{426, "The data connection broke off."}
	case errors.Is(err, syscall.ENOSPC):
		return answer{452, "The server's disk is full; try later, and tell the administrator."}
	case errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return answer{552, "The file would be too big."}
	case errors.Is(err, context.Canceled):
		return answer{426, "Transfer stopped."}
	}
	return replyTo(err)
}
