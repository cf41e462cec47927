package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxevent"

	"trivium/config"
	"trivium/ftp"
	"trivium/identity"
	"trivium/internal/certs"
	"trivium/internal/control"
	"trivium/internal/sqldb"
	"trivium/web"
	"trivium/xmpp"
)

const (
	startTimeout = 30 * time.Second
	drainTimeout = 20 * time.Second // how long a stop waits for transfers and streams
)

// ServeOptions is what Serve needs beside the configuration.
type ServeOptions struct {
	Version        string
	Stdout, Stderr io.Writer
	StdoutTerminal bool // a banner for a person instead of the ready line
	StderrTerminal bool
	Started        time.Time // of the process, for took_ms
	// Reload reads the configuration again, with what was set in the running server above the rest; nil:
	// only certificates are read again.
	Reload func(chosen map[string]string) (*config.Config, error)
}

// Serve runs the server until ctx ends, SIGTERM or SIGINT comes, somebody stops it from within, or a
// listener fails, and drains it then. An error at start is one line for a person. ErrRestart where it is
// to be started anew.
func Serve(ctx context.Context, cfg *config.Config, o ServeOptions) (err error) {
	hasten()
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := control.Dir(cfg.DataDir); err != nil {
		return err
	}
	release, err := lock(ctx, cfg.DataDir)
	if err != nil {
		return err
	}
	defer release()
	if err := broken(cfg.DataDir); err != nil {
		return err
	}
	log, lv, closer, err := newLog(cfg.Log, o.Stdout, o.Stderr, o.StderrTerminal)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	for _, w := range cfg.Warnings {
		log.Warn("configuration", "warning", w)
	}
	db, err := openStore(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	if o.Reload != nil {
		cfg = withChosen(ctx, cfg, db, o, log)
		lv.Set(logLevel(cfg.Log.Level))
	}
	p := newProcess(cfg, log, db, o.Version, liveSource{o.Reload, lv})
	return p.run(ctx, o)
}

// withChosen is the configuration with what was set in the running server before it stopped. What does
// not fit any more is said and left out.
func withChosen(ctx context.Context, cfg *config.Config, db *sqldb.DB, o ServeOptions, log *slog.Logger) *config.Config {
	chosen, err := chosenOf(ctx, db)
	if err == nil && len(chosen) == 0 {
		return cfg
	}
	if err == nil {
		var with *config.Config
		if with, err = o.Reload(chosen); err == nil {
			return with
		}
	}
	log.Error("what was set in the running server before does not count; trivium config unset takes it back", "event", "config.error", "err", err)
	return cfg
}

// lock takes the data directory. A command that works on it without a server is waited for; a
// server that runs is not.
func lock(ctx context.Context, dir string) (release func(), err error) {
	deadline := time.Now().Add(lockRetry)
	for {
		release, err = control.Lock(dir)
		if !errors.Is(err, control.ErrLocked) || time.Now().After(deadline) {
			return release, err
		}
		if c, dialErr := control.Dial(ctx, dir); dialErr == nil {
			_ = c.Close()
			return nil, err
		}
		select {
		case <-time.After(lockPause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// process is a composed server.
type process struct {
	app  *fx.App
	cfg  *config.Config
	log  *slog.Logger
	fail *failure
	end  *ending

	identity *identity.Service
	certs    *certs.Source
	ftp      *ftp.Server
	web      *web.Server
	xmpp     *xmpp.Server
	status   *status
	live     *liveConfig
}

func newProcess(cfg *config.Config, log *slog.Logger, db *sqldb.DB, version string, src liveSource) *process {
	p := &process{cfg: cfg, log: log, fail: newFailure(), end: newEnding()}
	p.app = fx.New(
		fx.Supply(cfg, log, db, p.fail, p.end, src, buildVersion(version), serving(true)),
		fx.WithLogger(func() fxevent.Logger {
			l := &fxevent.SlogLogger{Logger: log}
			l.UseLogLevel(levelTrace)
			l.UseErrorLevel(levelTrace) // what goes wrong is said once, by whoever started the process
			return l
		}),
		fx.StartTimeout(startTimeout), fx.StopTimeout(drainTimeout+5*time.Second),
		core(), roads(),
		fx.Populate(&p.identity, &p.certs, &p.ftp, &p.web, &p.xmpp, &p.status, &p.live),
	)
	return p
}

// buildVersion is the version of the program.
type buildVersion string

func (p *process) run(ctx context.Context, o ServeOptions) error {
	if err := p.app.Err(); err != nil {
		return plain(err)
	}
	p.live.also = p.readAgain
	if err := p.start(ctx); err != nil {
		return err
	}
	p.announce(o)
	settleMemory()
	resting, awake := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { restNowAndThen(resting) })
	err := p.wait(ctx)
	awake()
	beside.Wait()
	p.end.done()
	return errors.Join(err, p.stop())
}

func (p *process) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return plain(p.app.Start(ctx)) // what had started is stopped again by fx
}

// stop drains the server. The time limit is the roads': past it they cut.
func (p *process) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	p.log.Info("stopping", "event", "stop")
	err := p.app.Stop(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		p.log.Warn("some sessions were cut", "after", drainTimeout)
		return nil
	}
	return err
}

// wait returns when the process is to end: with the error of a server that failed, or nil.
func (p *process) wait(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-p.fail.once:
			return err
		case again := <-p.end.asked:
			if again {
				return ErrRestart
			}
			return nil
		case <-hup:
			_, _, _ = p.live.Reload(ctx, identity.Actor{Level: identity.LevelRoot, Via: identity.ViaServer}) // it has logged what was wrong
		}
	}
}

// readAgain reads beside the configuration what can change: certificates and what was revoked. What is
// wrong is said, and the old stays.
func (p *process) readAgain() error {
	var errs []error
	if err := p.certs.Reload(); err != nil {
		p.log.Error("the certificate was not read again; the old one stays in use", "event", "reload", "err", err)
		errs = append(errs, fmt.Errorf("the certificate was not read again; the old one stays in use: %w", err))
	}
	p.ftp.ReopenLogs()
	if revoked, err := revokedCertificates(p.cfg.Identity.ClientRevoked); err != nil {
		p.log.Error("the revoked certificates were not read again; the old list stays in use", "event", "reload", "err", err)
		errs = append(errs, err)
	} else {
		p.identity.UseRevoked(revoked)
	}
	return errors.Join(errs...)
}

func (p *process) announce(o ServeOptions) {
	link, err := p.status.setupLink(context.Background())
	if err != nil {
		p.log.Error("the set-up link cannot be made", "err", err)
	}
	took := time.Since(o.Started)
	bound := p.status.bound()
	p.log.Info("ready", "event", "ready", "took_ms", took.Milliseconds())
	if o.StdoutTerminal {
		printBanner(o.Stdout, p.cfg, o.Version, bound, link)
		return
	}
	if err := printReady(o.Stdout, bound, link, took); err != nil {
		p.log.Warn("the ready line was not written", "err", err)
	}
}
