package e2e

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// guessFrom tries wrong passwords of one account from an address of the loopback network until the
// server has enough, and returns how many it took.
func guessFrom(addr, from, user string) (int, error) {
	d := net.Dialer{Timeout: clientLimit, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	for n := range 40 {
		conn, err := d.Dial("tcp", addr)
		if err != nil {
			return n, err
		}
		r := bufio.NewReader(conn)
		greeting, err := r.ReadString('\n')
		if err != nil || strings.HasPrefix(greeting, "421") {
			return n, conn.Close()
		}
		if _, err := fmt.Fprintf(conn, "USER %s\r\nPASS guess-%d\r\n", user, n); err != nil {
			return n, errors.Join(err, conn.Close())
		}
		_, _ = r.ReadString('\n')     // 331
		line, _ := r.ReadString('\n') // 530, or the end
		if strings.HasPrefix(line, "421") {
			return n, conn.Close()
		}
		_ = conn.Close()
	}
	return 40, errors.New("nobody stops the guessing")
}

// TestAYear is a person's year: invited, at home on all roads, in a group, raised, robbed of a phone,
// guessed at, and gone. Each step stands in the audit log, whose chain holds.
func TestAYear(t *testing.T) {
	ctx := browse(t)
	s := serve(t, "--set", "limits.ban_after=3")
	base, _, _ := strings.Cut(s.setup, "/setup?") // the host of passkeys
	s.run(t, password+"\n", "user", "add", "root1", "--level", "root", "--password-stdin")
	s.run(t, "", "group", "add", "crew")

	// Invited, and an account made in the browser.
	link := strings.TrimSpace(s.run(t, "", "invite", "add", "--note", "for the new one"))
	link = base + link[strings.Index(link, "/join/"):]
	const own = "Green-Harbour-Lantern-42"
	page := func(name string) chromedp.Action[chromedp.Void] {
		return chromedp.WaitVisible(chromedp.CSS(`html[data-ready="1"] body[data-page="` + name + `"]`))
	}
	do(t, ctx, "join", chromedp.Navigate(link), chromedp.SendKeys(chromedp.CSS(`input[name="login"]`), "dora"),
		chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), own+"\r"), page("home"), chromedp.WaitVisible(chromedp.CSS(`body[data-user="dora"]`)))

	// A passkey.
	call(t, ctx, webauthn.Enable, webauthn.EnableParams{})
	call(t, ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true}})
	do(t, ctx, "passkey", chromedp.Navigate(base+"/security/passkey"), page("security.passkey"), chromedp.SendKeys(chromedp.CSS("#label"), "laptop"),
		chromedp.Click(chromedp.CSS("form[data-passkey] button:not([type]):not(:disabled)")), page("security"),
		chromedp.WaitVisible(chromedp.CSS(`[data-testid="factor-row"][data-kind="passkey"]`)))

	// App passwords: one for the phone's chat, one for a camera's FTP.
	appPassword := func(preset string) string {
		t.Helper()
		do(t, ctx, preset, chromedp.Navigate(base+"/tokens?preset="+preset), page("tokens"), chromedp.Click(chromedp.CSS(`form[action="/tokens/new"] button`)),
			chromedp.WaitVisible(chromedp.CSS(`[data-testid="secret-value"]`)))
		secret, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector('[data-testid="secret-value"]').value`))
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	forPhone, forCamera := appPassword("chat"), appPassword("scanner")
	phone := dialXMPP(t, s.addr["xmpps"], "localhost")
	phone.login("dora", forPhone, "localhost", "phone")
	camera := dialFTP(t, s.addr["ftp"])
	camera.login("dora", forCamera)
	camera.do("TYPE I", "200")

	// In a group, and raised: the sessions that there are have it at once.
	camera.do("CWD /groups/crew", "550")
	s.run(t, "", "group", "member", "add", "crew", "dora")
	camera.do("CWD /groups/crew", "250")
	camera.wants(camera.put("STOR frame.jpg", []byte("a picture")), "226")
	s.run(t, "", "user", "set", "dora", "--level", "moderator")
	do(t, ctx, "raised", chromedp.Navigate(base+"/"), chromedp.WaitVisible(chromedp.CSS(`body[data-level="40"]`)))

	// The phone is lost: chat is gone, the camera unhurt.
	var tokens []struct{ ID, Label string }
	list := s.run(t, "", "token", "list", "dora", "--json")
	if err := json.Unmarshal([]byte(list), &tokens); err != nil {
		t.Fatal(err)
	}
	for _, x := range tokens {
		if strings.Contains(x.Label, "chat") {
			do(t, ctx, "revoke", chromedp.Navigate(base+"/tokens"), page("tokens"), chromedp.Click(chromedp.CSS(`[data-testid="token-row"][data-id="`+x.ID+`"] button.danger`)),
				chromedp.Click(chromedp.CSS(`dialog[open] button.danger`)), chromedp.WaitVisible(chromedp.CSS(`[data-testid="flash-success"]`)))
		}
	}
	phone.ended("not-authorized")
	camera.do("NOOP", "200")

	// Guessed at from many addresses: those are banned, on all roads; the person is not.
	var bots sync.WaitGroup // at once, for each guess waits longer than the last
	for i := range 8 {
		bots.Go(func() {
			if n, err := guessFrom(s.addr["ftp"], fmt.Sprintf("127.77.%d.1", i), "dora"); err != nil || n > 10 {
				t.Errorf("guesses from address %d: %d, %v", i, n, err)
			}
		})
	}
	bots.Wait()
	d := net.Dialer{Timeout: clientLimit, LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.77.0.1")}}
	if conn, err := d.Dial("tcp", s.addr["xmpp"]); err == nil {
		_, _ = io.WriteString(conn, "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='localhost'>")
		if b, _ := io.ReadAll(io.LimitReader(conn, 1000)); strings.Contains(string(b), "<stream:features") {
			t.Errorf("a banned address gets a stream: %s", b)
		}
		_ = conn.Close()
	}
	stranger := &http.Client{Timeout: clientLimit, Transport: &http.Transport{DialContext: d.DialContext}}
	if res, err := stranger.Get("http://" + s.addr["web"] + "/login"); err == nil {
		_ = res.Body.Close()
		if res.StatusCode < 400 {
			t.Errorf("a banned address gets the page: %d", res.StatusCode)
		}
	}
	camera.do("NOOP", "200")
	dialFTP(t, s.addr["ftp"]).login("dora", forCamera)
	if status, _ := formLogin(t, s, "dora", own); status >= 400 {
		t.Errorf("the person's own log-in: %d", status)
	}

	// Gone: disabled, taken along, deleted.
	s.run(t, "", "user", "disable", "dora", "--yes")
	if reply, err := camera.reply(); err != nil || !strings.HasPrefix(reply, "421") {
		t.Errorf("the camera: %q, %v", reply, err)
	}
	archive := filepath.Join(t.TempDir(), "dora.tar.gz")
	s.run(t, "", "user", "export", "dora", "--to", archive)
	if names := entries(t, archive); !strings.Contains(names, "profile.json") {
		t.Errorf("the archive holds %s", names)
	}
	s.run(t, "", "user", "remove", "dora", "--yes")
	for _, left := range s.sessions(t) {
		if left.User != nil && *left.User == "dora" {
			t.Errorf("left: %+v", left)
		}
	}
	log := s.run(t, "", "audit", "--limit", "1000", "--json")
	for _, event := range []string{"invite.add", "invite.use", "factor.add", "token.issue", "member.add", "user.set", "token.revoke", "login.fail", "ban.add", "level.set", "user.export", "user.remove"} {
		if !strings.Contains(log, `"`+event+`"`) {
			t.Errorf("no %s in the audit log", event)
		}
	}
	s.run(t, "", "audit", "verify")
}

// call sends a command of the browser's protocol.
func call[P, R any](t *testing.T, ctx context.Context, cmd cdp.Command[P, R], params P) R {
	t.Helper()
	r, err := chromedp.Call(ctx, cmd, params)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// entries are the names in an archive.
func entries(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return strings.Join(names, " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
}
