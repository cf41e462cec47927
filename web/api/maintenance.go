package api

import (
	"context"
	"net/http"
	"time"

	"trivium/identity"
)

// Maintenance says whether people are kept out.
type Maintenance struct {
	On      bool       `json:"on"`
	Message string     `json:"message" doc:"what people are told"`
	Until   *time.Time `json:"until" doc:"when it should be over; it does not end by itself"`
	Since   *time.Time `json:"since"`
	By      string     `json:"by" doc:"who began it; empty: the machine's owner"`
	Ended   int        `json:"ended_sessions" doc:"by this change"`
}

// maintenanceChange is what sets it.
type maintenanceChange struct {
	On          bool       `json:"on" doc:"only administrators log in then, and moderators on the web pages"`
	Message     string     `json:"message,omitempty" maxLength:"500" doc:"one line, which people are told"`
	Until       *time.Time `json:"until,omitempty" doc:"when it should be over, as far as anybody knows"`
	EndSessions bool       `json:"end_sessions,omitempty" doc:"end those, too, that are there and could not log in now"`
}

func (a *API) registerMaintenance() {
	handle(a, identity.LevelAdmin, http.MethodGet, "/maintenance", "show-maintenance", "Say whether the server is in maintenance", a.showMaintenance)
	handle(a, identity.LevelAdmin, http.MethodPut, "/maintenance", "set-maintenance", "Begin, change or end a maintenance: nobody but those who look after the server logs in, on no road", a.setMaintenance)
}

func maintenanceJSON(m identity.Maintenance, ended int) *struct{ Body Maintenance } {
	return &struct{ Body Maintenance }{Maintenance{On: m.On, Message: m.Message, Until: moment(m.Until), Since: moment(m.Since), By: m.By, Ended: ended}}
}

func (a *API) showMaintenance(context.Context, *struct{}) (*struct{ Body Maintenance }, error) {
	return maintenanceJSON(a.id.Maintenance(), 0), nil
}

func (a *API) setMaintenance(ctx context.Context, in *struct{ Body maintenanceChange }) (*struct{ Body Maintenance }, error) {
	c := identity.MaintenanceChange{On: in.Body.On, Message: in.Body.Message, End: in.Body.EndSessions}
	if in.Body.Until != nil {
		c.Until = *in.Body.Until
	}
	m, ended, err := a.id.SetMaintenance(ctx, who(ctx).actor, c)
	if err != nil {
		return nil, err
	}
	return maintenanceJSON(m, ended), nil
}
