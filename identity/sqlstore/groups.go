package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"trivium/identity"
	"trivium/internal/sqldb"
)

// Group implements identity.Store.
func (r reader) Group(ctx context.Context, domain string, name identity.UserName) (identity.GroupInfo, error) {
	return one(r.groups(ctx, `WHERE g.domain = $1 AND g.name = $2`, domain, string(name)))
}

// GroupByGID implements identity.Store.
func (r reader) GroupByGID(ctx context.Context, gid uint32) (identity.GroupInfo, error) {
	return one(r.groups(ctx, `WHERE g.gid = $1`, gid))
}

// Groups implements identity.Store.
func (r reader) Groups(ctx context.Context, domain string) ([]identity.GroupInfo, error) {
	return r.groups(ctx, `WHERE $1 = '' OR g.domain = $1`, domain)
}

// GroupRow implements identity.Store.
func (r reader) GroupRow(ctx context.Context, domain string, name identity.UserName) (identity.Group, error) {
	return r.groupRow(ctx, `WHERE domain = $1 AND name = $2`, domain, string(name))
}

// GroupRowByGID implements identity.Store.
func (r reader) GroupRowByGID(ctx context.Context, gid uint32) (identity.Group, error) {
	return r.groupRow(ctx, `WHERE gid = $1`, gid)
}

// GroupBrief implements identity.Store.
func (r reader) GroupBrief(ctx context.Context, domain string, name identity.UserName) (identity.GroupInfo, error) {
	g, err := r.GroupRow(ctx, domain, name)
	if err != nil {
		return identity.GroupInfo{}, err
	}
	return r.groupBrief(ctx, g)
}

// GroupBriefByGID implements identity.Store.
func (r reader) GroupBriefByGID(ctx context.Context, gid uint32) (identity.GroupInfo, error) {
	g, err := r.GroupRowByGID(ctx, gid)
	if err != nil {
		return identity.GroupInfo{}, err
	}
	return r.groupBrief(ctx, g)
}

func (r reader) groupBrief(ctx context.Context, g identity.Group) (info identity.GroupInfo, err error) {
	info.Group = g
	if info.Members, err = r.members(ctx, `m.gid = $1 AND m.manager`, g.GID); err != nil {
		return identity.GroupInfo{}, err
	}
	err = r.each(ctx, "reading a primary user", func(rows *sql.Rows) error {
		var login string
		err := rows.Scan(&login)
		info.Primary = append(info.Primary, identity.UserName(login))
		return err
	}, `SELECT login FROM identity_users WHERE gid = $1 AND state <> 'deleted' LIMIT 1`, g.GID)
	return info, err
}

// GroupMember implements identity.Store.
func (r reader) GroupMember(ctx context.Context, gid uint32, user identity.UserID) (identity.Member, error) {
	ms, err := r.members(ctx, `m.gid = $1 AND m.user_id = $2`, gid, string(user))
	if err == nil && len(ms) == 0 {
		err = identity.ErrNotFound
	}
	if err != nil {
		return identity.Member{}, err
	}
	return ms[0], nil
}

// members reads those that a condition chooses, by login.
func (r reader) members(ctx context.Context, where string, args ...any) (out []identity.Member, err error) {
	err = r.each(ctx, "reading members", func(rows *sql.Rows) error {
		var user, login string
		var m identity.Member
		err := rows.Scan(&user, &login, &m.Manager)
		m.User, m.Login = identity.UserID(user), identity.UserName(login)
		out = append(out, m)
		return err
	}, `SELECT u.id, u.login, m.manager FROM identity_members m
		JOIN identity_users u ON u.id = m.user_id AND u.state <> 'deleted' WHERE `+where+` ORDER BY u.login`, args...)
	return out, err
}

// GroupUsers implements identity.Store.
func (r reader) GroupUsers(ctx context.Context, gid uint32) (out []identity.UserID, err error) {
	err = r.each(ctx, "reading the users of a group", func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		out = append(out, identity.UserID(id))
		return err
	}, `SELECT m.user_id FROM identity_members m JOIN identity_users u ON u.id = m.user_id AND u.state <> 'deleted' WHERE m.gid = $1
		UNION SELECT p.id FROM identity_users p WHERE p.gid = $2 AND p.state <> 'deleted'`, gid, gid)
	return out, err
}

func (r reader) groupRow(ctx context.Context, where string, args ...any) (g identity.Group, err error) {
	var name string
	var created int64
	var level uint8
	err = r.q.QueryRowContext(ctx, `SELECT gid, domain, name, created_at, change_seq, quota_bytes, quota_files,
		no_folder, no_roster, room, member_level, member_bytes, member_files
		FROM identity_groups `+where, args...).Scan(&g.GID, &g.Domain, &name, &created, &g.ChangeSeq, &g.QuotaBytes, &g.QuotaFiles,
		&g.NoFolder, &g.NoRoster, &g.Room, &level, &g.MemberBytes, &g.MemberFiles)
	g.Name, g.CreatedAt, g.MemberLevel = identity.UserName(name), moment(created), identity.Level(level)
	return g, unavailable("reading a group", err)
}

func one(gs []identity.GroupInfo, err error) (identity.GroupInfo, error) {
	if err == nil && len(gs) == 0 {
		err = identity.ErrNotFound
	}
	if err != nil {
		return identity.GroupInfo{}, err
	}
	return gs[0], nil
}

// groups reads the groups of a condition with members and primary users in one query. The
// condition stands twice in it.
func (r reader) groups(ctx context.Context, where string, args ...any) ([]identity.GroupInfo, error) {
	var out []identity.GroupInfo
	err := r.each(sqldb.Brief(ctx), "reading groups", func(rows *sql.Rows) error {
		var (
			g             identity.Group
			gname         string
			created       int64
			user, login   sql.NullString
			manager       sql.NullBool
			primaryMember bool
			level         uint8
		)
		err := rows.Scan(&g.GID, &g.Domain, &gname, &created, &g.ChangeSeq, &g.QuotaBytes, &g.QuotaFiles, &g.NoFolder, &g.NoRoster, &g.Room, &level, &g.MemberBytes, &g.MemberFiles, &user, &login, &manager, &primaryMember)
		if err != nil {
			return err
		}
		g.Name, g.CreatedAt, g.MemberLevel = identity.UserName(gname), moment(created), identity.Level(level)
		if n := len(out); n == 0 || out[n-1].GID != g.GID {
			out = append(out, identity.GroupInfo{Group: g})
		}
		last := &out[len(out)-1]
		switch {
		case !user.Valid:
		case primaryMember:
			last.Primary = append(last.Primary, identity.UserName(login.String))
		default:
			last.Members = append(last.Members, identity.Member{User: identity.UserID(user.String),
				Login: identity.UserName(login.String), Manager: manager.Bool})
		}
		return nil
	}, `SELECT g.gid, g.domain, g.name, g.created_at, g.change_seq, g.quota_bytes, g.quota_files,
		g.no_folder, g.no_roster, g.room, g.member_level, g.member_bytes, g.member_files, u.id, u.login, m.manager, FALSE AS is_primary
		FROM identity_groups g
		LEFT JOIN identity_members m ON m.gid = g.gid
		LEFT JOIN identity_users u ON u.id = m.user_id AND u.state <> 'deleted'
		`+where+`
		UNION ALL
		SELECT g.gid, g.domain, g.name, g.created_at, g.change_seq, g.quota_bytes, g.quota_files,
		g.no_folder, g.no_roster, g.room, g.member_level, g.member_bytes, g.member_files, u.id, u.login, FALSE, TRUE
		FROM identity_groups g
		JOIN identity_users u ON u.gid = g.gid AND u.state <> 'deleted'
		`+where+`
		ORDER BY 3, 2, 1, 17, 15`, args...)
	return out, err
}

// NameTaken implements identity.Store.
func (r reader) NameTaken(ctx context.Context, domain string, name identity.UserName) (login, alias, group bool, err error) {
	err = r.q.QueryRowContext(ctx, `SELECT
		EXISTS (SELECT 1 FROM identity_users WHERE domain = $1 AND login = $2),
		EXISTS (SELECT 1 FROM identity_aliases WHERE domain = $1 AND name = $2),
		EXISTS (SELECT 1 FROM identity_groups WHERE domain = $1 AND name = $2)`,
		domain, string(name)).Scan(&login, &alias, &group)
	return login, alias, group, unavailable("looking for a name", err)
}

// PutGroup implements identity.StoreWriter.
func (w *writer) PutGroup(ctx context.Context, old uint32, g identity.Group) error {
	seq, err := w.nextChange(ctx)
	if err != nil {
		return err
	}
	doing := fmt.Sprintf("group %q (gid %d)", g.Name, g.GID)
	if old == 0 {
		_, err = w.exec(ctx, doing, `INSERT INTO identity_groups (gid, domain, name, created_at, change_seq, quota_bytes, quota_files,
			no_folder, no_roster, room, member_level, member_bytes, member_files)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`, g.GID, g.Domain, string(g.Name), micros(g.CreatedAt), seq, g.QuotaBytes, g.QuotaFiles,
			g.NoFolder, g.NoRoster, g.Room, int(g.MemberLevel), g.MemberBytes, g.MemberFiles)
	} else {
		err = w.change(ctx, doing, `UPDATE identity_groups SET gid = $1, domain = $2, name = $3, created_at = $4,
			change_seq = $5, quota_bytes = $6, quota_files = $7, no_folder = $8, no_roster = $9, room = $10,
			member_level = $11, member_bytes = $12, member_files = $13 WHERE gid = $14`,
			g.GID, g.Domain, string(g.Name), micros(g.CreatedAt), seq, g.QuotaBytes, g.QuotaFiles,
			g.NoFolder, g.NoRoster, g.Room, int(g.MemberLevel), g.MemberBytes, g.MemberFiles, old)
	}
	if err != nil {
		return err
	}
	if old != 0 && old != g.GID {
		// Members follow by their foreign key. Primary groups have none, as tombstones keep the
		// number of a group that may be gone.
		if _, err := w.exec(ctx, doing, `UPDATE identity_users SET gid = $1 WHERE gid = $2`, g.GID, old); err != nil {
			return err
		}
		if _, err := w.withRules(ctx, `UPDATE identity_rules SET gid = $1 WHERE gid = $2`, g.GID, old); err != nil {
			return err
		}
	}
	return w.raiseID(ctx, g.GID)
}

// RemoveGroup implements identity.StoreWriter.
func (w *writer) RemoveGroup(ctx context.Context, gid uint32) error {
	if _, err := w.withRules(ctx, `DELETE FROM identity_rules WHERE gid = $1`, gid); err != nil {
		return err
	}
	return w.change(ctx, "removing a group", `DELETE FROM identity_groups WHERE gid = $1`, gid)
}

// PutMember implements identity.StoreWriter.
func (w *writer) PutMember(ctx context.Context, gid uint32, user identity.UserID, manager bool) error {
	_, err := w.exec(ctx, "adding a member", `INSERT INTO identity_members (gid, user_id, manager) VALUES ($1, $2, $3)
		ON CONFLICT (gid, user_id) DO UPDATE SET manager = excluded.manager`, gid, string(user), manager)
	return err
}

// RemoveMember implements identity.StoreWriter.
func (w *writer) RemoveMember(ctx context.Context, gid uint32, user identity.UserID) error {
	return w.change(ctx, "removing a member", `DELETE FROM identity_members WHERE gid = $1 AND user_id = $2`, gid, string(user))
}

// Aliases implements identity.Store.
func (r reader) Aliases(ctx context.Context, domain string) ([]identity.Alias, error) {
	var out []identity.Alias
	err := r.each(ctx, "reading aliases", func(rows *sql.Rows) error {
		var a identity.Alias
		var name, target, login string
		if err := rows.Scan(&a.Domain, &name, &target, &login); err != nil {
			return err
		}
		a.Name, a.Target, a.Login = identity.UserName(name), identity.UserID(target), identity.UserName(login)
		out = append(out, a)
		return nil
	}, `SELECT a.domain, a.name, a.target, u.login FROM identity_aliases a JOIN identity_users u ON u.id = a.target
		WHERE $1 = '' OR a.domain = $1 ORDER BY a.name, a.domain`, domain)
	return out, err
}

// PutAlias implements identity.StoreWriter.
func (w *writer) PutAlias(ctx context.Context, a identity.Alias) error {
	_, err := w.exec(ctx, fmt.Sprintf("alias %q", a.Name), `INSERT INTO identity_aliases (domain, name, target)
		VALUES ($1, $2, $3)`, a.Domain, string(a.Name), string(a.Target))
	return err
}

// RemoveAlias implements identity.StoreWriter.
func (w *writer) RemoveAlias(ctx context.Context, domain string, name identity.UserName) error {
	return w.change(ctx, "removing an alias", `DELETE FROM identity_aliases WHERE domain = $1 AND name = $2`, domain, string(name))
}
