package config_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"trivium/config"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with a file below testdata, or writes it with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update writes it):\n--- got\n%s\n--- want\n%s", file, got, want)
	}
}

// validators stand for those of the domain.
func validators() map[string]func(string) error {
	return map[string]func(string) error{
		"level": func(s string) error {
			if slices.Contains([]string{"user", "staff", "admin", "logged-in", "none", "20", "10", "50"}, strings.ToLower(s)) {
				return nil
			}
			return fmt.Errorf("%q is not a level; the levels are none (0), user (10), staff (20)", s)
		},
	}
}

// in writes a trivium.toml into a fresh folder.
func in(t *testing.T, text string) config.Options {
	t.Helper()
	dir := t.TempDir()
	if text != "" {
		if err := os.WriteFile(filepath.Join(dir, "trivium.toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return config.Options{Dir: dir, SystemDir: filepath.Join(dir, "etc"), Validators: validators()}
}

func mustLoad(t *testing.T, o config.Options) *config.Config {
	t.Helper()
	c, err := config.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// faults loads what must fail.
func faults(t *testing.T, o config.Options) *config.Faults {
	t.Helper()
	_, err := config.Load(o)
	var f *config.Faults
	if !errors.As(err, &f) {
		t.Fatalf("Load gave %v, want *Faults", err)
	}
	return f
}

// TestFaultsGolden reads every testdata/bad/NAME.toml, with the environment in NAME.env and the
// flags in NAME.set where there are such files.
func TestFaultsGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatal("no bad files", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".toml")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			o := in(t, string(text))
			o.Env, o.Set = lines(t, "testdata/bad/"+name+".env"), lines(t, "testdata/bad/"+name+".set")
			f := faults(t, o)
			report := strings.ReplaceAll(f.Error(), o.Dir, "DIR") + "\n"
			golden(t, "testdata/bad/"+name+".golden", report)
			if strings.Contains(report, "s3cret") {
				t.Error("the report shows a secret")
			}
			if b, err := json.Marshal(f.List); err != nil || strings.Contains(string(b), "s3cret") {
				t.Errorf("as JSON: %s, %v", b, err)
			}
		})
	}
}

func lines(t *testing.T, file string) []string {
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

func TestGoodFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/good/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatal("no good files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c := mustLoad(t, in(t, string(text)))
			var b strings.Builder
			for _, e := range c.Entries() {
				if e.Changed() {
					fmt.Fprintf(&b, "%s = %s  # %s\n", e.Key, e.Text(), e.Source)
				}
			}
			golden(t, strings.TrimSuffix(file, ".toml")+".golden", strings.ReplaceAll(b.String(), filepath.Dir(c.File), "DIR"))
		})
	}
}

func TestDefaults(t *testing.T) {
	c := mustLoad(t, in(t, ""))
	if got, want := fmt.Sprint(c.Web.Listen, c.Web.TLSListen, c.FTP.Listen, c.FTP.TLSListen, c.XMPP.Listen, c.XMPP.TLSListen, c.XMPP.S2SListen),
		"[:80] [:443] [:21] [] [:5222] [:5223] []"; got != want {
		t.Errorf("listeners %s, want %s", got, want)
	}
	if c.File != "" || c.FTP.TLS != "required" || c.Web.Plain != "redirect" || c.DataDir != "/var/lib/trivium" || c.SiteName != "localhost" {
		t.Errorf("defaults are %+v", c)
	}
	if lo, hi := c.FTP.PassiveRange(); lo != 50000 || hi != 50999 {
		t.Errorf("passive range %d-%d", lo, hi)
	}
	if l := c.Limits; l.LoginTimeout != 30*time.Second || l.BanFor != 15*time.Minute || l.XMPPStanzaSize != 256<<10 || l.Sessions != 50000 ||
		c.Web.SessionTimeout != 30*24*time.Hour || c.Files.Quota != 5e9 || !c.Files.Sync || c.Files.Mask() != 0o027 {
		t.Errorf("limits are %+v", l)
	}
}

func TestDev(t *testing.T) {
	o := in(t, "")
	o.Dev = true
	c := mustLoad(t, o)
	if got, want := fmt.Sprint(c.Web.Listen, c.Web.TLSListen, c.FTP.Listen, c.XMPP.Listen, c.XMPP.TLSListen),
		"[127.0.0.1:8080] [] [127.0.0.1:2121] [127.0.0.1:5222] [127.0.0.1:5223]"; got != want {
		t.Errorf("listeners %s, want %s", got, want)
	}
	if c.FTP.TLS != "optional" || c.Web.Plain != "serve" || c.DataDir != filepath.Join(o.Dir, "var") || !c.Dev || c.Domain != "localhost" {
		t.Errorf("with --dev: %+v", c)
	}
	if got := c.BaseURL(); got != "http://localhost:8080" {
		t.Errorf("base URL %s", got)
	}
	if got, want := c.DatabaseURL(), "sqlite:"+filepath.Join(o.Dir, "var", "trivium.db"); got != want {
		t.Errorf("database %s, want %s", got, want)
	}
}

// TestOrder: defaults < file < environment < flags, and each key remembers.
func TestOrder(t *testing.T) {
	o := in(t, "domain = \"file.example\"\n[ftp]\nlisten = [\":2100\"]\ntls = \"off\"\nanonymous = true\n[limits]\nban_after = 7\n")
	o.Env = []string{"TRIVIUM_FTP_LISTEN=:2200,[::1]:2201", "TRIVIUM_FTP_TLS=optional", "HOME=/nonexistent", "TRIVIUM_SOCKET=/x", "TRIVIUM_FTP_TLS_LISTEN=", "TRIVIUM_DEMO_PASSWORD=pw"}
	o.Set = []string{"ftp.tls=required", "policy.web:/a.b/**=staff"}
	c := mustLoad(t, o)
	want := map[string][2]string{
		"domain":                {`"file.example"`, "trivium.toml:1"},
		"ftp.listen":            {`[":2200", "[::1]:2201"]`, "env TRIVIUM_FTP_LISTEN"},
		"ftp.tls":               {`"required"`, "--set"},
		"ftp.tls_listen":        {`[]`, "env TRIVIUM_FTP_TLS_LISTEN"},
		"ftp.anonymous":         {`true`, "trivium.toml:5"},
		"limits.ban_after":      {`7`, "trivium.toml:7"},
		"limits.ban_for":        {`"15m"`, "default"},
		"policy.web:/a.b/**":    {`"staff"`, "--set"},
		"identity.seal_key":     {`""`, "default"},
		"identity.uid_min":      {`10000`, "default"},
		"files.sync":            {`true`, "default"},
		"ftp.passive_ports":     {`"50000-50999"`, "default"},
		"web.anonymous_timeout": {`"1h"`, "default"},
	}
	var keys []string
	for _, e := range c.Entries() {
		keys = append(keys, e.Key)
		if w, ok := want[e.Key]; ok {
			if e.Text() != w[0] || e.Source != w[1] {
				t.Errorf("%s = %s from %s, want %s from %s", e.Key, e.Text(), e.Source, w[0], w[1])
			}
			delete(want, e.Key)
		}
	}
	if len(want) > 0 || !slices.IsSorted(keys) {
		t.Errorf("not listed: %v; sorted: %v", want, slices.IsSorted(keys))
	}
	if len(c.FTP.Listen) != 2 || c.FTP.TLS != "required" || !c.FTP.Anonymous || c.Limits.BanAfter != 7 || c.Policy["web:/a.b/**"] != "staff" {
		t.Errorf("structs differ from entries: %+v", c)
	}
}

func TestOffTurnsListenersOff(t *testing.T) {
	o := in(t, "[ftp]\nlisten = \"off\"\n[web]\nlisten = [\"off\"]\n[xmpp]\ntls_listen = []\n")
	o.Env = []string{"TRIVIUM_WEB_TLS_LISTEN=off", "TRIVIUM_XMPP_LISTEN="}
	c := mustLoad(t, o)
	if n := len(c.FTP.Listen) + len(c.Web.Listen) + len(c.Web.TLSListen) + len(c.XMPP.Listen) + len(c.XMPP.TLSListen); n != 0 {
		t.Errorf("%d listeners left", n)
	}
	if c.Web.Plain != "serve" {
		t.Errorf("web.plain is %s with nowhere to redirect to", c.Web.Plain)
	}
}

func TestWhereTheFileIsFound(t *testing.T) {
	put := func(t *testing.T, path string) string {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("domain = \"a.example\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	o := in(t, "")
	system := put(t, filepath.Join(o.SystemDir, "trivium.toml"))
	check := func(o config.Options, want string) {
		t.Helper()
		if c := mustLoad(t, o); c.File != want {
			t.Errorf("read %q, want %q", c.File, want)
		}
	}
	check(o, system)
	dev := o
	dev.Dev = true
	check(dev, "") // never the data of an installed server
	home := put(t, filepath.Join(o.Dir, "home", ".config", "trivium", "trivium.toml"))
	o.Env = []string{"HOME=" + filepath.Join(o.Dir, "home")}
	check(o, home)
	xdg := put(t, filepath.Join(o.Dir, "xdg", "trivium", "trivium.toml"))
	o.Env = append(o.Env, "XDG_CONFIG_HOME="+filepath.Join(o.Dir, "xdg"))
	check(o, xdg)
	here := put(t, filepath.Join(o.Dir, "trivium.toml"))
	check(o, here)
	named := put(t, filepath.Join(o.Dir, "other.toml"))
	o.Env = append(o.Env, "TRIVIUM_CONFIG=other.toml")
	check(o, named)
	flagged := put(t, filepath.Join(o.Dir, "flag.toml"))
	o.File = flagged
	check(o, flagged)
	o.File = "missing.toml"
	if f := faults(t, o); !strings.Contains(f.Error(), "missing.toml") || !strings.Contains(f.Error(), "--config") {
		t.Errorf("a missing file gives %v", f)
	}
}

func TestSecrets(t *testing.T) {
	seal := strings.Repeat("5e", 32)
	o := in(t, "[identity]\nseal_key = \"@file:seal\"\n[web]\nlisten = \"off\"\n")
	if err := os.WriteFile(filepath.Join(o.Dir, "seal"), []byte(seal+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := mustLoad(t, o)
	if got := c.Identity.SealKeyBytes(); len(got) != 32 || got[0] != 0x5e {
		t.Errorf("seal key is %x", got)
	}
	if len(c.Warnings) != 0 {
		t.Errorf("warnings %q", c.Warnings)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("loaded", "key", c.Identity.SealKey, "identity", c.Identity)
	entries, err := json.Marshal(c.Entries())
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(c.Identity)
	if err != nil {
		t.Fatal(err)
	}
	for what, s := range map[string]string{
		"%v": fmt.Sprintf("%v", c), "%+v": fmt.Sprintf("%+v", c), "%#v": fmt.Sprintf("%#v", c.Identity), "%x": fmt.Sprintf("%x", c.Identity.SealKey),
		"%s": fmt.Sprintf("%s", c.Identity.SealKey), "log": log.String(), "entries": string(entries), "json": string(asJSON),
	} {
		if strings.Contains(s, seal) {
			t.Errorf("%s shows the secret", what)
		}
	}
	if err := os.Chmod(filepath.Join(o.Dir, "seal"), 0o644); err != nil {
		t.Fatal(err)
	}
	c = mustLoad(t, o)
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "chmod o= "+filepath.Join(o.Dir, "seal")) {
		t.Errorf("warnings %q", c.Warnings)
	}
	o.Set = []string{"identity.seal_key=" + seal}
	if f := faults(t, o); strings.Contains(f.Error(), seal) || !strings.Contains(f.Error(), "must not stand in a flag") {
		t.Errorf("a secret in a flag gives %v", f)
	}
}

func TestWarnsOfReadableFileAndNearMiss(t *testing.T) {
	o := in(t, "[identity]\nseal_key = \""+strings.Repeat("ab", 32)+"\"\n")
	file := filepath.Join(o.Dir, "trivium.toml")
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	o.Env = []string{"TRIVIUM_DOMIAN=a.example", "TRIVIUM_SOCKET=/s", "OTHER=1"}
	c := mustLoad(t, o)
	all := strings.Join(c.Warnings, "\n")
	if len(c.Warnings) != 2 || !strings.Contains(all, "chmod o= "+file) || !strings.Contains(all, "TRIVIUM_DOMAIN?") {
		t.Errorf("warnings %q", c.Warnings)
	}
}

func TestPathsStartWhereTheyStand(t *testing.T) {
	o := in(t, "")
	sub := filepath.Join(o.Dir, "conf")
	if err := os.MkdirAll(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"x.toml": "data_dir = \"data\"\n[tls]\ncert = \"c.pem\"\nkey = \"@file:k.pem\"\n", "c.pem": "c", "k.pem": "k"} {
		if err := os.WriteFile(filepath.Join(sub, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o.File = "conf/x.toml"
	c := mustLoad(t, o)
	cert, key := c.TLS.Paths()
	if c.DataDir != filepath.Join(sub, "data") || cert != filepath.Join(sub, "c.pem") || key != filepath.Join(sub, "k.pem") || c.FilesRoot() != filepath.Join(sub, "data", "files") {
		t.Errorf("paths are %s, %s, %s, %s", c.DataDir, cert, key, c.FilesRoot())
	}
	if got := c.Source("data_dir").String(); got != "conf/x.toml:1" {
		t.Errorf("source %s", got)
	}
	o.DataDir = "flagged"
	c = mustLoad(t, o)
	if c.DataDir != filepath.Join(o.Dir, "flagged") || c.Source("data_dir").Name != "--data-dir" {
		t.Errorf("with --data-dir: %s from %s", c.DataDir, c.Source("data_dir"))
	}
	if _, err := c.TLS.Pair(); err == nil || strings.Contains(err.Error(), "[secret]") {
		t.Errorf("a bad pair gives %v", err)
	}
}
