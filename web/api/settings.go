package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"trivium/config"
	"trivium/identity"
	"trivium/internal/certs"
)

// LiveConfig is the configuration of a running server.
type LiveConfig interface {
	Entries() []config.Entry
	Pending(ctx context.Context) ([]config.Change, error)
	Reload(ctx context.Context, by identity.Actor) (applied, waiting []config.Change, err error)
	Set(ctx context.Context, by identity.Actor, key, value string) error
	Unset(ctx context.Context, by identity.Actor, key string) error
}

func (a *API) registerSettings() {
	if a.o.Live == nil {
		a.o.Live = fixedConfig{a.o.Config}
	}
	handle(a, identity.LevelAdmin, http.MethodGet, "/config", "list-config", "List the settings in effect and where each came from; secrets are only said to be set", a.config)
	handle(a, identity.LevelAdmin, http.MethodGet, "/config/pending", "pending-config", "What the file on disk says that the running server does not do yet, and what is wrong in it", a.pendingConfig)
	handle(a, identity.LevelAdmin, http.MethodPost, "/config/reload", "reload-config", "Read the configuration, the certificates and the list of revoked ones again", a.reloadConfig)
	handle(a, identity.LevelRoot, http.MethodPut, "/config/{key}", "set-config", "Set a live key in the running server; it outlives a restart", a.setConfig)
	handle(a, identity.LevelRoot, http.MethodDelete, "/config/{key}", "unset-config", "Take a key that was set in the running server back to what the file says", a.unsetConfig)
	handle(a, identity.LevelAdmin, http.MethodGet, "/certificates", "list-server-certificates", "List the server's certificates", a.serverCertificates)
	handle(a, identity.LevelRoot, http.MethodPut, "/certificates/{name}", "import-server-certificate", "Check a certificate and its key, and use them on all roads at once; main is what clients get who ask for no other name", a.importServerCertificate)
	handle(a, identity.LevelAdmin, http.MethodGet, "/certificates/acme", "list-acme-certificates", "List the names whose certificates come by ACME, and how it stands with each", a.automaticCertificates)
	handle(a, identity.LevelRoot, http.MethodPost, "/certificates/{name}/renew", "renew-server-certificate", "Get a new certificate for a name by ACME at once, and use it on all roads; the answer comes when it is there", a.renewServerCertificate)
	handle(a, identity.LevelRoot, http.MethodPost, "/certificates/{name}/self-signed", "make-server-certificate", "Make a self-signed certificate and use it in the place of the one that was there", a.makeServerCertificate)
}

func (a *API) config(context.Context, *struct{}) (*struct{ Body []config.Entry }, error) {
	return &struct{ Body []config.Entry }{a.o.Live.Entries()}, nil
}

// PendingConfig is what differs between the disk and the running server.
type PendingConfig struct {
	Changes []config.Change `json:"changes"`
	Error   string          `json:"error" doc:"why the file on disk cannot be used; empty: it can"`
	Faults  []config.Fault  `json:"faults" doc:"each thing that is wrong in it, with its line"`
}

func pendingOf(changes []config.Change, err error) PendingConfig {
	p := PendingConfig{Changes: changes, Faults: []config.Fault{}}
	if p.Changes == nil {
		p.Changes = []config.Change{}
	}
	if err != nil {
		p.Error = err.Error()
		var faults *config.Faults
		if errors.As(err, &faults) {
			p.Faults = faults.List
		}
	}
	return p
}

func (a *API) pendingConfig(ctx context.Context, _ *struct{}) (*struct{ Body PendingConfig }, error) {
	return &struct{ Body PendingConfig }{pendingOf(a.o.Live.Pending(ctx))}, nil
}

// Reloaded is what a reload has done.
type Reloaded struct {
	Applied []config.Change `json:"applied"`
	Waiting []config.Change `json:"waiting" doc:"that take effect at a restart"`
}

func (a *API) reloadConfig(ctx context.Context, _ *struct{}) (*struct{ Body Reloaded }, error) {
	applied, waiting, err := a.o.Live.Reload(ctx, who(ctx).actor)
	if err != nil {
		p := newProblem(http.StatusConflict, codeFailed, err.Error(), "The running configuration stays. Mend the file, then reload again.")
		var faults *config.Faults
		if errors.As(err, &faults) {
			for _, f := range faults.List {
				p.Errors = append(p.Errors, f.Where+": "+f.Message)
			}
		}
		return nil, p
	}
	return &struct{ Body Reloaded }{Reloaded{applied, waiting}}, nil
}

type keyIn struct {
	Key string `path:"key" maxLength:"128" doc:"such as log.level"`
}

type setKeyIn struct {
	Key  string `path:"key" maxLength:"128" doc:"such as log.level"`
	Body struct {
		Value string `json:"value" maxLength:"8192" doc:"as it would stand in a flag"`
	}
}

func (a *API) setConfig(ctx context.Context, in *setKeyIn) (*struct{}, error) {
	return nil, a.o.Live.Set(ctx, who(ctx).actor, in.Key, in.Body.Value)
}

func (a *API) unsetConfig(ctx context.Context, in *keyIn) (*struct{}, error) {
	return nil, a.o.Live.Unset(ctx, who(ctx).actor, in.Key)
}

// fixedConfig is that of a process which has no other.
type fixedConfig struct{ c *config.Config }

func (f fixedConfig) Entries() []config.Entry                                   { return f.c.Entries() }
func (f fixedConfig) Pending(context.Context) ([]config.Change, error)          { return nil, nil }
func (f fixedConfig) Set(context.Context, identity.Actor, string, string) error { return notLive() }
func (f fixedConfig) Unset(context.Context, identity.Actor, string) error       { return notLive() }
func (f fixedConfig) Reload(context.Context, identity.Actor) (applied, waiting []config.Change, err error) {
	return nil, nil, notLive()
}

func notLive() *Problem {
	return newProblem(http.StatusConflict, codeFailed, "This process has no configuration to change.", "")
}

type certNameIn struct {
	Name string `path:"name" maxLength:"100" doc:"main, or a name for the pair"`
}

func (a *API) certs() (*certs.Source, error) {
	if a.o.Certificates != nil {
		src, err := a.o.Certificates()
		if err != nil || src != nil {
			return src, err
		}
	}
	return nil, newProblem(http.StatusNotFound, codeNotFound, "there are no certificates yet", "The first start of the server makes one.")
}

func (a *API) serverCertificates(context.Context, *struct{}) (*struct{ Body []certs.Described }, error) {
	src, err := a.certs()
	if err != nil {
		return nil, err
	}
	return &struct{ Body []certs.Described }{src.List()}, nil
}

type importCertIn struct {
	Name string `path:"name" maxLength:"100" doc:"main, or a name for the pair"`
	Body struct {
		Certificate string `json:"certificate" maxLength:"500000" doc:"PEM: the server's own first, then those that lead to the authority"`
		Key         string `json:"key" maxLength:"100000" doc:"PEM, unlocked"`
	}
}

func (a *API) importServerCertificate(ctx context.Context, in *importCertIn) (*struct{ Body certs.Described }, error) {
	return a.changeCertificate(ctx, "certificate.import", in.Name, func(src *certs.Source) (certs.Described, error) {
		return src.Import(in.Name, []byte(in.Body.Certificate), []byte(in.Body.Key))
	})
}

func (a *API) makeServerCertificate(ctx context.Context, in *certNameIn) (*struct{ Body certs.Described }, error) {
	return a.changeCertificate(ctx, "certificate.selfsigned", in.Name, func(src *certs.Source) (certs.Described, error) {
		if err := src.SelfSigned(in.Name); err != nil {
			return certs.Described{}, err
		}
		for _, i := range src.List() {
			if i.Name == in.Name {
				return i, nil
			}
		}
		return certs.Described{}, errors.New("the new certificate is not used; the log says why")
	})
}

func (a *API) automaticCertificates(context.Context, *struct{}) (*struct{ Body []certs.Automatic }, error) {
	src, err := a.certs()
	if err != nil {
		return nil, err
	}
	return &struct{ Body []certs.Automatic }{src.Automatic()}, nil
}

func (a *API) renewServerCertificate(ctx context.Context, in *certNameIn) (*struct{ Body certs.Described }, error) {
	src, err := a.certs()
	if err != nil {
		return nil, err
	}
	order, err := src.Renew(ctx, in.Name)
	switch {
	case errors.Is(err, certs.ErrNotAutomatic):
		return nil, newProblem(http.StatusNotFound, codeNotFound, "No certificate for "+strconv.Quote(in.Name)+" comes by ACME.", "tls.acme turns it on; GET /certificates/acme lists the names.")
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, newProblem(http.StatusConflict, codeFailed, "No new certificate for "+order.Name+": "+err.Error()+".", order.Advice)
	}
	return a.changeCertificate(ctx, "certificate.renew", order.Name, func(src *certs.Source) (certs.Described, error) { return src.For(order.Name), nil })
}

// changeCertificate does something to a pair, and records it.
func (a *API) changeCertificate(ctx context.Context, event, name string, do func(*certs.Source) (certs.Described, error)) (*struct{ Body certs.Described }, error) {
	src, err := a.certs()
	if err != nil {
		return nil, err
	}
	info, err := do(src)
	if err != nil {
		return nil, invalid("%v", err)
	}
	by := who(ctx).actor
	e := identity.AuditEvent{Event: event, Actor: by.User, Via: by.Via, Remote: by.Remote, Subject: name, Result: "ok",
		Detail: "SHA-256 " + info.Fingerprint + ", until " + info.Until.Format(time.DateOnly)}
	if err := a.id.Record(ctx, e); err != nil {
		return nil, err
	}
	return &struct{ Body certs.Described }{info}, nil
}
