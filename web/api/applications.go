package api

import (
	"context"
	"net/http"
	"time"

	"trivium/identity"
)

// Application is one as JSON. Its secret is shown when it is made, and never again.
type Application struct {
	ID              string    `json:"id" doc:"the client_id"`
	Name            string    `json:"name"`
	Public          bool      `json:"public" doc:"it keeps no secret and proves itself by PKCE"`
	Redirects       []string  `json:"redirects"`
	LogoutRedirects []string  `json:"logout_redirects"`
	LogoutURI       string    `json:"logout_uri" doc:"takes logout tokens"`
	Scopes          []string  `json:"scopes"`
	Level           int       `json:"level" doc:"that an account needs; 0: any"`
	Groups          []string  `json:"groups" doc:"an account is in one of them; empty: any"`
	Consent         bool      `json:"consent"`
	SecondFactor    bool      `json:"second_factor"`
	Algorithm       string    `json:"algorithm"`
	People          int       `json:"people" doc:"that have logged in to it"`
	CreatedBy       string    `json:"created_by"`
	CreatedAt       time.Time `json:"created_at"`
	Secret          string    `json:"secret,omitempty" doc:"when it is made, and then alone"`
}

// ApplicationChange are the settings of one; what is absent stays.
type ApplicationChange struct {
	Name            *string   `json:"name,omitempty"`
	Redirects       *[]string `json:"redirects,omitempty"`
	LogoutRedirects *[]string `json:"logout_redirects,omitempty"`
	LogoutURI       *string   `json:"logout_uri,omitempty"`
	Scopes          *[]string `json:"scopes,omitempty" doc:"of profile, email, groups, offline_access"`
	Level           *Level    `json:"level,omitempty"`
	Groups          *[]string `json:"groups,omitempty"`
	Consent         *bool     `json:"consent,omitempty"`
	SecondFactor    *bool     `json:"second_factor,omitempty"`
	Algorithm       *string   `json:"algorithm,omitempty" enum:"RS256,ES256"`
}

// NewApplication is the body of one to be made.
type NewApplication struct {
	ApplicationChange
	ID     string `json:"id,omitempty" doc:"absent: made of the name"`
	Public bool   `json:"public,omitempty"`
}

// ApplicationUse is an application that a person has logged in to.
type ApplicationUse struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Scopes  []string  `json:"scopes"`
	Agreed  bool      `json:"agreed" doc:"the person was asked and said yes"`
	Live    int       `json:"live" doc:"log-ins there that go on"`
	FirstAt time.Time `json:"first_at"`
	LastAt  time.Time `json:"last_at"`
}

func (a *API) registerApplications() {
	const in, admin = identity.LevelLoggedIn, identity.LevelAdmin
	handle(a, admin, http.MethodGet, "/applications", "list-applications", "List the applications that people log in to by this server", a.listApplications)
	handle(a, admin, http.MethodPost, "/applications", "add-application", "Add an application; the answer has its secret, once", a.addApplication)
	handle(a, admin, http.MethodGet, "/applications/{id}", "show-application", "Show an application without its secret", a.showApplication)
	tagged(a, admin, http.MethodPatch, "/applications/{id}", "set-application", "Change the settings of an application", a.applicationIn, a.setApplication)
	tagged(a, admin, http.MethodPost, "/applications/{id}/secret", "renew-application-secret", "Give an application another secret; the old one is good no more", a.applicationIn, a.renewSecret)
	tagged(a, admin, http.MethodDelete, "/applications/{id}", "remove-application", "Remove an application, and log everybody out of it", a.applicationIn, a.removeApplication)
	handle(a, in, http.MethodGet, "/application-uses", "list-application-uses", "List the applications that an account has logged in to", a.listApplicationUses)
	handle(a, in, http.MethodDelete, "/application-uses/{id}", "end-application-use", "Log an account out of an application", a.endApplicationUse)
}

func applicationJSON(x identity.Application, people int) Application {
	list := func(l []string) []string { return append([]string{}, l...) }
	return Application{ID: x.ID, Name: x.Name, Public: x.Public(), Redirects: list(x.Redirects), LogoutRedirects: list(x.LogoutRedirects), LogoutURI: x.LogoutURI,
		Scopes: list(x.Scopes), Level: int(x.Level), Groups: list(x.Groups), Consent: x.Consent, SecondFactor: x.Factor, Algorithm: x.Algorithm,
		People: people, CreatedBy: x.CreatedBy, CreatedAt: x.CreatedAt}
}

// apply changes what is there.
func (c ApplicationChange) apply(x *identity.Application) {
	set(&x.Name, c.Name)
	set(&x.Redirects, c.Redirects)
	set(&x.LogoutRedirects, c.LogoutRedirects)
	set(&x.LogoutURI, c.LogoutURI)
	set(&x.Scopes, c.Scopes)
	set(&x.Groups, c.Groups)
	set(&x.Consent, c.Consent)
	set(&x.Factor, c.SecondFactor)
	set(&x.Algorithm, c.Algorithm)
	if c.Level != nil {
		x.Level = c.Level.Level
	}
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func (a *API) listApplications(ctx context.Context, _ *struct{}) (*struct{ Body []Application }, error) {
	list, err := a.id.ApplicationList(ctx)
	if err != nil {
		return nil, err
	}
	counts, err := a.id.ApplicationUseCounts(ctx)
	if err != nil {
		return nil, err
	}
	return listed(list, func(x identity.Application) Application {
		return applicationJSON(x, counts[x.ID])
	}), nil
}

type applicationOut struct {
	Status int
	Body   Application
}

func (a *API) addApplication(ctx context.Context, in *struct{ Body NewApplication }) (*applicationOut, error) {
	x := identity.Application{ID: in.Body.ID, Consent: true}
	in.Body.apply(&x)
	x, secret, err := a.id.AddApplication(ctx, who(ctx).actor, x, in.Body.Public)
	if err != nil {
		return nil, err
	}
	out := applicationJSON(x, 0)
	out.Secret = secret.Reveal()
	return &applicationOut{http.StatusCreated, out}, nil
}

// ByID names an application in a path.
type ByID struct {
	ID string `path:"id" doc:"the client_id"`
}

func (a *API) showApplication(ctx context.Context, in *ByID) (*struct{ Body Application }, error) {
	x, err := a.id.Application(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	counts, err := a.id.ApplicationUseCounts(ctx)
	if err != nil {
		return nil, err
	}
	return &struct{ Body Application }{applicationJSON(x, counts[x.ID])}, nil
}

func (a *API) setApplication(ctx context.Context, in *struct {
	ByID
	Body ApplicationChange
}) (*struct{ Body Application }, error) {
	x, err := a.id.ChangeApplication(ctx, who(ctx).actor, in.ID, in.Body.apply)
	if err != nil {
		return nil, err
	}
	counts, err := a.id.ApplicationUseCounts(ctx)
	if err != nil {
		return nil, err
	}
	return &struct{ Body Application }{applicationJSON(x, counts[x.ID])}, nil
}

func (a *API) renewSecret(ctx context.Context, in *ByID) (*struct{ Body Application }, error) {
	secret, err := a.id.RenewApplicationSecret(ctx, who(ctx).actor, in.ID)
	if err != nil {
		return nil, err
	}
	x, err := a.id.Application(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := applicationJSON(x, 0)
	out.Secret = secret.Reveal()
	return &struct{ Body Application }{out}, nil
}

func (a *API) removeApplication(ctx context.Context, in *ByID) (*nothing, error) {
	return nil, a.id.RemoveApplication(ctx, who(ctx).actor, in.ID)
}

func (a *API) listApplicationUses(ctx context.Context, in *struct {
	User string `query:"user" doc:"absent: one's own"`
}) (*struct{ Body []ApplicationUse }, error) {
	acc, err := a.whose(ctx, in.User)
	if err != nil {
		return nil, err
	}
	list, err := a.id.ApplicationUses(ctx, a.display(acc.Login, acc.Domain))
	if err != nil {
		return nil, err
	}
	return listed(list, func(u identity.ApplicationUse) ApplicationUse {
		return ApplicationUse{ID: u.App.ID, Name: u.App.Name, Scopes: append([]string{}, u.Scopes...), Agreed: u.Agreed, Live: u.Live,
			FirstAt: u.FirstAt, LastAt: u.LastAt}
	}), nil
}

func (a *API) endApplicationUse(ctx context.Context, in *struct {
	ByID
	User string `query:"user" doc:"absent: one's own"`
}) (*nothing, error) {
	acc, err := a.whose(ctx, in.User)
	if err != nil {
		return nil, err
	}
	return nil, a.id.EndApplication(ctx, who(ctx).actor, a.display(acc.Login, acc.Domain), in.ID)
}
