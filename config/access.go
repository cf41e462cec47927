package config

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// PassiveRange returns the first and last passive port; 0, 0 leaves the choice to the system.
func (f FTP) PassiveRange() (lo, hi int) {
	lo, hi, err := parsePorts(f.PassivePorts)
	if err != nil {
		return 0, 0
	}
	return lo, hi
}

// Announced is one row of public_addresses.
type Announced struct {
	Network netip.Prefix
	Address string // auto, an IP address or a host name
}

// AnnouncedTo is public_addresses, read.
func (f FTP) AnnouncedTo() []Announced {
	var list []Announced
	for _, text := range f.PublicAddresses {
		if network, address, err := parseNAT(text); err == nil {
			list = append(list, Announced{network, address})
		}
	}
	return list
}

// Mask is the umask as bits; 027 when the text is none.
func (f Files) Mask() fs.FileMode {
	n, err := parseUmask(f.Umask)
	if err != nil {
		return 0o027
	}
	return fs.FileMode(n)
}

// FilesRoot is the absolute path of the folder that holds people's files.
func (c *Config) FilesRoot() string { return absolute(c.DataDir, c.Files.Root) }

// BackupDir is the absolute path of the folder of backups.
func (c *Config) BackupDir() string { return absolute(c.DataDir, c.Backup.To) }

// DatabaseURL is database.url with an absolute path, or with the password: it is as secret as that.
func (c *Config) DatabaseURL() string {
	if password := c.Database.Password.Reveal(); password != "" {
		if u, err := url.Parse(c.Database.URL); err == nil && isPostgres(u.Scheme) {
			u.User = url.UserPassword(u.User.Username(), password)
			return u.String()
		}
	}
	const scheme = "sqlite:"
	file, ok := strings.CutPrefix(c.Database.URL, scheme)
	if !ok {
		return c.Database.URL
	}
	if rest, ok := strings.CutPrefix(file, "//"); ok {
		file = rest
	}
	return scheme + absolute(c.DataDir, file)
}

// Below is the path of web.public_url, below which people see the pages: "", or such as "/trivium".
func (w Web) Below() string {
	u, err := url.Parse(w.PublicURL)
	if err != nil {
		return ""
	}
	return strings.TrimRight(u.Path, "/")
}

// BaseURL is web.public_url without a slash at the end, or what domain and listeners give. With
// a listener on port 0 the address is only known after it is bound.
func (c *Config) BaseURL() string {
	if c.Web.PublicURL != "" {
		return strings.TrimRight(c.Web.PublicURL, "/")
	}
	scheme, usual, listen := "https", "443", c.Web.TLSListen
	if len(listen) == 0 {
		scheme, usual, listen = "http", "80", c.Web.Listen
	}
	host := c.Domain
	if len(listen) > 0 {
		if _, port, err := net.SplitHostPort(listen[0]); err == nil && port != usual && port != "0" {
			host = net.JoinHostPort(host, port)
		}
	}
	return scheme + "://" + host
}

// TopMode is the mode of the top, as in chmod(1), the sticky bit included.
func (m Mount) TopMode() fs.FileMode {
	n, _ := parseMode(m.Mode) // checked by Load
	mode := fs.FileMode(n).Perm()
	if n&0o2000 != 0 {
		mode |= fs.ModeSetgid
	}
	if n&0o1000 != 0 || m.Sticky {
		mode |= fs.ModeSticky
	}
	return mode
}

// Mask is the umask, read.
func (m Mount) Mask() fs.FileMode {
	n, _ := parseUmask(m.Umask) // checked by Load
	return fs.FileMode(n)
}

// Prefixes is From, read.
func (c Class) Prefixes() []netip.Prefix {
	var list []netip.Prefix
	for _, text := range c.From {
		if p, err := parsePrefix(text); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// SealKeyBytes returns the 32 bytes of seal_key, nil when it is unset: then the key lies in the
// data directory.
func (i Identity) SealKeyBytes() []byte {
	key, err := parseSealKey(i.SealKey.Reveal())
	if err != nil {
		return nil
	}
	return key
}

// IsSet reports whether there is a certificate; without one the server makes its own.
func (t TLS) IsSet() bool { return t.Cert != "" && t.Key.IsSet() }

// Paths returns the absolute paths of certificate and key. key is empty when the key stands in
// the configuration itself.
func (t TLS) Paths() (cert, key string) { return t.certPath, t.keyPath }

// Pair reads certificate and key, anew at each call, so that a renewed one is found.
func (t TLS) Pair() (tls.Certificate, error) {
	if t.keyPath != "" {
		pair, err := tls.LoadX509KeyPair(t.certPath, t.keyPath)
		if err != nil {
			return pair, fmt.Errorf("reading the certificate %s and its key: %w", t.certPath, err)
		}
		return pair, nil
	}
	cert, err := os.ReadFile(filepath.Clean(t.certPath))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading the certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, []byte(t.Key.Reveal()))
	if err != nil {
		return pair, fmt.Errorf("reading the certificate %s and its key: %w", t.certPath, err)
	}
	return pair, nil
}
