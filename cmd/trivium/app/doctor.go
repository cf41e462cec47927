package app

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"go.uber.org/fx"

	"trivium/config"
	"trivium/doctor"
	"trivium/identity"
	"trivium/internal/certs"
	"trivium/internal/sqldb"
)

// doctorEvery is how often the server looks at itself; doctorAfter how soon after its start, when the
// listeners are open and nobody waits for it.
const (
	doctorEvery = time.Hour
	doctorAfter = 2 * time.Second
)

// patient is what the checks look at.
type patient struct {
	cfg      *config.Config
	identity *identity.Service
	db       *sqldb.DB
	status   *status
	certs    certificates
	disk     func(map[string]string) (*config.Config, error) // reads the configuration again; nil: it has just been read
	live     bool                                            // the server is running, not only looked at
	names    *net.Resolver
}

// certificates gives those in use; of a server that is not running, those that it would use.
type certificates func() (*certs.Source, error)

// newDoctor is the list of checks; the parts of the server join theirs with Add.
func newDoctor(lc fx.Lifecycle, cfg *config.Config, s *identity.Service, db *sqldb.DB, st *status, c certificates, src liveSource, log *slog.Logger, live serving) *doctor.Service {
	p := &patient{cfg: cfg, identity: s, db: db, status: st, certs: c, disk: src.load, live: bool(live), names: net.DefaultResolver}
	d := doctor.New(p.checks()...)
	if live {
		background(lc, func(ctx context.Context) {
			select {
			case <-time.After(doctorAfter):
			case <-ctx.Done():
				return
			}
			settle := sync.OnceFunc(settleMemory) // the first look goes to all roads, and leaves what it has read
			d.Background(ctx, doctorEvery, func(r doctor.Report) {
				tellReport(log, r)
				settle()
			})
		})
	}
	return d
}

// checks are those that this package makes itself.
func (p *patient) checks() []doctor.Check {
	list := []doctor.Check{
		{ID: "config.file", Group: doctor.Configuration, About: "the configuration is valid", Run: p.configFile},
		{ID: "config.modes", Group: doctor.Configuration, About: "nobody else reads keys and secrets", Run: p.modes, Fix: p.fixMode},
		{ID: "names.address", Group: doctor.Names, About: "the names lead here", Network: true, Run: p.addresses},
		{ID: "names.srv", Group: doctor.Names, About: "chat clients find the server (SRV)", Network: true, Run: p.services},
		{ID: "certificate", Group: doctor.Certificates, Quick: true, About: "the certificates are for these names, and for now", Run: p.certificates},
		{ID: "ftp.address", Group: doctor.FTP, About: "the address that PASV announces", Run: p.passiveAddress},
		{ID: "ftp.address.name", Group: doctor.FTP, About: "the name leads to the address that PASV announces", Network: true, Run: p.passiveName},
		{ID: "ftp.ports", Group: doctor.FTP, About: "ports for passive data connections", Run: p.passivePorts},
		{ID: "web.https", Group: doctor.Web, About: "the pages are served over https", Run: p.https},
		{ID: "web.public", Group: doctor.Web, About: "the public address leads to this server", Network: true, Run: p.publicURL},
		{ID: "web.proxy", Group: doctor.Web, About: "what proxies say of clients", Run: p.proxies},
		{ID: "storage.space", Group: doctor.Storage, About: "room on the disks", Run: p.space},
		{ID: "storage.files", Group: doctor.Storage, About: "files can be written, with their owners", Run: p.filesRoot},
		{ID: "storage.sync", Group: doctor.Storage, About: "what is written reaches the disk", Run: p.sync},
		{ID: "storage.database", Group: doctor.Storage, About: "the database is whole", Slow: true, Run: p.database},
		{ID: "accounts.administrators", Group: doctor.Accounts, Quick: true, About: "more than one administrator", Run: p.administrators},
		{ID: "accounts.factors", Group: doctor.Accounts, Quick: true, About: "administrators with a second factor", Run: p.factors},
		{ID: "maintenance", Group: doctor.System, Quick: true, About: "the server is open to everybody", Run: p.maintenance},
		{ID: "system.clock", Group: doctor.System, About: "the clock is kept right", Run: p.clock},
		{ID: "system.files", Group: doctor.System, About: "open files for all sessions", Run: p.openFiles},
		{ID: "audit.chain", Group: doctor.Audit, About: "nobody has changed the audit log", Slow: true, Run: p.auditChain},
	}
	return append(list, p.roadChecks()...)
}

// limits are those in force.
func (p *patient) limits() identity.Limits {
	if p.identity == nil {
		return identityLimits(p.cfg)
	}
	return p.identity.Registry.Limits()
}

// tellReport puts what somebody should see into the log.
func tellReport(log *slog.Logger, r doctor.Report) {
	for _, x := range r.Attention() {
		level := slog.LevelInfo
		if x.State == doctor.Failed {
			level = slog.LevelWarn
		}
		log.Log(context.Background(), level, "a check of the server did not pass", "event", "doctor", "check", x.ID, "found", x.Title, "fix", x.Fix)
	}
}

// The results, in short.
func good(id, title string) doctor.Result {
	return doctor.Result{ID: id, Title: title, State: doctor.OK}
}

func skipped(id, title, why string) doctor.Result {
	return doctor.Result{ID: id, Title: title, State: doctor.Skipped, Why: why}
}

func warning(id, title, why, fix string) doctor.Result {
	return doctor.Result{ID: id, Title: title, State: doctor.Warning, Why: why, Fix: fix}
}

func failed(id, title, why, fix string) doctor.Result {
	return doctor.Result{ID: id, Title: title, State: doctor.Failed, Why: why, Fix: fix}
}

// one is a list of a single result.
func one(r doctor.Result) []doctor.Result { return []doctor.Result{r} }
