package sqlstore

import (
	"context"
	"math"
	"strings"

	"trivium/identity"
	"trivium/internal/sqldb"
)

// defaultLimit is how many accounts a list has at most where nobody says.
const defaultLimit = 1000

// filtered is what a filter asks of the user c, each thing only where it is asked, so that the engine
// sees which of its indexes fits.
func (r reader) filtered(ctx context.Context, f identity.UserFilter) (*conditions, error) {
	var w conditions
	switch f.State {
	case "":
		w.add(`c.state <> 'deleted'`)
	case identity.UserActive:
		w.add(`c.state = 'active'`)
	default: // few, and so there is an index of those that are not active
		w.add(`c.state = $ AND c.state <> 'active'`, string(f.State))
	}
	if f.Level != nil {
		w.add(`c.level = $`, int(*f.Level))
	}
	if f.Group != "" {
		group, domain, _ := strings.Cut(f.Group, "@")
		w.add(`c.id IN (SELECT x.user_id FROM identity_groups g JOIN identity_members x ON x.gid = g.gid
			WHERE g.name = $ AND ($ = '' OR g.domain = $)
			UNION SELECT p.id FROM identity_groups g JOIN identity_users p ON p.gid = g.gid
			WHERE g.name = $ AND ($ = '' OR g.domain = $))`, group, domain, domain, group, domain, domain)
	}
	if f.Source != "" {
		w.add(`c.source = $ AND c.source <> ''`, f.Source)
	}
	switch {
	case f.Factor == nil:
	case *f.Factor:
		w.add(`(c.factors % 8) <> 0`)
	default:
		w.add(`(c.factors % 8) = 0`)
	}
	if !f.SeenSince.IsZero() {
		w.add(`c.last_login >= $ AND c.last_login > 0`, micros(f.SeenSince))
	}
	if f.After != (identity.UserPlace{}) {
		w.add(`(c.login, c.domain) > ($, $)`, string(f.After.Login), f.After.Domain)
	}
	if f.Before != (identity.UserPlace{}) {
		w.add(`(c.login, c.domain) < ($, $)`, string(f.Before.Login), f.Before.Domain)
	}
	if f.Text == "" {
		return &w, nil
	}
	if pieces := trigrams(f.Text); pieces != "" && r.dialect == sqldb.SQLite {
		rare, err := r.rare(ctx, pieces)
		if err != nil {
			return nil, err
		}
		if rare {
			w.add(`c.uid IN (SELECT rowid FROM identity_user_search WHERE identity_user_search MATCH $)`, pieces)
		}
	}
	w.add(`c.search LIKE $ ESCAPE '!'`, contains(f.Text))
	return &w, nil
}

// rareMost is how many accounts a text may be in so that they are looked for by its index and sorted;
// those of a text that more have are met soon by going through the accounts in their order.
const rareMost = 5000

// rare reports whether the index of texts has at most so many accounts for the pieces of a text.
func (r reader) rare(ctx context.Context, pieces string) (bool, error) {
	var n int
	err := r.q.QueryRowContext(sqldb.Brief(ctx), `SELECT count(*) FROM (SELECT 1 FROM identity_user_search
		WHERE identity_user_search MATCH $1 LIMIT $2) AS part`, pieces, rareMost+1).Scan(&n)
	return n <= rareMost, unavailable("looking for a text", err)
}

// maxPieces of a text are looked for in the index; all of it is looked for in what that finds.
const maxPieces = 24

// trigrams is the query of SQLite's full-text index for what has all pieces of three characters of a
// text; "" where it is shorter, or could not be told to it.
func trigrams(text string) string {
	letters := []rune(strings.ToLower(text))
	var q strings.Builder
	for i := 0; i+3 <= len(letters) && i < maxPieces; i++ {
		piece := string(letters[i : i+3])
		if strings.ContainsRune(piece, 0) {
			return ""
		}
		if i > 0 {
			q.WriteString(" AND ")
		}
		q.WriteString(`"` + strings.ReplaceAll(piece, `"`, `""`) + `"`)
	}
	return q.String()
}

// Accounts implements identity.Store.
func (r reader) Accounts(ctx context.Context, f identity.UserFilter) ([]identity.Account, error) {
	w, err := r.filtered(ctx, f)
	if err != nil {
		return nil, err
	}
	limit := f.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	order := `c.login, c.domain`
	if f.Before != (identity.UserPlace{}) { // those right before it
		order = `c.login DESC, c.domain DESC`
	}
	inner := w.text.String() + ` ORDER BY ` + order + ` LIMIT ` + w.value(limit) + ` OFFSET ` + w.value(max(f.Offset, 0))
	return r.accounts(ctx, accountColumns+accountTables+
		`WHERE u.id IN (SELECT c.id FROM identity_users c`+inner+`) ORDER BY u.login, u.domain, u.id, s.name`, w.args...)
}

// CountAccounts implements identity.Store.
func (r reader) CountAccounts(ctx context.Context, f identity.UserFilter) (n int, err error) {
	limit := f.Limit
	f.Limit, f.Offset = 0, 0
	if limit <= 0 {
		if f == (identity.UserFilter{}) { // by what indexes alone tell
			err = r.q.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM identity_users) -
				(SELECT count(*) FROM identity_users WHERE state = 'deleted' AND state <> 'active')`).Scan(&n)
			return n, unavailable("counting accounts", err)
		}
		limit = math.MaxInt32
	}
	w, err := r.filtered(ctx, f)
	if err != nil {
		return 0, err
	}
	most := w.value(limit)
	err = r.q.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM identity_users c`+w.text.String()+` LIMIT `+most+`) AS part`,
		w.args...).Scan(&n)
	return n, unavailable("counting accounts", err)
}

// AccountsChanged implements identity.Store.
func (r reader) AccountsChanged(ctx context.Context, seq int64, limit int) ([]identity.Account, error) {
	return r.accounts(ctx, accountColumns+accountTables+
		`WHERE u.id IN (SELECT c.id FROM identity_users c WHERE c.change_seq > $1 ORDER BY c.change_seq LIMIT $2)
		ORDER BY u.change_seq, u.id, s.name`, seq, limit)
}

// AccountsRemoved implements identity.Store.
func (r reader) AccountsRemoved(ctx context.Context, seq int64, limit int) ([]identity.Account, error) {
	return r.accounts(ctx, accountColumns+accountTables+
		`WHERE u.id IN (SELECT c.id FROM identity_users c WHERE c.state = 'deleted' AND c.state <> 'active' AND c.change_seq > $1
			ORDER BY c.change_seq LIMIT $2)
		ORDER BY u.change_seq, u.id, s.name`, seq, limit)
}

// contains is a LIKE pattern for text anywhere.
func contains(text string) string {
	return "%" + likeEscaper().Replace(strings.ToLower(text)) + "%"
}

func likeEscaper() *strings.Replacer { return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_") }
