package config

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// fromTOML turns a value of the file into texts: one for a plain key, any number for a list. The
// error completes the sentence that begins with the key.
func (k *key) fromTOML(v any) ([]string, error) {
	if k.List {
		list, ok := v.([]any)
		if !ok {
			if s, ok := v.(string); ok {
				return splitList(s), nil
			}
			return nil, fmt.Errorf(": %v is not a list. Example: %s", v, k.sample())
		}
		texts := make([]string, 0, len(list))
		for _, item := range list {
			s, ok := item.(string)
			if !ok {
				return nil, fmt.Errorf(": each entry is text in quotes. Example: %s", k.sample())
			}
			texts = append(texts, s)
		}
		if len(texts) == 1 && (texts[0] == "off" || texts[0] == "") && k.Type == "listen" {
			return []string{}, nil
		}
		return texts, nil
	}
	switch v := v.(type) {
	case string:
		if k.Type == "bool" || k.Type == "number" {
			return nil, fmt.Errorf(": %s is text; write %s without quotes", k.show(v), k.describeType())
		}
		return []string{v}, nil
	case bool:
		if k.Type == "bool" {
			return []string{strconv.FormatBool(v)}, nil
		}
	case int64:
		switch k.Type {
		case "number", "size", "level":
			return []string{strconv.FormatInt(v, 10)}, nil
		case "time":
			if v == 0 {
				return []string{"0s"}, nil
			}
			return nil, fmt.Errorf(": %d needs a unit. Examples: \"%ds\", \"5m\", \"7d\"", v, v)
		}
	}
	return nil, fmt.Errorf(": %s must be %s. Example: %s", tomlType(v), k.describeType(), k.sample())
}

func tomlType(v any) string {
	switch v.(type) {
	case bool:
		return "true and false do not fit here, it"
	case int64, float64:
		return "a number does not fit here, it"
	case []any:
		return "a list does not fit here, it"
	case map[string]any:
		return "a table does not fit here, it"
	}
	return "a date does not fit here, it"
}

// sample is a value that is right, as it stands in the file.
func (k *key) sample() string {
	text := k.Default
	if k.Example != "" {
		text = k.Example
	}
	if text == "" && k.Values != nil {
		text = k.Values[0]
	}
	return k.Name + " = " + k.literal(text)
}

// fromText turns a value of the environment or of a flag into texts.
func (k *key) fromText(s string) []string {
	if k.List {
		return splitList(s)
	}
	if k.Type == "bool" {
		switch strings.ToLower(strings.TrimSpace(s)) {
		case "1", "yes", "on", "true":
			return []string{"true"}
		case "0", "no", "off", "false":
			return []string{"false"}
		}
	}
	if k.Type == "path" || k.Secret || k.Type == "text" {
		return []string{s}
	}
	return []string{strings.TrimSpace(s)}
}

// show quotes a value for a message; a secret stays hidden, as does a password in a URL.
func (k *key) show(text string) string {
	if k.Secret {
		return "the value"
	}
	return strconv.Quote(shorten(redactURL(text)))
}

func shorten(s string) string {
	const most = 80 // columns; longer values only push the sentence off the screen
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

var userinfo = regexp.MustCompile(`(://[^/?#@\s:]*):[^/?#\s]*@`)

func redactURL(s string) string { return userinfo.ReplaceAllString(s, "$1:…@") }

// check says what is wrong with one text, as the end of a sentence that begins with the key; nil
// when it is good. check is Options.Validators, asked last.
func (k *key) check(text string, validators map[string]func(string) error) error {
	if k.Values != nil {
		for _, v := range k.Values {
			if v == text {
				return nil
			}
		}
		if k.List {
			return fmt.Errorf(": %s is none of %s", k.show(text), strings.Join(k.Values, ", "))
		}
		return fmt.Errorf(" must be one of %s", strings.Join(k.Values, ", "))
	}
	if _, err := k.parse(text); err != nil {
		return fmt.Errorf(": %s %w", k.show(text), err)
	}
	if text == "" && k.Default == "" {
		return nil
	}
	if k.Section == "policy" && strings.EqualFold(text, "never") {
		return nil
	}
	validate := validators[k.Path]
	if validate == nil {
		validate = validators[k.Type]
	}
	if validate == nil {
		return nil
	}
	if err := validate(text); err != nil {
		if k.Secret {
			return errors.New(" is not accepted")
		}
		return fmt.Errorf(": %w", err)
	}
	return nil
}

// parse reads one text into the Go value of the key, or of one entry of a list.
func (k *key) parse(text string) (any, error) {
	switch k.Type {
	case "bool":
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, errors.New("must be true or false")
		}
		return b, nil
	case "number":
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, errors.New("is not a whole number")
		}
		return n, k.within(n, strconv.FormatInt)
	case "time":
		d, err := ParseDuration(text)
		if err == nil && k.Min > 0 && d <= 0 {
			err = errors.New("must be longer than nothing")
		}
		return d, err
	case "size":
		n, err := ParseSize(text)
		if err != nil {
			return nil, err
		}
		return n, k.within(int64(n), func(n int64, _ int) string { return Size(n).String() })
	case "listen":
		return text, checkListen(text)
	case "cidr":
		return parsePrefix(text)
	case "ports":
		_, _, err := parsePorts(text)
		return text, err
	case "address":
		return text, checkAddress(text)
	case "nat":
		_, _, err := parseNAT(text)
		return text, err
	case "mount":
		return text, checkMount(text)
	case "folder":
		if !filepath.IsAbs(text) || strings.ContainsRune(text, 0) {
			return nil, errors.New("is not the absolute path of a folder. Example: /srv/media")
		}
		return filepath.Clean(text), nil
	case "mode":
		_, err := parseMode(text)
		return text, err
	case "umask":
		_, err := parseUmask(text)
		return text, err
	case "url":
		return text, checkURL(text)
	case "site":
		return text, checkSite(text)
	case "origin":
		return text, checkOrigin(text)
	case "issuer":
		return text, checkIssuer(text)
	case "ldapurl":
		return text, checkLDAPURL(text)
	case "mapping":
		return text, checkMapping(text)
	case "service":
		return text, checkService(text)
	case "contact":
		return text, checkContact(text)
	case "domain":
		return text, checkDomain(text)
	case "sealkey":
		if text == "" || isFileRef(text) {
			return text, nil
		}
		_, err := parseSealKey(text)
		return text, err
	case "database":
		return text, checkDatabase(text)
	case "glob":
		if _, err := path.Match(text, ""); err != nil || text == "" {
			return nil, errors.New("is not a host name pattern. Example: *.example.org")
		}
	case "level", "class", "name":
		if text == "" && (k.Default != "" || k.List || k.Name == "name") {
			return nil, errors.New("is empty")
		}
	case "path", "output":
		if strings.ContainsRune(text, 0) || text == "" && k.Default != "" {
			return nil, errors.New("is not a path")
		}
	}
	return text, nil
}

func (k *key) within(n int64, format func(int64, int) string) error {
	switch {
	case n < k.Min:
		return errors.New("must be at least " + format(k.Min, 10))
	case k.Max != 0 && n > k.Max:
		return errors.New("must be at most " + format(k.Max, 10))
	case n > 1<<31-1 && k.Type == "number":
		return errors.New("is too large")
	}
	return nil
}

// set stores texts that check has accepted into the field.
func (k *key) set(field reflect.Value, texts []string) {
	if k.List {
		list := reflect.MakeSlice(field.Type(), 0, len(texts))
		for _, text := range texts {
			if v, err := k.parse(text); err == nil {
				if _, plain := reflect.Zero(field.Type().Elem()).Interface().(string); plain {
					v = text
				}
				list = reflect.Append(list, reflect.ValueOf(v))
			}
		}
		field.Set(list)
		return
	}
	v, err := k.parse(texts[0])
	if err != nil {
		return
	}
	switch field.Interface().(type) {
	case Secret:
		v = NewSecret(texts[0])
	case int:
		v = int(v.(int64))
	case uint32:
		v = uint32(v.(int64))
	}
	field.Set(reflect.ValueOf(v))
}

// checkService accepts URIs of STUN and TURN servers (RFC 7064, RFC 7065).
func checkService(text string) error {
	m := serviceForm.FindStringSubmatch(text)
	port := 0
	if m != nil && m[2] != "" {
		port, _ = strconv.Atoi(m[2][1:]) // digits
	}
	if m == nil || port > 65535 || m[3] != "" && strings.HasPrefix(m[1], "stun") {
		return errors.New("is not a service. Examples: stun:stun.example.org, turn:turn.example.org:3478?transport=udp, turns:turn.example.org:5349")
	}
	return nil
}

var serviceForm = regexp.MustCompile(`^(stuns?|turns?):(?:[\p{L}\p{N}_.-]+|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?(\?transport=(?:udp|tcp))?$`)

// checkContact accepts the address of somebody as a URI.
func checkContact(text string) error {
	u, err := url.Parse(text)
	if err == nil && (u.Scheme == "mailto" || u.Scheme == "xmpp") && strings.Contains(u.Opaque, "@") || err == nil && u.Scheme == "https" && u.Host != "" {
		return nil
	}
	return errors.New("is not the address of somebody. Examples: mailto:abuse@example.org, xmpp:help@example.org, https://example.org/help")
}

// checkOrigin accepts what a browser sends as Origin (RFC 6454 section 7), or * for all.
func checkOrigin(text string) error {
	u, err := url.Parse(text)
	if text == "*" || err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && text == u.Scheme+"://"+u.Host {
		return nil
	}
	return errors.New("is not the origin of a site. Examples: https://chat.example.net, https://localhost:8443, *")
}

func checkListen(text string) error {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		if _, err := strconv.ParseUint(text, 10, 16); err == nil {
			return fmt.Errorf("is a bare port; write :%s", text)
		}
		return errors.New("is not an address. Examples: :21, 127.0.0.1:2121, [::1]:0")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return errors.New("has no port between 0 and 65535. Examples: :21, 127.0.0.1:2121")
	}
	return checkHost(host)
}

var hostName = regexp.MustCompile(`^[\p{L}\p{N}_]([\p{L}\p{N}_.-]*[\p{L}\p{N}_])?$`)

func checkHost(host string) error {
	if host == "" {
		return nil
	}
	if _, err := netip.ParseAddr(host); err == nil || len(host) < 254 && hostName.MatchString(host) {
		return nil
	}
	return errors.New("has no host that could be one. Examples: :21, 127.0.0.1:2121, [::1]:0")
}

func checkAddress(text string) error {
	if text == "" || checkHost(text) != nil {
		return errors.New("is neither auto, nor an IP address, nor a host name")
	}
	return nil
}

// parseNAT reads NETWORK=ADDRESS.
func parseNAT(text string) (netip.Prefix, string, error) {
	network, address, ok := strings.Cut(text, "=")
	if !ok {
		return netip.Prefix{}, "", errors.New("is not NETWORK=ADDRESS. Example: 10.0.0.0/8=auto")
	}
	p, err := parsePrefix(strings.TrimSpace(network))
	if err != nil {
		return p, "", err
	}
	address = strings.TrimSpace(address)
	return p, address, checkAddress(address)
}

func checkDomain(text string) error {
	if len(text) > 1023 || !hostName.MatchString(text) || strings.Contains(text, "..") { // RFC 7622 section 3.2
		return errors.New("is not a domain name. Example: example.org")
	}
	return nil
}

// checkSite accepts the address of a site, or of a path on it.
func checkSite(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return errNoSite
	}
	for s := range strings.SplitSeq(strings.Trim(u.Path, "/"), "/") {
		if u.Path != "" && u.Path != "/" && !siteSegment.MatchString(s) {
			return errors.New("has a path that is not letters, digits and - . _ ~ alone. Example: https://example.org/trivium")
		}
	}
	u.Path, u.RawPath = "", ""
	return checkURL(u.String())
}

// errNoSite is a text that is no address.
var errNoSite = errors.New("is not the address of a site. Example: https://example.org")

// siteSegment is a part of the path of an address of the pages.
var siteSegment = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]*$`)

func checkURL(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return errNoSite
	}
	return nil
}

func checkDatabase(text string) error {
	if file, ok := strings.CutPrefix(text, "sqlite:"); ok {
		if strings.TrimLeft(file, "/") == "" || file == ":memory:" || strings.ContainsAny(file, "?\x00") {
			return errors.New("names no file. Example: sqlite:trivium.db")
		}
		return nil
	}
	if scheme, _, _ := strings.Cut(text, ":"); isPostgres(scheme) {
		return CheckPostgres(text)
	}
	return errors.New("is no known database. Examples: sqlite:trivium.db, " + examplePostgres)
}

const examplePostgres = "postgres://trivium@db.example.org/trivium"

func isPostgres(scheme string) bool { return scheme == "postgres" || scheme == "postgresql" }

// CheckPostgres says what is wrong with the URL of a PostgreSQL database, to follow the name of what
// holds it. A URL is shown to whoever may read the configuration, so it holds no password; no error
// repeats one.
func CheckPostgres(text string) error {
	u, err := url.Parse(text)
	if err != nil || !isPostgres(u.Scheme) || u.Opaque != "" || u.Fragment != "" {
		return errors.New("is no address of a PostgreSQL database. Example: " + examplePostgres)
	}
	q := u.Query()
	if _, has := u.User.Password(); has || q.Has("password") || q.Has("sslpassword") {
		return errors.New("holds a password, and is shown to all who may read the configuration: take it out of the URL, and put it into database.password, or into the file that PGPASSFILE names")
	}
	if strings.Trim(u.Path, "/") == "" && !q.Has("dbname") {
		return errors.New("names no database. Example: " + examplePostgres)
	}
	return nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, errors.New("is not an address or CIDR prefix. Examples: 192.0.2.7, 192.168.0.0/16, fd00::/8")
	}
	if p != p.Masked() {
		return p, fmt.Errorf("has bits beyond its prefix; write %s", p.Masked())
	}
	return p, nil
}

func parsePorts(text string) (lo, hi int, err error) {
	first, last, ok := strings.Cut(text, "-")
	a, err1 := strconv.ParseUint(strings.TrimSpace(first), 10, 16)
	b, err2 := strconv.ParseUint(strings.TrimSpace(last), 10, 16)
	switch {
	case !ok || err1 != nil || err2 != nil:
		return 0, 0, errors.New("is not a range of ports. Example: 50000-50999")
	case a > b:
		return 0, 0, fmt.Errorf("ends before it begins; write %d-%d", b, a)
	case a < 1024 && b != 0:
		return 0, 0, errors.New("begins below 1024. Example: 50000-50999")
	}
	return int(a), int(b), nil
}

func parseUmask(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 8, 32)
	if err != nil || n > 0o777 || len(text) < 3 {
		return 0, errors.New("is not an octal mask. Examples: 027, 022, 077")
	}
	return uint32(n), nil
}

// parseMode reads the mode of a folder, with setgid and sticky bits.
func parseMode(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 8, 32)
	if err != nil || n > 0o3777 || len(text) < 3 {
		return 0, errors.New("is not an octal mode. Examples: 755, 2775, 0700")
	}
	return uint32(n), nil
}

// checkMount looks at the form alone; package files knows the names that are taken.
func checkMount(text string) error {
	rest, ok := strings.CutPrefix(text, "/")
	if !ok || rest == "" || path.Clean(text) != text || strings.Count(rest, "/") > 1 {
		return errors.New("is not a path of one or two folders. Examples: /media, /archive/2025")
	}
	return nil
}

// parseSealKey reads 32 bytes written as hexadecimal or base64.
func parseSealKey(text string) ([]byte, error) {
	const length = 32 // bytes of an AES-256 key
	text = strings.TrimSpace(text)
	if b, err := hex.DecodeString(text); err == nil && len(b) == length {
		return b, nil
	}
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if b, err := e.DecodeString(text); err == nil && len(b) == length {
			return b, nil
		}
	}
	return nil, errors.New("is not 32 bytes in hexadecimal or base64. Make one: openssl rand -hex 32")
}
