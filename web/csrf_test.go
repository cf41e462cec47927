package web_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/tokens"
	"trivium/web"
)

// state is all that a form could change: what the audit log has recorded, who is logged in, accounts,
// groups, rules, bans, links and files.
func (s *site) state(mine *browser) string {
	s.t.Helper()
	ctx := context.Background()
	var b strings.Builder
	note := func(what string, v any, err error) {
		if err != nil {
			s.t.Fatalf("%s: %v", what, err)
		}
		fmt.Fprintf(&b, "%s: %+v\n", what, v)
	}
	rows, err := s.identity.Audit(ctx, identity.AuditFilter{Limit: 10_000})
	changes := 0
	for _, r := range rows {
		if !strings.HasPrefix(r.Event, "login.") && r.Event != identity.EventDeviceNew { // written behind, of log-ins before
			changes++
		}
	}
	note("audit", changes, err)
	users, err := s.identity.Users(ctx, identity.UserFilter{})
	for _, u := range users {
		note("user", []any{u.Login, u.Level, u.State, u.CredentialVersion, u.Profile, u.Groups, u.Factors, u.MustChange}, err)
	}
	groups, err := s.identity.Groups(ctx)
	note("groups", groups, err)
	note("rules", s.identity.Rules(), nil)
	bans, err := s.identity.Bans(ctx)
	note("bans", bans, err)
	allows, err := s.identity.BanAllows(ctx)
	note("never banned", allows, err)
	invites, err := s.identity.Invitations(ctx, machine, identity.InviteFilter{})
	note("invitations", invites, err)
	list, err := s.tokens.List(ctx, "root1")
	note("tokens", len(list), err)
	for _, i := range s.identity.Registry.List(identity.Filter{}) {
		if i.Level > identity.LevelAnonymous {
			note("session", []any{i.ID, i.Level, i.State}, nil)
		}
	}
	note("cookie", mine.cookie("ls")+mine.cookie("theme"), nil)
	err = filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			fmt.Fprintf(&b, "file %s\n", path)
		}
		return err
	})
	note("files", "", err)
	return b.String()
}

// Every changing route of the table is called with a good session, and refused where the form is not one
// of our own pages: without a token, with that of another session, from another origin or site. Nothing
// has changed then. A route that is new is among them by itself.
func TestNoFormFromElsewhere(t *testing.T) {
	s := newBinSite(t, withChat(), func(o *web.Options, _ *identity.Options) { o.Chat.Pictures = onePicture{} })
	root := s.user("root1", identity.LevelRoot)
	s.user("user1", identity.LevelUser)
	ctx := t.Context()
	if _, err := s.identity.AddGroup(ctx, machine, "crew", 0); err != nil {
		t.Fatal(err)
	}
	if err := s.identity.AddMembers(ctx, machine, "crew", []string{"root1"}, true); err != nil {
		t.Fatal(err)
	}
	tok, _, err := s.tokens.Issue(ctx, machine, tokens.Request{User: "root1", Scopes: []tokens.Scope{tokens.ScopeFTP}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.identity.AddBan(ctx, machine, identity.NewBan{Prefix: "192.0.2.0/24", For: time.Hour}); err != nil {
		t.Fatal(err)
	}
	inv, _, err := s.identity.Invite(ctx, machine, identity.NewInvite{Level: identity.LevelUser, Uses: 1, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	b, other := s.browser().login("root1"), s.browser().login("root1")
	mine, theirs := b.token("/account"), other.token("/account")
	second := ""
	for _, i := range s.identity.Registry.List(identity.Filter{Owner: root.ID}) {
		second = i.ID
	}
	b.upload("/files/", upload{"csrf", "", mine}, upload{"file", "victim.txt", "content"}).expect(t, http.StatusSeeOther)
	b.get("/files/") // takes the flash away

	fill := func(path string) string {
		id := "x"
		switch {
		case strings.Contains(path, "/sessions/"):
			id = second
		case strings.HasPrefix(path, "/tokens/"):
			id = tok.ID
		case strings.HasPrefix(path, "/admin/invites/"):
			id = inv.ID
		}
		name := "user1"
		if strings.Contains(path, "/groups/") && !strings.Contains(path, "/users/") {
			name = "crew"
		}
		return strings.NewReplacer(":name", name, ":id", id, ":prefix", url.PathEscape("192.0.2.0/24"), ":provider", "x", ":code", "x", "*", "").Replace(path)
	}
	fields := url.Values{"login": {"root1"}, "password": {password}, "new": {password + "!"}, "old": {password}, "name": {"crew"}, "users": {"user1"}, "user": {"user1"}, "level": {"20"},
		"prefix": {"198.51.100.7"}, "for": {"3600"}, "allow": {"198.51.100.0/24"}, "id": {second}, "sure": {"1"}, "do": {"end"}, "keep": {"1"}, "scope": {"ftp"}, "label": {"x"}, "expires": {"90"},
		"extra": {"web:/shares = staff"}, "uses": {"1"}, "days": {"7"}, "theme": {"dark"}, "offset": {"60"}, "text": {"x"}, "to": {"victim.txt"}, "format": {"csv"}}
	attacks := map[string]struct{ header, value, token, says string }{
		"no token":              {"Sec-Fetch-Site", "same-origin", "", "it is too old"},
		"another session's":     {"Sec-Fetch-Site", "same-origin", theirs, "it is too old"},
		"a token that is wrong": {"", "", mine[:len(mine)-1] + "?", "it is too old"},
		"another origin":        {"Origin", "https://evil.example", mine, "another site"},
		"a sandbox":             {"Origin", "null", mine, "another site"},
		"another site":          {"Sec-Fetch-Site", "cross-site", mine, "another site"},
		"a sibling":             {"Sec-Fetch-Site", "same-site", mine, "another site"},
	}
	before := s.state(b)
	routes := s.Changing()
	if len(routes) < 40 {
		t.Fatalf("%d routes", len(routes))
	}
	for _, r := range routes {
		path := fill(r.Path)
		for what, c := range attacks {
			kinds := []string{"application/x-www-form-urlencoded"}
			if r.Upload {
				kinds = append(kinds, "multipart/form-data", "application/offset+octet-stream")
			}
			for _, kind := range kinds {
				send := url.Values{}
				for k, v := range fields {
					send[k] = v
				}
				if c.token != "" {
					send.Set("csrf", c.token)
				}
				req := b.request(r.Method, path, strings.NewReader(send.Encode()))
				if kind == "multipart/form-data" {
					var form bytes.Buffer
					w := multipart.NewWriter(&form)
					for _, k := range []string{"csrf", "replace"} {
						if send.Has(k) {
							_ = w.WriteField(k, send.Get(k))
						}
					}
					f, _ := w.CreateFormFile("file", "planted.txt")
					_, _ = f.Write([]byte("planted"))
					_ = w.Close()
					req = b.request(r.Method, path, &form)
					kind = w.FormDataContentType()
				}
				if kind == "application/offset+octet-stream" || r.Method != http.MethodPost { // a script's upload
					req.Header.Set("Tus-Resumable", "1.0.0")
					req.Header.Set("X-CSRF-Token", c.token)
				}
				req.Header.Set("Content-Type", kind)
				if c.header != "" {
					req.Header.Set(c.header, c.value)
				}
				a := b.do(req)
				if r.Path == "/s/:code" || r.Path == "/s/:code/*" { // what visitors see first is whether the link is there
					if a.StatusCode < 400 {
						t.Errorf("%s %s, %s: %d", r.Method, r.Path, what, a.StatusCode)
					}
					continue
				}
				if a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, c.says) {
					t.Errorf("%s %s, %s: %d %s", r.Method, r.Path, what, a.StatusCode, text(a.body))
				}
			}
		}
		for _, kind := range []string{"text/plain", "application/json", "", "application/x-www-form-urlencoded; charset"} {
			send := url.Values{"csrf": {mine}}
			for k, v := range fields {
				send[k] = v
			}
			req := b.request(r.Method, path, strings.NewReader(send.Encode()))
			if kind != "" {
				req.Header.Set("Content-Type", kind)
			}
			if a := b.do(req); a.StatusCode != http.StatusUnsupportedMediaType && (r.Method == http.MethodPost || a.StatusCode != http.StatusForbidden) {
				t.Errorf("%s %s as %q: %d", r.Method, r.Path, kind, a.StatusCode)
			}
		}
		if after := s.state(b); after != before {
			t.Fatalf("%s %s changed something:\n%s\nwas\n%s", r.Method, r.Path, after, before)
		}
	}
	// The same form from the page itself gets through, so it is the token that kept the others out.
	b.post("/account", "/theme", "theme", "dark").expect(t, http.StatusSeeOther)
	if b.cookie("theme") != "dark" {
		t.Error("the good form changed nothing")
	}
}

// What others guard takes no cookie: a session of the pages opens neither the API nor WebDAV.
func TestForeignTakesNoCookie(t *testing.T) {
	var seen []string
	s := newSite(t, func(w *web.Options, _ *identity.Options) {
		w.API = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			seen = append(seen, r.Header.Get("Authorization"))
			rw.WriteHeader(http.StatusUnauthorized)
		})
	})
	s.user("user1", identity.LevelUser)
	b := s.browser().login("user1")
	b.do(b.request(http.MethodPost, "/api/v1/tokens", nil)).expect(t, http.StatusUnauthorized)
	if len(seen) != 1 || seen[0] != "" {
		t.Errorf("the API got %q", seen)
	}
	if len(s.Foreign()) == 0 {
		t.Error("nothing is mounted")
	}
}

// A link that visitors may put files behind: with the token of another, or from another site, nothing
// arrives.
func TestDropBoxFromElsewhere(t *testing.T) {
	s := newSite(t)
	s.user("user1", identity.LevelUser)
	b := s.browser().login("user1")
	b.post("/files/", "/files/", "do", "mkdir", "name", "drop").expect(t, http.StatusSeeOther)
	path := b.share("/drop", "kind", "drop")
	visitor, stranger := s.browser(), s.browser()
	visitor.get(path).expect(t, http.StatusOK)
	theirs := stranger.token(path)
	for _, token := range []string{"", theirs} {
		visitor.upload(path, upload{"csrf", "", token}, upload{"file", "planted.txt", "x"}).expect(t, http.StatusForbidden)
	}
	visitor.upload(path, upload{"csrf", "", visitor.token(path)}, upload{"file", "good.txt", "x"}).expect(t, http.StatusSeeOther)
}

// onePicture is the same for everybody, and stays.
type onePicture struct{}

func (onePicture) Hash(context.Context, identity.Account) string { return "0123456789abcdef" }

func (onePicture) Avatar(context.Context, identity.Account) (image []byte, kind string, err error) {
	return []byte("x"), "image/png", nil
}

func (onePicture) SetAvatar(context.Context, identity.Account, []byte, string) error { return nil }
