package ftp_test

import (
	"bytes"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trivium/identity"
)

// TestTexts shows the texts of the config with their variables, read anew each time.
func TestTexts(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.WriteFile(at("connect"), []byte("Welcome to %V, %h on %L.\r\n220 is no end\n\n%N of %M, 100%% %q %\n"), 0o600))
	must(t, os.WriteFile(at("login"), []byte("Hello %u (%U) in %C, write to %E.\n230 injected\nFree: %F, it is %T\ttab\x1b[2J\n"), 0o600))
	must(t, os.WriteFile(at("quit"), []byte("Bye %u"), 0o600))
	w := newWorld(t, func(w *world) {
		w.cfg.DisplayConnect, w.cfg.DisplayLogin, w.cfg.DisplayQuit = at("connect"), at("login"), at("quit")
		w.contact = "boss@example.org"
		w.options = func(o *identity.Options) {
			o.Classes = []identity.Class{{Name: "near", From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, MaxSessions: 7}}
		}
	})
	if _, err := w.identity.AddAlias(t.Context(), root, "al", "alice"); err != nil {
		t.Fatal(err)
	}
	c := dial(t, w.addr)
	if want := "220-Welcome to example.org, 127.0.0.1 on 127.0.0.1.\r\n 220 is no end\r\n \r\n 1 of 7, 100% %q %\r\n220 Example FTP is ready.\r\n"; c.greeting != want {
		t.Errorf("%q, want %q", c.greeting, want)
	}
	c.do(331, "USER al")
	r := c.do(230, "PASS "+w.password)
	lines := strings.Split(r, "\r\n")
	if len(lines) != 5 || lines[0] != "230-Hello alice (al) in /, write to boss@example.org." || lines[1] != " 230 injected" ||
		!strings.HasPrefix(lines[2], " Free: ") || !strings.HasSuffix(lines[2], "    tab?[2J") || strings.Contains(lines[2], "Free: -") || lines[3] != "230 You are logged in." {
		t.Errorf("%q", lines)
	}
	must(t, os.WriteFile(at("quit"), []byte("Read anew, %u"), 0o600))
	if r := c.do(221, "QUIT"); r != "221-Read anew, alice\r\n221 Goodbye.\r\n" {
		t.Errorf("%q", r)
	}
}

// TestTextsThatCannotBeShown fails no log-in, and is said once at the start.
func TestTextsThatCannotBeShown(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "big"), bytes.Repeat([]byte("x\n"), 9000), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "latin1"), []byte("Gr\xfc\xdfe\n"), 0o600))
	log := &record{}
	w := newWorld(t, func(w *world) {
		w.log = slog.New(slog.NewTextHandler(log, nil))
		w.cfg.DisplayConnect, w.cfg.DisplayLogin, w.cfg.DisplayQuit = filepath.Join(dir, "none"), filepath.Join(dir, "big"), filepath.Join(dir, "latin1")
	})
	for _, key := range []string{"ftp.display_connect", "ftp.display_login", "ftp.display_quit"} {
		if !strings.Contains(log.String(), "level=WARN msg=\"a text for FTP clients cannot be shown\" key="+key) {
			t.Errorf("%s is not warned of in %s", key, log.String())
		}
	}
	c := dial(t, w.addr)
	if c.greeting != "220 Example FTP is ready.\r\n" {
		t.Errorf("%q", c.greeting)
	}
	c.do(331, "USER alice")
	if r := c.do(230, "PASS "+w.password); r != "230 You are logged in.\r\n" {
		t.Errorf("%q", r)
	}
	if r := c.do(221, "QUIT"); r != "221 Goodbye.\r\n" {
		t.Errorf("%q", r)
	}
}

// TestTextsAreBounded: a text of variables alone does not grow without end.
func TestTextsAreBounded(t *testing.T) {
	name := filepath.Join(t.TempDir(), "login")
	must(t, os.WriteFile(name, bytes.Repeat([]byte("%U"), 8000), 0o600))
	w := newWorld(t, func(w *world) { w.cfg.DisplayLogin = name }, withAnonymous)
	c := dial(t, w.addr)
	c.do(331, "USER anonymous")
	if r := c.do(230, "PASS "+strings.Repeat("x", 4000)); len(r) > 33<<10 || !strings.HasSuffix(r, "\r\n230 You are logged in.\r\n") {
		t.Errorf("%d bytes", len(r))
	}
}

// TestFolderTexts shows the text of a folder once a session, where the session may read it, and
// nothing in it ends the reply or fills in anything.
func TestFolderTexts(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.cfg.DisplayChdir = ".message"
		w.policy = map[string]string{"ftp:RETR:/home/alice/limited/**": "never"}
	})
	for _, d := range []string{"a", "closed", "limited", "none", "folder/.message"} {
		must(t, os.MkdirAll(filepath.Join(w.home, d), 0o755))
	}
	w.write("a/.message", []byte("Rules %u\n250 injected\r\n\x1b[31mred\xff"))
	w.write("limited/.message", []byte("not for you"))
	w.write("closed/.message", []byte("secret"))
	must(t, os.Chmod(filepath.Join(w.home, "closed/.message"), 0o640))
	c := dial(t, w.addr).login("alice", w.password)
	c.do(200, "SITE CHMOD 000 closed/.message")
	end := func(p string) string { return "250 \"" + p + "\" is the current folder.\r\n" }
	for _, tt := range []struct{ command, want string }{
		{"CWD a", "250-Rules %u\r\n 250 injected\r\n ?[31mred?\r\n" + end("/a")},
		{"CDUP", end("/")},
		{"CWD a", end("/a")}, // once
		{"CWD /closed", end("/closed")},
		{"CWD /limited", end("/limited")},
		{"CWD /none", end("/none")},
		{"CWD /folder", end("/folder")},
	} {
		if r := c.do(250, tt.command); r != tt.want {
			t.Errorf("%s: %q, want %q", tt.command, r, tt.want)
		}
	}
	w.write("none/.message", bytes.Repeat([]byte("y"), 5000))
	if r := c.do(250, "CWD /none"); len(r) != 4096+len("250-\r\n"+end("/none")) {
		t.Errorf("%d bytes", len(r))
	}
	c.do(220, "REIN")
	c.login("alice", w.password)
	if r := c.do(250, "CWD a"); !strings.HasPrefix(r, "250-Rules") {
		t.Errorf("in a new log-in: %q", r)
	}
}
