package app

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"go.uber.org/fx"

	"trivium/backup"
	"trivium/config"
	"trivium/doctor"
	"trivium/files"
	"trivium/ftp"
	"trivium/identity"
	"trivium/identity/provider"
	"trivium/internal/acme"
	"trivium/internal/certs"
	"trivium/internal/series"
	"trivium/internal/sqldb"
	"trivium/tokens"
	"trivium/web"
	"trivium/web/api"
	"trivium/web/dav"
	"trivium/webhooks"
	"trivium/xmpp"
	"trivium/xmpp/announce"
	"trivium/xmpp/mam"
	"trivium/xmpp/notice"
	xmppstore "trivium/xmpp/sqlstore"
)

// roads are the three servers and the control socket, in the order in which they open.
func roads() fx.Option {
	return fx.Module("roads",
		fx.Provide(notice.New, newAnnouncer, newChatPeople, newMail, newTeller, newCerts, automatic, givenCerts, newStatus, newTester, newAPI, newFTP, newWeb, newArchive, newXMPP),
		fx.Invoke(
			func(s *identity.Service, t *teller) { s.AddNotifier(t) },
			func(lc fx.Lifecycle, cfg *config.Config, a *api.API, f *failure, log *slog.Logger) {
				run(lc, f, log, "control", newControlServer(cfg, a.Control(localActor())))
			},
			func(lc fx.Lifecycle, s *ftp.Server, f *failure, log *slog.Logger) { run(lc, f, log, "ftp", s) },
			func(lc fx.Lifecycle, s *web.Server, f *failure, log *slog.Logger) { run(lc, f, log, "web", s) },
			func(lc fx.Lifecycle, s *xmpp.Server, f *failure, log *slog.Logger) { run(lc, f, log, "xmpp", s) },
			newACME,
			measure,
			func(lc fx.Lifecycle, a *api.API) { // before the servers, which wait for what is open
				lc.Append(fx.Hook{OnStop: func(context.Context) error { a.Stop(); return nil }})
			},
		),
	)
}

// localActor is the machine's owner: whoever may open the data directory may do everything.
func localActor() identity.Actor { return identity.Actor{Level: identity.LevelRoot, Via: "cli"} }

func newAPI(cfg *config.Config, rec *series.Recorder, s *identity.Service, t *tokens.Service, f *files.Service, ch *chatTakeout, doc *doctor.Service, live *liveConfig, certs certificates, hooks *webhooks.Service, bk *backup.Service, st *status, test *tester, v buildVersion, log *slog.Logger) (*api.API, error) {
	doc.Add(backupCheck(cfg, bk))
	o := api.Options{Webhooks: hooks, Backups: bk, Doctor: doc, Live: live, Certificates: certs, Chat: ch.write, Identity: s, Tokens: t, Files: f, Config: cfg, Classes: classes(cfg), Version: string(v), Log: log}
	if st.running {
		o.Status, o.BaseURL, o.TestConnection = st.report, st.baseURL, test.Test
		var err error
		if o.Metrics, err = newMetrics(s, rec, log); err != nil {
			return nil, err
		}
	}
	a, err := api.New(o)
	if err != nil {
		return nil, err
	}
	s.UseRoutes(ftp.LevelOf) // newWeb adds the pages, where there are any
	for _, list := range []func() []identity.Known{a.Resources, ftp.Resources, f.Resources} {
		s.AddResources(list)
	}
	return a, nil
}

func newFTP(cfg *config.Config, s *identity.Service, r *identity.Registry, f *files.Service, src *certs.Source, st *status, log *slog.Logger) (*ftp.Server, error) {
	srv, err := ftp.New(ftp.Options{Config: cfg.FTP, Limits: cfg.Limits, SiteName: siteName(cfg), Contact: cfg.AdminContact,
		Domains: append([]string{cfg.Domain}, cfg.Domains...), Identity: s, Registry: r, Files: f,
		TLS: ftpTLS(src), Log: log})
	if err != nil {
		return nil, err
	}
	st.add(bounds(srv.Addrs, func(b ftp.Bound) Bound { return Bound(b) }))
	return srv, nil
}

// webParts are what the pages are put together from.
type webParts struct {
	fx.In

	Lifecycle fx.Lifecycle
	Config    *config.Config
	Database  *sqldb.DB
	Series    *series.Recorder
	Identity  *identity.Service
	Registry  *identity.Registry
	Tokens    *tokens.Service
	Files     *files.Service
	API       *api.API
	Chat      *xmpp.Server
	Notices   *notice.Notices
	People    *chatPeople
	Certs     *certs.Source
	ACME      *acme.Manager
	Doctor    *doctor.Service
	Backups   *backup.Service
	Webhooks  *webhooks.Service
	Live      *liveConfig
	Status    *status
	Tester    *tester
	Version   buildVersion
	Log       *slog.Logger
}

func newWeb(p webParts) (*web.Server, error) {
	cfg, s := p.Config, p.Identity
	webdav, err := newDAV(cfg, s, p.Files, p.Log)
	if err != nil {
		return nil, err
	}
	oidc, err := providers(p.Lifecycle, cfg)
	if err != nil {
		return nil, err
	}
	srv, err := web.New(web.Options{
		Config: cfg.Web, Limits: cfg.Limits, SiteName: siteName(cfg), Domain: cfg.Domain, Domains: cfg.Domains,
		AdminContact: cfg.AdminContact, Mail: cfg.Mail.Host != "", BaseURL: p.Status.baseURL, Version: string(p.Version), Log: p.Log,
		Languages: os.DirFS(filepath.Join(cfg.DataDir, "lang")),
		Identity:  s, Registry: p.Registry, Tokens: p.Tokens, Files: p.Files,
		Providers: oidc, Provider: newProvider(p.Lifecycle, cfg, s, p.Log),
		API: p.API.Handler(), Takeout: p.API.Takeout, DAV: webdav, DAVMethods: dav.Methods(), Mounts: guests(cfg, p.Chat, p.API),
		Chat: chatPage(cfg, p.People), Tell: p.Notices.Tell, ALPN: chatALPN(cfg, p.Chat), Links: chatLinks(cfg),
		TLS: webTLS(p.Certs), Certificates: p.Certs, Challenges: challenges(p.ACME),
		Backups: p.Backups, Webhooks: p.Webhooks, Doctor: p.Doctor, Live: p.Live, Series: p.Series, TestConnection: p.Tester.Test, Database: described(p.Database),
		Listeners: bounds(p.Status.bound, func(b Bound) web.Bound { return web.Bound(b) }),
	})
	if err != nil {
		return nil, err
	}
	s.UseRoutes(func(res identity.Resource) (identity.Level, bool) {
		if path, ok := strings.CutPrefix(string(res), "web:"); ok {
			return srv.LevelOf(path)
		}
		return ftp.LevelOf(res)
	})
	for _, list := range []func() []identity.Known{srv.Resources, p.Chat.Resources} {
		s.AddResources(list)
	}
	p.Status.add(bounds(srv.Addrs, func(b web.Bound) Bound { return Bound(b) }))
	return srv, nil
}

// websocketPath is where chat over WebSocket is; the usual place, which clients try by themselves.
const websocketPath = "/xmpp-websocket"

// guests are the handlers of others among the web pages, which do their own guarding.
func guests(cfg *config.Config, x *xmpp.Server, a *api.API) map[string]http.Handler {
	m := map[string]http.Handler{"/metrics": a.Handler()}
	if cfg.XMPP.WebSocket {
		m[websocketPath] = x.WebSocket()
	}
	return m
}

// chatLinks tell clients that cannot ask the DNS where that is (XEP-0156 section 2).
func chatLinks(cfg *config.Config) []web.Link {
	if !cfg.XMPP.WebSocket {
		return nil
	}
	return []web.Link{{Rel: "urn:xmpp:alt-connections:websocket", Scheme: "wss", Path: websocketPath}}
}

// chatALPN is what chat takes of the web pages' TLS ports.
func chatALPN(cfg *config.Config, x *xmpp.Server) map[string]func(*tls.Conn) {
	if !cfg.XMPP.OnWebPort {
		return nil
	}
	return map[string]func(*tls.Conn){"xmpp-client": x.ServeTLS}
}

// newDAV is nil where WebDAV is off.
func newDAV(cfg *config.Config, s *identity.Service, f *files.Service, log *slog.Logger) (http.Handler, error) {
	if !cfg.Web.DAV {
		return nil, nil
	}
	hosts := append([]string{cfg.Domain}, cfg.Domains...)
	if u, err := url.Parse(cfg.Web.PublicURL); err == nil && u.Host != "" {
		hosts = append(hosts, u.Host)
	}
	return dav.New(dav.Options{Identity: s, Files: f, Pause: cfg.Limits.HTTPBodyTimeout, Hosts: hosts, Below: cfg.Web.Below(), Log: log})
}

// newAnnouncer tells people in chat what is announced.
func newAnnouncer(lc fx.Lifecycle, s *identity.Service, r *identity.Registry) *announce.Announcer {
	a := announce.New(s, r)
	s.OnAnnounce(a.Begin)
	background(lc, a.Run)
	return a
}

func newXMPP(lc fx.Lifecycle, cfg *config.Config, s *identity.Service, r *identity.Registry, t *tokens.Service, db *sqldb.DB, archive *mam.Archive, chat *notice.Notices, told *announce.Announcer, people *chatPeople, src *certs.Source, st *status, v buildVersion, end *ending, log *slog.Logger) (*xmpp.Server, error) {
	srv, err := xmpp.New(xmpp.Options{Config: cfg.XMPP, Limits: cfg.Limits, Domains: append([]string{cfg.Domain}, cfg.Domains...),
		Identity: s, Registry: r, Store: xmppstore.New(db), TLS: xmppTLS(src), Log: log, Version: string(v),
		Modules: append(people.join(chatModules(cfg, s, t, db, archive, st.baseURL, end, log)), chat, told),
		NoSCRAM: noSCRAM(cfg), Anonymous: cfg.XMPP.Anonymous, Alone: db.Dialect() == sqldb.SQLite})
	if err != nil {
		return nil, err
	}
	sweepChat(lc, s, srv, log)
	st.add(bounds(srv.Addrs, func(b xmpp.Bound) Bound { return Bound(b) }))
	return srv, nil
}

// newProvider is nil where people log in to no other applications by this server.
func newProvider(lc fx.Lifecycle, cfg *config.Config, s *identity.Service, log *slog.Logger) *provider.Provider {
	if !cfg.Provider.Enabled {
		return nil
	}
	p := provider.New(provider.Options{Identity: s, Issuer: cfg.Web.PublicURL, KeyLife: cfg.Provider.KeyLife, Log: log})
	background(lc, p.Run)
	return p
}

// bounds translates the listeners of one part into the type of another: each road has its own, as
// none imports another.
func bounds[A, B any](list func() []A, one func(A) B) func() []B {
	return func() []B {
		var all []B
		for _, b := range list() {
			all = append(all, one(b))
		}
		return all
	}
}

func siteName(cfg *config.Config) string {
	if cfg.SiteName != "" {
		return cfg.SiteName
	}
	return cfg.Domain
}

// noSCRAM reports whether SCRAM is not offered: under argon2id there are no keys for it, and a directory
// has none either.
func noSCRAM(cfg *config.Config) bool {
	switch cfg.XMPP.SCRAM {
	case "off":
		return true
	case "on":
		return cfg.Identity.PasswordHash == "argon2id"
	}
	return cfg.Identity.PasswordHash == "argon2id" || len(cfg.Identity.LDAP)+len(cfg.Identity.Hook) > 0
}
