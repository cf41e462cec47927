package identity

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// core is what both halves of Service stand on; service.go takes it over.
type core struct {
	Registry *Registry

	opts  Options // with defaults filled in
	store Store
	log   *slog.Logger
	now   func() time.Time
}

// reconcile re-reads accounts after a committed change and refreshes, downgrades or ends their
// sessions; it has taken effect when it returns, even where ctx has ended.
func (s *Service) reconcile(ctx context.Context, ids ...UserID) { panic("pending") }

// sealPassword derives the record of a new password behind the hashing gate. It keeps the salt
// and iterations of old, on which the SCRAM keys of tokens hang. A zero password gives a record
// that holds at most that salt. The error wraps ErrInvalid where the text cannot be a password,
// ErrBusy where the gate is full.
func (s *Service) sealPassword(ctx context.Context, id UserID, old Record, password Secret) (Record, error) {
	panic("pending")
}

// adopt lets ses, if it belongs to id, live through the change of the password to the new
// CredentialVersion; call it before the change commits, and undo if it does not.
func (s *Service) adopt(ses *Session, id UserID, version int64) (undo func()) { panic("pending") }
type registryState struct{ node string }
type attempt struct{}
type browserRecord struct{}

func New(ctx context.Context, o Options) (*Service, error) { return nil, errors.ErrUnsupported }

// Run does the background work (change_seq poll, inactivity, sweeps) until ctx ends.
func (s *Service) Run(ctx context.Context) error { return errors.ErrUnsupported }
func (x *Browser) csrfToken() string             { panic("pending") }
func (x *Service) resume(ctx context.Context, v Visit) (b *Browser, set *Cookie, err error) {
	panic("pending")
}
func (x *Service) startAnonymous(ctx context.Context, v Visit) (*Browser, Cookie, error) {
	panic("pending")
}
func (x *Service) upgrade(ctx context.Context, b *Browser, l Login, stay bool) (Cookie, error) {
	panic("pending")
}
func (x *Service) downgrade(ctx context.Context, b *Browser, why Reason) (Cookie, error) {
	panic("pending")
}
func (x *Service) onUpgrade(fn func(*Session))   { panic("pending") }
func (x *Service) onDowngrade(fn func(*Session)) { panic("pending") }
func (x *Service) request(ctx context.Context, p Protocol, v Visit, l Login) (*Session, error) {
	panic("pending")
}
func (x *Registry) open(ctx context.Context, o Opening) (*Session, error) { panic("pending") }
func (x *Registry) list(f Filter) []Info                                  { panic("pending") }
func (x *Registry) get(id string) (*Session, bool)                        { panic("pending") }
func (x *Registry) end(id string, why Reason) error                       { panic("pending") }
func (x *Registry) endWhere(f Filter, why Reason) []Info                  { panic("pending") }
func (x *Registry) watch(ctx context.Context, buffer int) <-chan Event    { panic("pending") }
func (x *Service) allowed(ses *Session, r Resource) bool                  { panic("pending") }
func (x *Service) required(r Resource, def ...Level) Level                { panic("pending") }
func (x *Service) explain(ctx context.Context, r Resource, user string, level Level) (Decision, error) {
	panic("pending")
}
func (x *Service) rules() []Rule { panic("pending") }
func (x *Service) login(ctx context.Context, ses *Session, l Login) (Credentials, error) {
	panic("pending")
}
func (x *Service) loginAnonymous(ctx context.Context, ses *Session, a Anonymous) (Credentials, error) {
	panic("pending")
}
func (x *Service) forget(ses *Session) { panic("pending") }
func (x *Service) beginSCRAM(ctx context.Context, ses *Session, l Login, h SCRAMHash) (*SCRAM, error) {
	panic("pending")
}
func (x *SCRAM) finish(ctx context.Context, authMessage, proof []byte) (Credentials, []byte, error) {
	panic("pending")
}
func (x *Service) addUser(ctx context.Context, by Actor, n NewUser) (Account, error) {
	panic("pending")
}
func (x *Service) user(ctx context.Context, name string) (Account, error)     { panic("pending") }
func (x *Service) userByID(ctx context.Context, id UserID) (Account, error)   { panic("pending") }
func (x *Service) users(ctx context.Context, f UserFilter) ([]Account, error) { panic("pending") }
func (x *Service) setUser(ctx context.Context, by Actor, name string, c UserChange) (Account, error) {
	panic("pending")
}
func (x *Service) setPassword(ctx context.Context, by Actor, name string, password Secret, keep *Session) error {
	panic("pending")
}
func (x *Service) checkPassword(ctx context.Context, ses *Session, password Secret) error {
	panic("pending")
}
func (x *Service) removeUser(ctx context.Context, by Actor, name string) error { panic("pending") }
func (x *Service) addGroup(ctx context.Context, by Actor, name string, gid uint32) (Group, error) {
	panic("pending")
}
func (x *Service) group(ctx context.Context, name string) (GroupInfo, error) { panic("pending") }
func (x *Service) groups(ctx context.Context) ([]GroupInfo, error)           { panic("pending") }
func (x *Service) setGroup(ctx context.Context, by Actor, name string, newName *string, gid *uint32) (Group, error) {
	panic("pending")
}
func (x *Service) removeGroup(ctx context.Context, by Actor, name string) error { panic("pending") }
func (x *Service) addMembers(ctx context.Context, by Actor, group string, users []string, manager bool) error {
	panic("pending")
}
func (x *Service) removeMembers(ctx context.Context, by Actor, group string, users []string) error {
	panic("pending")
}
func (x *Service) addAlias(ctx context.Context, by Actor, alias, user string) (Alias, error) {
	panic("pending")
}
func (x *Service) aliases(ctx context.Context) ([]Alias, error)                  { panic("pending") }
func (x *Service) removeAlias(ctx context.Context, by Actor, alias string) error { panic("pending") }
func (x *Service) hasAdministrator(ctx context.Context) (bool, error)            { panic("pending") }
func (x *Service) setupCode(ctx context.Context) (string, error)                 { panic("pending") }
func (x *Service) setup(ctx context.Context, code string, n NewUser) (Account, error) {
	panic("pending")
}
func (x *Service) tokensChanged(ctx context.Context, ids ...string)               { panic("pending") }
func (x *Service) record(ctx context.Context, e AuditEvent) error                 { panic("pending") }
func (x *Service) audit(ctx context.Context, f AuditFilter) ([]AuditEvent, error) { panic("pending") }
func (r *Registry) notify(k EventKind, s *Session)                                {}
func (r *Registry) close(s *Session, why Reason, tell bool)                       {}

func (x *Service) scramParameters(ctx context.Context, id UserID) (salt []byte, iterations int, err error) {
	panic("pending")
}
