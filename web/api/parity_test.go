package api_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// parity says by which operation of the API each form of the pages can be done. Those that no program
// needs have the reason in its place, after a dash.
var parity = map[string]string{
	"/account": "set-me", "/account/export": "export-me", "/account/links/:provider/add": "- a browser goes to the provider",
	"/account/links/remove": "remove-link", "/account/password": "set-password",
	"/admin/applications/:id": "set-application", "/admin/applications/:id/remove": "remove-application", "/admin/applications/:id/secret": "renew-application-secret",
	"/admin/applications/new": "add-application", "/admin/bans/:prefix/lift": "lift-ban", "/admin/bans/allow/:prefix/remove": "remove-ban-allow",
	"/admin/bans/allow/new": "add-ban-allow", "/admin/bans/new": "add-ban",
	"/admin/doctor/fix": "fix-check", "/admin/doctor/run": "doctor",
	"/admin/groups/:name/add": "add-members", "/admin/groups/:name/delete": "remove-group", "/admin/groups/:name/remove": "remove-members",
	"/admin/groups/:name/settings": "set-group", "/admin/groups/new": "add-group", "/admin/import": "import-users", "/admin/import/:id/apply": "import-users",
	"/admin/invites/:id/revoke": "revoke-invite", "/admin/invites/new": "add-invite", "/admin/policy/apply": "change-policy", "/admin/policy/review": "change-policy",
	"/admin/policy/undo": "undo-policy", "/admin/sessions/:id/end": "end-session", "/admin/sessions/:id/message": "- a message of chat, which has its own road",
	"/admin/sessions/end": "end-sessions", "/admin/sources/:name/preview": "sync-source", "/admin/sources/:name/sync": "sync-source", "/admin/sources/:name/test": "test-source",
	"/admin/users/:name/certificates/:id/remove": "remove-certificate", "/admin/users/:name/disable": "disable-user", "/admin/users/:name/enable": "enable-user",
	"/admin/users/:name/end-sessions": "sign-out", "/admin/users/:name/factors/:id/remove": "remove-factor", "/admin/users/:name/groups": "add-members",
	"/admin/users/:name/level": "set-user", "/admin/users/:name/link": "add-invite", "/admin/users/:name/must-change": "must-change",
	"/admin/users/:name/password": "set-password", "/admin/users/:name/profile": "set-user", "/admin/users/new": "add-user",
	"/groups/:name/add": "add-members", "/groups/:name/remove": "remove-members",
	"/security/applications/:id/end": "end-application-use", "/security/certificate": "add-my-certificate", "/security/certificates/:id/remove": "remove-my-certificate",
	"/sessions/:id/end": "end-session", "/sessions/sign-out": "sign-out", "/shares/:id/end": "end-share", "/shares/end-dead": "end-share", "/shares/new": "add-share",
	"/contacts/invite": "- chat clients do it on their own road (XEP-0401)", "/contacts/:id/revoke": "- likewise", "/contacts/list/:verb": "- likewise (RFC 6121, XEP-0191)", "/chat/token": "- logs a browser in to chat, once",
	"/account/picture": "- chat's own road has it (XEP-0084), and vCards", "/account/picture/remove": "- likewise",
	"/admin/backups/new": "create-backup", "/admin/backups/stop": "stop-backup", "/admin/backups/:name/verify": "verify-backup",
	"/admin/backups/:name/remove": "remove-backup", "/admin/backups/:name/download": "download-backup",
	"/admin/announcements/new": "add-announcement", "/admin/announcements/:id/end": "end-announcement", "/announcements/:id/put-away": "put-away-announcement",
	"/admin/maintenance/on": "set-maintenance", "/admin/maintenance/off": "set-maintenance",
	"/admin/config/reload": "reload-config", "/admin/config/set": "set-config", "/admin/config/unset": "unset-config",
	"/admin/certificates/import": "import-server-certificate", "/admin/certificates/selfsigned": "make-server-certificate", "/admin/certificates/renew": "renew-server-certificate",
	"/admin/transfers/:id/stop": "stop-transfer", "/connect/:road/test": "test-connection",
	"/admin/webhooks/new": "add-webhook", "/admin/webhooks/:id": "set-webhook", "/admin/webhooks/:id/switch": "set-webhook", "/admin/webhooks/:id/secret": "rotate-webhook",
	"/admin/webhooks/:id/remove": "remove-webhook", "/admin/webhooks/:id/test": "test-webhook", "/admin/webhooks/:id/deliveries/:delivery/send": "resend-delivery",
	"/notifications/read": "see-notifications", "/notifications/:id/read": "see-notifications", "/notifications/settings": "set-notices",
	"/tokens/:id/revoke": "revoke-token", "/tokens/new": "issue-token", "/trash": "restore-trash",
}

// apart are beginnings of paths that are no operations on the server: the log-in itself and what proves a
// person, files, which WebDAV has, and looks of the pages.
func apart() []string {
	return []string{"/login", "/logout", "/setup", "/join/", "/confirm", "/oauth/", "/security/passkey", "/security/app", "/security/codes", "/security/chat",
		"/security/factors/", "/files/", "/s/", "/theme", "/display", "/zone", "/language"}
}

// What the pages can do, the API can.
func TestPagesAndAPIAreEqual(t *testing.T) {
	row := regexp.MustCompile(`Method: (?:post|http\.MethodPost), Path: "([^"]+)"`)
	operation := regexp.MustCompile(`\(a, [\w.]+, http\.Method\w+, "[^"]+", "([^"]+)"`)
	operations := map[string]bool{}
	for _, text := range sources(t, "*.go") {
		for _, m := range operation.FindAllStringSubmatch(text, -1) {
			operations[m[1]] = true
		}
	}
	forms := map[string]bool{}
	for _, text := range sources(t, filepath.Join("..", "*.go")) {
		for _, m := range row.FindAllStringSubmatch(text, -1) {
			forms[m[1]] = true
		}
	}
	if len(operations) < 80 || len(forms) < 60 {
		t.Fatalf("%d operations and %d forms: the tables are written in another way", len(operations), len(forms))
	}
form:
	for path := range forms {
		for _, p := range apart() {
			if strings.HasPrefix(path, p) && !strings.HasPrefix(path, "/security/applications") {
				continue form
			}
		}
		op := parity[path]
		switch {
		case op == "":
			t.Errorf("POST %s of the pages has no operation of the API beside it: name it in parity", path)
		case !strings.HasPrefix(op, "- ") && !operations[op]:
			t.Errorf("POST %s: there is no operation %s", path, op)
		}
	}
	for path := range parity {
		if !forms[path] {
			t.Errorf("parity has %s, which is no form of the pages", path)
		}
	}
}

// sources are the files without tests.
func sources(t *testing.T, pattern string) (out []string) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
	return out
}
