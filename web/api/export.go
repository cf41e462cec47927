package api

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"trivium/identity"
	"trivium/internal/httpio"
	"trivium/web/takeout"
)

// maxExportAudit bounds the rows of the audit log in an export.
const maxExportAudit = 100_000

func (a *API) registerExport() {
	handle(a, identity.LevelAdmin, http.MethodGet, "/users/{name}/export", "export-user", "All that is kept of a person, without secrets: one gzipped tar", a.exportUser)
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/me/export", "export-me", "All that is kept of oneself: one gzipped tar", a.exportMe)
}

func (a *API) exportUser(ctx context.Context, in *Named) (*huma.StreamResponse, error) {
	acc, err := a.account(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	by := who(ctx).actor
	if by.Level != identity.LevelRoot && acc.Level >= by.Level && by.User != a.display(acc.Login, acc.Domain) {
		return nil, newProblem(http.StatusForbidden, codeRefused, "Only data of accounts below your own level can be exported.", "")
	}
	return a.export(ctx, acc)
}

func (a *API) exportMe(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
	acc, err := a.own(ctx)
	if err != nil {
		return nil, err
	}
	if g := who(ctx).grant; g != nil && !g.Admin {
		return nil, wider("all data of its owner")
	}
	return a.export(ctx, acc)
}

func (a *API) export(ctx context.Context, acc identity.Account) (*huma.StreamResponse, error) {
	p, err := a.Takeout(ctx, acc)
	if err != nil {
		return nil, err
	}
	by := who(ctx).actor
	if err := a.id.Record(ctx, identity.AuditEvent{Event: "user.export", Actor: by.User, Via: by.Via, Remote: by.Remote,
		Subject: a.display(acc.Login, acc.Domain), Result: "ok"}); err != nil {
		return nil, err
	}
	told := identity.Notice{Kind: identity.NoticeExport, Protocol: identity.ProtocolAPI, Remote: by.Remote}
	if who(ctx).owner != acc.ID {
		told.By = cmp.Or(by.User, "local")
	}
	a.id.Tell(acc.ID, told)
	return &huma.StreamResponse{Body: func(h huma.Context) {
		h.SetHeader("Content-Type", "application/gzip")
		h.SetHeader("Content-Disposition", httpio.Attachment(takeout.Name(string(acc.Login), a.now())))
		if err := takeout.Write(h.Context(), h.BodyWriter(), p); err != nil {
			if !errors.Is(err, context.Canceled) {
				a.log.ErrorContext(ctx, "an export ended early", "event", "user.export", "user", string(acc.ID), "err", err.Error())
			}
			panic(http.ErrAbortHandler) // so that nobody takes a part for the whole
		}
	}}, nil
}

// Takeout gathers what an export of an account writes.
func (a *API) Takeout(ctx context.Context, acc identity.Account) (takeout.Person, error) {
	name := a.display(acc.Login, acc.Domain)
	p := takeout.Person{Account: acc, Profile: a.user(acc), Now: a.now()}
	list, err := a.o.Tokens.List(ctx, name)
	if err != nil {
		return p, err
	}
	p.Tokens = list
	if list := a.id.Registry.List(identity.Filter{Owner: acc.ID}); len(list) > 0 {
		p.Sessions = list
	}
	subject, err := a.id.Audit(ctx, identity.AuditFilter{Subject: name, Limit: maxExportAudit})
	if err != nil {
		return p, err
	}
	p.Audit = subject
	if a.o.Chat != nil {
		p.Chat = func(ctx context.Context, out io.Writer) error { return a.o.Chat(ctx, acc, out) }
	}
	if a.o.Files != nil {
		p.Files = a.o.Files.View(a.id.ForExport(&acc))
	}
	return p, nil
}
