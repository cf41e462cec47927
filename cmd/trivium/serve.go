package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"trivium/cmd/trivium/app"
	"trivium/config"
)

type serveCmd struct {
	LogFormat string `name:"log-format" placeholder:"FORMAT" enum:"auto,text,json," default:"" help:"auto, text or json."`
	LogLevel  string `name:"log-level" placeholder:"LEVEL" enum:"error,warn,info,debug,trace," default:"" help:"error, warn, info, debug or trace."`
}

// Help has the examples.
func (c *serveCmd) Help() string {
	return "Examples:\n\n  trivium serve --dev\n  trivium serve --config /etc/trivium/trivium.toml\n  trivium serve --dev --set ftp.listen=:2122 --log-format json"
}

// Run serves until a signal comes, or somebody stops the server from within.
func (c *serveCmd) Run(s *shell) error {
	if c.LogFormat != "" {
		s.Set = append(s.Set, "log.format="+c.LogFormat)
	}
	if c.LogLevel != "" {
		s.Set = append(s.Set, "log.level="+c.LogLevel)
	}
	cfg, err := s.config()
	if err != nil {
		return err
	}
	err = app.Serve(s.ctx, cfg, app.ServeOptions{
		Version: version, Stdout: s.stdout, Stderr: s.stderr,
		StdoutTerminal: terminal(s.stdout), StderrTerminal: terminal(s.stderr),
		Started: s.started,
		Reload: func(chosen map[string]string) (*config.Config, error) {
			o := s.configOptions()
			o.Chosen = chosen
			return app.LoadConfig(o)
		},
	})
	if errors.Is(err, app.ErrRestart) {
		return s.again(err)
	}
	return err
}

// again puts the program anew into its process, with the arguments and the environment that it had; so
// it is the same process for who watches over it, and a newer program where one has been put in its place.
// It returns where that cannot be done, or where more than a restart has happened.
func (s *shell) again(stopped error) error {
	if stopped.Error() != app.ErrRestart.Error() {
		fmt.Fprintln(s.stderr, "trivium: while it stopped:", stopped)
	}
	program, err := os.Executable()
	if err == nil {
		err = syscall.Exec(program, os.Args, s.environ) //nolint:gosec // the program itself
	}
	return fmt.Errorf("starting anew: %w", err)
}
