package main

import (
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

// Run serves until a signal comes.
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
	return app.Serve(s.ctx, cfg, app.ServeOptions{
		Version: version, Stdout: s.stdout, Stderr: s.stderr,
		StdoutTerminal: terminal(s.stdout), StderrTerminal: terminal(s.stderr),
		Started: s.started,
		Reload:  func() (*config.Config, error) { return app.LoadConfig(s.configOptions()) },
	})
}
