package app

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"go.uber.org/fx"

	"trivium/config"
	"trivium/identity"
	"trivium/tokens"
	"trivium/xmpp"
	"trivium/xmpp/command"
	"trivium/xmpp/confirm"
	"trivium/xmpp/contact"
	"trivium/xmpp/devices"
	"trivium/xmpp/extdisco"
	"trivium/xmpp/groups"
	"trivium/xmpp/last"
	"trivium/xmpp/register"
)

// accountModules are what the chat road does for people's accounts; more are further commands.
func accountModules(cfg *config.Config, s *identity.Service, t *tokens.Service, base func() string, more []command.Command) []xmpp.Module {
	ways := command.Invitations{Inviter: s, Join: func() string { return base() + "/join/" }, Register: cfg.XMPP.Registration != "off",
		Least: level(cfg.Identity.InviteLevel)}
	list := []xmpp.Module{
		devices.New(s.Registry, appPasswords{t}),
		command.New(slices.Concat(command.Own(s.Registry, appPasswords{t}), command.Invites(ways), command.Admin(s, s.Registry), more)...),
	}
	list = append(list, register.New(register.Options{Accounts: s, Open: cfg.XMPP.Registration == "open", Invites: invites(cfg, s), Remove: cfg.XMPP.AccountRemoval}))
	asks := confirm.New()
	s.UseChat(asks)
	list = append(list, asks, last.New(s), contact.New(contact.Options{Admin: contactOf(cfg.AdminContact), Abuse: cfg.XMPP.AbuseContact,
		Security: cfg.XMPP.SecurityContact, Support: cfg.XMPP.SupportContact}))
	if services := chatServices(cfg); len(services) > 0 {
		list = append(list, extdisco.New(extdisco.Options{Services: services, Secret: identity.NewSecret(cfg.XMPP.ServicesSecret.Reveal())}))
	}
	if cfg.XMPP.GroupRosters {
		g := groups.New(s)
		s.OnChange(g.Changed)
		list = append(list, g)
	}
	return list
}

// invites is nil where config lets nobody make an account by chat.
func invites(cfg *config.Config, s *identity.Service) register.Invites {
	if cfg.XMPP.Registration == "off" {
		return nil
	}
	return s
}

// contactOf is the one contact as a list.
func contactOf(uri string) []string {
	if uri == "" {
		return nil
	}
	return []string{uri}
}

// chatServices are those of the config, which has checked their form.
func chatServices(cfg *config.Config) []extdisco.Service {
	var list []extdisco.Service
	for _, text := range cfg.XMPP.Services {
		if s, err := extdisco.Parse(text); err == nil {
			list = append(list, s)
		}
	}
	return list
}

// sweepAgain is when accounts that could not be forgotten are tried again.
const sweepAgain = time.Minute

// sweepChat lets the chat road forget accounts that have been removed: at once where that happens
// here, within a second where another process did it, and at the start where nobody looked.
func sweepChat(lc fx.Lifecycle, s *identity.Service, x *xmpp.Server, log *slog.Logger) {
	sweep := s.SweepRemoved("chat", x.Remove)
	kick := make(chan struct{}, 1)
	s.OnChange(func(context.Context, []identity.UserID) {
		select {
		case kick <- struct{}{}:
		default: // it looks again anyway
		}
	})
	background(lc, func(ctx context.Context) {
		for {
			var again <-chan time.Time
			if err := sweep.Run(ctx); err != nil && ctx.Err() == nil {
				log.Error("removed accounts were not all forgotten by chat", "error", err)
				again = time.After(sweepAgain)
			}
			select {
			case <-kick:
			case <-again:
			case <-ctx.Done():
				return
			}
		}
	})
}

// appPasswords are tokens as chat shows them.
type appPasswords struct{ tokens *tokens.Service }

// List implements devices.Tokens.
func (a appPasswords) List(ctx context.Context, login string) ([]devices.Token, error) {
	all, err := a.tokens.List(ctx, login)
	if err != nil {
		return nil, err
	}
	list := make([]devices.Token, 0, len(all))
	for _, t := range all {
		if t.Expired {
			continue
		}
		d := devices.Token{ID: t.ID, Label: t.Label, Created: t.CreatedAt, Restricted: !slices.Contains(t.Scopes, tokens.ScopeXMPP)}
		if t.LastUsed != nil {
			d.LastUsed = *t.LastUsed
		}
		list = append(list, d)
	}
	return list, nil
}

// Revoke implements devices.Tokens.
func (a appPasswords) Revoke(ctx context.Context, by identity.Actor, id string) error {
	return a.tokens.Revoke(ctx, by, id)
}

// Issue implements command.Passwords.
func (a appPasswords) Issue(ctx context.Context, by identity.Actor, login, label string, roads []identity.Road, ttl time.Duration) (identity.Secret, error) {
	scopes := make([]tokens.Scope, len(roads))
	for i, r := range roads {
		scopes[i] = tokens.Scope(r) // a scope that opens a road has its name
	}
	_, secret, err := a.tokens.Issue(ctx, by, tokens.Request{User: login, Scopes: scopes, Label: label, TTL: ttl})
	return secret, err
}
