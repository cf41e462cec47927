package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"encoding/json"

	"trivium/config"
)

// TestLiveConfiguration: a key that is set counts at once and after a restart; a broken file changes nothing.
func TestLiveConfiguration(t *testing.T) {
	work := t.TempDir()
	file, dir := filepath.Join(work, "trivium.toml"), filepath.Join(work, "data")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("[limits]\nsessions = 100\n")
	load := func(chosen map[string]string) (*config.Config, error) {
		return LoadConfig(config.Options{Dev: true, Dir: work, SystemDir: work, File: file, DataDir: dir, Chosen: chosen,
			Set: []string{"ftp.listen=127.0.0.1:0", "web.listen=127.0.0.1:0", "xmpp.listen=127.0.0.1:0", "xmpp.tls_listen=127.0.0.1:0"}})
	}
	start := func() (c *Client, cfg *config.Config, stop func()) {
		t.Helper()
		cfg, err := load(nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		r, w := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			err := Serve(ctx, cfg, ServeOptions{Version: "test", Stdout: w, Stderr: &lockedBuffer{}, Started: time.Now(), Reload: load})
			_ = w.CloseWithError(io.ErrUnexpectedEOF)
			ended <- err
		}()
		var line ready
		if err := json.NewDecoder(r).Decode(&line); err != nil {
			t.Fatalf("no ready line: %v; %v", err, <-ended)
		}
		c, err = Control(t.Context(), cfg, "test")
		if err != nil {
			t.Fatal(err)
		}
		return c, cfg, func() {
			_ = c.Close()
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	do := func(c *Client, method, path, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "http://trivium/api/v1"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		res, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	entry := func(c *Client, key string) config.Entry {
		t.Helper()
		var list []config.Entry
		getJSON(t, c, "/config", &list)
		for _, e := range list {
			if e.Key == key {
				return e
			}
		}
		t.Fatalf("no key %s", key)
		return config.Entry{}
	}

	c, _, stop := start()
	if e := entry(c, "limits.sessions"); e.Layer != config.LayerFile || fmt.Sprint(e.Value) != "100" {
		t.Errorf("at the start: %+v", e)
	}
	for _, tt := range []struct {
		name, key, value string
		want             int
	}{
		{"a live key", "limits.sessions", "7", http.StatusNoContent},
		{"the level of the log", "log.level", "error", http.StatusNoContent},
		{"when backups are made", "backup.schedule", "04:30", http.StatusNoContent},
		{"no time of day", "backup.schedule", "25:00", http.StatusUnprocessableEntity},
		{"no number", "limits.sessions", "many", http.StatusUnprocessableEntity},
		{"a key of the start", "ftp.listen", ":21", http.StatusUnprocessableEntity},
		{"no key", "log.nosuch", "x", http.StatusUnprocessableEntity},
		{"a secret", "mail.password", "x", http.StatusUnprocessableEntity},
	} {
		if status, text := do(c, http.MethodPut, "/config/"+tt.key, `{"value":"`+tt.value+`"}`); status != tt.want {
			t.Errorf("%s: %d %s", tt.name, status, text)
		}
	}
	if e := entry(c, "limits.sessions"); e.Layer != config.LayerSet || fmt.Sprint(e.Value) != "7" {
		t.Errorf("after it was set: %+v", e)
	}
	scheduled := func() string {
		t.Helper()
		var b struct{ Schedule string }
		getJSON(t, c, "/backups", &b)
		return b.Schedule
	}
	if got := scheduled(); got != "04:30" {
		t.Errorf("backups are made at %q", got)
	}
	if status, text := do(c, http.MethodPut, "/config/backup.schedule", `{"value":"off"}`); status != http.StatusNoContent || scheduled() != "" {
		t.Errorf("%d %s; backups are made at %q", status, text, scheduled())
	}
	if status, text := do(c, http.MethodDelete, "/config/backup.schedule", ""); status != http.StatusNoContent {
		t.Errorf("%d %s", status, text)
	}
	write("[backup]\nschedule = \"05:00\"\n[limits]\nsessions = 100\n")
	if status, text := do(c, http.MethodPost, "/config/reload", ""); status != http.StatusOK || scheduled() != "05:00" {
		t.Errorf("%d %s; after the reload backups are made at %q", status, text, scheduled())
	}
	write("[limits]\nsesions = 100\n")
	if status, text := do(c, http.MethodPost, "/config/reload", ""); status != http.StatusConflict || !strings.Contains(text, "trivium.toml:2") || !strings.Contains(text, "sessions") {
		t.Errorf("a broken file: %d %s", status, text)
	}
	if e := entry(c, "limits.sessions"); fmt.Sprint(e.Value) != "7" {
		t.Errorf("after a broken file: %+v", e)
	}
	write("site_name = \"Else\"\n[backup]\nschedule = \"05:00\"\n[limits]\nsessions = 100\nban_after = 3\n")
	if _, text := do(c, http.MethodGet, "/config/pending", ""); !strings.Contains(text, "site_name") || !strings.Contains(text, "limits.ban_after") || strings.Contains(text, "limits.sessions\"") {
		t.Errorf("pending: %s", text)
	}
	var done struct{ Applied, Waiting []config.Change }
	if _, text := do(c, http.MethodPost, "/config/reload", ""); json.Unmarshal([]byte(text), &done) != nil || len(done.Applied) != 1 || len(done.Waiting) != 1 {
		t.Errorf("reload: %s", text)
	}
	stop()

	c, cfg, stop := start()
	if e := entry(c, "limits.sessions"); e.Layer != config.LayerSet || fmt.Sprint(e.Value) != "7" || cfg.Limits.Sessions != 100 {
		t.Errorf("after a restart: %+v", e)
	}
	if status, text := do(c, http.MethodDelete, "/config/limits.sessions", ""); status != http.StatusNoContent {
		t.Errorf("unset: %d %s", status, text)
	}
	if e := entry(c, "limits.sessions"); e.Layer != config.LayerFile || fmt.Sprint(e.Value) != "100" {
		t.Errorf("after it was taken back: %+v", e)
	}
	if status, _ := do(c, http.MethodDelete, "/config/limits.sessions", ""); status != http.StatusNotFound {
		t.Errorf("unset twice: %d", status)
	}
	stop()
}

// TestLevelOfTheLog: the level of a handler follows the variable.
func TestLevelOfTheLog(t *testing.T) {
	var out bytes.Buffer
	log, lv, _, err := newLog(config.Log{Level: "info", Format: "json"}, io.Discard, &out, false)
	if err != nil {
		t.Fatal(err)
	}
	log.Debug("one")
	lv.Set(slog.LevelDebug)
	log.Debug("two")
	if text := out.String(); strings.Contains(text, "one") || !strings.Contains(text, "two") {
		t.Error(text)
	}
}
