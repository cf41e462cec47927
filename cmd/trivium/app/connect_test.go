package app

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trivium/web/api"
)

// request sends a request as the command line does.
func request(t *testing.T, c *Client, method, path string, body, out any) int {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(context.Background(), method, "http://trivium/api/v1"+path, bytes.NewReader(b))
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
	if out != nil && res.StatusCode < 300 {
		if err := json.Unmarshal(text, out); err != nil {
			t.Fatal(err)
		}
	} else if res.StatusCode >= 300 {
		t.Logf("%s %s: %s", method, path, text)
	}
	return res.StatusCode
}

// Every road is tried for real, with a password of which nothing is left.
func TestConnectionTests(t *testing.T) {
	cfg := loadTest(t, filepath.Join(t.TempDir(), "data"), "ftp.tls_listen=127.0.0.1:0", "web.tls_listen=127.0.0.1:0", "identity.scram_iterations=4096")
	_, stop := serveTest(t, cfg)
	defer func() { _ = stop() }()
	c, err := Control(context.Background(), cfg, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if got := request(t, c, http.MethodPost, "/users", map[string]any{"login": "alice", "password": "correct horse battery staple"}, nil); got != http.StatusCreated {
		t.Fatalf("adding an account: %d", got)
	}
	for road, want := range map[string]string{
		"ftp":  "control ok, tls warning, login ok, passive ok, extended ok, implicit ok",
		"dav":  "connect ok, tls warning, options ok, login ok, resume ok",
		"xmpp": "srv skipped, connect ok, tls warning, features ok, login ok, bind ok, direct ok, hostmeta ok, websocket ok",
		"api":  "connect ok, tls warning, guard ok, login ok",
	} {
		var got api.ConnectionTest
		began := time.Now()
		if status := request(t, c, http.MethodPost, "/connect/"+road+"/test", map[string]any{"user": "alice"}, &got); status != http.StatusOK {
			t.Errorf("%s: %d", road, status)
			continue
		}
		var states []string
		for _, s := range got.Steps {
			states = append(states, s.ID+" "+s.State)
			if s.State == "failed" || s.State == "skipped" || s.State == "warning" {
				t.Logf("%s %s %s: %s | %s | %s", road, s.ID, s.State, s.Detail, s.Why, s.Fix)
			}
			if strings.Contains(strings.Join(s.Lines, "\n")+s.Detail+s.Why, "secret-token:") {
				t.Errorf("%s: the step %s shows the password", road, s.ID)
			}
		}
		if text := strings.Join(states, ", "); text != want {
			t.Errorf("%s: %s\nwant %s", road, text, want)
		}
		t.Logf("%s took %v", road, time.Since(began))
	}
	var tokens []map[string]any
	if request(t, c, http.MethodGet, "/tokens?user=alice", nil, &tokens); len(tokens) != 0 {
		t.Errorf("a list of tokens shows %v", tokens)
	}
	if status := request(t, c, http.MethodPost, "/connect/ftp/test", map[string]any{"user": "alice", "url": "ftp://ftp.example.com"}, nil); status != http.StatusUnprocessableEntity {
		t.Errorf("a foreign address: %d", status)
	}
}

// A wrong address in the answer to PASV is found, and the step says which setting is wrong.
func TestWrongPassiveAddress(t *testing.T) {
	cfg := loadTest(t, filepath.Join(t.TempDir(), "data"), "ftp.public_address=127.0.0.77", "identity.scram_iterations=4096")
	_, stop := serveTest(t, cfg)
	defer func() { _ = stop() }()
	c, err := Control(context.Background(), cfg, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if got := request(t, c, http.MethodPost, "/users", map[string]any{"login": "alice", "password": "correct horse battery staple"}, nil); got != http.StatusCreated {
		t.Fatalf("adding an account: %d", got)
	}
	var got api.ConnectionTest
	if status := request(t, c, http.MethodPost, "/connect/ftp/test", map[string]any{"user": "alice"}, &got); status != http.StatusOK || got.State != "failed" {
		t.Fatalf("%d, %+v", status, got)
	}
	for _, s := range got.Steps {
		if s.ID == "passive" && (s.State != "failed" || !strings.Contains(s.Fix, "ftp.public_address")) || s.ID == "extended" && s.State != "ok" {
			t.Errorf("%+v", s)
		}
	}
}
