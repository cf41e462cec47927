package main

import (
	"fmt"
	"io"
	"strings"

	"trivium/config"
)

type configCmd struct {
	Check    configCheckCmd    `cmd:"" help:"Say everything that is wrong in the configuration."`
	Show     configShowCmd     `cmd:"" help:"Show the settings in effect and where each came from."`
	Example  configExampleCmd  `cmd:"" help:"Print a commented configuration file."`
	Describe configDescribeCmd `cmd:"" help:"Explain a key or section."`
	Diff     configDiffCmd     `cmd:"" help:"Compare the running server with the file on disk."`
	Reload   configReloadCmd   `cmd:"" help:"Let the running server read its configuration again."`
	Set      configSetCmd      `cmd:"" help:"Set a key in the running server, where it can change at once."`
	Unset    configUnsetCmd    `cmd:"" help:"Take such a key back to what the file says."`
}

type configCheckCmd struct {
	File string `arg:"" optional:"" name:"file" help:"The file; else the one that serve would take."`
}

// Run checks.
func (c *configCheckCmd) Run(s *shell) error {
	if c.File != "" {
		s.Globals.Config = c.File
	}
	cfg, err := s.config()
	if err != nil {
		return err
	}
	if s.JSON {
		return s.object(struct {
			OK       bool     `json:"ok"`
			File     string   `json:"file"`
			Warnings []string `json:"warnings"`
		}{true, cfg.File, append([]string{}, cfg.Warnings...)})
	}
	for _, w := range cfg.Warnings {
		s.note("%s %s", s.paint(s.stderr, yellow, "warning:"), printable(w))
	}
	what := cfg.File
	if what == "" {
		what = "The configuration (no file, the defaults)"
	}
	return s.say("%s %s is good.", s.paint(s.stdout, green, "ok:"), what)
}

type configShowCmd struct {
	Key     string `arg:"" optional:"" name:"key" help:"Only this key or section."`
	Changed bool   `name:"changed" help:"Only what differs from the defaults."`
	Running bool   `name:"running" help:"What the running server uses, with what was set in it, and not what a new one would."`
	Live    bool   `name:"live" help:"Only what can change while the server runs."`
	Sources bool   `name:"sources" help:"Show where each value came from; it is shown in any case."`
}

// Run shows what a server that is started now would use.
func (c *configShowCmd) Run(s *shell) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	list, all := []config.Entry{}, cfg.Entries()
	if c.Running {
		if err := s.live(); err != nil {
			return err
		}
		all = nil
		if _, err := s.get("/config", nil, &all); err != nil {
			return err
		}
	}
	for _, e := range all {
		if c.Key != "" && e.Key != c.Key && !strings.HasPrefix(e.Key, c.Key+".") || c.Changed && !e.Changed() || c.Live && !e.Live {
			continue
		}
		list = append(list, e)
	}
	if len(list) == 0 && c.Key != "" && !c.Changed {
		if _, err := config.Describe(c.Key); err != nil {
			return &failure{exit: exitNotFound, code: "not_found", message: err.Error()}
		}
	}
	if s.JSON {
		return s.object(list)
	}
	var rows [][]string
	for _, e := range list {
		rows = append(rows, []string{e.Key, e.Text(), e.Source})
	}
	return s.table("Everything is at its default.", []string{"KEY", "VALUE", "SOURCE"}, rows)
}

type configExampleCmd struct{}

// Run prints the example.
func (c *configExampleCmd) Run(s *shell) error {
	if s.JSON {
		return s.object(map[string]string{"example": config.Example()})
	}
	_, err := io.WriteString(s.stdout, config.Example())
	return err
}

type configDescribeCmd struct {
	Key string `arg:"" optional:"" name:"key" help:"A key such as ftp.listen, or a section; else all, in Markdown."`
}

// Run explains.
func (c *configDescribeCmd) Run(s *shell) error {
	page, err := config.Describe(c.Key)
	if err != nil {
		return &failure{exit: exitNotFound, code: "not_found", message: err.Error()}
	}
	if s.JSON {
		return s.object(map[string]string{"key": c.Key, "text": page})
	}
	_, err = fmt.Fprintln(s.stdout, strings.TrimRight(page, "\n"))
	return err
}
