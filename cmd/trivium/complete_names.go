package main

import (
	"context"
	"encoding/json"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"trivium/config"
)

const (
	// completionWait is how long somebody who has pressed the key waits for names, where no --timeout says.
	completionWait = 300 * time.Millisecond
	// maxNames bounds what is offered; more help nobody.
	maxNames = 200
)

// names lists what of the server's goes on like part; nothing where no server answers at once.
func (p *place) names(s *shell, value, part string) []word {
	switch kind := p.kind(value); kind {
	case "":
		return nil
	case "key":
		list := configKeys(s, part)
		if value == "set" { // KEY=VALUE
			for i := range list {
				list[i].text += "="
			}
		}
		return list
	case "level":
		return starting(levels()[:len(levels())-1], part)
	default:
		return p.ask(s, listOf()[kind], part)
	}
}

// kind says what a value is the name of, by its own name and by the command that it belongs to.
func (p *place) kind(value string) string {
	path := strings.Join(pathOf(p.node)[1:], " ")
	noun, verb, _ := strings.Cut(path, " ")
	value = strings.ToLower(value)
	if strings.HasPrefix(verb, "add") && (value == "name" || value == "login" && noun == "user" || value == noun || value == "alias") {
		return "" // a new one
	}
	switch value {
	case "login", "user", "users", "owner":
		return "user"
	case "group", "groups", "primary":
		return "group"
	case "class", "classes":
		return "class"
	case "source":
		return "source"
	case "alias":
		return "alias"
	case "level", "required", "max-level", "min-level":
		return "level"
	case "key", "set":
		if noun == "config" || value == "set" {
			return "key"
		}
	case "resource":
		if verb == "unset" {
			return "rule"
		}
		return "resource"
	case "address":
		if noun == "ban" && strings.Contains(verb, "remove") {
			return "ban"
		}
	case "id", "code":
		return noun // of a session, token, share, application, invite, transfer
	}
	return ""
}

// listOf says where the names of a kind are listed, and which members of a row are the name and what it means.
func listOf() map[string]struct{ path, name, help string } {
	return map[string]struct{ path, name, help string }{
		"user":        {"/users", "user", "display_name"},
		"group":       {"/groups", "name", "description"},
		"class":       {"/classes", "name", ""},
		"source":      {"/sources", "name", "kind"},
		"alias":       {"/aliases", "alias", "user"},
		"rule":        {"/policy", "pattern", ""},
		"resource":    {"/policy/catalogue", "resource", ""},
		"ban":         {"/bans", "prefix", "reason"},
		"session":     {"/sessions", "id", "user"},
		"transfer":    {"/transfers", "id", "user"},
		"token":       {"/tokens", "id", "label"},
		"share":       {"/shares", "id", "path"},
		"invite":      {"/invites", "id", "note"},
		"application": {"/applications", "id", "name"},
		"announce":    {"/announcements", "id", "text"},
	}
}

// ask reads a list from the running server. It never opens the store in a server's place: the key may be
// pressed while one starts.
func (p *place) ask(s *shell, from struct{ path, name, help string }, part string) []word {
	wait := completionWait
	if time.Duration(s.Timeout) != defaultTimeout {
		wait = s.wait()
	}
	ctx, cancel := context.WithTimeout(s.ctx, wait)
	defer cancel()
	socket := s.Socket
	if v := p.given["socket"]; v != "" {
		socket = v
	}
	if socket == "" {
		cfg, err := p.config(s)
		if err != nil {
			return nil
		}
		socket = filepath.Join(cfg.DataDir, "control.sock")
	}
	if fi, err := os.Stat(socket); err != nil || fi.Mode()&fs.ModeSocket == 0 {
		return nil
	}
	silent := &shell{Globals: &Globals{Socket: socket}, ctx: ctx, environ: s.environ, stdout: s.stdout, stderr: s.stderr}
	defer func() { _ = silent.close() }()
	q := url.Values{}
	if from.path == "/users" {
		q = query("text", part, "limit", "200")
	}
	text, err := silent.call("GET", from.path, q, nil)
	if err != nil {
		return nil
	}
	var rows []map[string]any
	if json.Unmarshal(text, &rows) != nil {
		return nil
	}
	var list []word
	for _, row := range rows {
		name, _ := row[from.name].(string)
		help, _ := row[from.help].(string)
		list = append(list, word{name, help})
	}
	return starting(list, part)
}

// config is what the line so far would load.
func (p *place) config(s *shell) (*config.Config, error) {
	_, dev := p.given["dev"]
	line := &shell{Globals: &Globals{Config: p.given["config"], DataDir: p.given["data-dir"], Dev: dev}, environ: s.environ}
	return line.config()
}

func configKeys(s *shell, part string) []word {
	cfg, err := s.config()
	if err != nil {
		return nil
	}
	var list []word
	for _, e := range cfg.Entries() {
		list = append(list, word{e.Key, e.Text()})
	}
	return starting(list, part)
}

// starting keeps the words that begin with part, up to maxNames.
func starting(list []word, part string) []word {
	var kept []word
	for _, w := range list {
		if w.text != "" && strings.HasPrefix(w.text, part) && len(kept) < maxNames {
			kept = append(kept, w)
		}
	}
	return kept
}
