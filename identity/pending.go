package identity

import (
	"context"
)

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
func (x *Service) record(ctx context.Context, e AuditEvent) error                 { panic("pending") }
func (x *Service) audit(ctx context.Context, f AuditFilter) ([]AuditEvent, error) { panic("pending") }
