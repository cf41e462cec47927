package api

import (
	"context"
	"net/http"
	"time"

	"trivium/identity"
)

func (a *API) registerAudit() {
	handle(a, identity.LevelStaff, http.MethodGet, "/audit", "list-audit", "Read the audit log, newest first", a.audit)
}

type auditOut struct{ Body []identity.AuditEvent }

func (a *API) audit(ctx context.Context, in *struct {
	Since   time.Time `query:"since"`
	Event   string    `query:"event" doc:"exact, or a prefix that ends in .*"`
	Subject string    `query:"subject"`
	Actor   string    `query:"actor"`
	Limit   int       `query:"limit" minimum:"0" maximum:"10000" doc:"0: 200"`
}) (*auditOut, error) {
	list, err := a.id.Audit(ctx, identity.AuditFilter{Since: in.Since, Event: in.Event, Subject: in.Subject, Actor: in.Actor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	if list == nil {
		list = []identity.AuditEvent{}
	}
	return &auditOut{list}, nil
}
