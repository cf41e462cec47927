package main

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"trivium/config"
)

// configFile is the configuration: what differs from the defaults, and what most people look for next.
func (c *quickstartCmd) configFile(dir string) (string, error) {
	for _, text := range []string{dir, c.Cert, c.Key, c.Contact} {
		if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) {
			return "", usage("%q has characters that no file or address has", text)
		}
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Trivium. What is not said here has its default: trivium config example shows every key, and")
	line("# trivium config describe KEY explains one. Check it after a change: trivium config check FILE")
	line("")
	line("domain = %s    # addresses are user@%s", strconv.Quote(c.Domain), c.Domain)
	line("data_dir = %s    # accounts, files, messages; make backups of it", strconv.Quote(dir))
	if c.Contact == "" {
		line("# admin_contact = \"postmaster@%s\"    # whom people write to when something is wrong", c.Domain)
	} else {
		line("admin_contact = %s    # whom people write to when something is wrong", strconv.Quote(c.Contact))
	}
	line("")
	line("[tls]")
	switch {
	case c.ACME:
		line("acme = \"on\"    # certificates from Let's Encrypt, whose terms this agrees to; it reaches the server on port 80 or 443")
		if strings.Contains(c.Contact, "@") && !strings.Contains(c.Contact, ":") {
			line("acme_email = %s", strconv.Quote(c.Contact))
		}
	case c.Cert == "":
		line("# acme = \"on\"    # certificates from Let's Encrypt, whose terms this agrees to")
		line("# Without these the server makes a certificate that nobody vouches for: good to begin with.")
		line("# cert = \"/etc/letsencrypt/live/%s/fullchain.pem\"", c.Domain)
		line("# key = \"/etc/letsencrypt/live/%s/privkey.pem\"", c.Domain)
	default:
		line("cert = %s    # the server's own first, then those that lead to the authority", strconv.Quote(c.Cert))
		line("key = %s", strconv.Quote(c.Key))
	}
	line("")
	line("[web]")
	line("# listen = \":80\"         # leads to https")
	line("# tls_listen = \":443\"")
	line("# public_url = \"https://%s\"    # where a proxy is in front", c.Domain)
	line("")
	line("[ftp]")
	line("# listen = \":21\"")
	line("# passive_ports = \"50000-50999\"    # open these in the firewall too")
	if c.Address == "" {
		line("# public_address = \"192.0.2.10\"    # what clients reach, where a NAT is in between")
	} else {
		line("public_address = %s    # what clients reach, as a NAT is in between", strconv.Quote(c.Address))
	}
	line("")
	line("[xmpp]")
	line("# listen = \":5222\"")
	line("# tls_listen = \":5223\"")
	line("")
	line("[backup]")
	line("# schedule = \"03:00\"")
	line("# to = \"/mnt/backup/trivium\"    # better on another disk than data_dir")
	return b.String(), nil
}

// unitFile is what systemd needs to know.
func unitFile(program, file, dir string) string {
	state := "ReadWritePaths=" + unitWord(dir)
	if dir == "/var/lib/trivium" {
		state = "StateDirectory=trivium\nStateDirectoryMode=0750"
	}
	return `[Unit]
Description=Trivium: FTP, web and XMPP
Documentation=man:trivium(1)
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=` + unitWord(program) + ` serve --config ` + unitWord(file) + `
ExecReload=/bin/kill -HUP $MAINPID
User=trivium
Group=trivium
` + state + `
# ReadWritePaths=/mnt/backup    where backup.to lies elsewhere
Restart=on-failure
TimeoutStopSec=40
LimitNOFILE=65536

# Ports below 1024 without root, and nothing else that root could.
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictSUIDSGID=yes
LockPersonality=yes
UMask=0027

[Install]
WantedBy=multi-user.target
`
}

// unitWord writes a path as systemd reads it (systemd.syntax(7)): % begins a specifier, and $ a variable.
func unitWord(path string) string {
	path = strings.NewReplacer("%", "%%", "$", "$$").Replace(path)
	if strings.ContainsAny(path, " \t\"'\\;") {
		return strconv.Quote(path)
	}
	return path
}

// records are what the DNS should say (RFC 6120 section 3.2.1, XEP-0368, RFC 8659).
func (c *quickstartCmd) records() []string {
	list := []string{}
	four, six := publicAddresses(c.Address)
	name, err := idna.Lookup.ToASCII(c.Domain) // as the DNS writes it
	if err != nil {
		name = c.Domain
	}
	list = append(list, name+". 3600 IN A "+four)
	if six != "" {
		list = append(list, name+". 3600 IN AAAA "+six)
	}
	return append(list,
		"_xmpp-client._tcp."+name+". 3600 IN SRV 0 5 5222 "+name+".",
		"_xmpps-client._tcp."+name+". 3600 IN SRV 0 5 5223 "+name+".",
		name+`. 3600 IN CAA 0 issue "letsencrypt.org"`)
}

// publicAddresses are what others reach this machine by: what was given, else what its interfaces have.
func publicAddresses(given string) (four, six string) {
	four = given
	all, err := net.InterfaceAddrs()
	if err != nil {
		all = nil
	}
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10) // RFC 6598
		at := p.Addr().Unmap()
		switch {
		case !at.IsGlobalUnicast() || at.IsPrivate() || shared.Contains(at):
		case at.Is4() && four == "":
			four = at.String()
		case at.Is6() && six == "":
			six = at.String()
		}
	}
	if four == "" {
		four = "<the public address of this machine>"
	}
	return four, six
}

// next is what is left to do, in its order.
func (c *quickstartCmd) next(cfg *config.Config) []string {
	list := []string{
		"make the records above at whoever runs the DNS of " + c.Domain + "; that of CAA names who may issue certificates, so write your own authority",
		"open 21, 80, 443, 5222, 5223 and " + cfg.FTP.PassivePorts + "/tcp in the firewall",
		"make the user: useradd --system --home-dir " + cfg.DataDir + " --shell /usr/sbin/nologin trivium",
	}
	if c.Unit != "/etc/systemd/system/trivium.service" {
		list = append(list, "put the unit file in its place: cp "+c.Unit+" /etc/systemd/system/trivium.service")
	}
	list = append(list, "begin: systemctl daemon-reload && systemctl enable --now trivium",
		"make the first administrator: trivium setup-link --config "+c.Out)
	switch {
	case c.ACME:
		list = append(list, "see the certificates come: trivium cert orders --config "+c.Out)
	case c.Cert == "":
		list = append(list, "get a certificate: set tls.acme to on, or: trivium cert import main --cert FILE --key FILE --config "+c.Out)
	}
	return append(list, "look whether all is well: trivium doctor --config "+c.Out)
}

// tell prints it.
func (b *beginning) tell(s *shell) error {
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	line("Wrote %s and %s.", printable(b.Config), printable(b.Unit))
	line("\nRecords for the DNS:")
	for _, r := range b.Records {
		line("  %s", printable(r))
	}
	line("\nPorts:")
	for _, p := range b.Ports {
		sign, why := s.paint(s.stdout, green, "✓"), p.Why
		if !p.Free {
			sign = s.paint(s.stdout, red, "✗")
		}
		if why != "" {
			why = ": " + why
		}
		line("  %s %s %s%s", sign, p.Name, p.Listen, printable(why))
	}
	line("\nWhat is left to do:")
	for i, n := range b.Next {
		line("  %d. %s", i+1, printable(n))
	}
	if s.Quiet {
		return nil
	}
	_, err := fmt.Fprint(s.stdout, text.String())
	return err
}
