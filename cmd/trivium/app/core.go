package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.uber.org/fx"

	"trivium/config"
	"trivium/files"
	filestore "trivium/files/sqlstore"
	"trivium/identity"
	"trivium/identity/factor"
	identitystore "trivium/identity/sqlstore"
	"trivium/internal/bus"
	"trivium/internal/sqldb"
	"trivium/tokens"
	tokenstore "trivium/tokens/sqlstore"
)

var errNotHoldable = errors.New("an account cannot hold this level")

// core is what the server and an offline command share: identity, tokens, files.
func core() fx.Option {
	return fx.Module("core",
		fx.Provide(newSeries),
		fx.Provide(newChatTakeout, newVerifier, newIdentity, newTokens, newFiles, newBackups, newDoctor, newLive, newWebhooks, bus.New,
			func(s *identity.Service) *identity.Registry { return s.Registry }),
	)
}

func newVerifier(lc fx.Lifecycle, db *sqldb.DB, log *slog.Logger) *tokens.Verifier {
	v := tokens.NewVerifier(tokenstore.New(db), nil)
	background(lc, func(ctx context.Context) { v.Run(ctx, log) })
	return v
}

func newIdentity(lc fx.Lifecycle, cfg *config.Config, db *sqldb.DB, v *tokens.Verifier, log *slog.Logger, f *failure, live serving) (*identity.Service, error) {
	key, err := sealKey(cfg)
	if err != nil {
		return nil, err
	}
	head, err := auditHead(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	judge, err := newJudge(cfg)
	if err != nil {
		return nil, err
	}
	roads := []identity.Road{}
	if cfg.Identity.AnonymousWeb {
		roads = append(roads, identity.RoadWeb)
	}
	if cfg.FTP.Anonymous {
		roads = append(roads, identity.RoadFTP)
	}
	if cfg.XMPP.Anonymous {
		roads = append(roads, identity.RoadXMPP)
	}
	locate, err := locator(lc, cfg)
	if err != nil {
		return nil, err
	}
	directories, err := sources(lc, cfg, log, live)
	if err != nil {
		return nil, err
	}
	clients, err := clientCertificates(cfg)
	if err != nil {
		return nil, err
	}
	s, err := identity.New(context.Background(), identity.Options{
		Certificates: clients,
		Sources:      directories, Providers: providerRules(cfg),
		Store: identitystore.New(db), Tokens: v, Log: log,
		Domain: cfg.Domain, Domains: cfg.Domains, Classes: classes(cfg), Policy: cfg.Policy,
		Limits:    identityLimits(cfg),
		AuditHead: head, KeepAuditHead: func(head string) error { return keepAuditHead(cfg.DataDir, head) },
		AuditKeep: cfg.Identity.AuditKeep, AuditKeepLogins: cfg.Identity.AuditKeepLogins,
		SealKey: key, UIDMin: cfg.Identity.UIDMin,
		DefaultLevel: level(cfg.Identity.DefaultLevel), DefaultRequired: level(cfg.Identity.DefaultRequiredLevel),
		SCRAMIterations: cfg.Identity.SCRAMIterations, SCRAMSHA1: cfg.XMPP.SCRAMSHA1, Argon2id: cfg.Identity.PasswordHash == "argon2id", Foreign: foreignHash,
		Passwords: judge, PasswordStrength: cfg.Identity.PasswordStrength, InviteLevel: level(cfg.Identity.InviteLevel),
		AnonymousRoads: roads, AnonymousRequirePassword: cfg.FTP.AnonymousRequirePassword, AnonymousPassword: identity.NewSecret(cfg.FTP.AnonymousPassword.Reveal()),
		TOTP: factor.TOTP{}, Passkeys: factor.Passkeys{}, SiteName: siteName(cfg), FactorFrom: factorFrom(cfg.Identity.SecondFactor),
		AnonymousTimeout: cfg.Web.AnonymousTimeout, SessionTimeout: cfg.Web.SessionTimeout,
		MaxAge: map[identity.Road]time.Duration{identity.RoadWeb: cfg.Web.SessionMaxAge, identity.RoadXMPP: cfg.Limits.XMPPMaxAge},
		Locate: locate,
		Applications: identity.Applications{On: cfg.Provider.Enabled, AccessLife: cfg.Provider.AccessLife, RefreshLife: cfg.Provider.RefreshLife,
			LogoutHosts: cfg.Provider.LogoutHosts},
	})
	if err != nil {
		return nil, err
	}
	background(lc, func(ctx context.Context) {
		if err := s.Run(ctx); err != nil && ctx.Err() == nil {
			f.set(err)
		}
	})
	return s, nil
}

// identityLimits are the numbers of [limits] that identity keeps.
func identityLimits(cfg *config.Config) identity.Limits {
	l := cfg.Limits
	return identity.Limits{
		ConnectionsPerAddress: l.ConnectionsPerAddress, UnauthenticatedPerAddress: l.UnauthenticatedPerAddress,
		Unauthenticated: l.Unauthenticated, Sessions: l.Sessions,
		SessionsPerUser: map[identity.Road]int{identity.RoadFTP: l.SessionsPerUserFTP, identity.RoadWeb: l.SessionsPerUserWeb, identity.RoadXMPP: l.SessionsPerUserXMPP},
		SessionsPerRoad: map[identity.Road]int{identity.RoadFTP: l.SessionsFTP, identity.RoadWeb: l.SessionsWeb, identity.RoadXMPP: l.SessionsXMPP},
		WhenFull: map[identity.Road]identity.WhenFull{identity.RoadFTP: identity.WhenFull(l.WhenFullFTP), identity.RoadWeb: identity.WhenFull(l.WhenFullWeb),
			identity.RoadXMPP: identity.WhenFull(l.WhenFullXMPP)},
		FileRoad: identity.SessionLimits{UploadRate: int64(l.FTPUploadRate), DownloadRate: int64(l.FTPDownloadRate), Transfers: l.FTPTransfers},
		BanAfter: l.BanAfter, BanWindow: l.BanWindow, BanFor: l.BanFor, BanWiden: l.BanWiden,
	}
}

// factorFrom is the level from which identity.second_factor asks for one; LevelNone: from none.
func factorFrom(value string) identity.Level {
	switch value {
	case "everyone":
		return identity.LevelLoggedIn
	case "optional":
		return identity.LevelNone
	}
	return level(value)
}

func newTokens(cfg *config.Config, v *tokens.Verifier, s *identity.Service) *tokens.Service {
	return tokens.New(v, s, cfg.Domain)
}

func newFiles(lc fx.Lifecycle, cfg *config.Config, db *sqldb.DB, s *identity.Service, b *bus.Bus, log *slog.Logger) (*files.Service, error) {
	backend, err := newBackend(lc, cfg, db)
	if err != nil {
		return nil, err
	}
	extra, err := mounts(lc, cfg)
	if err != nil {
		return nil, err
	}
	f, err := files.New(files.Options{Backend: backend, Policy: s, Names: &ownerNames{identity: s, log: log, now: time.Now},
		Active: s.MayLogIn, Mask: cfg.Files.Mask(), Sync: cfg.Files.Sync, Domain: cfg.Domain, Log: log,
		QuotaBytes: int64(cfg.Files.Quota), QuotaFiles: int64(cfg.Files.QuotaFiles), GroupQuotaBytes: int64(cfg.Files.GroupQuota),
		PubQuotaBytes: int64(cfg.Files.PubQuota), SoftPercent: cfg.Files.QuotaSoft, SoftGrace: cfg.Files.QuotaGrace,
		GroupQuotaFiles: int64(cfg.Files.GroupFiles), HomeQuota: homeQuota(s), GroupQuota: (&groupQuotas{identity: s, log: log, now: time.Now}).of,
		Usage: filestore.New(db), Sums: filestore.New(db), Shares: filestore.New(db), PartLife: cfg.Files.PartLife,
		Bin: filestore.New(db), Trash: files.TrashMode(cfg.Files.Trash), TrashLife: time.Duration(cfg.Files.TrashDays) * 24 * time.Hour,
		Versions: cfg.Files.Versions,
		Mounts:   extra, UniqueCase: cfg.Files.Case == "unique", PortableNames: cfg.Files.PortableNames,
		Events: func(c files.Changed) { b.Publish(c) }, Passed: func(p files.QuotaPassed) {
			b.Publish(p)
			if p.User != "" {
				s.TellName(p.User, identity.Notice{Kind: identity.NoticeQuota})
			}
		}})
	if err != nil {
		return nil, err
	}
	background(lc, f.Run) // the first to start is the last to stop: nothing changes after it
	background(lc, func(ctx context.Context) { sweepParts(ctx, f, log) })
	background(lc, func(ctx context.Context) { logFiles(ctx, b, log) })
	return f, nil
}

// homeQuota reads the limits of accounts. One that is gone has those of any other: what its home
// holds is still there.
func homeQuota(s *identity.Service) files.HomeQuota {
	return func(ctx context.Context, domain, login string) (bytes, entries int64, err error) {
		acc, err := s.User(ctx, login+"@"+domain)
		if errors.Is(err, identity.ErrNotFound) || errors.Is(err, identity.ErrInvalid) { // a folder made by hand
			return 0, 0, nil
		}
		return acc.QuotaBytes, acc.QuotaFiles, err
	}
}

// sweepEvery is how often unfinished uploads that nobody goes on with are looked for.
const sweepEvery = time.Hour

func sweepParts(ctx context.Context, f *files.Service, log *slog.Logger) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		switch n, err := f.Sweep(ctx); {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Warn("unfinished uploads were not all swept", "err", err)
		case n > 0:
			log.Info("unfinished uploads removed", "parts", n)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
