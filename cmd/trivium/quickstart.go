package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/net/idna"

	"trivium/cmd/trivium/app"
	"trivium/config"
)

type quickstartCmd struct {
	Domain  string `arg:"" optional:"" name:"domain" help:"The part of addresses behind the @, such as example.org; asked for where there is a terminal."`
	Out     string `name:"out" type:"path" default:"trivium.toml" placeholder:"FILE" help:"Where the configuration goes."`
	Unit    string `name:"unit" type:"path" placeholder:"FILE" help:"Where the unit file for systemd goes; else trivium.service beside the configuration."`
	Cert    string `name:"cert" type:"path" xor:"certificate" placeholder:"FILE" help:"Certificate chain in PEM; without one the server makes one that nobody vouches for."`
	Key     string `name:"key" type:"path" placeholder:"FILE" help:"Its private key."`
	ACME    bool   `name:"acme" xor:"certificate" help:"Get certificates from Let's Encrypt by ACME, whose terms this agrees to."`
	Address string `name:"address" placeholder:"ADDRESS" help:"The public IPv4 address, where a NAT stands between it and this machine."`
	Contact string `name:"contact" placeholder:"ADDRESS" help:"Whom people write to when something is wrong."`
}

// Help has the examples.
func (c *quickstartCmd) Help() string {
	return "Examples:\n\n  trivium quickstart example.org\n  sudo trivium quickstart example.org --out /etc/trivium/trivium.toml --unit /etc/systemd/system/trivium.service\n  trivium quickstart example.org --acme --contact admin@example.org --no-input\n  trivium quickstart example.org --cert fullchain.pem --key privkey.pem --address 192.0.2.10 --no-input\n\n" +
		"It asks for what no flag says, where it runs on a terminal, and begins nothing: it writes two files and says what is left to do. Files that are there stay, but with --yes."
}

// portState is a listener of the configuration that was written, and whether it could be opened now.
type portState struct {
	Name   string `json:"name"`
	Listen string `json:"listen"`
	Free   bool   `json:"free"`
	Why    string `json:"why,omitempty"`
}

// beginning is what quickstart has written and found.
type beginning struct {
	Config  string      `json:"config"`
	Unit    string      `json:"unit"`
	Domain  string      `json:"domain"`
	Records []string    `json:"records"`
	Ports   []portState `json:"ports"`
	Next    []string    `json:"next"`
}

// Run asks, writes, and says what is left to do.
func (c *quickstartCmd) Run(s *shell) error {
	if err := c.ask(s); err != nil {
		return err
	}
	c.Domain = strings.ToLower(strings.TrimSuffix(c.Domain, "."))
	if _, err := idna.Lookup.ToASCII(c.Domain); err != nil || c.Domain == "" {
		return usage("%q is no domain; write one such as example.org", c.Domain)
	}
	if (c.Cert == "") != (c.Key == "") {
		return usage("--cert and --key belong together")
	}
	if c.Address != "" {
		if a, err := netip.ParseAddr(c.Address); err != nil || !a.Unmap().Is4() {
			return usage("%q is no IPv4 address", c.Address)
		}
	}
	c.Unit = cmp.Or(c.Unit, filepath.Join(filepath.Dir(c.Out), "trivium.service"))
	dir, err := filepath.Abs(cmp.Or(s.DataDir, s.getenv("TRIVIUM_DATA_DIR"), "/var/lib/trivium"))
	if err != nil {
		return fmt.Errorf("finding the data directory: %w", err)
	}
	for _, file := range []string{c.Out, c.Unit} {
		if _, err := os.Lstat(file); err == nil {
			if err := s.confirm(file+" is there already. Write it anew?", file+" is there already; nothing was written"); err != nil {
				return err
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("looking for %s: %w", file, err)
		}
	}
	cfg, err := c.writeConfig(s, dir)
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		program = "/usr/local/bin/trivium"
	}
	if err := writeWhole(c.Unit, unitFile(program, c.Out, dir)); err != nil {
		return err
	}
	b := beginning{Config: c.Out, Unit: c.Unit, Domain: c.Domain, Records: c.records(), Ports: portsOf(s.ctx, cfg), Next: c.next(cfg)}
	if s.JSON {
		return s.object(b)
	}
	return b.tell(s)
}

// ask asks for what no flag says; where nobody can be asked, the domain alone has to be there.
func (c *quickstartCmd) ask(s *shell) error {
	if s.NoInput || !terminal(s.stdin) {
		if c.Domain == "" {
			return usage("a domain is needed, as in: trivium quickstart example.org")
		}
		return nil
	}
	if c.Domain != "" && (c.ACME || c.Cert+c.Address+c.Contact != "") {
		return nil // who gives flags has decided
	}
	for _, q := range []struct {
		value    *string
		question string
		needed   bool
	}{
		{&c.Domain, "Domain of the addresses, such as example.org", true},
		{&c.Address, "Public IPv4 address, where a NAT is in between (empty: there is none)", false},
		{&c.Cert, "File of the certificate chain, or acme: one is got from Let's Encrypt, whose terms that agrees to (empty: a self-signed one is made)", false},
		{&c.Key, "File of its private key", false},
		{&c.Contact, "E-mail address of the administrator (empty: none is shown)", false},
	} {
		if *q.value != "" || q.value == &c.Key && c.Cert == "" {
			continue
		}
		fmt.Fprint(s.stderr, q.question+": ")
		text, err := s.line()
		if err != nil {
			return err
		}
		if *q.value = strings.TrimSpace(text); *q.value == "" && q.needed {
			return usage("a domain is needed, as in: trivium quickstart example.org")
		}
		if q.value == &c.Cert && c.Cert == "acme" {
			c.Cert, c.ACME = "", true
		}
	}
	return nil
}

// writeConfig writes the configuration, and reads it as the server would before it takes the place of
// anything.
func (c *quickstartCmd) writeConfig(s *shell, dir string) (*config.Config, error) {
	text, err := c.configFile(dir)
	if err != nil {
		return nil, err
	}
	draft := c.Out + ".new"
	if err := writeWhole(draft, text); err != nil {
		return nil, err
	}
	cfg, err := app.LoadConfig(config.Options{File: draft})
	if err != nil {
		return nil, errors.Join(configError(err), os.Remove(draft))
	}
	if err := os.Rename(draft, c.Out); err != nil {
		return nil, errors.Join(fmt.Errorf("writing %s: %w", c.Out, err), os.Remove(draft))
	}
	return cfg, nil
}

// fileMode is that of what is written: it holds names of keys and no secret, and the server reads it as another
// user than who writes it.
const fileMode = 0o644

// writeWhole writes a file and the folder that it lies in.
func writeWhole(file, text string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // as /etc
		return fmt.Errorf("making the folder of %s: %w", file, err)
	}
	if err := os.WriteFile(file, []byte(text), fileMode); err != nil { //nolint:gosec // see fileMode
		return fmt.Errorf("writing %s: %w", file, err)
	}
	return nil
}

// portsOf opens each listener of a configuration and closes it again.
func portsOf(ctx context.Context, cfg *config.Config) (list []portState) {
	for _, road := range []struct {
		name   string
		listen []string
	}{{"ftp", cfg.FTP.Listen}, {"ftps", cfg.FTP.TLSListen}, {"web", cfg.Web.Listen}, {"https", cfg.Web.TLSListen}, {"xmpp", cfg.XMPP.Listen}, {"xmpps", cfg.XMPP.TLSListen}} {
		for _, at := range road.listen {
			p := portState{Name: road.name, Listen: at, Free: true}
			l, err := new(net.ListenConfig).Listen(ctx, "tcp", at)
			switch {
			case err == nil:
				_ = l.Close() // nobody has connected
			case errors.Is(err, syscall.EADDRINUSE):
				p.Free, p.Why = false, "another program has it: stop that, or choose another port"
			case errors.Is(err, syscall.EACCES):
				p.Why = "only root may open it; the unit file lets the server do so"
			default:
				p.Free, p.Why = false, err.Error()
			}
			list = append(list, p)
		}
	}
	return list
}
