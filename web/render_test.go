package web

import (
	"maps"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"trivium/backup"
	"trivium/config"
	"trivium/doctor"
	"trivium/files"
	"trivium/identity"
	"trivium/internal/certs"
	"trivium/internal/licences"
	"trivium/tokens"
	"trivium/web/text"
	"trivium/webhooks"
)

// nasty is a name as an attacker chooses it.
const nasty = `<img src=x onerror=alert(1)>"'&{{.}}`

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func fullPage() page {
	return page{ID: "test", Title: nasty, Site: nasty, Version: "1.0", Held: identity.LevelAdmin, Me: nasty, MyName: nasty, CSRF: "token",
		Nav:   []navGroup{{Label: "You", Items: []navItem{{Label: "Home", Href: "/", Icon: "home", Here: true}}}, {Label: "People", Items: []navItem{{Label: "Users", Href: "/admin/users", Icon: "person"}}}},
		Flash: &flash{Kind: flashSuccess, Text: nasty, Secret: identity.NewSecret("s3cret"), Label: nasty}, RequestID: "0badcafe", Theme: "dark",
		Live: "/sessions/events", LoginHref: "/login", Problems: []problem{{"login", nasty}, {"password", nasty}}, now: noon}
}

func fullField(id string) field {
	return field{ID: id, Name: id, Label: nasty, Type: "text", Value: nasty, Help: nasty, Error: nasty, Autocomplete: "off", List: "zones", Required: true, Focus: true, Strength: true}
}

// english is the English texts.
func english(t *testing.T) *text.Language {
	t.Helper()
	s, _, err := text.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.Match("en")
}

func str(s string) *string { return &s }

func fullRow(p *page) sessionRow {
	u := uint32(10000)
	i := identity.Info{ID: "1-abc", Protocol: identity.ProtocolFTP, State: identity.StateTransfer, Level: identity.LevelUser, User: str(nasty),
		UID: &u, GID: &u, Class: str("lan"), RemoteAddr: "192.0.2.7:1", TLS: str("TLS 1.3"), UserAgent: str(nasty), StartedAt: noon, LastActivity: noon, Doing: nasty,
		Transfer: &identity.TransferInfo{Verb: "STOR", Path: nasty, Bytes: 43, Size: 100, Rate: 1000, StartedAt: noon}}
	return sessionRow{Info: i, Who: nasty, Client: nasty, Word: "transfer", Icon: "dot", This: true, Mine: true, EndPath: "/sessions/1-abc/end", Since: p.Stamp(noon), Heard: p.Stamp(noon)}
}

// views has each page with nothing and with everything in it.
func views() map[string][2]any {
	p := fullPage()
	card := accountCard{User: nasty, Domain: "example.org", Group: nasty, Level: identity.LevelUser, UID: 1, GID: 2, Groups: []string{nasty, "b"}, State: identity.UserDisabled, Created: noon, LastLogin: noon}
	audit := []auditRow{{identity.AuditEvent{Time: noon, Event: "login.fail", Actor: nasty, Via: "web", Subject: nasty, Protocol: identity.ProtocolFTP, Method: identity.MethodForm, Remote: nasty, Result: nasty, Detail: nasty, Before: `{"level":"user"}`, After: `{"level":"staff"}`}}, {identity.AuditEvent{Time: noon, Event: "login.ok", Result: "ok"}}}
	rows := []sessionRow{fullRow(&p)}
	opts := []option{{Value: nasty, Label: nasty, Selected: true}}
	staff := identity.LevelStaff
	withOptions := fullField("level")
	withOptions.Options = opts
	withRows := fullField("about")
	withRows.Rows = 3
	q := &quota{Quota: files.Quota{Bytes: 95, LimitBytes: 100, SoftBytes: 80, GraceEnds: noon}, Percent: 95, Grace: p.Stamp(noon)}
	info := files.Info{Name: nasty, Path: "/" + nasty, Size: 1234567, Mode: 0o640, ModTime: noon, Owner: nasty, Group: nasty, Target: nasty, Link: true, Part: true}
	path := nasty
	hook := webhooks.Hook{ID: "wh_a", URL: "https://example.org/" + nasty, Note: nasty, Events: []string{"user.*", "login.ok", "other." + nasty}, Why: nasty, CreatedBy: nasty, CreatedAt: noon, Failures: 2, NextAt: noon}
	app := identity.Application{ID: "a", Name: nasty, SecretHash: []byte{1}, Redirects: []string{"https://app.example.org/" + nasty}, Groups: []string{nasty}, Level: staff, Factor: true, Scopes: identity.ApplicationScopes()}
	return map[string][2]any{
		"admin_doctor": {&doctorView{}, &doctorView{page: p, At: p.Stamp(noon), Took: "1 s", Failed: 1, Warnings: 2, Text: nasty, MayFix: true, Now: "2026-11-01T12:00:00Z", Remote: nasty, Scheme: "https", Proxied: nasty, Socket: "/xmpp-websocket",
			Groups: []checkGroup{{Name: nasty, Rows: []checkRow{{Result: doctor.Result{ID: "a.b", Title: nasty, State: doctor.Failed, Why: nasty, Fix: nasty, Fixable: true}, Word: "failed", Icon: "stop", Tone: "bad", Began: p.Stamp(noon)}, {Word: "ok", Icon: "check", Tone: "ok"}}}}}},
		"error":    {&errorView{}, &errorView{page: p, Status: 404, Text: nasty, Contact: nasty, Login: "/login?next=%2F"}},
		"login":    {&loginView{}, &loginView{page: p, Login: fullField("login"), Password: fullField("password"), Passkey: passkeyPart{Options: "/o", Auto: true, Button: nasty, Off: nasty, Next: nasty}, Next: nasty, Stay: true, NoAdmin: true, Certificate: true, Providers: []providerButton{{nasty, nasty, "/login/oidc/a?next=%2F"}}}},
		"provider": {&linkView{}, &linkView{page: p, Label: nasty, To: "https://id.example.org/authorize?x=1&y=2"}},
		"setup":    {&setupView{}, &setupView{page: p, Valid: true, Code: nasty, Login: fullField("login"), Password: fullField("password"), Domain: nasty, Listeners: []Bound{{"ftp", nasty, "none"}, {"https", nasty, "yes"}}}},
		"home": {&homeView{}, &homeView{page: p, Account: card, Address: nasty, Quota: q, Contact: nasty,
			Testing: true, Factor: true,
			Cards: []connectCard{{ID: "ftp", Road: "ftp", Title: "FTP", Icon: "folder", Security: nasty, Plain: true, Rows: []copyField{{"ftp-a", nasty, nasty}}, Lines: []copyField{{"ftp-b", nasty, nasty}},
				Open: "ftp://a@example.org/", QR: "<svg></svg>", Code: nasty, Clients: []clientHelp{{nasty, "home.client_lftp"}}, Site: true, Share: nasty,
				Steps: []stepRow{{"control", nasty, "failed", nasty, nasty, nasty}, {"tls", nasty, "skipped", "", nasty, ""}}, Refused: nasty}, {ID: "x", Title: "X", Rows: []copyField{{"x-a", "A", "b"}}}}}},
		"account": {&accountView{}, &accountView{page: p, Account: card, Name: fullField("name"), Email: fullField("email"), Phone: fullField("phone"), About: withRows, Lang: fullField("lang"), TimeZone: fullField("time_zone"), Formats: fullField("formats"), Keys: withOptions, Old: fullField("old"), New: fullField("new"), Others: 2,
			Providers: []providerButton{{nasty, nasty, "/login/oidc/a"}}, Links: []linkRow{{nasty, nasty, nasty, nasty, noon, noon}}}},
		"sessions": {&sessionsView{}, &sessionsView{page: p, sessionList: sessionList{Rows: rows, Order: "1-abc"}, Attempts: audit, Others: 1}},
		"tokens": {&tokensView{}, &tokensView{page: p, Label: fullField("label"), Expires: withOptions, Presets: presets, Preset: "ftp", Scopes: []scopeBox{{"ftp", "FTP", nasty, true}},
			Rows: []tokenRow{{Token: tokens.Token{ID: "abc", Label: nasty, Scopes: tokens.Scopes(), Path: &path, From: []netip.Prefix{}, CreatedAt: noon, ExpiresAt: &noon, LastUsed: &noon, LastRemote: nasty, LastProtocol: identity.ProtocolFTP}, RevokePath: "/tokens/abc/revoke", Unused: true}, {Token: tokens.Token{Expired: true}}}}},
		"files": {&filesView{}, &filesView{page: p, Path: nasty, Crumbs: []crumb{{Label: nasty, Href: filesHref("/" + nasty)}, {Label: "b", Here: true}}, Up: "/files/", Here: filesHref("/" + nasty), Count: 1, Quota: q,
			Access: files.Access{Create: true, Mkdir: true}, NewName: fullField("folder"), Prev: "/files/?page=1", Next: "/files/?page=3", Page: 2, Pages: 3, Sorts: sortHeads("/files/", "-size"),
			Rows: []fileRow{{Info: info, Kind: "link", Href: filesHref("/" + nasty), Share: "/files/?share=a", Versions: "/files/?versions=a", Properties: "/files/?properties=a", Rename: "/files/?rename=a", Delete: "/files/?delete=a", Changed: p.Stamp(noon), ModeText: "rw-r-----"}, {Info: files.Info{Name: "d", Dir: true}, Kind: "dir"}, {Info: files.Info{Name: "f"}, Kind: "file"}}}},
		"trash": {&trashView{}, &trashView{page: p, Count: 2, Size: 5, On: true, Days: 30, Page: 1, Pages: 2, Next: "/trash?page=2",
			Rows: []trashRow{{Trashed: files.Trashed{ID: "a", Name: nasty, Dir: true, Entries: 3, By: nasty}, Where: "/" + nasty, Purge: "/trash?purge=a", Removed: p.Stamp(noon), End: p.Stamp(noon)}, {}}}},
		"trash_form": {&trashFormView{}, &trashFormView{page: p, Verb: "restore", Item: files.Trashed{ID: "a", Name: nasty}, To: fullField("to")}},
		"versions": {&versionsView{}, &versionsView{page: p, Name: nasty, Here: filesHref("/" + nasty), File: filesHref("/" + nasty), Write: true, Now: fileRow{Info: info, Changed: p.Stamp(noon)},
			Rows: []versionRow{{Version: files.Version{ID: "a", Size: 3, By: nasty}, Href: "/files/?versions=a&id=b", Changed: p.Stamp(noon), Replaced: p.Stamp(noon)}}}},
		"properties": {&propertiesView{}, &propertiesView{page: p, fileRow: fileRow{Info: info, Kind: "file", View: "/files/a?view", Share: "/files/?share=a", Changed: p.Stamp(noon), ModeText: "rw-r-----"}, Crumbs: []crumb{{Label: nasty, Href: "/files/"}}, Here: "/files/", Path: "/" + nasty, Name: nasty, Sort: "properties.kind_picture", Type: nasty, Born: p.Stamp(noon),
			Algorithms: opts, Sum: nasty, SumOf: nasty, SumFault: nasty, Measured: &measured{Bytes: 1, Files: 2, Folders: 3}, Uses: []useRow{{sessionRow: rows[0], In: true, Inside: nasty, Begun: p.Stamp(noon), Done: nasty}, {}}, Locks: []lockRow{{Lock: files.Lock{Owner: nasty, Shared: true}, Above: nasty, Until: p.Stamp(noon)}, {Lock: files.Lock{Own: true}}},
			Old: "/files/?versions=a", Versions: 2, VersionsBytes: 3, Shares: []shareRow{{Share: files.Share{ID: "a", Path: "/" + nasty, Note: nasty, Hash: []byte{1}}, Whose: nasty, Expires: p.Stamp(noon)}, {Share: files.Share{ID: "b"}}}, Tree: "/home/" + nasty, Quota: q}},
		"search": {newSearchView("/files/"), &searchView{page: p, Query: nasty, Kind: withOptions, After: fullField("after"), Before: fullField("before"), Least: fullField("least"), Most: fullField("most"), Open: true, Asked: true, Count: 60, Page: 1, Pages: 2, Next: "/files/?q=a&page=2", Here: "/files/", Crumbs: []crumb{{Label: nasty, Href: "/files/"}}, Cut: nasty,
			Rows: []fileRow{{Info: info, Kind: "link", Href: filesHref("/" + nasty), Changed: p.Stamp(noon)}, {Info: files.Info{Name: "f"}, Kind: "file", View: "/files/f?view"}}}},
		"preview": {&previewView{}, &previewView{page: p, Info: info, Name: nasty, Kind: previewTable, Src: filesHref("/" + nasty), Prev: "/files/a?view", Next: "/files/b?view", Changed: p.Stamp(noon),
			ModeText: "rw-r-----", Head: []string{nasty, "b"}, Rows: [][]string{{nasty}, {"c", nasty}}, Cut: true, Crumbs: []crumb{{Label: nasty, Href: "/files/"}, {Label: nasty, Here: true}}}},
		"selection": {&selectionView{}, &selectionView{page: p, Verb: "move", Names: []string{nasty, "b"}, Here: "/files/", At: "/" + nasty, Crumbs: []crumb{{Label: nasty, Path: nasty}, {Label: "b", Here: true}},
			Folders: []files.Info{info}, Cut: true, Into: true}},
		"shares": {&sharesView{}, &sharesView{page: p, Dead: 1, Rows: []shareRow{
			{Share: files.Share{ID: "a", Path: "/" + nasty, Note: nasty, Hash: []byte{1}, Limit: 3}, Link: "https://example.org/s/a", End: "/shares/a/end", State: shareActive, Created: p.Stamp(noon), Expires: p.Stamp(noon)},
			{Share: files.Share{ID: "b", Dir: true, Drop: true}, State: shareMissing}, {Share: files.Share{Dir: true}}}}},
		"share_form": {&shareFormView{}, &shareFormView{page: p, Path: "/" + nasty, Here: "/files/", Dir: true, Drop: true, Password: fullField("password"), Expires: withOptions, Limit: fullField("limit"), Note: fullField("note")}},
		"shared": {&sharedView{}, &sharedView{page: p, Name: nasty, Dir: true, Here: "/s/a", Crumbs: []crumb{{Label: nasty, Href: "/s/a"}, {Label: nasty, Here: true}}, Zip: true, Cut: true, Expires: p.Stamp(noon),
			Rows: []fileRow{{Info: info, Kind: "file", Href: "/s/a/b", Changed: p.Stamp(noon)}, {Info: files.Info{Name: "d", Dir: true}, Kind: "dir", Href: "/s/a/d"}}}},
		"file_form": {&fileFormView{}, &fileFormView{page: p, Verb: "delete", Name: nasty, Here: "/files/", Dir: true, NewName: fullField("to")}},
		"admin": {&adminView{}, &adminView{page: p, Attention: []notice{{Text: nasty, Href: "/admin/config", Link: "Configuration"}, {Failed: true, ID: nasty, Text: nasty, Fix: nasty}}, Plotter: true, Ranges: []rangeLink{{nasty, "/admin?range=7d", true}, {"b", "/admin", false}},
			Charts: []chart{{ID: "a", Title: nasty, Unit: "count", Stacked: true, Label: nasty, Points: 1, Lines: []chartLine{{"a", nasty, nasty}, {"b", "b", "2"}}, Rows: []chartRow{{p.Stamp(noon), []string{nasty, "1"}}}}, {ID: "b"}}, Checklist: []step{{Done: true, Text: "a"}, {Text: nasty, Href: "/admin/users", Link: "b"}},
			Counters: []counter{{"2", nasty, "/admin/sessions?protocol=ftp", "sessions.ftp"}, {"3", "b", "", ""}}, Listeners: []Bound{{"ftp", nasty, "none"}, {"https", "a", "yes"}}, Audit: audit}},
		"admin_users": {&usersView{}, &usersView{page: p, Query: nasty, Group: nasty, Levels: opts, States: opts, Filtered: true, Alone: true, Login: fullField("login"), Password: fullField("password"), Level: withOptions, Groups: fullField("groups"), Page: 1, Pages: 2, Next: "/admin/users?page=2", Count: "60",
			Rows: []userRow{{accountCard: card, Display: nasty, Path: userPath(nasty), Sessions: 1}}}},
		"admin_user": {&userView{}, &userView{page: p, Certificates: []certificateRow{{Certificate: identity.Certificate{Fingerprint: "0a", Label: nasty, Subject: nasty, Names: []string{nasty}}, Short: nasty, Over: true, RemovePath: "/x"}}, Account: card, Base: userPath(nasty), LevelField: withOptions, GroupsField: fullField("groups"), Password: fullField("password"), Name: fullField("name"), Email: fullField("email"), Phone: fullField("phone"), About: withRows, Lang: fullField("lang"), TimeZone: fullField("time_zone"), Formats: fullField("formats"), sessionList: sessionList{Rows: rows}, Attempts: audit, Tokens: 1, Address: nasty}},
		"groups":     {&ownGroupsView{}, &ownGroupsView{page: p, Rows: []ownGroup{{Name: nasty, Path: pathOf("groups", nasty), Files: filesHref("/groups/" + nasty), GID: 1, Manager: true, Roster: true, Room: true, Members: []identity.Member{{Login: identity.UserName(nasty)}, {Login: "b", Manager: true}}}, {Name: "b", GID: 2}}}},
		"admin_groups": {&groupsView{}, &groupsView{page: p, Name: fullField("name"), Shared: 1, PersonalNames: []string{nasty, "b"},
			Rows: []groupRow{{Name: nasty, Path: pathOf("admin", "groups", nasty), GID: 1, Folder: true, Levels: opts, Members: []string{nasty}, Primary: []string{nasty, "b"}}, {Name: "empty", GID: 2}, {Name: "own", Personal: true}}}},
		"admin_announcements": {&announcementsView{}, &announcementsView{page: p, Text: fullField("text"), Other: fullField("other"), To: withOptions, Level: fullField("least"), From: fullField("from"), Until: fullField("until"), Group: fullField("group"), Tag: fullField("tag"), Places: opts,
			Rows: []announcementRow{{Announcement: identity.Announcement{ID: nasty, Text: nasty, CreatedBy: nasty}, Word: nasty, Whom: nasty, Where: nasty, Begins: p.Stamp(noon), Ends: p.Stamp(noon), EndPath: "/admin/announcements/a/end"}, {}}}},
		"admin_maintenance": {newMaintenanceView(), &maintenanceView{page: p, On: true, Text: nasty, By: nasty, Since: p.Stamp(noon), Until: p.Stamp(noon), Message: fullField("message"), For: withOptions, End: true, Others: 3}},
		"admin_about":       {&aboutView{}, &aboutView{page: p, Go: nasty, System: nasty, Engine: nasty, Size: 1, Parts: []licences.Part{{Name: nasty, Version: nasty, Licence: nasty, Text: "https://example.org/"}}}},
		"admin_transfers": {&transfersView{}, &transfersView{page: p, Rows: []transferRow{
			{sessionRow: rows[0], Move: identity.TransferInfo{ID: "1-abc.1", Verb: "STOR", Direction: identity.DirectionIn, Path: nasty, Bytes: 4, Size: 10, Rate: 2}, Percent: 40, Left: nasty, Begun: p.Stamp(noon), StopPath: "/admin/transfers/1/stop"},
			{sessionRow: rows[0], Move: identity.TransferInfo{Verb: "GET", Direction: identity.DirectionOut, Size: -1}, Percent: -1},
			{sessionRow: rows[0], Move: identity.TransferInfo{Verb: "HASH", Direction: identity.DirectionHere, Path: nasty, Size: -1}, Percent: -1}},
			User: nasty, From: nasty, Path: nasty, Protocols: opts, Directions: opts, Filtered: true}},
		"admin_sessions": {&allSessionsView{}, &allSessionsView{page: p, sessionList: sessionList{Rows: append(rows, sessionRow{Info: identity.Info{State: identity.StateConnected}}), Order: "1-abc", Select: true, Columns: []sortHead{{nasty, "/admin/sessions?sort=user", "ascending", ""}, {Label: nasty}}}, Total: 3, Found: 2, EndAll: "/admin/sessions/end?user=a", Query: nasty, User: nasty, Class: nasty, From: nasty, Protocols: opts, Roads: opts, Levels: opts, States: opts, Sorting: opts, More: true, Filtered: true, Page: 2, Pages: 3, Prev: "/admin/sessions?page=1", Next: "/admin/sessions?page=3"}},
		"admin_audit":    {&auditView{}, &auditView{page: p, Rows: audit, Event: nasty, Subject: nasty, Actor: nasty, Since: nasty, Until: nasty, From: nasty, Query: nasty, Events: []string{nasty}, Protocols: []option{{nasty, nasty, true}}, Results: []option{{nasty, nasty, false}}, Filtered: true, Following: true, FollowHref: "/admin/audit", Older: "/admin/audit?before=x", Newest: "/admin/audit", CSVHref: "/admin/audit/export?format=csv", JSONHref: "/admin/audit/export?format=json", Kept: nasty}},
		"admin_policy": {&policyView{}, &policyView{page: p, Address: fullField("address"), ClassAnswer: nasty, Group: "ftp", Tabs: []policyTab{{"/admin/policy?group=ftp", nasty, true}}, Columns: matrixLevels(), Rules: []policyRuleRow{{identity.Rule{Pattern: nasty, Level: identity.LevelNobody, Source: "store", Note: nasty, By: nasty}, true}}, More: 3,
			Rows:    []policyRow{{Resource: nasty, Texts: []string{nasty}, Required: identity.LevelStaff, By: nasty, Cells: []policyCell{{identity.LevelUser, false}, {identity.LevelRoot, true}}, Select: "r:" + nasty, Options: opts, Raises: true}, {Fixed: true}},
			CanUndo: true, Undo: p.Stamp(noon), Extra: withRows, Note: fullField("note"), Class: fullField("class"), Resource: fullField("resource"), User: fullField("user"),
			Decision: &identity.Decision{Resource: identity.Resource(nasty), Required: identity.LevelAdmin, Held: identity.LevelUser, Pattern: nasty, Source: "config", Client: "404", Needed: nasty, Lost: []identity.Loser{{Rule: identity.Rule{Pattern: nasty}, Why: nasty}}}}},
		"admin_policy_review": {&reviewView{}, &reviewView{page: p, Group: "ftp", Text: nasty, Note: nasty, More: 2, Review: identity.Review{Rules: []identity.RuleEdit{{Pattern: nasty, After: &staff}, {Pattern: "b", Before: &staff}},
			Resources: []identity.ResourceChange{{Resource: identity.Resource(nasty), For: nasty, After: identity.LevelNobody}}, Sessions: []identity.SessionChange{{ID: "1-a", User: nasty, Ends: true, Loses: []identity.Resource{"ftp:STOR"}, Wins: []identity.Resource{identity.Resource(nasty)}}, {}}}}},
		"join": {&joinView{}, &joinView{page: p, Code: nasty, Action: pathOf("join", nasty), Inviter: nasty, Domain: "example.org", Login: fullField("login"), Password: fullField("password"),
			Display: fullField("display"), ChatLink: "xmpp:example.org?register;preauth=x"}},
		"reset": {&resetView{}, &resetView{page: p, Name: fullField("name"), Mail: true}},
		"admin_invites": {&invitesView{}, &invitesView{page: p, Level: withOptions, Groups: fullField("groups"), Note: fullField("note"), Uses: fullField("uses"), Days: fullField("days"), To: fullField("to"),
			Contact: true, Mail: true, Fresh: &freshLink{URL: "https://example.org/join/x", For: nasty, Until: p.Stamp(noon), QR: "<svg></svg>"},
			Rows: []inviteRow{{Invitation: identity.Invitation{ID: "a", Note: nasty, Level: identity.LevelUser, Groups: []string{nasty}, CreatedBy: nasty}, State: "open", What: nasty, Base: "/admin/invites/a",
				Created: p.Stamp(noon), Expires: p.Stamp(noon), Uses: []identity.InviteUse{{Login: nasty}}}, {State: "used"}}}},
		"admin_sources": {&sourcesView{}, &sourcesView{page: p, Local: 1, Providers: []providerRow{{nasty, nasty, nasty, "/admin/sources/a", nasty, true, nasty}},
			Rows: []sourceRow{{DirectoryState: identity.DirectoryState{Name: "office", Kind: "ldap", Address: nasty, Domain: nasty, Fault: nasty, LastSync: &identity.SyncReport{Fault: nasty}}, Path: "/admin/sources/office", Ended: p.Stamp(noon), Login: fullField("login-office"),
				Prospect: &identity.Prospect{Person: identity.Person{Login: nasty, Name: nasty, Groups: []string{nasty}}, User: nasty, Groups: []string{nasty}, Leaves: []string{nasty}}, Report: &identity.SyncReport{Notes: []string{nasty}}, Dry: true},
				{DirectoryState: identity.DirectoryState{Name: "club", Gone: true}, Login: fullField("login-club"), Answers: true, Prospect: &identity.Prospect{Refused: nasty}}}}},
		"onward": {&onwardView{}, &onwardView{page: p, Label: nasty, To: "https://app.example.org/callback?code=x&state=y"}},
		"chat":   {&chatView{}, &chatView{page: p, JID: nasty, Socket: "/ws", Script: "/assets/x/c.js", Styles: "/assets/x/c.css", Files: "/assets/x", Lang: nasty}},
		"contacts": {&contactsView{}, &contactsView{page: p, Change: true, Address: fullField("jid"), Blocked: []string{nasty}, Requests: []Contact{{JID: nasty, Asks: true}}, Fresh: &freshContact{URL: nasty, App: "xmpp:a@b", Until: p.Stamp(noon), QR: "<svg></svg>"}, Note: fullField("note"), Accounts: true, Chat: true,
			Rows:     []inviteRow{{Invitation: identity.Invitation{ID: nasty, Note: nasty}, What: nasty, Base: "/contacts/a", Expires: p.Stamp(noon)}},
			Contacts: []Contact{{JID: nasty, Name: nasty, State: "both", Online: true}, {JID: nasty, State: "to"}, {JID: nasty, State: "from"}, {JID: nasty, State: "none", Asked: true}, {JID: nasty, State: "none"}}}},
		"consent":  {&consentView{}, &consentView{page: p, App: nasty, Host: nasty, Gets: []string{nasty}, Request: nasty}},
		"farewell": {&farewellView{}, &farewellView{page: p, App: nasty, Request: nasty}},
		"admin_applications": {&applicationsView{}, &applicationsView{page: p, Issuer: nasty, Form: newApplicationForm(p.words, identity.Application{}),
			Rows: []applicationListRow{{app, "/admin/applications/a", 3, p.Stamp(noon)}, {}}}},
		"admin_application": {&applicationView{}, &applicationView{page: p, App: app, Issuer: nasty, People: 2, Path: "/admin/applications/a", Fresh: identity.NewSecret(nasty), Form: newApplicationForm(p.words, app)}},
		"admin_import": {&importView{}, &importView{page: p, Format: fullField("format"), Conflict: fullField("conflict"), UIDs: fullField("uids"), MinUID: fullField("min_uid"), Level: withOptions, Domain: fullField("domain"), NoGroups: true,
			Report: &importReport{Name: nasty, Format: nasty, Apply: "/admin/import/a/apply", Sum: nasty, Hidden: 2, Plain: 1, Stopped: nasty,
				Rows: []importRow{{Imported: identity.Imported{Login: nasty, User: nasty + "x", Action: identity.ImportAdded, Reason: nasty, UID: 10000, Level: identity.LevelUser}, Line: 3, Password: nasty, Warnings: []string{nasty}, Tone: "ok"}, {}}}}},
		"admin_session":      {&sessionView{}, &sessionView{page: p, Row: rows[0], Facts: []fact{{"Client", nasty}}, More: []endMore{{nasty, "/admin/sessions/end?user=a"}}, Ban: "/admin/bans?prefix=a#new", Reason: fullField("reason"), Text: withRows, MessagePath: "/admin/sessions/1-abc/message", EndPath: "/admin/sessions/1-abc/end"}},
		"admin_sessions_end": {&endView{}, &endView{page: p, Verb: "message", Rows: rows, Count: 2, Beyond: 1, Hidden: 3, Own: true, What: nasty, Fields: []hiddenField{{"id", nasty}}, Reason: fullField("reason"), Text: withRows, Cancel: "/admin/sessions", Several: true}},
		"admin_bans": {&bansView{}, &bansView{page: p, Total: 2, Query: nasty, Kinds: opts, Orders: opts, Columns: []sortHead{{nasty, "/admin/bans?sort=until", "descending", ""}}, Filtered: true, Page: 1, Pages: 2, Next: "/admin/bans?page=2",
			Rows:  []banRow{{Ban: identity.Ban{Prefix: nasty, Kind: identity.BanManual, Reason: nasty, Count: 3, Hits: 9}, Word: nasty, By: nasty, Began: p.Stamp(noon), Ends: p.Stamp(noon), LiftPath: "/admin/bans/a/lift", Failures: failuresHref(nasty), Number: "3"}, {}},
			Check: &banCheck{BanCheck: identity.BanCheck{Address: nasty, Banned: true, Ban: &identity.Ban{Prefix: nasty, Reason: nasty}, Failures: 2, Familiar: true}, Until: p.Stamp(noon), Failures: failuresHref(nasty)}, Asked: nasty,
			Prefix: fullField("prefix"), For: withOptions, Reason: fullField("reason"), Again: fullField("again"), Twice: true, MayBan: true, MayLift: true, Allow: fullField("allow"), Why: fullField("why"),
			Allows: []allowRow{{identity.BanAllow{Prefix: nasty, Reason: nasty, Actor: nasty}, p.Stamp(noon), "/admin/bans/allow/a/remove"}}}},
		"admin_certificates": {&certsView{}, &certsView{page: p, Orders: orderRows(&p, nasty, noon), MayChange: true, MainFixed: true, Name: fullField("name"), Cert: withRows, Key: fullField("key"), Rows: []certRow{{Described: certs.Described{Name: "main", Names: []string{nasty}, Issuer: nasty, Key: nasty, Fingerprint: nasty, SelfSigned: true, Chain: []string{nasty, nasty}, ChainError: nasty, File: nasty, ForDomains: []string{nasty}}, Ends: p.Stamp(noon), Soon: true, UsedBy: nasty, SelfSignedPath: "/admin/certificates/selfsigned"}}}},
		"admin_config":       {&configView{}, &configView{page: p, Query: nasty, Changed: true, Total: 3, Filtered: true, MayEdit: true, Sections: opts, Fault: nasty, Faults: []config.Fault{{Where: nasty, Message: nasty, Hint: nasty, Source: nasty}}, Edit: &configEdit{Entry: config.Entry{Key: "a.b", Layer: config.LayerSet}, Field: fullField("value")}, Rows: []configRow{{SetHere: true, EditPath: "/admin/config?edit=a.b", Entry: config.Entry{Key: "a.b", Value: nasty, Source: nasty, Layer: config.LayerFile, Doc: nasty, Live: true}, Shown: nasty}, {Entry: config.Entry{Key: "c", Layer: config.LayerDefault}}}}},
		"activity":           {&activityView{}, &activityView{page: p, Rows: audit, Kinds: opts, Filtered: true, Older: "/activity?before=x", CSVHref: "/activity/export"}},
		"notifications": {&noticesView{}, &noticesView{page: p, Unseen: 2, Older: "/notifications?before=3", Mail: true, Chat: true, Rules: []noticeRule{{identity.NoticeShare, "notifications.about_share", []noticeBox{{"share.page", "notifications.by_page", true, false}, {"a.mail", nasty, true, true}}}},
			Rows: []noticeRow{{Notification: identity.Notification{ID: 1, Kind: identity.NoticeShare, About: identity.NoticeAbout{What: nasty, By: nasty, Client: nasty, Remote: nasty, Location: nasty, Protocol: "ftp"}}, Title: "notifications.is_share", When: p.Stamp(noon), Icon: "link", Href: "/shares", Link: "nav.shares", Path: "/notifications/1/read"},
				{Notification: identity.Notification{Seen: true}, Title: "notifications.is_quota"}}}},
		"admin_webhooks": {&webhooksView{}, &webhooksView{page: p, Form: newWebhookForm(hook), Rows: []webhookRow{newWebhookRow(&p, hook), {Hook: hook, Last: &webhooks.Delivery{Event: nasty, Error: nasty}, LastAt: p.Stamp(noon)}, {Last: &webhooks.Delivery{Status: 200}}}}},
		"admin_webhook": {&webhookView{}, &webhookView{page: p, Row: newWebhookRow(&p, hook), Created: p.Stamp(noon), Form: newWebhookForm(hook), Secret: identity.NewSecret(nasty),
			Tries: []deliveryRow{{webhooks.Delivery{ID: 2, Event: nasty, Status: 500, Error: nasty, Attempt: 2}, p.Stamp(noon), false, "/x"}, {Taken: true}}}},
		"admin_backups": {&backupsView{}, &backupsView{page: p, Folder: nasty, Schedule: "03:00", Keep: 7, Failed: nasty, Good: p.Stamp(noon), Root: true, Any: true, Command: nasty, Now: &backupNow{Name: nasty, Done: 1, Total: 2, Percent: 50, Measured: true},
			Rows: []backupRow{{Record: backup.Record{Name: nasty, Kind: nasty, Size: 3, Files: 4, Fault: nasty, Encrypted: true, Without: []string{nasty}}, Path: "/admin/backups/a", Began: p.Stamp(noon), Verified: p.Stamp(noon), Own: true, Bad: true},
				{Good: true, Scheduled: true, Verified: p.Stamp(noon)}, {}}}},
	}
}

// testRenderer renders the pages of a server below a path, and has the languages that they are in.
func testRenderer(t *testing.T, root below) (*renderer, *text.Set) {
	t.Helper()
	assets, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	languages, _, err := text.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRenderer(assets, languages, root)
	if err != nil {
		t.Fatal(err)
	}
	return r, languages
}

func TestPagesRender(t *testing.T) {
	r, languages := testRenderer(t, "")
	all := views()
	maps.Copy(all, factorViews(fullPage()))
	for name := range r.sets[r.english] {
		if _, ok := all[name]; !ok {
			t.Errorf("the page %s is in no test", name)
		}
	}
	for name, pair := range all {
		for i, kind := range []string{"zero", "full", "zero", "full"} {
			words := languages.Languages()[i/2]
			i %= 2
			t.Run(name+"/"+kind+"/"+words.Tag, func(t *testing.T) {
				pair[i].(interface{ base() *page }).base().words = words
				b, err := r.execute(name, pair[i])
				if err != nil {
					t.Fatal(err)
				}
				html := b.String()
				checkMarkup(t, html)
				if strings.Contains(html, "<img src=x") {
					t.Error("a name became markup")
				}
				if kind == "full" && !strings.Contains(html, "&lt;img src=x onerror=alert(1)&gt;") {
					t.Error("the name is not there")
				}
			})
		}
	}
}

// checkMarkup holds for each delivered page.
func checkMarkup(t *testing.T, html string) {
	t.Helper()
	if n := strings.Count(html, "<h1"); n != 1 {
		t.Errorf("%d h1", n)
	}
	if strings.Count(html, "<main") != 1 || !strings.Contains(html, `<html lang="`) {
		t.Error("no main or no lang")
	}
	for _, tag := range regexp.MustCompile(`<[a-zA-Z][^>]*>`).FindAllString(html, -1) {
		// attribute values are escaped, so a name in one cannot end the tag
		if bad := regexp.MustCompile(`(?i)\s(on[a-z]+|style)\s*=\s*"`).FindString(stripValues(tag)); bad != "" {
			t.Errorf("inline %q in %s", bad, tag)
		}
	}
	for _, m := range regexp.MustCompile(`(?is)<script[^>]*>(.*?)</script>`).FindAllStringSubmatch(html, -1) {
		if strings.TrimSpace(m[1]) != "" {
			t.Errorf("inline script %q", m[1])
		}
	}
	if strings.Contains(html, "<style") {
		t.Error("inline style sheet")
	}
	for _, f := range regexp.MustCompile(`(?s)<form method="post".*?</form>`).FindAllString(html, -1) {
		if !strings.Contains(f, `name="csrf"`) {
			t.Errorf("a form without token: %s", f)
		}
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(`\sid="([^"]+)"`).FindAllStringSubmatch(html, -1) {
		if ids[m[1]] {
			t.Errorf("the id %q twice", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`<label for="([^"]+)"`).FindAllStringSubmatch(html, -1) {
		if !ids[m[1]] {
			t.Errorf("a label for %q, which is not there", m[1])
		}
	}
}

// stripValues leaves the names of a tag's attributes.
func stripValues(tag string) string {
	return regexp.MustCompile(`="[^"]*"`).ReplaceAllString(tag, `=""`)
}

func TestFormat(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1 kB", 1234567: "1.2 MB", 999_999: "1 MB", 5_000_000_000: "5 GB"} {
		if got := english(t).Bytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	for _, tt := range []struct {
		d    time.Duration
		want string
	}{{0, "just now"}, {30 * time.Second, "30 s ago"}, {5 * time.Minute, "5 min ago"}, {3 * time.Hour, "3 h ago"}, {72 * time.Hour, "3 days ago"}, {-10 * time.Minute, "in 10 min"},
		{-30*24*time.Hour + time.Second, "in 30 days"}, {-3*time.Hour + time.Second, "in 3 h"}, {-90 * time.Minute, "in 1 h"}} {
		if got := relative(english(t), noon, noon.Add(-tt.d), time.DateOnly); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.d, got, tt.want)
		}
	}
}

// TestSessionAt: a transfer is shown with how far and how fast it is.
func TestSessionAt(t *testing.T) {
	for _, tt := range []struct {
		i    identity.Info
		want string
	}{
		{identity.Info{}, ""},
		{identity.Info{Doing: "reading"}, "reading"},
		{identity.Info{Doing: "STOR /a", Transfer: &identity.TransferInfo{Verb: "STOR", Path: "/a", Bytes: 430_000, Size: 1_000_000, Rate: 12_000}}, "STOR /a, 430 kB of 1 MB (43 %), 12 kB/s"},
		{identity.Info{Transfer: &identity.TransferInfo{Verb: "STOR", Path: "/a", Bytes: 3, Size: 2}}, "STOR /a, 3 B of 2 B (100 %), 0 B/s"},
		{identity.Info{Transfer: &identity.TransferInfo{Verb: "LIST", Path: "/", Bytes: 5, Size: -1, Rate: 5}}, "LIST /, 5 B, 5 B/s"},
	} {
		if got := (sessionRow{Info: tt.i, words: english(t)}).At(); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.i, got, tt.want)
		}
	}
}

// orderRows are certificates by ACME in each state.
func orderRows(p *page, nasty string, noon time.Time) []orderRow {
	failed := certs.Automatic{Name: nasty, Authority: nasty, Until: &noon, Tried: &noon, Next: &noon, Since: &noon, Failures: 2, Code: "dns", Trouble: nasty, Advice: nasty, Detail: nasty}
	return []orderRow{{Automatic: failed, Ends: p.Stamp(noon), Last: p.Stamp(noon), Again: p.Stamp(noon), Failing: p.Stamp(noon), MayRenew: true},
		{Automatic: certs.Automatic{Name: "b", Working: true}}, {Automatic: certs.Automatic{Name: "c", Instead: true}}, {Automatic: certs.Automatic{Name: "d", Until: &noon}, Ends: p.Stamp(noon)}}
}
