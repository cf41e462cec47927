package config

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestEveryKeyIsDescribed(t *testing.T) {
	s := newSchema()
	example := Example()
	if len(s.keys) < 50 {
		t.Fatalf("only %d keys found", len(s.keys))
	}
	all := s.keys
	for _, t := range s.tables {
		all = append(all, t.keys...)
	}
	for _, k := range all {
		if k.Doc == "" || strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s: doc %q is empty or ends with a full stop", k.Path, k.Doc)
		}
		if !regexp.MustCompile(`(?m)^#?` + k.Name + ` = `).MatchString(example) {
			t.Errorf("%s is not in the example", k.Path)
		}
		if text, err := Describe(k.Path); err != nil || !strings.Contains(text, k.Path) {
			t.Errorf("%s: describe gives %q, %v", k.Path, text, err)
		}
		if strings.HasPrefix(k.describeType(), " ") || k.describeType() == "" || k.describeType() == "list: " {
			t.Errorf("%s: type %s has no words", k.Path, k.Type)
		}
		// Bool and number tell their default nowhere else, so a missing tag is a mistake.
		if (k.Type == "bool" || k.Type == "number" || k.Type == "time" || k.Type == "size" || k.Values != nil && !k.List) && k.Default == "" {
			t.Errorf("%s has no default", k.Path)
		}
		for _, text := range []string{k.Default, k.Dev, k.Example} {
			texts := []string{text}
			if k.List {
				texts = splitList(text)
			}
			for _, one := range texts {
				if one == "" && k.Default == "" {
					continue // unset, or no example
				}
				if one == "" && text == k.Example {
					continue
				}
				if err := k.check(one, nil); err != nil {
					t.Errorf("%s: %q is refused by its own check:%v", k.Path, one, err)
				}
			}
		}
	}
}

func TestEnvironmentNamesDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, k := range newSchema().keys {
		if other, ok := seen[k.Env]; ok {
			t.Errorf("%s is both %s and %s", k.Env, other, k.Path)
		}
		seen[k.Env] = k.Path
	}
	for env, path := range map[string]string{ // the contract for programs outside
		"TRIVIUM_DATA_DIR": "data_dir", "TRIVIUM_DOMAIN": "domain", "TRIVIUM_FTP_LISTEN": "ftp.listen", "TRIVIUM_FTP_TLS_LISTEN": "ftp.tls_listen",
		"TRIVIUM_FTP_PASSIVE_PORTS": "ftp.passive_ports", "TRIVIUM_FTP_TLS": "ftp.tls", "TRIVIUM_WEB_LISTEN": "web.listen",
		"TRIVIUM_WEB_TLS_LISTEN": "web.tls_listen", "TRIVIUM_WEB_PLAIN": "web.plain", "TRIVIUM_XMPP_LISTEN": "xmpp.listen",
		"TRIVIUM_XMPP_TLS_LISTEN": "xmpp.tls_listen", "TRIVIUM_XMPP_S2S_LISTEN": "xmpp.s2s_listen", "TRIVIUM_XMPP_TLS": "xmpp.tls",
		"TRIVIUM_TLS_CERT": "tls.cert", "TRIVIUM_TLS_KEY": "tls.key", "TRIVIUM_DATABASE_URL": "database.url",
		"TRIVIUM_LOG_LEVEL": "log.level", "TRIVIUM_LOG_FORMAT": "log.format",
	} {
		if seen[env] != path {
			t.Errorf("%s is %q, want %s", env, seen[env], path)
		}
	}
}

// TestExampleLoads reads the example as it is, and with every comment sign of a key taken away.
func TestExampleLoads(t *testing.T) {
	example := Example()
	o := Options{Dir: t.TempDir()}
	c, err := load(o, o.Dir+"/trivium.toml", []byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if c.Domain != "example.org" {
		t.Errorf("domain %s", c.Domain)
	}
	open := regexp.MustCompile(`(?m)^#(["\[a-z0-9_]+[^ \n]*( = |\]$)|\[)`).ReplaceAllString(example, "$1")
	if strings.Contains(open, "\n#domains") || strings.Contains(open, "\n#[") || strings.Contains(open, "\n#name") {
		t.Fatalf("keys are still commented out:\n%s", open)
	}
	// Secrets of sections, and what they are read from.
	for _, name := range []string{"ldap.password", "hook.secret", "oidc.secret"} {
		if err := os.WriteFile(o.Dir+"/"+name, []byte("0123456789abcdef"), 0o600); err != nil {
			t.Fatal(err)
		}
		open = strings.ReplaceAll(open, "/etc/trivium/"+name, name)
	}
	full, err := load(o, o.Dir+"/trivium.toml", []byte(open))
	if err != nil {
		t.Fatal(err)
	}
	if len(full.Class) != 1 || len(full.Policy) != 1 || len(full.Mount) != 1 {
		t.Errorf("classes %v, policy %v, mounts %v", full.Class, full.Policy, full.Mount)
	}
	// What stands commented out is the default, so nothing but those sections differs.
	if len(full.Identity.LDAP) != 1 || len(full.Identity.Hook) != 1 || len(full.Identity.OIDC) != 1 {
		t.Errorf("sources %+v", full.Identity)
	}
	full.Class, full.Mount, full.Policy = nil, nil, map[string]string{}
	full.Identity.LDAP, full.Identity.Hook, full.Identity.OIDC = nil, nil, nil
	full.sources, full.values, c.sources, c.values = nil, nil, nil, nil
	if !reflect.DeepEqual(c, full) {
		t.Errorf("the example differs from the defaults:\n%+v\n%+v", c, full)
	}
}

func TestReferenceIsFresh(t *testing.T) {
	page, err := Describe("")
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile("../docs/config.md")
	if err != nil {
		t.Fatal(err)
	}
	if page != string(have) {
		t.Error("docs/config.md is stale; run go generate ./config")
	}
}

func TestDescribeUnknown(t *testing.T) {
	for name, want := range map[string]string{
		"ftp.pasive_ports": "ftp.passive_ports", "web.umask": "[files]", "xyzzy": "all keys",
	} {
		if _, err := Describe(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Describe(%s) gives %v, want %s in it", name, err, want)
		}
	}
	for _, name := range []string{"class", "policy", "[ftp]", "class.from", "policy.web:/x", "TRIVIUM_FTP_TLS"} {
		if text, err := Describe(name); err != nil || text == "" {
			t.Errorf("Describe(%s) gives %q, %v", name, text, err)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{
		"0": 0, "1": 1, "512B": 512, "10MB": 10e6, "1GiB": 1 << 30, "1.5GB": 1500000000, "5 gb": 5e9, "256KiB": 256 << 10, "8TiB": 8 << 40,
	} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("%s is %d, %v; want %d", text, got, err, want)
		}
		if back, err := ParseSize(got.String()); err != nil || back != got {
			t.Errorf("%d prints as %s, which is %d, %v", got, got, back, err)
		}
	}
	for _, text := range []string{"", "MB", "-1", "1e3", "0x10", "100XB", "inf", "99999999999TB", "9223372036854775808", "1.2.3"} {
		if n, err := ParseSize(text); err == nil {
			t.Errorf("%q is taken as %d", text, n)
		}
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "5m": 5 * time.Minute, "7d": 7 * day, "1d12h": 36 * time.Hour, "1h30m": 90 * time.Minute, "0": 0, "250ms": 250 * time.Millisecond,
	} {
		got, err := ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("%s is %s, %v; want %s", text, got, err, want)
		}
		if back, err := ParseDuration(FormatDuration(got)); err != nil || back != got {
			t.Errorf("%s prints as %s, which is %s, %v", got, FormatDuration(got), back, err)
		}
	}
	for _, text := range []string{"", "5", "-5m", "d", "1.5d", "9999999d", "106751d24h", "5x", "+5s", "1d-2h"} {
		if d, err := ParseDuration(text); err == nil {
			t.Errorf("%q is taken as %s", text, d)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"tls", "tls", 0}, {"tsl", "tls", 1}, {"pasive_ports", "passive_ports", 1}, {"listn", "listen", 1}, {"xlistenx", "listen", 2}, {"chat", "cert", 2}, {"abc", "xyz", 3}, {"", "abcdef", 3}} {
		if got := distance(tt.a, tt.b, 3); got != tt.want {
			t.Errorf("distance(%s, %s) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

// FuzzFile: whatever the file holds, there is no panic, every fault names a line of it, and no
// report shows what stands behind a secret key.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		Example(), "", "\xff\xfe", "a", "= 1", "[", "[[class]]\n[class.x]\n", "domain = 1\n[ftp]\nlisten = [1, [2], {a=1}]\n",
		"ftp = { listen = [\":21\"], tls = \"x\" }\nclass = [{name=\"a\", from=[\"::/0\"]}, 3]\n", "ftp.listen = \":1\"\n[ftp]\ntls=\"off\"\n",
		"[policy]\n\"web:/a.b\" = 1\n[policy.x]\ny = 1\n", "[identity]\nseal_key = \"unended\n[web]\n", "[tls]\nkey = \"\"\"-----BEGIN\nabcd==\n\"\"\"\ncert=1",
		"domain = \"a\"\r\ndomain = \"b\"\r\n", "[web]\n[web]\nlisten=[\n", "\ufeffdomain = \"x\"\n", "ftp = 1\n[[web]]\n[domain]\n", "[limits]\nsessions = 1e9\nban_for = 1979-05-27\n",
		"class = []\n", "[[class]]\nname=\"a\"\nall=[\"b\"]\nfrom=[\"1.2.3.4\"]\n[[class]]\nname=\"b\"\nany=[\"a\"]\n", "[[class.a]]\n", "class.999999999.name = 1\n", "class = 3\n", "[[ftp.listen]]\n",
	} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<14 {
			return
		}
		_, err := load(Options{Dir: dir, SystemDir: dir}, dir+"/trivium.toml", text)
		if err == nil {
			return
		}
		faults, ok := err.(*Faults)
		if !ok || len(faults.List) == 0 {
			t.Fatalf("error %v is no list of faults", err)
		}
		count := 1 + strings.Count(string(text), "\n")
		for _, fault := range faults.List {
			if fault.Layer == LayerFile && (fault.Line < 1 || fault.Line > count || fault.Column < 1) {
				t.Errorf("fault at %s of a file of %d lines: %s", fault.Where, count, fault.Message)
			}
			if fault.Layer != LayerFile {
				t.Errorf("fault of no file: %+v", fault)
			}
		}
		if report := faults.Error(); report == "" || strings.ContainsAny(report, "\x1b\x00\r") {
			t.Errorf("report %q", report)
		}
	})
}

// TestLooksSecret keeps a misspelt secret out of the report.
func TestLooksSecret(t *testing.T) {
	s := newSchema()
	for line, hide := range map[string]bool{
		`seal_kee = "x"`: true, `key = "x"`: true, `identity = { seal_key = "x" }`: true, `password="x"`: true, `"api-token" = 1`: true,
		`passive_ports = "x"`: false, `anonymous_require_password = 1`: false, `listen = ":21" # key = x`: true, `tls = "x"`: false,
	} {
		if got := s.secretAt(line) > 0; got != hide {
			t.Errorf("%s hidden: %v, want %v", line, got, hide)
		}
	}
}
