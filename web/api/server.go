package api

import (
	"context"
	"net/http"
	"runtime"
	"slices"
	"time"

	"trivium/identity"
)

// Status is what the running process knows of itself. Options.Status fills what it can; the
// handler adds version, domain, sessions and whether an administrator is missing.
type Status struct {
	Version    string         `json:"version"`
	Domain     string         `json:"domain"`
	Node       string         `json:"node,omitempty"`
	PID        int            `json:"pid,omitempty"`
	DataDir    string         `json:"data_dir"`
	ConfigFile string         `json:"config_file" doc:"empty: none was read"`
	Running    bool           `json:"running" doc:"false: the command line looks at the store of a stopped server"`
	StartedAt  *time.Time     `json:"started_at"`
	Uptime     int64          `json:"uptime" doc:"seconds"`
	Listeners  []Listener     `json:"listeners"`
	Sessions   map[string]int `json:"sessions" doc:"by protocol"`
	Total      int            `json:"sessions_total"`
	SetUp      bool           `json:"set_up" doc:"an administrator exists"`
	Problems   []Trouble      `json:"problems"`
}

// Listener is an address that the server listens on.
type Listener struct {
	Name     string `json:"name" doc:"ftp, ftps, web, https, xmpp, xmpps"`
	Addr     string `json:"addr"`
	TLS      string `json:"tls" doc:"none, explicit, implicit, starttls, direct, yes"`
	Sessions int    `json:"sessions"`
	State    string `json:"state" doc:"ok, or what is wrong"`
}

// Trouble is something that needs attention.
type Trouble struct {
	Severity string `json:"severity" enum:"failure,warning"`
	Text     string `json:"text"`
	Hint     string `json:"hint"`
}

// Version is the program's version as JSON.
type Version struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func (a *API) registerServer() {
	handle(a, identity.LevelNone, http.MethodGet, "/openapi.json", "openapi", "This document", a.openapi)
	handle(a, identity.LevelNone, http.MethodGet, "/reference", "reference", "All operations for people, as one page", a.showReference)
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/version", "version", "The server's version", a.version)
	handle(a, identity.LevelStaff, http.MethodGet, "/status", "status", "Problems first, then listeners and sessions", a.status)
	handle(a, identity.LevelRoot, http.MethodGet, "/setup-link", "setup-link", "The first administrator's link, until one exists", a.setupLink)
}

type rawOut struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func (a *API) openapi(context.Context, *struct{}) (*rawOut, error) {
	spec, err := a.spec()
	if err != nil {
		return nil, err
	}
	return &rawOut{"application/openapi+json", spec}, nil
}

func (a *API) version(context.Context, *struct{}) (*struct{ Body Version }, error) {
	return &struct{ Body Version }{Version{a.o.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH}}, nil
}

func (a *API) status(ctx context.Context, _ *struct{}) (*struct{ Body Status }, error) {
	s := Status{DataDir: a.o.Config.DataDir, ConfigFile: a.o.Config.File}
	if a.o.Status != nil {
		s = a.o.Status()
	}
	s.Version, s.Domain = a.o.Version, a.domain()
	s.Listeners = slices.Clone(s.Listeners)
	if s.Listeners == nil {
		s.Listeners = []Listener{}
	}
	s.Problems = append(append([]Trouble{}, s.Problems...), a.troubles(ctx)...)
	if s.StartedAt != nil {
		s.Uptime = int64(a.now().Sub(*s.StartedAt) / time.Second)
	}
	s.Sessions = map[string]int{}
	local := map[string]int{}
	for _, i := range a.id.Registry.List(identity.Filter{}) {
		s.Sessions[string(i.Protocol)]++
		s.Total++
		local[portOf(i.LocalAddr)]++
	}
	for i, l := range s.Listeners {
		s.Listeners[i].Sessions = local[portOf(l.Addr)]
		if l.State == "" {
			s.Listeners[i].State = "ok"
		}
	}
	var err error
	if s.SetUp, err = a.id.HasAdministrator(ctx); err != nil {
		return nil, err
	}
	if !s.SetUp {
		s.Problems = append(s.Problems, Trouble{"warning", "no administrator yet", "trivium setup-link"})
	}
	return &struct{ Body Status }{s}, nil
}

// portOf tells sessions of one listener from those of another.
func portOf(addr string) string {
	for i := len(addr) - 1; i >= 0; i-- {
		if addr[i] == ':' {
			return addr[i+1:]
		}
	}
	return addr
}

// SetupLink is where the first administrator is made.
type SetupLink struct {
	URL  string `json:"url"`
	Code string `json:"code"`
}

func (a *API) setupLink(ctx context.Context, _ *struct{}) (*struct{ Body SetupLink }, error) {
	done, err := a.id.HasAdministrator(ctx)
	if err != nil {
		return nil, err
	}
	if done {
		return nil, newProblem(http.StatusNotFound, codeNotFound, "there is no set-up link: an administrator exists already",
			"trivium user list --level admin shows who; a new password: trivium user passwd LOGIN.")
	}
	code, err := a.id.SetupCode(ctx)
	if err != nil {
		return nil, err
	}
	return &struct{ Body SetupLink }{SetupLink{a.base() + "/setup?code=" + code, code}}, nil
}

// base is the address of the web pages.
func (a *API) base() string {
	if a.o.BaseURL != nil {
		return a.o.BaseURL()
	}
	return a.o.Config.BaseURL()
}
