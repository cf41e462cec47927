package identity

// ForExport returns a session as which the server reads the files of an account for its export. It
// is in no list, has no connection, and may what the account may, whether the account may log in or
// not: who has left may be given what is theirs.
func (s *Service) ForExport(acc *Account) *Session {
	ses := &Session{id: "export", protocol: ProtocolWeb, started: s.now(), registry: s.Registry,
		ended: make(chan struct{}), told: make(chan struct{})}
	a := &attachment{held: acc.Level, creds: Credentials{UserID: acc.ID, Login: acc.Login, Domain: acc.Domain,
		User: s.display(acc.Login, acc.Domain), OrigUser: string(acc.Login), UID: acc.UID, GID: acc.GID, Group: string(acc.Group.Name),
		Level: acc.Level, Profile: acc.Profile, QuotaBytes: acc.QuotaBytes, QuotaFiles: acc.QuotaFiles, LoginAt: s.now(),
		CredentialVersion: acc.CredentialVersion}}
	for _, g := range acc.Groups {
		a.creds.GIDs = append(a.creds.GIDs, g.GID)
		a.creds.Groups = append(a.creds.Groups, string(g.Name))
	}
	ses.set(a)
	return ses
}
