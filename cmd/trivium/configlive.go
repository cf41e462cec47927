package main

import (
	"fmt"
	"net/http"
	"net/url"
)

// change is a key that differs.
type change struct {
	Key    string `json:"key"`
	Before string `json:"before"`
	After  string `json:"after"`
	Source string `json:"source"`
	Live   bool   `json:"live"`
}

func (s *shell) changes(empty string, list []change) error {
	var rows [][]string
	for _, c := range list {
		when := "at a restart"
		if c.Live {
			when = "at a reload"
		}
		rows = append(rows, []string{c.Key, c.Before, c.After, c.Source, when})
	}
	return s.table(empty, []string{"KEY", "RUNNING", "ON DISK", "SOURCE", "APPLIES"}, rows)
}

type configDiffCmd struct{}

// Run compares the running server with what a new one would use.
func (c *configDiffCmd) Run(s *shell) error {
	if err := s.live(); err != nil {
		return err
	}
	var p struct {
		Changes []change `json:"changes"`
		Error   string   `json:"error"`
	}
	if shown, err := s.fetch("/config/pending", nil, &p); shown || err != nil {
		return err
	}
	if p.Error != "" {
		return &failure{exit: exitConfig, code: "config_invalid", message: p.Error, own: true}
	}
	return s.changes("The file says what is running.", p.Changes)
}

type configReloadCmd struct{}

// Run lets the running server read its configuration again.
func (c *configReloadCmd) Run(s *shell) error {
	if err := s.live(); err != nil {
		return err
	}
	var r struct {
		Applied []change `json:"applied"`
		Waiting []change `json:"waiting"`
	}
	if shown, err := s.submit(http.MethodPost, "/config/reload", nil, nil, &r); shown || err != nil {
		return err
	}
	for _, a := range r.Applied {
		if err := s.say("%s: %s is now %s.", a.Key, a.Before, a.After); err != nil {
			return err
		}
	}
	for _, w := range r.Waiting {
		if err := s.say("%s: %s waits for a restart; %s runs.", w.Key, w.After, w.Before); err != nil {
			return err
		}
	}
	if len(r.Applied)+len(r.Waiting) == 0 {
		return s.say("Read again; nothing has changed.")
	}
	return nil
}

type configSetCmd struct {
	Key   string `arg:"" name:"key" help:"A key that applies at once, such as log.level; config show --live lists them."`
	Value string `arg:"" name:"value" help:"Its value, as in a flag."`
}

// Run sets a key in the running server.
func (c *configSetCmd) Run(s *shell) error {
	if _, err := s.send(http.MethodPut, "/config/"+url.PathEscape(c.Key), nil, map[string]string{"value": c.Value}, nil); err != nil {
		return err
	}
	return s.done(map[string]string{"key": c.Key, "value": c.Value}, "%s is %s from now on, and after a restart.", c.Key, c.Value)
}

type configUnsetCmd struct {
	Key string `arg:"" name:"key" help:"A key that was set in the running server."`
}

// Run goes back to what the file says.
func (c *configUnsetCmd) Run(s *shell) error {
	if _, err := s.send(http.MethodDelete, "/config/"+url.PathEscape(c.Key), nil, nil, nil); err != nil {
		return err
	}
	return s.done(map[string]string{"key": c.Key}, "%s is what file, environment and flags say again.", c.Key)
}

type logCmd struct {
	Level logLevelCmd `cmd:"" help:"Show or set how much is logged, at once."`
}

type logLevelCmd struct {
	Level string `arg:"" optional:"" name:"level" enum:"error,warn,info,debug,trace,file," default:"" help:"error, warn, info, debug or trace; file goes back to what the file says."`
}

// Run shows or sets the level of the log.
func (c *logLevelCmd) Run(s *shell) error {
	switch c.Level {
	case "":
		var list []struct {
			Key    string `json:"key"`
			Value  any    `json:"value"`
			Source string `json:"source"`
		}
		if _, err := s.get("/config", nil, &list); err != nil {
			return err
		}
		for _, e := range list {
			if e.Key == "log.level" {
				if s.JSON {
					return s.object(e)
				}
				return s.result(fmt.Sprintf("%v (%s)", e.Value, e.Source))
			}
		}
		return fmt.Errorf("the server has not said it")
	case "file":
		return (&configUnsetCmd{Key: "log.level"}).Run(s)
	}
	return (&configSetCmd{Key: "log.level", Value: c.Level}).Run(s)
}
