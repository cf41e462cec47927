package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/tokens"
	"trivium/web/api"
)

// askAbout introspects a value and returns the answer's text.
func (s *server) askAbout(t testing.TB, auth, value string, more ...string) (int, string) {
	t.Helper()
	form := url.Values{"token": {value}}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.url+"/introspect", strings.NewReader(form.Encode()))
	check(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if auth != "" {
		r.Header.Set("Authorization", auth)
	}
	res, err := http.DefaultClient.Do(r)
	check(t, err)
	defer res.Body.Close()
	var b strings.Builder
	_, err = bufio.NewReader(res.Body).WriteTo(&b)
	check(t, err)
	return res.StatusCode, b.String()
}

func (s *server) scoped(t testing.TB, user string, scopes ...tokens.Scope) (id, text string) {
	t.Helper()
	tok, secret, err := s.tokens.Issue(context.Background(), root(), tokens.Request{User: user, Scopes: scopes})
	check(t, err)
	return tok.ID, secret.Reveal()
}

func visit() identity.Visit {
	return identity.Visit{Remote: netip.MustParseAddrPort("192.0.2.1:5"), Local: netip.MustParseAddrPort("192.0.2.9:443"), TLS: "TLS 1.3",
		UserAgent: "Firefox", Referer: "https://example.org/from", Lang: "de"}
}

// TestIntrospect asks about all that can be asked about, and shows that what is not active is the same
// bytes whatever the reason.
func TestIntrospect(t *testing.T) {
	s := start(t, identity.LevelUser, identity.LevelAdmin)
	ctx := t.Context()
	_, service := s.scoped(t, "admin", tokens.ScopeAPI, tokens.ScopeIntrospect)
	bearer := "Bearer " + service
	tokenID, good := s.scoped(t, "user", tokens.ScopeFTP, tokens.ScopeFilesRead)
	expired, secret, err := s.tokens.Issue(ctx, root(), tokens.Request{User: "user", Scopes: []tokens.Scope{tokens.ScopeFTP}, TTL: time.Nanosecond})
	check(t, err)
	_ = expired
	revokedID, revoked := s.scoped(t, "user", tokens.ScopeFTP)
	check(t, s.tokens.Revoke(ctx, root(), revokedID))
	bound, boundText, err := s.tokens.Issue(ctx, root(), tokens.Request{User: "user", Scopes: []tokens.Scope{tokens.ScopeFTP}, From: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}})
	check(t, err)
	b, as, err := s.id.StartAnonymous(ctx, visit())
	check(t, err)
	ask := func(value string, more ...string) api.Introspected {
		t.Helper()
		status, text := s.askAbout(t, bearer, value, more...)
		var out api.Introspected
		if err := json.Unmarshal([]byte(text), &out); err != nil || status != http.StatusOK {
			t.Fatalf("%d %s: %v", status, text, err)
		}
		return out
	}
	ls, err := s.id.Upgrade(ctx, b, identity.Login{Method: identity.MethodForm, Name: "user", Secret: identity.NewSecret(password)}, false)
	check(t, err)
	if x := ask(good); !x.Active || x.Username != "user" || x.TokenType != "token" || x.Scope != "ftp files:read" || x.Jti != tokenID || x.Level != 10 || x.Iss != "example.org" {
		t.Errorf("a token: %+v", x)
	}
	if x := ask(boundText.Reveal(), "address", "203.0.113.7"); !x.Active || x.Jti != bound.ID {
		t.Errorf("a bound token from its address: %+v", x)
	}
	x := ask(ls.Value.Reveal())
	if !x.Active || x.TokenType != "cookie" || x.Username != "user" || x.Session == nil || x.Session.ID != b.ID() || x.Engine == nil || x.Engine.CSRF != b.CSRFToken() ||
		x.Engine.Referer != "https://example.org/from" || x.Engine.IP != "192.0.2.1" || x.Iat == 0 {
		t.Errorf("a cookie: %+v %+v", x, x.Engine)
	}
	if x := ask(b.ID()); !x.Active || x.TokenType != "session" || x.Engine == nil || x.Engine.CSRF != "" || x.Engine.Login != "user" {
		t.Errorf("a session ID: %+v %+v", x, x.Engine)
	}
	off := identity.UserDisabled
	s.add(t, "gone", identity.LevelUser)
	_, gone := s.scoped(t, "gone", tokens.ScopeFTP)
	if _, err := s.id.SetUser(ctx, root(), "gone", identity.UserChange{State: &off}); err != nil {
		t.Fatal(err)
	}
	unauthed, err := s.id.Registry.Open(ctx, identity.Opening{Protocol: identity.ProtocolFTP, Remote: visit().Remote})
	check(t, err)
	defer unauthed.Close()
	const no = `{"active":false}`
	for what, value := range map[string]string{
		"nothing that is known":           "nothing",
		"an expired token":                secret.Reveal(),
		"a revoked token":                 revoked,
		"a token with another secret":     good[:60] + "AAAA" + good[64:],
		"a token of another server":       "secret-token:AQEBAQEBAQEBAQEBAQICAgICAgICAgICAgICAgICAgICAgICAmFAZXhhbXBsZS5jb20",
		"a token bound to other networks": boundText.Reveal(),
		"a token of a disabled account":   gone,
		"the anonymous cookie of before":  as.Value.Reveal(),
		"a cookie with another secret":    ls.Value.Reveal()[:30] + "AAAA",
		"a connection without a log-in":   unauthed.ID(),
		"a password":                      password,
		"much":                            strings.Repeat("a", 5000),
	} {
		if status, text := s.askAbout(t, bearer, value); status != http.StatusOK || strings.TrimSpace(text) != no {
			t.Errorf("%s: %d %s", what, status, text)
		}
	}
	if status, text := s.askAbout(t, bearer, boundText.Reveal(), "address", "198.51.100.1"); strings.TrimSpace(text) != no {
		t.Errorf("a bound token from elsewhere: %d %s", status, text)
	}
	_, err = s.id.Downgrade(ctx, b, identity.Reason{Code: identity.ReasonEnded})
	check(t, err)
	if _, text := s.askAbout(t, bearer, ls.Value.Reveal()); strings.TrimSpace(text) != no {
		t.Errorf("the cookie after log-out: %s", text)
	}
	if x := ask(b.ID()); x.Active { // there are no anonymous visitors in this server: it is nobody's now
		t.Errorf("the session after log-out: %+v", x)
	}
}

// TestIntrospectIsGuarded: for whoever may not ask there is nothing here.
func TestIntrospectIsGuarded(t *testing.T) {
	s := start(t, identity.LevelUser, identity.LevelAdmin)
	_, plain := s.scoped(t, "admin", tokens.ScopeAPI)
	_, admin := s.scoped(t, "admin", tokens.ScopeAPI, tokens.ScopeAdmin)
	s.add(t, "second", identity.LevelAdmin)
	_, service := s.scoped(t, "second", tokens.ScopeAPI, tokens.ScopeIntrospect)
	absent := s.ask(t, "Bearer "+plain, http.MethodPost, "/nosuchpath", "")
	for what, auth := range map[string]string{"a token without the scope": "Bearer " + plain, "a password": basic("user"), "an administrator's password": basic("admin")} {
		if status, text := s.askAbout(t, auth, "x"); status != http.StatusNotFound || strings.TrimSpace(text) != strings.TrimSpace(string(absent.body)) {
			t.Errorf("%s: %d %s", what, status, text)
		}
	}
	if status, _ := s.askAbout(t, "", "x"); status != http.StatusUnauthorized {
		t.Errorf("nobody: %d", status)
	}
	if status, _ := s.askAbout(t, "Bearer "+admin, "x"); status != http.StatusOK {
		t.Errorf("scope admin: %d", status)
	}
	if _, _, err := s.tokens.Issue(t.Context(), root(), tokens.Request{User: "user", Scopes: []tokens.Scope{tokens.ScopeAPI, tokens.ScopeIntrospect}}); err == nil {
		t.Error("a user got the scope")
	}
	user := identity.LevelUser
	if status, _ := s.askAbout(t, "Bearer "+service, "x"); status != http.StatusOK {
		t.Errorf("scope introspect: %d", status)
	}
	if _, err := s.id.SetUser(t.Context(), root(), "second", identity.UserChange{Level: &user}); err != nil {
		t.Fatal(err)
	}
	if status, _ := s.askAbout(t, "Bearer "+service, "x"); status != http.StatusNotFound {
		t.Errorf("when its owner administers no more: %d", status)
	}
}

// Who guesses is slowed down, and what is asked about without a guess is not counted.
func TestIntrospectGuesses(t *testing.T) {
	s := start(t, identity.LevelAdmin)
	_, service := s.scoped(t, "admin", tokens.ScopeAPI, tokens.ScopeIntrospect)
	for range 50 {
		if status, _ := s.askAbout(t, "Bearer "+service, service); status != http.StatusOK {
			t.Fatalf("about itself: %d", status)
		}
	}
	for i := range 600 {
		if status, _ := s.askAbout(t, "Bearer "+service, fmt.Sprintf("1-guess%d", i)); status != http.StatusOK {
			t.Fatalf("guess %d: %d", i, status)
		}
	}
	if status, _ := s.askAbout(t, "Bearer "+service, "1-another"); status != http.StatusTooManyRequests {
		t.Errorf("after 600 guesses: %d", status)
	}
}

// FuzzIntrospect: whatever is sent, the answer is JSON of the right kind, and says no to what nobody
// was given.
func FuzzIntrospect(f *testing.F) {
	s := start(f, identity.LevelAdmin)
	for _, seed := range []string{"token=x", "token=", "token=a&token=b", "token=%zz", "token=a.b", "token=secret-token%3AAQ", "address=x&token=y", "token=1-abc;x=y", "token_type_hint=access_token&token=q", "token=\x00", strings.Repeat("token=a&", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x/api/v1/introspect", strings.NewReader(body))
		check(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := &recorder{header: http.Header{}}
		s.control.ServeHTTP(w, r)
		switch {
		case w.status == http.StatusOK || w.status == 0:
			if strings.TrimSpace(w.body.String()) != `{"active":false}` {
				t.Errorf("%q: %s", body, w.body.String())
			}
		case w.status != http.StatusBadRequest && w.status != http.StatusTooManyRequests && w.status != http.StatusUnprocessableEntity:
			t.Errorf("%q: %d %s", body, w.status, w.body.String())
		}
	})
}

// events opens the stream and returns what comes as it comes.
func (s *server) events(t testing.TB, auth, after string) (<-chan [3]string, *http.Response) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/sessions/events", nil)
	check(t, err)
	r.Header.Set("Authorization", auth)
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	res, err := http.DefaultClient.Do(r)
	check(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	out := make(chan [3]string, 100)
	go func() {
		defer close(out)
		var e [3]string
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				e[0] = value
			case "id":
				e[1] = value
			case "data":
				e[2] = value
			case "":
				if e[0] != "" {
					out <- e
				}
				e = [3]string{}
			}
		}
	}()
	return out, res
}

func next(t testing.TB, events <-chan [3]string) [3]string {
	t.Helper()
	select {
	case e, ok := <-events:
		if !ok {
			return [3]string{"closed"}
		}
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("no event comes")
		return [3]string{}
	}
}

// TestSessionStream follows a browser session from beginning to end, and goes on where it was cut.
func TestSessionStream(t *testing.T) {
	s := start(t, identity.LevelUser, identity.LevelAdmin)
	_, service := s.scoped(t, "admin", tokens.ScopeAPI, tokens.ScopeIntrospect)
	_, own := s.scoped(t, "user", tokens.ScopeAPI)
	events, res := s.events(t, "Bearer "+service, "")
	mine, _ := s.events(t, "Bearer "+own, "")
	if got := res.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/event-stream") {
		t.Errorf("Content-Type %q", got)
	}
	hello := next(t, events)
	if hello[0] != "hello" || hello[1] == "" || next(t, mine)[0] != "hello" {
		t.Fatalf("it begins with %v", hello)
	}
	b, _, err := s.id.StartAnonymous(t.Context(), visit())
	check(t, err)
	_, err = s.id.Upgrade(t.Context(), b, identity.Login{Method: identity.MethodForm, Name: "user", Secret: identity.NewSecret(password)}, false)
	check(t, err)
	b.Update(func(d *identity.Details) { d.Doing = "reading" })
	_, err = s.id.Downgrade(t.Context(), b, identity.Reason{Code: identity.ReasonEnded})
	check(t, err)
	b.Close()
	var kinds []string
	var last, middle [3]string
	for last[0] != "ended" {
		last = next(t, events)
		var data api.SessionEvent
		check(t, json.Unmarshal([]byte(last[2]), &data))
		if data.Session == nil || data.Kind != last[0] {
			t.Fatalf("%v", last)
		}
		if data.Session.ID != b.ID() { // the streams' own sessions
			continue
		}
		if kinds = append(kinds, last[0]); last[0] == "upgraded" {
			middle = last
			if !strings.Contains(last[2], `"user":"user"`) || !strings.Contains(last[2], `"remote_addr":"192.0.2.1:5"`) {
				t.Errorf("not a session as the lists have it: %s", last[2])
			}
		}
	}
	if got := strings.Join(kinds, " "); !strings.HasPrefix(got, "opened upgraded changed") || !strings.HasSuffix(got, "downgraded changed ended") {
		t.Errorf("its life: %s", got)
	}
	if !strings.Contains(last[2], `"reason":"closed"`) {
		t.Errorf("its end: %s", last[2])
	}
	again, _ := s.events(t, "Bearer "+service, middle[1])
	next(t, again)
	if e := next(t, again); e[0] != "changed" {
		t.Errorf("after %s comes %v", middle[1], e)
	}
	lost, _ := s.events(t, "Bearer "+service, "elsewhere-5")
	next(t, lost)
	if e := next(t, lost); e[0] != "lagged" || !strings.Contains(e[2], `"session":null`) {
		t.Errorf("after a place of another process: %v", e)
	}
	// One's own only: what the person sees of it all is between log-in and log-out.
	for _, want := range []string{"upgraded"} {
		if e := next(t, mine); e[0] != want || !strings.Contains(e[2], b.ID()) {
			t.Errorf("a user sees %v, want %s", e, want)
		}
	}
	// The stream ends with its token, and with the server.
	for _, i := range s.id.Registry.List(identity.Filter{User: "user"}) {
		check(t, s.id.Registry.End(i.ID, identity.Reason{Code: identity.ReasonEnded}))
	}
	for e := next(t, mine); e[0] != "closed"; e = next(t, mine) {
		if e[0] == "" {
			t.Fatal("it goes on")
		}
	}
	s.api.Stop()
	for e := next(t, again); e[0] != "closed"; e = next(t, again) {
		if e[0] == "" {
			t.Fatal("it goes on")
		}
	}
}
