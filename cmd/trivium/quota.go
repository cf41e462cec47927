package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// quotaInfo is what a tree of files holds, as the API shows it.
type quotaInfo struct {
	Tree       string     `json:"tree"`
	Path       string     `json:"path"`
	User       *string    `json:"user"`
	Bytes      int64      `json:"bytes"`
	Files      int64      `json:"files"`
	LimitBytes int64      `json:"limit_bytes"`
	LimitFiles int64      `json:"limit_files"`
	SoftBytes  int64      `json:"soft_bytes"`
	SoftFiles  int64      `json:"soft_files"`
	SoftSince  *time.Time `json:"soft_since"`
	GraceEnds  *time.Time `json:"grace_ends"`
	CountedAt  *time.Time `json:"counted_at"`
	Current    bool       `json:"current"`
}

// state is the quota in a word or two.
func (q *quotaInfo) state(now time.Time) string {
	switch {
	case q.LimitBytes >= 0 && q.Bytes >= q.LimitBytes, q.LimitFiles >= 0 && q.Files >= q.LimitFiles:
		return "full"
	case q.GraceEnds != nil && !now.Before(*q.GraceEnds):
		return "grace ended " + day(q.GraceEnds)
	case q.GraceEnds != nil:
		return "grace until " + day(q.GraceEnds)
	case !q.Current:
		return "to be counted"
	}
	return "ok"
}

// most is a limit in a column; "-" for none.
func most(n int64, show func(int64) string) string {
	if n < 0 {
		return "-"
	}
	return show(n)
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

type quotaCmd struct {
	List    quotaListCmd    `cmd:"" aliases:"ls" help:"List what every home, group folder and /pub holds and may hold."`
	Show    quotaShowCmd    `cmd:"" help:"Show what an account's home holds and may hold."`
	Recount quotaRecountCmd `cmd:"" help:"Count files one by one: after changes behind the server's back, or in doubt."`
}

type quotaListCmd struct{}

// Run lists the trees.
func (c *quotaListCmd) Run(s *shell) error {
	return tableOf(s, "/quotas", nil, "No files yet.", []string{"TREE", "USED", "LIMIT", "SOFT", "FILES", "LIMIT", "STATE", "COUNTED"}, func(q quotaInfo) []string {
		return []string{q.Tree, size(q.Bytes), most(q.LimitBytes, size), most(q.SoftBytes, size), number(q.Files), most(q.LimitFiles, number), q.state(time.Now()), day(q.CountedAt)}
	}, "USED", "LIMIT", "SOFT", "FILES")
}

type quotaShowCmd struct {
	Login string `arg:"" name:"login" help:"Login, alias or login@domain."`
}

// Run shows one account's home.
func (c *quotaShowCmd) Run(s *shell) error {
	var q quotaInfo
	if shown, err := s.fetch("/users"+at(c.Login)+"/quota", nil, &q); shown || err != nil {
		return err
	}
	return s.fields("tree", q.Tree, "used", q.used(), "files", q.usedFiles(), "soft limit", most(q.SoftBytes, size), "soft limit of files", most(q.SoftFiles, number),
		"beyond it since", since(q.SoftSince), "state", q.state(time.Now()), "counted", day(q.CountedAt))
}

// used and usedFiles are "1.2 GB of 5.0 GB" and "12 of 100".
func (q *quotaInfo) used() string {
	if q.LimitBytes < 0 {
		return size(q.Bytes)
	}
	return size(q.Bytes) + " of " + size(q.LimitBytes)
}

func (q *quotaInfo) usedFiles() string {
	if q.LimitFiles < 0 {
		return number(q.Files)
	}
	return number(q.Files) + " of " + number(q.LimitFiles)
}

// since is a time that may not have come, "" then.
func since(t *time.Time) string {
	if t == nil {
		return ""
	}
	return day(t)
}

type quotaRecountCmd struct {
	Which string `arg:"" optional:"" name:"tree" help:"A tree as quota list names it, its path such as /groups/staff, or the login of whose home it is."`
	All   bool   `name:"all" help:"Every tree."`
}

// Help shows examples.
func (c *quotaRecountCmd) Help() string {
	return "Examples:\n\n  trivium quota recount alice\n  trivium quota recount /groups/staff\n  trivium quota recount --all"
}

// recountWait is how long one tree may take, unless --timeout says something else: millions of files on a slow
// disk.
const recountWait = 24 * time.Hour

// progressEvery is how often a line of progress goes to what is no terminal.
const progressEvery = 10 * time.Second

// Run counts the trees one after another. The server may run, and people may work in them.
func (c *quotaRecountCmd) Run(s *shell) error {
	if (c.Which == "") == !c.All {
		return usage("say which tree: a login, a path, or --all")
	}
	trees, err := c.trees(s)
	if err != nil {
		return err
	}
	if time.Duration(s.Timeout) == defaultTimeout {
		s.Timeout = duration(recountWait)
	}
	var rows [][]string
	all := []json.RawMessage{}
	told := time.Now()
	for i, old := range trees {
		var q quotaInfo
		text, err := s.send(http.MethodPost, "/quotas/recount", nil, map[string]any{"tree": old.Tree}, &q)
		if err != nil {
			return err
		}
		all = append(all, bytes.TrimSpace(text))
		rows = append(rows, []string{q.Tree, size(q.Bytes), number(q.Files), difference(old, q)})
		if len(trees) > 1 && (terminal(s.stderr) || time.Since(told) >= progressEvery) {
			told = time.Now()
			s.note("%d of %d trees counted", i+1, len(trees))
		}
	}
	if s.JSON {
		return s.object(all)
	}
	return s.table("No files yet.", []string{"TREE", "USED", "FILES", "CHANGED BY"}, rows, "USED", "FILES")
}

// difference is what a count has found beside what was believed; "-" for nothing.
func difference(old, now quotaInfo) string {
	if !old.Current {
		return "was not known"
	}
	if now.Bytes == old.Bytes && now.Files == old.Files {
		return "-"
	}
	return fmt.Sprintf("%+d B, %+d files", now.Bytes-old.Bytes, now.Files-old.Files)
}

// trees finds what is meant.
func (c *quotaRecountCmd) trees(s *shell) ([]quotaInfo, error) {
	var list []quotaInfo
	if _, err := s.get("/quotas", nil, &list); err != nil || c.All {
		return list, err
	}
	name := c.Which
	if !strings.Contains(name, "/") {
		var home quotaInfo
		if _, err := s.get("/users"+at(name)+"/quota", nil, &home); err != nil {
			return nil, err
		}
		name = home.Tree
	}
	for _, q := range list {
		if q.Tree == name || q.Path == name {
			return []quotaInfo{q}, nil
		}
	}
	return nil, &failure{exit: exitNotFound, code: "not_found", message: fmt.Sprintf("there are no files of %q", c.Which), hint: "see which there are with: trivium quota list"}
}
