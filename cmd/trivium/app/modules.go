package app

import (
	"context"
	"log/slog"
	"strings"

	"trivium/config"
	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/tokens"
	"trivium/xmpp"
	"trivium/xmpp/blocking"
	"trivium/xmpp/caps"
	"trivium/xmpp/carbons"
	"trivium/xmpp/command"
	"trivium/xmpp/greet"
	"trivium/xmpp/mam"
	away "trivium/xmpp/offline"
	"trivium/xmpp/private"
	"trivium/xmpp/pubsub"
	pubsubstore "trivium/xmpp/pubsub/sqlstore"
	"trivium/xmpp/push"
	xmppstore "trivium/xmpp/sqlstore"
	"trivium/xmpp/vcard"
)

// chatModules are the parts of the chat road with packages of their own, in the order in which they
// are asked about a stanza. base is where the pages are.
func chatModules(cfg *config.Config, s *identity.Service, t *tokens.Service, db *sqldb.DB, archive *mam.Archive, base func() string, end *ending, log *slog.Logger) []xmpp.Module {
	small := xmppstore.New(db)
	// What clients announce is noted before others ask for it.
	clients := caps.New()
	personal := pubsub.New(pubsub.Options{Store: pubsubstore.New(db), Caps: clients, Limits: pubsub.DefaultLimits(int64(cfg.Limits.XMPPStanzaSize)),
		Alone: db.Dialect() == sqldb.SQLite}) // whose folder one process locks
	var first []xmpp.Module
	if archive != nil {
		first = append(first, archive) // what it has already goes no further
	}
	greetings := greet.New(small, s, s.Registry)
	service := command.Service(s, s.Registry, greetings, stopper{end, s, log})
	return append(append(first, accountModules(cfg, s, t, base, service)...),
		greetings,
		blocking.New(blocking.Options{Store: small, Report: auditReport(s, log)}),
		carbons.New(),
		away.New(away.Options{Store: small, Max: cfg.XMPP.OfflineMessages}),
		push.New(small),
		clients,
		personal,
		vcard.New(small, nodes{personal}),
		private.New(small, nodes{personal}),
	)
}

// auditReport puts what somebody reports about an address (XEP-0377) into the audit log, where the
// administrator reads it.
func auditReport(s *identity.Service, log *slog.Logger) func(context.Context, blocking.Report) {
	return func(ctx context.Context, r blocking.Report) {
		detail := r.Text
		if len(r.IDs) > 0 {
			detail += " (messages " + strings.Join(r.IDs, " ") + ")"
		}
		err := s.Record(ctx, identity.AuditEvent{
			Event: "chat.report", Actor: r.By.String(), Via: "xmpp", Subject: r.JID, Protocol: identity.ProtocolXMPP,
			Session: r.Stream.Session().ID(), Result: r.Reason, Detail: detail,
		})
		if err != nil {
			log.Error("a report about an address was not recorded", "user", r.By.String(), "subject", r.JID, "error", err)
		}
	}
}
