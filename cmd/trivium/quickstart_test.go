package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trivium/config"
)

func TestPortsInUse(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	list := portsOf(t.Context(), &config.Config{FTP: config.FTP{Listen: []string{l.Addr().String()}}, Web: config.Web{Listen: []string{"127.0.0.1:0"}}})
	if len(list) != 2 || list[0].Free || !strings.Contains(list[0].Why, "another program") || !list[1].Free {
		t.Errorf("%+v", list)
	}
}

// TestQuickstartAsks answers its questions on a terminal.
func TestQuickstartAsks(t *testing.T) {
	for _, tt := range []struct{ name, certificate, want string }{{"self-signed", "", "# cert = "}, {"ACME", "acme", "acme = \"on\""}} {
		t.Run(tt.name, func(t *testing.T) { asks(t, tt.certificate, tt.want) })
	}
}

func asks(t *testing.T, certificate, want string) {
	t.Helper()
	master, slave := openPTY(t)
	dir := t.TempDir()
	var out, questions bytes.Buffer
	s := &shell{Globals: &Globals{DataDir: filepath.Join(dir, "data")}, ctx: t.Context(), stdin: slave, stdout: &out, stderr: &questions}
	if _, err := master.WriteString("example.org\n192.0.2.10\n" + certificate + "\nadmin@example.org\n"); err != nil {
		t.Fatal(err)
	}
	c := &quickstartCmd{Out: filepath.Join(dir, "trivium.toml")}
	if err := c.Run(s); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(c.Out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`domain = "example.org"`, `public_address = "192.0.2.10"`, `admin_contact = "admin@example.org"`, want} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(questions.String(), "private key") {
		t.Error("the key of no certificate was asked for")
	}
}

func TestUnitWord(t *testing.T) {
	for path, want := range map[string]string{"/srv/a": "/srv/a", "/srv/a b": `"/srv/a b"`, "/srv/50%": "/srv/50%%", "/srv/$x": "/srv/$$x"} {
		if got := unitWord(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
