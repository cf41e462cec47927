package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"trivium/config"
)

type manCmd struct {
	Page string `arg:"" optional:"" name:"page" help:"trivium, a command such as user, trivium.toml or concepts; else trivium."`
	Dir  string `name:"dir" placeholder:"DIR" help:"Write all pages into the folders man1, man5 and man7 of this one."`
}

// Help is kong's.
func (c *manCmd) Help() string {
	return `Examples:

  trivium man user | man -l -
  sudo trivium man --dir /usr/local/share/man`
}

// Run writes one page, or all of them.
func (c *manCmd) Run(s *shell) error {
	pages, err := manPages()
	if err != nil {
		return err
	}
	if c.Dir != "" {
		for _, p := range pages {
			dir := filepath.Join(c.Dir, "man"+p.section)
			if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // a manual is for everybody
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, p.name+"."+p.section), []byte(p.text), 0o644); err != nil { //nolint:gosec // as above
				return err
			}
		}
		return s.say("Wrote %d manual pages to %s.", len(pages), c.Dir)
	}
	name := c.Page
	if name == "concepts" {
		name = "trivium.7"
	}
	for _, p := range pages {
		if name == "" || name == p.name || name == p.name+"."+p.section || "trivium-"+name == p.name {
			_, err := io.WriteString(s.stdout, p.text)
			return err
		}
	}
	f := usage("there is no manual page %q", c.Page)
	f.exit, f.code, f.hint = exitNotFound, "not_found", "the pages are trivium, those of the commands, trivium.toml and concepts"
	return f
}

// manPage is one page, in the language of man(7).
type manPage struct{ name, section, text string }

// manPages are all pages, made from the command tree and the schema of the configuration.
func manPages() ([]manPage, error) {
	parser, _, err := newParser(&commands{}, io.Discard, io.Discard)
	if err != nil {
		return nil, err
	}
	root := parser.Model.Node
	pages := []manPage{manOverview(root)}
	for _, n := range root.Children {
		if !n.Hidden {
			pages = append(pages, manCommand(n))
		}
	}
	// The keys and their defaults, whatever files lie about here.
	cfg, err := config.Load(config.Options{File: os.DevNull})
	if err != nil {
		return nil, err
	}
	return append(pages, manConfig(cfg), manConcepts()), nil
}

func manOverview(root *kong.Node) manPage {
	r := newRoff("trivium", "1")
	r.section("NAME")
	r.text("trivium - files by FTP, WebDAV and web, chat by XMPP, with one account for all")
	r.section("SYNOPSIS")
	r.bold("trivium", " COMMAND [flags]")
	r.section("DESCRIPTION")
	r.text("One server with three roads to one set of accounts. Commands are nouns, then verbs. Results go to standard output, messages to standard error. Commands work with the server running, over its control socket, or stopped, but for those about what is live. A password never stands on the command line.")
	r.section("COMMANDS")
	for _, n := range root.Children {
		if !n.Hidden {
			r.item("trivium "+n.Name, n.Help+" See trivium-"+n.Name+"(1).")
		}
	}
	r.section("FLAGS OF EVERY COMMAND")
	r.flags(root.Flags)
	r.section("EXIT STATUS")
	for _, row := range exitRows() {
		r.item(row[0], row[1])
	}
	r.section("ENVIRONMENT")
	r.item("TRIVIUM_CONFIG", "The configuration file.")
	r.item("TRIVIUM_DATA_DIR", "The data directory.")
	r.item("TRIVIUM_SOCKET", "The control socket of the server.")
	r.item("NO_COLOR", "No colours.")
	r.item("TRIVIUM_SECTION_KEY", "Any key of the configuration, see trivium.toml(5).")
	r.section("SEE ALSO")
	r.text("trivium.toml(5), trivium(7)")
	return r.page()
}

func manCommand(n *kong.Node) manPage {
	r := newRoff("trivium-"+n.Name, "1")
	r.section("NAME")
	r.text("trivium-" + n.Name + " - " + strings.TrimSuffix(n.Help, "."))
	leaves := []*kong.Node{n}
	if len(n.Children) > 0 {
		leaves = n.Leaves(true)
	}
	r.section("SYNOPSIS")
	for _, leaf := range leaves {
		r.bold(strings.Join(pathOf(leaf), " "), strings.TrimPrefix(usageLine(leaf), strings.Join(pathOf(leaf), " ")))
		r.breakLine()
	}
	for _, leaf := range leaves {
		r.section(strings.ToUpper(strings.Join(pathOf(leaf)[1:], " ")))
		r.text(leaf.Help)
		for _, p := range leaf.Positional {
			r.item(strings.ToUpper(p.Name), p.Help)
		}
		r.flags(leaf.Flags)
		if _, examples, ok := strings.Cut(leaf.Detail, "Examples:\n\n"); ok {
			r.verbatim(unindent(examples))
		}
	}
	r.section("SEE ALSO")
	r.text("trivium(1) for the flags of every command and the exit status, trivium(7)")
	return r.page()
}

func manConfig(cfg *config.Config) manPage {
	r := newRoff("trivium.toml", "5")
	r.section("NAME")
	r.text("trivium.toml - the configuration of trivium")
	r.section("DESCRIPTION")
	r.text("TOML. Every key is optional. Later layers win: defaults, the file, the environment, --set section.key=value. The file is looked for at --config, $TRIVIUM_CONFIG, ./trivium.toml, $XDG_CONFIG_HOME/trivium/trivium.toml, /etc/trivium/trivium.toml. Times are written 30s 5m 12h 7d, sizes 500KB 100MB 2GiB, addresses :21 or 127.0.0.1:2121; @file:PATH reads a secret from a file.")
	r.text("`trivium config example` prints a commented file, `trivium config check` lists all faults of one, `trivium config show` says where each value came from.")
	heading := ""
	for i, e := range sectionsLast(cfg.Entries()) {
		section, _, ok := strings.Cut(e.Key, ".")
		switch {
		case !ok && i == 0:
			r.section("KEYS AT THE TOP")
		case ok && section != heading:
			heading = section
			r.section("[" + section + "]")
		}
		text := strings.TrimSuffix(e.Doc, ".") + ". "
		if e.Default != nil {
			text += "Default: " + config.Entry{Value: e.Default}.Text() + ". "
		}
		text += "Value: " + e.Type + "."
		if e.Env != "" {
			text += " Environment: " + e.Env + "."
		}
		r.item(e.Key, text)
	}
	r.section("SEE ALSO")
	r.text("trivium(1), trivium-config(1)")
	return r.page()
}

// sectionsLast puts the keys without a section first, as TOML wants them.
func sectionsLast(list []config.Entry) []config.Entry {
	slices.SortStableFunc(list, func(a, b config.Entry) int {
		return min(strings.Count(a.Key, "."), 1) - min(strings.Count(b.Key, "."), 1)
	})
	return list
}

func manConcepts() manPage {
	r := newRoff("trivium", "7")
	r.section("NAME")
	r.text("trivium - the words of Trivium")
	r.section("DESCRIPTION")
	for _, row := range [][2]string{
		{"account", "A person or a program: login@domain, with an immutable ID and a uid that is never given twice. It is the same on every road."},
		{"road", "A way in: FTP, the web (pages, WebDAV, API), chat by XMPP."},
		{"session", "One presence of somebody over one protocol, from the moment the connection is accepted. All sessions stand in one list (trivium session list) and each can be ended there."},
		{"level", "What an account may, as a number with a name: none 0, anonymous 1, loggedin 2, user 10, customer 20, staff 30, moderator 40, admin 50, root 100. Nobody 125 is only ever demanded and never held."},
		{"policy", "The table that says which level a resource needs: a page, a command of FTP, a feature of chat, a path (trivium policy explain)."},
		{"class", "Where a client comes from, by its address; a class bounds what its clients may do (trivium class test)."},
		{"group", "A folder, a group of contacts and rights in one."},
		{"app password", "A secret for one program, of less than the account's whole right. With a second factor, programs that cannot ask for a code need one."},
		{"second factor", "A passkey, or a code of an authenticator app, asked for beside the password."},
		{"ban", "An address that may not connect. An account is disabled instead, a session is ended."},
		{"share", "A link to a file or folder that works without an account, or a drop box that takes files."},
	} {
		r.item(row[0], row[1])
	}
	r.section("WHAT CHANGES AT ONCE")
	r.text("A change of a password, a level, a group, a rule or a token is written first; then every live session that it touches, on every road, goes on with its new rights or ends, before the command returns.")
	r.section("SEE ALSO")
	r.text("trivium(1), trivium.toml(5)")
	return r.page()
}
