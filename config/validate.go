package config

import (
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// listener is one address of one listening key.
type listener struct {
	g    given
	part int
	host string
	port int
}

// validate finds what no key shows by itself. Keys that are wrong by themselves are left out.
func (l *loader) validate() {
	l.validateListeners()
	l.validateTLS()
	l.validateACME()
	l.validateIdentity()
	l.validateSources()
	l.validateMail()
	l.validateProvider()
	l.validateFiles()
	l.validateClasses()
	l.validateMounts()
}

// ok reports whether none of the keys is wrong by itself.
func (l *loader) ok(paths ...string) bool {
	return !slices.ContainsFunc(paths, func(p string) bool { return l.bad[p] })
}

// blame notes a fault at the key, of those given, that was set by the strongest and latest layer:
// that is the one to change.
func (l *loader) blame(message string, paths ...string) {
	g := l.last[paths[0]]
	for _, p := range paths[1:] {
		if after(l.last[p], g) {
			g = l.last[p]
		}
	}
	l.faultLine(g, -1, message)
}

// faultLine is fault without the excerpt: the line alone does not show what is wrong.
func (l *loader) faultLine(g given, part int, message string) {
	if g.source.Layer == LayerDefault {
		g.where = g.path
	}
	l.fault(g, part, message, "")
	f := &l.faults[len(l.faults)-1]
	f.Source, f.width = "", 0
}

func after(a, b given) bool {
	if a.source.Layer != b.source.Layer {
		return a.source.Layer.rank() > b.source.Layer.rank()
	}
	return a.item != nil && b.item != nil && a.item.value.line > b.item.value.line
}

// place says in brackets where the other half of a conflict stands.
func place(g given) string {
	switch {
	case g.item != nil:
		return "line " + strconv.Itoa(g.item.key.line)
	case g.source.Layer == LayerEnv:
		return g.key.Env
	}
	return g.source.Name
}

func (l *loader) validateListeners() {
	var all []listener
	for _, k := range l.schema.keys {
		if k.Type != "listen" || !l.ok(k.Path) {
			continue
		}
		g := l.last[k.Path]
		for i, text := range g.texts {
			host, port, err := net.SplitHostPort(text)
			if n, err2 := strconv.Atoi(port); err == nil && err2 == nil && n != 0 {
				all = append(all, listener{g, i, host, n})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b listener) int {
		switch {
		case after(a.g, b.g):
			return 1
		case after(b.g, a.g):
			return -1
		}
		return 0
	})
	for i, b := range all {
		for _, a := range all[:i] {
			if a.port == b.port && sameHost(a.host, b.host) {
				message := fmt.Sprintf("%s %s is also in %s (%s)", b.g.path, b.g.texts[b.part], a.g.path, place(a.g))
				if a.g.path == b.g.path {
					message = fmt.Sprintf("%s %s meets %s of the same list", b.g.path, b.g.texts[b.part], a.g.texts[a.part])
				}
				l.faultLine(b.g, b.part, message)
				break
			}
		}
	}
	if !l.ok("ftp.passive_ports") || len(l.cfg.FTP.Listen)+len(l.cfg.FTP.TLSListen) == 0 {
		return
	}
	lo, hi := l.cfg.FTP.PassiveRange()
	ports := l.last["ftp.passive_ports"]
	for _, b := range all {
		switch {
		case lo == 0 || b.port < lo || b.port > hi:
		case after(ports, b.g):
			l.faultLine(ports, -1, fmt.Sprintf("ftp.passive_ports %s takes in %s %s (%s)", ports.texts[0], b.g.path, b.g.texts[b.part], place(b.g)))
		default:
			l.faultLine(b.g, b.part, fmt.Sprintf("%s %s lies in ftp.passive_ports %s (%s)", b.g.path, b.g.texts[b.part], ports.texts[0], place(ports)))
		}
	}
}

// sameHost reports whether two listeners on one port would meet. Host names are taken to differ
// unless they are spelled alike; the bind itself tells in the end.
func sameHost(a, b string) bool {
	x, errX := netip.ParseAddr(a)
	y, errY := netip.ParseAddr(b)
	switch {
	case strings.EqualFold(a, b) || a == "" || b == "":
		return true
	case errX == nil && errY == nil:
		return x.Unmap() == y.Unmap() || x.IsUnspecified() && (x.Is6() || y.Is4()) || y.IsUnspecified() && (y.Is6() || x.Is4())
	case errX == nil:
		return x.IsUnspecified()
	case errY == nil:
		return y.IsUnspecified()
	}
	return false
}

func (l *loader) validateTLS() {
	c := l.cfg
	if l.ok("tls.cert", "tls.key") && (l.doc == nil || len(l.doc.broken) == 0) {
		switch cert, key := c.TLS.Cert != "", c.TLS.Key.IsSet(); {
		case cert && !key:
			l.blame("tls.cert needs tls.key beside it", "tls.cert")
		case key && !cert:
			l.blame("tls.key needs tls.cert beside it", "tls.key")
		}
		for _, p := range []struct{ key, path string }{{"tls.cert", c.TLS.certPath}, {"tls.key", c.TLS.keyPath}} {
			if p.path == "" {
				continue
			}
			// Whether it can be read depends on who asks: the server may be another account.
			if _, err := os.Stat(p.path); os.IsNotExist(err) {
				l.blame(fmt.Sprintf("%s: there is no file %s", p.key, p.path), p.key)
			}
		}
	}
	if l.ok("ftp.tls", "ftp.tls_listen") && c.FTP.TLS == "off" && len(c.FTP.TLSListen) > 0 {
		l.blame("ftp.tls is off, but ftp.tls_listen needs TLS; turn one of them round", "ftp.tls", "ftp.tls_listen")
	}
	if l.ok("web.plain", "web.tls_listen", "web.listen", "web.public_url") && c.Web.Plain == "redirect" &&
		len(c.Web.TLSListen) == 0 && len(c.Web.Listen) > 0 && !strings.HasPrefix(c.Web.PublicURL, "https:") {
		l.blame("web.plain is redirect, but web.tls_listen is off: there is nowhere to redirect to; write serve", "web.plain", "web.tls_listen")
	}
}

// validateACME finds what leaves ACME without a name, an authority or an answer.
func (l *loader) validateACME() {
	c := l.cfg
	if c.TLS.ACME != "on" {
		return
	}
	if l.ok("tls.acme", "tls.cert") && c.TLS.Cert != "" {
		l.blame("tls.acme is on, but tls.cert names a certificate, which would always be shown instead; take one of them out", "tls.acme", "tls.cert")
	}
	if l.ok("web.listen", "web.tls_listen") && len(c.Web.Listen)+len(c.Web.TLSListen) == 0 {
		l.blame("tls.acme is on, but web.listen and web.tls_listen are off: nothing can answer the authority", "tls.acme", "web.listen", "web.tls_listen")
	}
	if u, err := url.Parse(c.TLS.ACMEDirectory); l.ok("tls.acme_directory") && (err != nil || u.Scheme != "https" || u.Host == "") {
		l.blame("tls.acme_directory is no address that begins with https:// (RFC 8555 section 6.1)", "tls.acme_directory")
	}
	if _, err := mail.ParseAddress(c.TLS.ACMEEmail); l.ok("tls.acme_email") && c.TLS.ACMEEmail != "" && (err != nil || strings.ContainsAny(c.TLS.ACMEEmail, "<>, ?")) {
		l.blame("tls.acme_email is no mail address such as admin@example.org", "tls.acme_email")
	}
	if c.TLS.ACMECA != "" && l.ok("tls.acme_ca") {
		if _, err := os.Stat(c.TLS.ACMECA); os.IsNotExist(err) {
			l.blame("tls.acme_ca: there is no file "+c.TLS.ACMECA, "tls.acme_ca")
		}
	}
	if l.ok("tls.acme_eab_kid", "tls.acme_eab_hmac_key") {
		switch _, err := c.TLS.ACMEEABKey(); {
		case c.TLS.ACMEEABKid == "" && c.TLS.ACMEEABHMACKey.IsSet():
			l.blame("tls.acme_eab_hmac_key is set, but tls.acme_eab_kid is not: the authority gives both", "tls.acme_eab_kid")
		case c.TLS.ACMEEABKid != "" && !c.TLS.ACMEEABHMACKey.IsSet():
			l.blame("tls.acme_eab_kid is set, but tls.acme_eab_hmac_key is not: the authority gives both", "tls.acme_eab_hmac_key")
		case err != nil:
			l.blame("tls.acme_eab_hmac_key is not base64url; copy it from the page of the authority, without its name", "tls.acme_eab_hmac_key")
		}
	}
	if l.ok("domain", "domains", "web.public_url", "tls.acme_directory") && len(c.ACMENames()) == 0 {
		l.blame("tls.acme is on, but there is no name that the authority can know: set domain to one of the public DNS", "tls.acme", "domain")
	}
}

func (l *loader) validateIdentity() {
	c := l.cfg
	asked := c.XMPP.ClientCertificates || c.FTP.ClientCertificates || c.Web.ClientCertificates
	if l.ok("identity.client_ca", "xmpp.client_certificates", "ftp.client_certificates", "web.client_certificates") && c.Identity.ClientCA != "" && !asked {
		l.blame("identity.client_ca names authorities for client certificates, but no road asks for one; turn client_certificates of ftp, web or xmpp on", "identity.client_ca", "xmpp.client_certificates", "ftp.client_certificates", "web.client_certificates")
	}
	if l.ok("identity.password_hash", "xmpp.scram_sha1") && c.Identity.PasswordHash == "argon2id" && c.XMPP.SCRAMSHA1 {
		l.blame("xmpp.scram_sha1 keeps SCRAM keys, but identity.password_hash is argon2id, which has none", "xmpp.scram_sha1", "identity.password_hash")
	}
	if l.ok("domain", "domains") {
		seen := map[string]bool{strings.ToLower(c.Domain): true}
		for i, d := range c.Domains {
			if d = strings.ToLower(d); seen[d] {
				l.faultLine(l.last["domains"], i, fmt.Sprintf("domains: %s is named twice, or is domain itself", d))
			}
			seen[d] = true
		}
	}
}

// validateProvider wants an issuer that does not hang on listeners, and over https but on loopback.
func (l *loader) validateProvider() {
	if !l.ok("provider.enabled", "web.public_url") || !l.cfg.Provider.Enabled {
		return
	}
	u, err := url.Parse(l.cfg.Web.PublicURL)
	switch {
	case l.cfg.Web.PublicURL == "":
		l.blame("provider.enabled needs web.public_url: applications know this server by it. Example: public_url = \"https://example.org\"", "provider.enabled", "web.public_url")
	case err != nil || u.Scheme != "https" && !loopbackHost(u.Hostname()):
		l.blame("provider.enabled needs a web.public_url that begins with https://", "provider.enabled", "web.public_url")
	}
}

func loopbackHost(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// validateMail refuses a password that would go over the net as it is.
func (l *loader) validateMail() {
	m := l.cfg.Mail
	if m.Host == "" || !l.ok("mail.host", "mail.tls", "mail.user") {
		return
	}
	addr, err := netip.ParseAddr(m.Host)
	local := m.Host == "localhost" || err == nil && addr.IsLoopback()
	if m.TLS == "off" && m.User != "" && !local {
		l.blame("mail.tls is off, so mail.password would go over the net for all to read; use starttls or tls", "mail.tls", "mail.user")
	}
	if m.From != "" {
		if a, err := mail.ParseAddress(m.From); err != nil || a.Address != m.From {
			l.blame("mail.from is no e-mail address; write it as name@example.org", "mail.from")
		}
	}
}

func (l *loader) validateFiles() {
	c := l.cfg
	if l.ok("files.root") && c.Files.Root == "" {
		l.blame("files.root is empty", "files.root")
	}
	if !l.ok("files.storage") || c.Files.Storage != "s3" {
		return
	}
	for _, need := range []struct {
		key string
		set bool
	}{{"files.s3_endpoint", c.Files.S3Endpoint != ""}, {"files.s3_bucket", c.Files.S3Bucket != ""},
		{"files.s3_access_key", c.Files.S3AccessKey != ""}, {"files.s3_secret_key", c.Files.S3SecretKey.IsSet()}} {
		if !need.set && l.ok(need.key) {
			l.blame("files.storage is s3, which needs "+need.key, need.key, "files.storage")
		}
	}
	if l.ok("files.ownership") && c.Files.Ownership == "system" {
		l.blame("files.ownership is system, but objects in files.storage s3 have no owner of the system", "files.ownership", "files.storage")
	}
}

func (l *loader) validateClasses() {
	byName := map[string]Class{}
	for i, fields := range l.rows["class"] {
		g, named := fields["name"]
		if !named {
			continue
		}
		c := l.cfg.Class[i]
		if _, twice := byName[c.Name]; twice {
			l.fault(g, -1, fmt.Sprintf("class %s: there is another class of this name", c.Name), "")
		}
		byName[c.Name] = c
		if len(c.From)+len(c.Hosts)+len(c.All)+len(c.Any) == 0 && l.ok("class.from", "class.hosts", "class.all", "class.any") {
			l.fault(g, -1, fmt.Sprintf("class %s says nobody is in it", c.Name), "add from, hosts, all or any")
		}
	}
	for i, fields := range l.rows["class"] {
		c := l.cfg.Class[i]
		for _, ref := range []string{"all", "any"} {
			g, ok := fields[ref]
			if !ok {
				continue
			}
			for n, other := range g.texts {
				if _, known := byName[other]; !known {
					l.fault(g, n, fmt.Sprintf("class %s: there is no class %q", c.Name, other), "")
				} else if reaches(byName, other, c.Name, map[string]bool{}) {
					l.fault(g, n, fmt.Sprintf("class %s is defined by itself", c.Name), "")
				}
			}
		}
	}
}

// reaches reports whether the definition of from leads to the class to.
func reaches(classes map[string]Class, from, to string, seen map[string]bool) bool {
	if from == to {
		return true
	}
	if seen[from] {
		return false
	}
	seen[from] = true
	c := classes[from]
	for _, next := range slices.Concat(c.All, c.Any) {
		if reaches(classes, next, to, seen) {
			return true
		}
	}
	return false
}

// warn looks for what is allowed but unwise.
func (l *loader) warn() {
	if l.cfg.File == "" {
		return
	}
	var secrets []given
	for _, k := range l.schema.keys {
		if k.Secret {
			secrets = append(secrets, l.last[k.Path])
		}
	}
	for _, sec := range l.schema.sections {
		for _, fields := range l.rows[sec.Name] {
			for _, k := range l.schema.of(sec.Name) {
				if g, ok := fields[k.Name]; ok && k.Secret {
					secrets = append(secrets, g)
				}
			}
		}
	}
	for _, g := range secrets {
		if g.item == nil || len(g.texts) == 0 || g.texts[0] == "" {
			continue
		}
		path := l.cfg.File
		if isFileRef(g.texts[0]) {
			path = absolute(g.dir, strings.TrimPrefix(g.texts[0], fileRef))
		} else if g.key.Type == "keyfile" && l.cfg.TLS.keyPath != "" {
			path = l.cfg.TLS.keyPath
		}
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o007 != 0 {
			l.cfg.Warnings = append(l.cfg.Warnings, fmt.Sprintf("%s holds a secret (%s) and every account of this machine can read it. Run: chmod o= %s", path, g.path, shellQuote(path)))
		}
	}
}

// shellQuote makes a path one word of a shell.
func shellQuote(path string) string {
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
