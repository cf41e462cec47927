package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
)

// accountColumns and accountTables read an account with one row for each supplementary group, so
// that one query in one pass serves both dialects.
const accountColumns = `SELECT u.id, u.domain, u.login, u.uid, u.gid, u.level, u.state, u.roads,
	u.quota_bytes, u.quota_files, u.upload_rate, u.download_rate, u.transfers, u.email, u.display, u.phone, u.about, u.lang, u.formats, u.time_zone, u.keys_off,
	u.expires_at, u.created_at, u.last_login, u.credential_version, u.change_seq, u.must_change, u.password, u.factors,
	u.source, u.subject, u.source_off,
	p.name, p.created_at, p.change_seq, p.no_folder, p.no_roster, s.gid, s.name, s.created_at, s.change_seq, s.no_folder, s.no_roster `

const accountTables = `FROM identity_users u
	LEFT JOIN identity_groups p ON p.gid = u.gid
	LEFT JOIN identity_members m ON m.user_id = u.id
	LEFT JOIN identity_groups s ON s.gid = m.gid `

// accountByName reads by login, else by alias; no alias has the name of a tombstone. Where nobody has the
// name it reads the first account there is, so that a log-in of nobody takes as long as a wrong password.
const accountByName = accountColumns + `,
	(SELECT id FROM identity_users WHERE domain = $1 AND login = $2) IS NULL
	AND (SELECT target FROM identity_aliases WHERE domain = $1 AND name = $2) IS NULL ` + accountTables +
	`WHERE u.state <> 'deleted' AND u.id = COALESCE(
		(SELECT id FROM identity_users WHERE domain = $1 AND login = $2),
		(SELECT target FROM identity_aliases WHERE domain = $1 AND name = $2),
		(SELECT id FROM identity_users WHERE domain >= '' ORDER BY domain, login LIMIT 1))
	ORDER BY s.name`

// Account implements identity.Store.
func (r reader) Account(ctx context.Context, domain string, name identity.UserName) (identity.Account, error) {
	nobody := false
	as, err := r.accountsWith(sqldb.Brief(ctx), &nobody, accountByName, domain, string(name))
	if err == nil && (nobody || len(as) == 0) {
		err = identity.ErrNotFound
	}
	if err != nil {
		return identity.Account{}, err
	}
	return as[0], nil
}

// AccountByID implements identity.Store.
func (r reader) AccountByID(ctx context.Context, id identity.UserID) (identity.Account, error) {
	return r.account(ctx, accountColumns+accountTables+
		`WHERE u.state <> 'deleted' AND u.id = $1 ORDER BY s.name`, string(id))
}

// AccountByUID implements identity.Store.
func (r reader) AccountByUID(ctx context.Context, uid uint32) (identity.Account, error) {
	return r.account(ctx, accountColumns+accountTables+
		`WHERE u.state <> 'deleted' AND u.uid = $1 ORDER BY s.name`, uid)
}

func (r reader) account(ctx context.Context, query string, args ...any) (identity.Account, error) {
	as, err := r.accounts(sqldb.Brief(ctx), query, args...)
	if err != nil {
		return identity.Account{}, err
	}
	if len(as) == 0 {
		return identity.Account{}, identity.ErrNotFound
	}
	return as[0], nil
}

// AccountsByEmail implements identity.Store.
func (r reader) AccountsByEmail(ctx context.Context, email string, limit int) ([]identity.Account, error) {
	return r.accounts(sqldb.Brief(ctx), accountColumns+accountTables+
		`WHERE u.id IN (SELECT c.id FROM identity_users c WHERE lower(c.email) = $1 AND c.email <> '' AND c.state <> 'deleted'
			ORDER BY c.login, c.domain LIMIT $2)
		ORDER BY u.login, u.domain, u.id, s.name`, lowerASCII(email), limit)
}

// lowerASCII lowers as the index of addresses does.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// accounts folds the rows of one account, which follow one another, into one.
func (r reader) accounts(ctx context.Context, query string, args ...any) ([]identity.Account, error) {
	return r.accountsWith(ctx, nil, query, args...)
}

// accountsWith is accounts of a query with one column more, which goes to more if that is not nil.
func (r reader) accountsWith(ctx context.Context, more *bool, query string, args ...any) ([]identity.Account, error) {
	var out []identity.Account
	err := r.each(ctx, "reading accounts", func(rows *sql.Rows) error {
		a, group, err := scanAccount(rows, more)
		if err != nil {
			return err
		}
		if n := len(out); n == 0 || out[n-1].ID != a.ID {
			out = append(out, a)
		}
		if group != nil {
			last := &out[len(out)-1]
			last.Groups = append(last.Groups, *group)
		}
		return nil
	}, query, args...)
	return out, err
}

// nullGroup is a group of a LEFT JOIN.
type nullGroup struct {
	gid, created, seq sql.NullInt64
	name              sql.NullString
	noFolder          sql.NullBool
	noRoster          sql.NullBool
}

func (n nullGroup) group(domain string) identity.Group {
	return identity.Group{GID: uint32(n.gid.Int64), Domain: domain, Name: identity.UserName(n.name.String),
		CreatedAt: moment(n.created.Int64), ChangeSeq: n.seq.Int64, NoFolder: n.noFolder.Bool, NoRoster: n.noRoster.Bool}
}

func scanAccount(rows *sql.Rows, more *bool) (identity.Account, *identity.Group, error) {
	var (
		a                          identity.Account
		id, login, state, roads    string
		level                      uint8
		expires, created, lastTime int64
		primary, further           nullGroup
	)
	columns := []any{&id, &a.Domain, &login, &a.UID, &a.GID, &level, &state, &roads,
		&a.QuotaBytes, &a.QuotaFiles, &a.Rates.Upload, &a.Rates.Download, &a.Rates.Transfers, &a.Profile.Email, &a.Profile.Name, &a.Profile.Phone, &a.Profile.About,
		&a.Profile.Lang, &a.Profile.Formats, &a.Profile.TimeZone, &a.Profile.KeysOff,
		&expires, &created, &lastTime, &a.CredentialVersion, &a.ChangeSeq, &a.MustChange, &a.Password.Sealed, &a.Factors,
		&a.Source, &a.Subject, &a.SourceOff,
		&primary.name, &primary.created, &primary.seq, &primary.noFolder, &primary.noRoster,
		&further.gid, &further.name, &further.created, &further.seq, &further.noFolder, &further.noRoster}
	if more != nil {
		columns = append(columns, more)
	}
	if err := rows.Scan(columns...); err != nil {
		return a, nil, err
	}
	a.ID, a.Login, a.State = identity.UserID(id), identity.UserName(login), identity.UserState(state)
	a.Level = identity.Level(level)
	a.ExpiresAt, a.CreatedAt, a.LastLogin = moment(expires), moment(created), moment(lastTime)
	if roads != "" {
		for road := range strings.SplitSeq(roads, ",") {
			a.Roads = append(a.Roads, identity.Road(road))
		}
	}
	if primary.name.Valid {
		a.Group = primary.group(a.Domain)
		a.Group.GID = a.GID
	}
	if !further.gid.Valid {
		return a, nil, nil
	}
	g := further.group(a.Domain)
	return a, &g, nil
}

// searchable is what a text filter looks in. It is folded here, since the engines fold other
// letters than ASCII each in their own way.
func searchable(u identity.User) string {
	return strings.ToLower(string(u.Login) + "\n" + u.Profile.Name + "\n" + u.Profile.Email)
}

// PutUser implements identity.StoreWriter.
func (w *writer) PutUser(ctx context.Context, u identity.User) (int64, error) {
	seq, err := w.nextChange(ctx)
	if err != nil {
		return 0, err
	}
	roads := make([]string, len(u.Roads))
	for i, r := range u.Roads {
		roads[i] = string(r)
	}
	_, err = w.exec(ctx, fmt.Sprintf("user %q (uid %d)", u.Login, u.UID), `INSERT INTO identity_users (id, domain, login,
		uid, gid, level, state, roads, quota_bytes, quota_files, upload_rate, download_rate, transfers, email, display, phone,
		about, lang, formats, time_zone, search, expires_at, created_at, last_login, credential_version, change_seq, must_change,
		source, subject, source_off, keys_off)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
		$24, $25, $26, $27, $28, $29, $30, $31)
		ON CONFLICT (id) DO UPDATE SET domain = excluded.domain, login = excluded.login, uid = excluded.uid,
		gid = excluded.gid, level = excluded.level, state = excluded.state, roads = excluded.roads,
		quota_bytes = excluded.quota_bytes, quota_files = excluded.quota_files,
		upload_rate = excluded.upload_rate, download_rate = excluded.download_rate, transfers = excluded.transfers, email = excluded.email,
		display = excluded.display, phone = excluded.phone, about = excluded.about, lang = excluded.lang,
		formats = excluded.formats, time_zone = excluded.time_zone, search = excluded.search,
		expires_at = excluded.expires_at, created_at = excluded.created_at, last_login = excluded.last_login,
		credential_version = excluded.credential_version, change_seq = excluded.change_seq, must_change = excluded.must_change,
		source = excluded.source, subject = excluded.subject, source_off = excluded.source_off, keys_off = excluded.keys_off`,
		string(u.ID), u.Domain, string(u.Login), u.UID, u.GID, int(u.Level), string(u.State), strings.Join(roads, ","),
		u.QuotaBytes, u.QuotaFiles, u.Rates.Upload, u.Rates.Download, u.Rates.Transfers, u.Profile.Email, u.Profile.Name, u.Profile.Phone, u.Profile.About,
		u.Profile.Lang, u.Profile.Formats, u.Profile.TimeZone, searchable(u),
		micros(u.ExpiresAt), micros(u.CreatedAt), micros(u.LastLogin), u.CredentialVersion, seq, u.MustChange,
		u.Source, u.Subject, u.SourceOff, u.Profile.KeysOff)
	if err != nil {
		return 0, err
	}
	return seq, w.raiseID(ctx, max(u.UID, u.GID))
}

// PutPassword implements identity.StoreWriter.
func (w *writer) PutPassword(ctx context.Context, id identity.UserID, r identity.Record) error {
	var sealed []byte // NULL where there is none
	if len(r.Sealed) > 0 {
		sealed = r.Sealed
	}
	return w.change(ctx, "keeping a password", `UPDATE identity_users SET password = $1 WHERE id = $2`, sealed, string(id))
}

// PutLastLogin implements identity.StoreWriter.
func (w *writer) PutLastLogin(ctx context.Context, id identity.UserID, at time.Time) error {
	const doing = "noting a log-in"
	res, err := w.run(ctx, doing, `UPDATE identity_users SET last_login = $1 WHERE id = $2`, micros(at), string(id))
	return met(doing, res, err)
}
