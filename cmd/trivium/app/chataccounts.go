package app

import (
	"context"
	"log/slog"
	"time"

	"go.uber.org/fx"

	"trivium/config"
	"trivium/identity"
	"trivium/xmpp"
	"trivium/xmpp/groups"
)

// accountModules are what the chat road does for people's accounts.
func accountModules(cfg *config.Config, s *identity.Service) []xmpp.Module {
	var list []xmpp.Module
	if cfg.XMPP.GroupRosters {
		g := groups.New(s)
		s.OnChange(g.Changed)
		list = append(list, g)
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
