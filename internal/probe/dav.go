package probe

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// webProbe is what DAV and API have in common.
type webProbe struct {
	*run
	site *site
}

// connect is the way to the server, and TLS.
func (p *webProbe) connect(address, own, what string) {
	p.step("connect", "Connection", func(ctx context.Context, s *Step) {
		if p.site = p.target.visit(ctx, s, address, own, what); p.site == nil {
			p.stop(s)
		}
	})
	p.step("tls", "TLS", func(ctx context.Context, s *Step) {
		if !p.site.secure(ctx, s, &p.target) {
			p.stop(s)
		}
	})
}

// below is an address under that of the probe.
func (w *site) below(name string) *url.URL {
	u := *w.url
	u.Path, u.RawPath, u.RawQuery = strings.TrimSuffix(u.Path, "/")+"/"+strings.TrimPrefix(name, "/"), "", ""
	return &u
}

// DAV tries a folder over WebDAV: the steps connect, tls, options, login (PROPFIND), write (PUT and DELETE)
// and resume (HEAD and PATCH).
func DAV(ctx context.Context, t DAVTarget, report func(Step)) {
	r, done := begin(ctx, t.Target, report)
	defer done()
	p := &davProbe{webProbe{run: r}, t}
	defer func() { p.site.close() }()
	p.connect(t.URL, t.Own, "the web")
	p.options()
	if p.login() {
		p.write()
	}
	p.resume()
}

type davProbe struct {
	webProbe
	t DAVTarget
}

// options is what programs ask first (RFC 4918 section 10.1).
func (p *davProbe) options() {
	p.step("options", "WebDAV is spoken", func(ctx context.Context, s *Step) {
		var header []string
		if p.t.Secret != nil && s.maySend(p.site.conn, p.site.trust) {
			header = []string{"Authorization", basic(p.t.Login)}
		}
		s.State, s.Why = "", ""
		a, err := p.site.ask(ctx, s, http.MethodOptions, p.site.url, "", header...)
		if err != nil {
			s.unanswered(err)
			p.stop(s)
			return
		}
		class := a.header.Get("Dav")
		switch {
		case class != "":
			s.Detail = "classes " + clean(class)
		case a.status == http.StatusUnauthorized:
			s.Detail = "it asks who is there"
		case a.ours():
			s.fail("OPTIONS is answered with "+a.String()+" and no DAV header", "Programs take it for ordinary pages.", "Set web.dav = true.")
			p.stop(s)
		default:
			s.fail("OPTIONS is answered with "+a.String()+" and no DAV header", "Programs take it for ordinary pages.",
				"A proxy in front seems to answer itself: let it pass OPTIONS, PROPFIND, PUT, MOVE and the other methods of WebDAV.")
			p.stop(s)
		}
	})
}

// propfind asks for one property, so that a folder of any size answers shortly (RFC 4918 section 9.1).
const propfind = `<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/></prop></propfind>`

// login lists the folder itself.
func (p *davProbe) login() bool {
	return p.step("login", "Log-in and listing", func(ctx context.Context, s *Step) {
		if !p.maySend(s, p.t.Login) {
			return
		}
		a, err := p.site.ask(ctx, s, "PROPFIND", p.site.url, propfind, "Authorization", basic(p.t.Login), "Depth", "0", "Content-Type", "application/xml")
		switch {
		case err != nil:
			s.unanswered(err)
		case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
			s.refusedLogin(a.String(), "login:web")
			if !a.ours() {
				s.Why, s.Fix = "The answer seems to be a proxy's, which asks for a password of its own or takes ours away.", "Let the proxy pass the Authorization header on for this address."
			}
		case a.status != http.StatusMultiStatus:
			s.fail("PROPFIND is answered with "+a.String(), "Programs show no folder.",
				"A proxy in front may not pass PROPFIND: let it pass the methods of WebDAV. Else look at the log of the server.")
		default:
			s.Detail = fmt.Sprintf("as %s, with a throw-away password", p.t.User)
		}
	}) == OK
}

// maySend says why there is no log-in, where there is none.
func (p *webProbe) maySend(s *Step, l Login) bool {
	if l.Secret == nil {
		s.skip("there is no account to log in with")
		return false
	}
	return s.maySend(p.site.conn, p.site.trust)
}

// write makes a small file and removes it again.
func (p *davProbe) write() {
	if p.t.Write == "" {
		return
	}
	p.step("write", "Writing a file", func(ctx context.Context, s *Step) {
		at, auth := p.site.below(p.t.Write), basic(p.t.Login)
		a, err := p.site.ask(ctx, s, http.MethodPut, at, "connection test\n", "Authorization", auth, "If-None-Match", "*")
		switch {
		case err != nil:
			s.unanswered(err)
			return
		case a.status != http.StatusCreated:
			s.fail("PUT is answered with "+a.String(), "Programs read and cannot write.", "A full quota, a rule of the policy, or a proxy that does not pass PUT.")
			return
		}
		if a, err = p.site.ask(ctx, s, http.MethodDelete, at, "", "Authorization", auth); err != nil {
			s.unanswered(err)
		} else if a.status != http.StatusNoContent {
			s.fail("DELETE is answered with "+a.String(), "Programs write and cannot remove.", "Remove "+p.t.Write+" by hand; a proxy may not pass DELETE.")
		}
	})
}

// resume asks whether the methods of uploads that go on after a break reach the server (tus 1.0).
func (p *davProbe) resume() {
	if p.t.Resume == "" {
		return
	}
	p.step("resume", "HEAD and PATCH reach the server", func(ctx context.Context, s *Step) {
		u, _, err := parseURL(p.t.Resume)
		if err != nil {
			s.skip(err.Error())
			return
		}
		for _, method := range []string{http.MethodHead, http.MethodPatch} {
			a, err := p.site.ask(ctx, s, method, u, "", "Tus-Resumable", "1.0.0")
			switch {
			case err != nil:
				s.unanswered(err)
				return
			case !a.ours():
				s.fail(method+" is answered with "+a.String()+", not by this server", "Uploads in the browser that break off cannot go on.",
					"Let the proxy in front pass "+method+" and the header X-Request-Id of the answer.")
				return
			}
		}
		s.Detail = "uploads can go on after a break"
	})
}

// API tries the REST interface: the steps connect, tls, guard (no answer without credentials) and login
// (a bearer token, RFC 6750 section 2.1).
func API(ctx context.Context, t APITarget, report func(Step)) {
	r, done := begin(ctx, t.Target, report)
	defer done()
	p := &webProbe{run: r}
	defer func() { p.site.close() }()
	p.connect(t.URL, t.Own, "the web")
	p.step("guard", "Credentials are demanded", func(ctx context.Context, s *Step) {
		a, err := p.site.ask(ctx, s, http.MethodGet, p.site.url, "")
		switch {
		case err != nil:
			s.unanswered(err)
			p.stop(s)
		case a.status != http.StatusUnauthorized:
			s.fail("a request without credentials is answered with "+a.String(), "This is not the interface of this server, or a proxy answers in its place.",
				"Let the proxy pass /api/ on as it is.")
			p.stop(s)
		}
	})
	p.step("login", "Bearer token", func(ctx context.Context, s *Step) {
		if !p.maySend(s, t.Login) {
			return
		}
		a, err := p.site.ask(ctx, s, http.MethodGet, p.site.url, "", "Authorization", "Bearer "+t.Secret())
		switch {
		case err != nil:
			s.unanswered(err)
		case a.status == http.StatusOK:
			s.Detail = fmt.Sprintf("as %s, with a throw-away token", t.User)
		case a.status == http.StatusUnauthorized:
			s.fail("refused: "+a.String(), "The token is right; it did not arrive, or the account is not let in now.",
				"Let the proxy in front pass the Authorization header on. The audit log says what arrived (login.fail).")
		default:
			s.fail("answered with "+a.String(), "Scripts get no answer.", "Look at the policy for this address, and at the log of the server.")
		}
	})
}
