package web

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"trivium/identity"
)

// route is one row of the table that the guard, the navigation and the tests read.
type route struct {
	Method string // "" with foreign: any
	Path   string // echo's form
	Level  identity.Level
	Page   string // the page's ID: data-page, and what marks the navigation
	nav    string // its name in the navigation; "" stands in none
	icon   string
	static bool // never guarded, no session, no policy: assets and health
	upload bool // takes multipart bodies

	// confirm asks the person for a fresh proof first, where the last one is older than ten minutes.
	// The form that was sent is not lost.
	confirm bool

	// only says who, of those that hold the level, has the page at all; nil: all of them.
	only func(*visit) bool

	handle  func(*visit) error
	foreign http.Handler // does its own guarding
	unasked bool         // foreign, and does not ask the policy: a rule of never, or a default of nobody, hides it
	verbs   []string     // of foreign: its methods; nil: those of HTTP
}

// gate reports whether the route is part of the way to a log-in, which stays open in maintenance: who
// may work then comes in there.
func (r *route) gate() bool {
	return r.Page == "login" || strings.HasPrefix(r.Page, "login.") || r.Page == "setup" || r.Page == "language" || r.Page == "zone"
}

// methods are what echo is told.
func (r route) methods() []string {
	switch {
	case r.verbs != nil:
		return r.verbs
	case r.foreign != nil:
		return []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}
	case r.Method == http.MethodGet:
		return []string{http.MethodGet, http.MethodHead}
	}
	return []string{r.Method}
}

// table lists every route. The pages before log-in need no level, one's own need LOGGEDIN, so that a
// bookmark survives an expired log-in; the administration's need ADMIN.
func (s *Server) table() []route {
	const (
		none  = identity.LevelNone
		in    = identity.LevelLoggedIn
		admin = identity.LevelAdmin
		get   = http.MethodGet
		post  = http.MethodPost
	)
	t := []route{
		{Method: get, Path: "/setup", Level: none, Page: "setup", handle: s.getSetup},
		{Method: post, Path: "/setup", Level: none, Page: "setup", handle: s.postSetup},
		{Method: get, Path: "/login", Level: none, Page: "login", handle: s.getLogin},
		{Method: post, Path: "/login", Level: none, Page: "login", handle: s.postLogin},
		// By a provider of OpenID Connect.
		{Method: get, Path: "/login/oidc/:provider", Level: none, Page: "login", handle: s.getProvider},
		{Method: get, Path: "/login/oidc/:provider/callback", Level: none, Page: "login", handle: s.getCallback},
		{Method: post, Path: "/account/links/:provider/add", Level: in, Page: "account", confirm: true, handle: s.postLink},
		{Method: post, Path: "/account/links/remove", Level: in, Page: "account", confirm: true, handle: s.postUnlink},

		{Method: post, Path: "/logout", Level: in, Page: "logout", handle: s.postLogout},

		{Method: get, Path: "/", Level: in, Page: "home", nav: "Home", icon: "home", handle: s.getHome},
		{Method: get, Path: "/files/*", Level: in, Page: "files", nav: "Files", icon: "folder", handle: s.getFiles},
		{Method: get, Path: "/files", Level: in, Page: "files", handle: s.toFiles},
		{Method: post, Path: "/files/*", Level: in, Page: "files", upload: true, handle: s.postFiles},
		// Uploads that go on after a break (tus); a script asks.
		{Method: http.MethodPatch, Path: "/files/*", Level: in, Page: "files", handle: s.patchUpload},
		{Method: http.MethodDelete, Path: "/files/*", Level: in, Page: "files", handle: s.deleteUpload},
		{Method: http.MethodOptions, Path: "/files/*", Level: in, Page: "files", handle: s.optionsFiles},
		{Method: get, Path: "/trash", Level: in, Page: "trash", nav: "Trash", icon: "trash", handle: s.getTrash},
		{Method: post, Path: "/trash", Level: in, Page: "trash", handle: s.postTrash},
		// what people share, and what visitors see of it
		{Method: get, Path: "/shares", Level: in, Page: "shares", nav: "Shares", icon: "link", handle: s.getShares},
		{Method: post, Path: "/shares/new", Level: in, Page: "shares", handle: s.postNewShare},
		{Method: post, Path: "/shares/end-dead", Level: in, Page: "shares", handle: s.postEndDeadShares},
		{Method: post, Path: "/shares/:id/end", Level: in, Page: "shares", handle: s.postEndShare},
		{Method: get, Path: "/s/:code", Level: identity.LevelAnonymous, Page: "share", handle: s.getShared},
		{Method: post, Path: "/s/:code", Level: identity.LevelAnonymous, Page: "share", upload: true, handle: s.postShared},
		{Method: get, Path: "/s/:code/*", Level: identity.LevelAnonymous, Page: "share", handle: s.getShared},
		{Method: post, Path: "/s/:code/*", Level: identity.LevelAnonymous, Page: "share", handle: s.postShared},
		// Uploads into a drop box that go on after a break; a script asks.
		{Method: http.MethodPatch, Path: "/s/:code/*", Level: identity.LevelAnonymous, Page: "share", handle: s.patchDrop},
		{Method: http.MethodDelete, Path: "/s/:code/*", Level: identity.LevelAnonymous, Page: "share", handle: s.deleteDrop},
		{Method: http.MethodOptions, Path: "/s/:code", Level: identity.LevelAnonymous, Page: "share", handle: s.optionsShared},

		{Method: get, Path: "/sessions", Level: in, Page: "sessions", nav: "My sessions", icon: "sessions", handle: s.getSessions},
		{Method: get, Path: "/sessions/events", Level: in, Page: "sessions", handle: s.getSessionEvents},
		{Method: post, Path: "/sessions/sign-out", Level: in, Page: "sessions", handle: s.postSignOut},
		{Method: post, Path: "/sessions/:id/end", Level: in, Page: "sessions", handle: s.postEndSession},
		{Method: get, Path: "/tokens", Level: in, Page: "tokens", nav: "App passwords", icon: "key", handle: s.getTokens},
		{Method: post, Path: "/tokens/new", Level: in, Page: "tokens", confirm: true, handle: s.postNewToken},
		{Method: post, Path: "/tokens/:id/revoke", Level: in, Page: "tokens", handle: s.postRevokeToken},
		{Method: get, Path: "/account", Level: in, Page: "account", nav: "Account", icon: "person", handle: s.getAccount},
		{Method: post, Path: "/account", Level: in, Page: "account", handle: s.postAccount},
		{Method: post, Path: "/account/password", Level: in, Page: "account", handle: s.postPassword},
		// Second factors: at the log-in, one's own, and *Confirm it is you*.
		{Method: get, Path: "/login/totp", Level: none, Page: "login.totp", handle: s.getFactor},
		{Method: post, Path: "/login/totp", Level: none, Page: "login.totp", handle: s.postFactor},
		{Method: post, Path: "/login/cancel", Level: none, Page: "login.totp", handle: s.postFactorCancel},
		{Method: post, Path: "/login/passkey", Level: none, Page: "login", handle: s.postPasskey},
		{Method: post, Path: "/login/passkey/options", Level: none, Page: "login", handle: s.postPasskeyOptions},
		{Method: post, Path: "/login/chat", Level: none, Page: "login.totp", handle: s.postFactorChat},
		{Method: get, Path: "/login/chat/state", Level: none, Page: "login.totp", handle: s.getChatState},
		{Method: post, Path: "/login/chat/done", Level: none, Page: "login.totp", handle: s.postFactorChatDone},
		{Method: get, Path: "/login/enrol", Level: none, Page: "login.enrol", handle: s.getEnrol},
		{Method: post, Path: "/login/enrol", Level: none, Page: "login.enrol", handle: s.postEnrolApp},
		{Method: post, Path: "/login/enrol/passkey", Level: none, Page: "login.enrol", handle: s.postEnrolPasskey},
		{Method: post, Path: "/login/enrol/options", Level: none, Page: "login.enrol", handle: s.postEnrolOptions},
		{Method: get, Path: "/security", Level: in, Page: "security", nav: "Security", icon: "shield", handle: s.getSecurity},
		{Method: get, Path: "/security/passkey", Level: in, Page: "security", confirm: true, handle: s.getNewPasskey},
		{Method: post, Path: "/security/passkey", Level: in, Page: "security", confirm: true, handle: s.postNewPasskey},
		{Method: post, Path: "/security/passkey/options", Level: in, Page: "security", confirm: true, handle: s.postNewPasskeyOptions},
		{Method: get, Path: "/security/app", Level: in, Page: "security", confirm: true, handle: s.getNewApp},
		{Method: post, Path: "/security/app", Level: in, Page: "security", confirm: true, handle: s.postNewApp},
		{Method: post, Path: "/security/factors/:id/rename", Level: in, Page: "security", handle: s.postRenameFactor},
		{Method: post, Path: "/security/factors/:id/remove", Level: in, Page: "security", confirm: true, handle: s.postRemoveFactor},
		{Method: post, Path: "/security/codes", Level: in, Page: "security", confirm: true, handle: s.postRecovery},
		{Method: post, Path: "/security/chat", Level: in, Page: "security", confirm: true, handle: s.postAskChat},
		{Method: post, Path: "/security/chat/done", Level: in, Page: "security", confirm: true, handle: s.postChatFactor},
		{Method: post, Path: "/admin/users/:name/factors/:id/remove", Level: admin, Page: "admin.users", confirm: true, handle: s.postUserFactor},
		{Method: get, Path: "/confirm", Level: in, Page: "confirm", handle: s.getConfirm},
		{Method: post, Path: "/confirm", Level: in, Page: "confirm", handle: s.postConfirm},
		{Method: post, Path: "/confirm/options", Level: in, Page: "confirm", handle: s.postPasskeyOptions},

		// Client certificates: the log-in by one, one's own, and those of others.
		{Method: post, Path: "/login/certificate", Level: none, Page: "login", handle: s.postLoginCertificate},
		{Method: get, Path: "/security/certificate", Level: in, Page: "security", confirm: true, handle: s.getNewCertificate},
		{Method: post, Path: "/security/certificate", Level: in, Page: "security", confirm: true, handle: s.postNewCertificate},
		{Method: post, Path: "/security/certificates/:id/remove", Level: in, Page: "security", confirm: true, handle: s.postRemoveCertificate},
		{Method: post, Path: "/admin/users/:name/certificates/:id/remove", Level: admin, Page: "admin.users", confirm: true, handle: s.postUserCertificate},

		{Method: post, Path: "/account/export", Level: in, Page: "account", confirm: true, handle: s.postExport},
		{Method: post, Path: "/theme", Level: in, Page: "theme", handle: s.postTheme},
		{Method: post, Path: "/display", Level: in, Page: "display", handle: s.postDisplay},
		{Method: post, Path: "/zone", Level: none, Page: "zone", handle: s.postZone},
		{Method: post, Path: "/language", Level: none, Page: "language", handle: s.postLanguage},

		// The groups that one is in, and manages.
		{Method: get, Path: "/groups", Level: in, Page: "groups", nav: "My groups", icon: "group", handle: s.getOwnGroups},
		{Method: post, Path: "/groups/:name/add", Level: in, Page: "groups", confirm: true, handle: s.postOwnGroupAdd},
		{Method: post, Path: "/groups/:name/remove", Level: in, Page: "groups", confirm: true, handle: s.postOwnGroupRemove},

		{Method: get, Path: "/admin", Level: admin, Page: "admin", nav: "Overview", icon: "gauge", handle: s.getAdmin},
		{Method: get, Path: "/admin/events", Level: admin, Page: "admin", handle: s.getOverviewEvents},
		{Method: get, Path: "/admin/series", Level: admin, Page: "admin", handle: s.getSeries},
		{Method: get, Path: "/admin/users", Level: admin, Page: "admin.users", nav: "Users", icon: "person", handle: s.getUsers},
		{Method: post, Path: "/admin/users/new", Level: admin, Page: "admin.users", confirm: true, handle: s.postNewUser},
		{Method: get, Path: "/admin/users/:name", Level: admin, Page: "admin.users", handle: s.getUser},
		{Method: post, Path: "/admin/users/:name/level", Level: admin, Page: "admin.users", confirm: true, handle: s.postUserLevel},
		{Method: post, Path: "/admin/users/:name/profile", Level: admin, Page: "admin.users", confirm: true, handle: s.postUserProfile},
		{Method: post, Path: "/admin/users/:name/disable", Level: admin, Page: "admin.users", confirm: true, handle: s.postUserState},
		{Method: post, Path: "/admin/users/:name/enable", Level: admin, Page: "admin.users", confirm: true, handle: s.postUserState},
		{Method: post, Path: "/admin/users/:name/password", Level: admin, Page: "admin.users", confirm: true, handle: s.postUserPassword},
		{Method: post, Path: "/admin/users/:name/groups", Level: admin, Page: "admin.users", confirm: true, handle: s.postUserGroups},
		{Method: post, Path: "/admin/users/:name/end-sessions", Level: admin, Page: "admin.users", handle: s.postUserEndSessions},
		{Method: get, Path: "/admin/groups", Level: admin, Page: "admin.groups", nav: "Groups", icon: "group", handle: s.getGroups},
		{Method: post, Path: "/admin/groups/new", Level: admin, Page: "admin.groups", confirm: true, handle: s.postNewGroup},
		{Method: post, Path: "/admin/groups/:name/add", Level: admin, Page: "admin.groups", confirm: true, handle: s.postGroupAdd},
		{Method: post, Path: "/admin/groups/:name/remove", Level: admin, Page: "admin.groups", confirm: true, handle: s.postGroupRemove},
		{Method: post, Path: "/admin/groups/:name/settings", Level: admin, Page: "admin.groups", confirm: true, handle: s.postGroupSettings},
		{Method: post, Path: "/admin/groups/:name/delete", Level: admin, Page: "admin.groups", confirm: true, handle: s.postGroupDelete},
		{Method: get, Path: "/admin/sessions", Level: admin, Page: "admin.sessions", nav: "Sessions", icon: "sessions", handle: s.getAllSessions},
		{Method: get, Path: "/admin/sessions/events", Level: admin, Page: "admin.sessions", handle: s.getSessionEvents},
		{Method: get, Path: "/admin/sessions/end", Level: admin, Page: "admin.sessions", handle: s.getEndSessions},
		{Method: post, Path: "/admin/sessions/end", Level: admin, Page: "admin.sessions", handle: s.postEndSessions},
		{Method: get, Path: "/admin/sessions/:id", Level: admin, Page: "admin.sessions", handle: s.getSession},
		{Method: post, Path: "/admin/sessions/:id/message", Level: admin, Page: "admin.sessions", handle: s.postMessage},
		{Method: post, Path: "/admin/sessions/:id/end", Level: admin, Page: "admin.sessions", handle: s.postAdminEnd},
		{Method: get, Path: "/admin/about", Level: admin, Page: "admin.about", nav: "About", icon: "list", handle: s.getAbout},
		{Method: get, Path: "/admin/transfers", Level: identity.LevelStaff, Page: "admin.transfers", nav: "Transfers", icon: "up", handle: s.getTransfers},
		{Method: get, Path: "/admin/transfers/events", Level: identity.LevelStaff, Page: "admin.transfers", handle: s.getSessionEvents},
		{Method: post, Path: "/admin/transfers/:id/stop", Level: admin, Page: "admin.transfers", handle: s.postStopTransfer},
		{Method: get, Path: "/admin/audit", Level: admin, Page: "admin.audit", nav: "Audit log", icon: "list", handle: s.getAudit},
		{Method: get, Path: "/admin/audit/events", Level: admin, Page: "admin.audit", handle: s.getAuditEvents},
		{Method: get, Path: "/admin/audit/export", Level: admin, Page: "admin.audit", handle: s.getAuditExport},
		{Method: get, Path: "/admin/policy", Level: admin, Page: "admin.policy", nav: "Policy", icon: "shield", handle: s.getPolicy},
		{Method: post, Path: "/admin/policy/review", Level: admin, Page: "admin.policy", handle: s.postPolicyReview},
		{Method: post, Path: "/admin/policy/apply", Level: admin, Page: "admin.policy", confirm: true, handle: s.postPolicyApply},
		{Method: post, Path: "/admin/policy/undo", Level: admin, Page: "admin.policy", confirm: true, handle: s.postPolicyUndo},
		{Method: get, Path: "/admin/config", Level: admin, Page: "admin.config", nav: "Configuration", icon: "gear", handle: s.getConfig},
		{Method: post, Path: "/admin/config/set", Level: identity.LevelRoot, Page: "admin.config", confirm: true, handle: s.postConfig},
		{Method: post, Path: "/admin/config/unset", Level: identity.LevelRoot, Page: "admin.config", confirm: true, handle: s.postConfigUnset},
		{Method: post, Path: "/admin/config/reload", Level: admin, Page: "admin.config", handle: s.postConfigReload},
		{Method: get, Path: "/admin/certificates", Level: admin, Page: "admin.certificates", nav: "Certificates", icon: "key", handle: s.getCertificates},
		{Method: post, Path: "/admin/certificates/import", Level: identity.LevelRoot, Page: "admin.certificates", confirm: true, handle: s.postCertificate},
		{Method: post, Path: "/admin/certificates/renew", Level: identity.LevelRoot, Page: "admin.certificates", confirm: true, handle: s.postRenew},
		{Method: post, Path: "/admin/certificates/selfsigned", Level: identity.LevelRoot, Page: "admin.certificates", confirm: true, handle: s.postSelfSigned},

		// The server looks at itself.
		{Method: get, Path: "/admin/doctor", Level: admin, Page: "admin.doctor", nav: "Doctor", icon: "pulse", handle: s.getDoctor},
		{Method: post, Path: "/admin/doctor/run", Level: admin, Page: "admin.doctor", handle: s.postDoctor},
		{Method: http.MethodPatch, Path: "/admin/doctor/echo", Level: admin, Page: "admin.doctor", handle: s.patchEcho},
		{Method: post, Path: "/admin/doctor/fix", Level: identity.LevelRoot, Page: "admin.doctor", confirm: true, handle: s.postDoctorFix},

		// People who come by a link, and the links.
		{Method: get, Path: "/join/:code", Level: none, Page: "join", handle: s.getJoin},
		{Method: post, Path: "/join/:code", Level: none, Page: "join", handle: s.postJoin},
		{Method: get, Path: "/login/reset", Level: none, Page: "login.reset", handle: s.getReset},
		{Method: post, Path: "/login/reset", Level: none, Page: "login.reset", handle: s.postReset},
		{Method: get, Path: "/login/reset/:code", Level: none, Page: "join", handle: s.getJoin},
		{Method: get, Path: "/admin/invites", Level: identity.LevelStaff, Page: "admin.invites", nav: "Invitations", icon: "link", handle: s.getInvites},
		{Method: post, Path: "/admin/invites/new", Level: identity.LevelStaff, Page: "admin.invites", confirm: true, handle: s.postNewInvite},
		{Method: post, Path: "/admin/invites/:id/revoke", Level: identity.LevelStaff, Page: "admin.invites", confirm: true, handle: s.postRevokeInvite},
		{Method: post, Path: "/admin/users/:name/link", Level: admin, Page: "admin.users", confirm: true, handle: s.postUserLink},
		{Method: post, Path: "/admin/users/:name/must-change", Level: admin, Page: "admin.users", confirm: true, handle: s.postUserMustChange},

		// Accounts of other servers.
		{Method: get, Path: "/admin/import", Level: admin, Page: "admin.import", nav: "Import", icon: "down", confirm: true, handle: s.getImport},
		{Method: post, Path: "/admin/import", Level: admin, Page: "admin.import", upload: true, confirm: true, handle: s.postImport},
		{Method: post, Path: "/admin/import/:id/apply", Level: admin, Page: "admin.import", confirm: true, handle: s.postImportApply},
		// How to use the account: tests of it, and a file for FileZilla.
		{Method: post, Path: "/connect/:road/test", Level: in, Page: "home", handle: s.postConnectTest},
		{Method: get, Path: "/connect/filezilla.xml", Level: in, Page: "home", handle: s.getFileZilla},
		// Bans.
		{Method: get, Path: "/admin/bans", Level: identity.LevelStaff, Page: "admin.bans", nav: "Bans", icon: "stop", handle: s.getBans},
		{Method: post, Path: "/admin/bans/new", Level: identity.LevelModerator, Page: "admin.bans", confirm: true, handle: s.postNewBan},
		{Method: post, Path: "/admin/bans/:prefix/lift", Level: admin, Page: "admin.bans", confirm: true, handle: s.postLiftBan},
		{Method: post, Path: "/admin/bans/allow/new", Level: admin, Page: "admin.bans", confirm: true, handle: s.postBanAllow},
		{Method: post, Path: "/admin/bans/allow/:prefix/remove", Level: admin, Page: "admin.bans", confirm: true, handle: s.postBanDisallow},

		// Where accounts come from.
		{Method: get, Path: "/admin/sources", Level: admin, Page: "admin.sources", nav: "Sources", icon: "group", handle: s.getSources},
		{Method: post, Path: "/admin/sources/:name/test", Level: admin, Page: "admin.sources", handle: s.postSourceTest},
		{Method: post, Path: "/admin/sources/:name/preview", Level: admin, Page: "admin.sources", handle: s.postSourcePreview},
		{Method: post, Path: "/admin/sources/:name/sync", Level: admin, Page: "admin.sources", confirm: true, handle: s.postSourceSync},

		// Backups. Whoever has an archive has every key of the server.
		{Method: get, Path: "/admin/backups", Level: admin, Page: "admin.backups", nav: "Backups", icon: "down", handle: s.getBackups},
		{Method: post, Path: "/admin/backups/new", Level: admin, Page: "admin.backups", handle: s.postNewBackup},
		{Method: post, Path: "/admin/backups/stop", Level: admin, Page: "admin.backups", handle: s.postStopBackup},
		{Method: post, Path: "/admin/backups/:name/verify", Level: admin, Page: "admin.backups", handle: s.postVerifyBackup},
		{Method: post, Path: "/admin/backups/:name/remove", Level: admin, Page: "admin.backups", confirm: true, handle: s.postRemoveBackup},
		{Method: post, Path: "/admin/backups/:name/download", Level: identity.LevelRoot, Page: "admin.backups", confirm: true, handle: s.postBackupFile},

		// A person's own part of the audit log.
		{Method: get, Path: "/activity", Level: in, Page: "activity", nav: "Activity", icon: "list", handle: s.getActivity},
		{Method: get, Path: "/activity/export", Level: in, Page: "activity", handle: s.getActivityExport},

		// What a person is told.
		{Method: get, Path: "/notifications", Level: in, Page: "notifications", nav: "Notifications", icon: "bell", handle: s.getNotifications},
		{Method: get, Path: "/notifications/events", Level: in, Page: "notifications", handle: s.getNoticeEvents},
		{Method: post, Path: "/notifications/read", Level: in, Page: "notifications", handle: s.postReadNotices},
		{Method: post, Path: "/notifications/:id/read", Level: in, Page: "notifications", handle: s.postReadNotice},
		{Method: post, Path: "/notifications/settings", Level: in, Page: "notifications", handle: s.postNoticeWays},

		// What other servers are told.
		{Method: get, Path: "/admin/webhooks", Level: admin, Page: "admin.webhooks", nav: "Webhooks", icon: "link", only: s.hasWebhooks, handle: s.getWebhooks},
		{Method: post, Path: "/admin/webhooks/new", Level: admin, Page: "admin.webhooks", only: s.hasWebhooks, confirm: true, handle: s.postNewWebhook},
		{Method: get, Path: "/admin/webhooks/:id", Level: admin, Page: "admin.webhooks", only: s.hasWebhooks, handle: s.getWebhook},
		{Method: post, Path: "/admin/webhooks/:id", Level: admin, Page: "admin.webhooks", only: s.hasWebhooks, confirm: true, handle: s.postWebhook},
		{Method: post, Path: "/admin/webhooks/:id/switch", Level: admin, Page: "admin.webhooks", only: s.hasWebhooks, confirm: true, handle: s.postWebhookSwitch},
		{Method: post, Path: "/admin/webhooks/:id/secret", Level: admin, Page: "admin.webhooks", only: s.hasWebhooks, confirm: true, handle: s.postWebhookSecret},
		{Method: post, Path: "/admin/webhooks/:id/remove", Level: admin, Page: "admin.webhooks", only: s.hasWebhooks, confirm: true, handle: s.postRemoveWebhook},
		{Method: post, Path: "/admin/webhooks/:id/test", Level: admin, Page: "admin.webhooks", only: s.hasWebhooks, handle: s.postWebhookTest},
		{Method: post, Path: "/admin/webhooks/:id/deliveries/:delivery/send", Level: admin, Page: "admin.webhooks", only: s.hasWebhooks, handle: s.postWebhookResend},
		// What people are told.
		{Method: get, Path: "/admin/announcements", Level: admin, Page: "admin.announcements", nav: "Announcements", icon: "chat", handle: s.getAnnouncements},
		{Method: post, Path: "/admin/announcements/new", Level: admin, Page: "admin.announcements", handle: s.postAnnouncement},
		{Method: post, Path: "/admin/announcements/:id/end", Level: admin, Page: "admin.announcements", handle: s.postAnnouncementEnd},
		{Method: post, Path: "/announcements/:id/put-away", Level: in, Page: "announcements", handle: s.postPutAway},
		// Maintenance.
		{Method: get, Path: "/admin/maintenance", Level: admin, Page: "admin.maintenance", nav: "Maintenance", icon: "stop", handle: s.getMaintenance},
		{Method: post, Path: "/admin/maintenance/on", Level: admin, Page: "admin.maintenance", confirm: true, handle: s.postMaintenanceOn},
		{Method: post, Path: "/admin/maintenance/off", Level: admin, Page: "admin.maintenance", confirm: true, handle: s.postMaintenanceOff},

		{Method: get, Path: "/assets/*", Level: none, static: true, handle: s.getAsset},
		{Method: get, Path: "/favicon.ico", Level: none, static: true, handle: s.getFavicon},
		{Method: get, Path: "/robots.txt", Level: none, static: true, handle: s.getRobots},
		{Method: get, Path: "/healthz", Level: none, static: true, handle: s.getHealth},
		{Method: get, Path: "/readyz", Level: none, static: true, handle: s.getReady},
		{Method: get, Path: "/.well-known/change-password", Level: none, static: true, handle: s.getChangePassword},
		{Method: get, Path: "/.well-known/host-meta", Level: none, static: true, handle: s.getHostMeta},
		{Method: get, Path: "/.well-known/host-meta.json", Level: none, static: true, handle: s.getHostMetaJSON},
	}
	t = append(t, s.logoutRoutes()...)
	t = append(t, s.chatRoutes()...)
	t = append(t, s.providerRoutes()...)
	return append(t, s.mounts()...)
}

// mounts are the rows of foreign handlers: the prefix itself and all below it. They bring their
// own credentials and do their own guarding.
func (s *Server) mounts() []route {
	all := maps.Clone(s.opt.Mounts)
	if all == nil {
		all = map[string]http.Handler{}
	}
	if s.opt.API != nil {
		all["/api"] = s.opt.API
	}
	t := s.dav()
	for _, prefix := range slices.Sorted(maps.Keys(all)) {
		p := "/" + strings.Trim(prefix, "/")
		unasked := p != "/api" && p != "/metrics"
		t = append(t, route{Path: p, Level: identity.LevelNone, foreign: all[prefix], unasked: unasked},
			route{Path: p + "/*", Level: identity.LevelNone, foreign: all[prefix], unasked: unasked})
	}
	return t
}

// dav are the rows of WebDAV, and of the top, where the client of Windows asks first.
func (s *Server) dav() []route {
	dav := s.opt.DAV
	if dav == nil {
		return nil
	}
	r := route{Level: identity.LevelLoggedIn, Page: "dav", foreign: dav, verbs: s.opt.DAVMethods}
	under, top := r, r
	r.Path, under.Path = "/dav", "/dav/*"
	top.Path, top.verbs = "/", []string{http.MethodOptions, "PROPFIND"}
	return []route{r, under, top}
}
