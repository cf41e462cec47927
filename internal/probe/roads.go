package probe

import "context"

// FTP tries a server of FTP.
func FTP(ctx context.Context, t FTPTarget, report func(Step)) {
	r, done := begin(ctx, t.Target, report)
	defer done()
	r.step("control", "Control connection", func(context.Context, *Step) {})
}

// XMPP tries a server of XMPP.
func XMPP(ctx context.Context, t XMPPTarget, report func(Step)) {
	r, done := begin(ctx, t.Target, report)
	defer done()
	r.step("connect", "Connection", func(context.Context, *Step) {})
}

// DAV tries a folder over WebDAV.
func DAV(ctx context.Context, t DAVTarget, report func(Step)) {
	r, done := begin(ctx, t.Target, report)
	defer done()
	r.step("connect", "Connection", func(context.Context, *Step) {})
}

// API tries the REST interface.
func API(ctx context.Context, t APITarget, report func(Step)) {
	r, done := begin(ctx, t.Target, report)
	defer done()
	r.step("connect", "Connection", func(context.Context, *Step) {})
}
