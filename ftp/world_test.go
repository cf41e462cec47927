package ftp_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"trivium/config"
	"trivium/files"
	"trivium/files/local"
	"trivium/ftp"
	"trivium/identity"
	"trivium/identity/sqlstore"
	"trivium/internal/certs"
	"trivium/internal/sqldb/sqltest"
)

// world is a real server: accounts in SQLite, files on disk, sockets on loopback. It has the user
// alice, whose home is the folder that read and write mean.
type world struct {
	t        testing.TB
	srv      *ftp.Server
	addr     string // explicit
	ftps     string // implicit
	password string // of every user
	cfg      config.FTP
	limits   config.Limits
	policy   map[string]string
	contact  string
	prepare  func(*ftp.Server)               // before it listens; nil: nothing
	options  func(*identity.Options)         // further ones; nil: none
	between  func(ftp.Identity) ftp.Identity // what the road asks in the place of identity itself; nil: nothing
	// connections bounds those of one address that are not logged in; 0: no bound.
	connections int
	domains     []string
	fill        map[string]string // files that are there
	quota       int64             // of homes, in bytes; 0: none
	chat        ftp.Chat
	identity    *identity.Service
	log         *slog.Logger // of this road alone
	resolver    ftp.Resolver
	disk        string // where the files lie; "": in a folder of the test
	home        string
	pub         string
}

var root = identity.Actor{Level: identity.LevelRoot, Via: "cli"}

func newWorld(t testing.TB, set ...func(*world)) *world {
	t.Helper()
	w := &world{t: t, password: "secret for tests", domains: []string{"example.org", "example.net"},
		cfg: config.FTP{Listen: []string{"127.0.0.1:0"}, TLSListen: []string{"127.0.0.1:0"}, TLS: "optional",
			PassivePorts: "0-0", PublicAddress: "auto", TLSReuse: "own"},
		limits: config.Limits{LoginTimeout: patience, TLSTimeout: patience, FTPIdleTimeout: time.Minute,
			FTPDataTimeout: 2 * time.Second, FTPStallTimeout: patience, LoginAttemptsFTP: 3}}
	w.log = slog.New(slog.DiscardHandler)
	for _, f := range set {
		f(w)
	}
	log := slog.New(slog.DiscardHandler)
	db := sqltest.Migrated(t, sqlstore.Migrate)
	o := identity.Options{Store: sqlstore.New(db), Log: log, Domain: "example.org", Domains: w.domains[1:], SealKey: make([]byte, 32), Policy: w.policy,
		Limits:       identity.Limits{UnauthenticatedPerAddress: w.connections},
		DefaultLevel: identity.LevelUser, SCRAMIterations: 4096}
	if w.cfg.Anonymous {
		o.AnonymousRoads = []identity.Road{identity.RoadFTP}
	}
	if w.options != nil {
		w.options(&o)
	}
	service, err := identity.New(t.Context(), o)
	must(t, err)
	w.identity = service
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- service.Run(ctx) }()
	w.add("alice", identity.LevelUser)
	_, err = service.AddUser(t.Context(), root, identity.NewUser{Login: "alice@" + w.domains[1], Level: identity.LevelUser,
		Password: identity.NewSecret("of the other")})
	must(t, err)

	dir := w.disk
	if dir == "" {
		dir = t.TempDir()
	}
	store, err := local.Open(dir)
	must(t, err)
	tree, err := files.New(files.Options{Backend: store, Policy: service, Mask: 0o027, Sync: true, Domain: "example.org", QuotaBytes: w.quota, Log: log})
	must(t, err)
	w.home = filepath.Join(dir, "example.org", "home", "alice")
	w.pub = filepath.Join(dir, "example.org", "pub")
	for _, d := range []string{w.home, w.pub} {
		must(t, os.MkdirAll(d, 0o755))
	}
	for name, content := range w.fill {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(w.home, name)), 0o755))
		w.write(name, []byte(content))
		then := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
		must(t, os.Chtimes(filepath.Join(w.home, name), then, then))
	}
	src, err := certs.Load(certs.Options{Dir: t.TempDir(), Domains: []string{"example.org"}, Log: log})
	must(t, err)
	var asked ftp.Identity = service
	if w.between != nil {
		asked = w.between(service)
	}
	w.srv, err = ftp.New(ftp.Options{Resolver: w.resolver, Config: w.cfg, Limits: w.limits, SiteName: "Example", Contact: w.contact, Domains: w.domains, Chat: w.chat, Identity: asked,
		Registry: service.Registry, Files: tree, TLS: src.Config("ftp"), Log: w.log})
	must(t, err)
	if w.prepare != nil {
		w.prepare(w.srv)
	}
	must(t, w.srv.Listen(t.Context()))
	for _, b := range w.srv.Addrs() {
		switch b.Name {
		case "ftp":
			w.addr = b.Addr
		case "ftps":
			w.ftps = b.Addr
		}
	}
	served := make(chan error, 1)
	go func() { served <- w.srv.Serve() }()
	t.Cleanup(func() {
		brief, stop := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer stop()
		if err := w.srv.Shutdown(brief); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		cancel()
		<-ran
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) add(login string, level identity.Level) {
	w.t.Helper()
	_, err := w.identity.AddUser(w.t.Context(), root, identity.NewUser{Login: login, Level: level, Password: identity.NewSecret(w.password)})
	must(w.t, err)
}

func (w *world) read(name string) []byte {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.home, name))
	if err != nil {
		w.t.Error(err)
	}
	return b
}

func (w *world) write(name string, content []byte) {
	w.t.Helper()
	must(w.t, os.WriteFile(filepath.Join(w.home, name), content, 0o640))
}

func (w *world) exists(name string) bool {
	_, err := os.Stat(filepath.Join(w.home, name))
	return err == nil
}

// sessions lists what is going on.
func (w *world) sessions() []identity.Info {
	return w.identity.Registry.List(identity.Filter{Protocol: identity.ProtocolFTP})
}

// moved is how many bytes the running transfers have received.
func (w *world) moved() (n int64) {
	for _, i := range w.sessions() {
		if i.State == identity.StateTransfer {
			n += i.BytesIn
		}
	}
	return n
}

func (w *world) busy() bool {
	for _, i := range w.sessions() {
		if i.State == identity.StateTransfer {
			return true
		}
	}
	return false
}
