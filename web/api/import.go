package api

import (
	"context"
	"net/http"

	"trivium/identity"
	"trivium/identity/importer"
)

// Import is a piece of an import of accounts. Whoever has more sends one piece after the other.
type Import struct {
	DryRun       bool               `json:"dry_run,omitempty" doc:"say what would be done, and do nothing"`
	OnConflict   identity.Conflict  `json:"on_conflict,omitempty" enum:"skip,update,fail" doc:"what is done where there is such a login; absent: skip"`
	UIDs         identity.UIDChoice `json:"uids,omitempty" enum:"keep,must,new" doc:"keep: those of the import, and new ones where they are taken; must: one that is taken is a conflict; new: new ones; absent: keep"`
	MinUID       uint32             `json:"min_uid,omitempty" doc:"leave out whoever has a lower one"`
	Level        *Level             `json:"level,omitempty" doc:"of accounts that say none; absent: the default level"`
	LevelOfGroup map[string]Level   `json:"level_of_group,omitempty" doc:"by name of a group"`
	Domain       string             `json:"domain,omitempty" doc:"of logins without one; absent: the default domain"`
	NoGroups     bool               `json:"no_groups,omitempty" doc:"leave out groups that there are not; absent: make them"`
	Accounts     []importer.Record  `json:"accounts" maxItems:"500"`
}

type importIn struct{ Body Import }

type importOut struct{ Body []identity.Imported }

func (a *API) registerImport() {
	handle(a, identity.LevelAdmin, http.MethodPost, "/users/import", "import-users", "Make accounts of those of another server, with their hashes; a report of each", a.importUsers)
}

func (a *API) importUsers(ctx context.Context, in *importIn) (*importOut, error) {
	b := in.Body
	o := identity.ImportOptions{DryRun: b.DryRun, Conflict: b.OnConflict, UIDs: b.UIDs, MinUID: b.MinUID, Domain: b.Domain, MakeGroups: !b.NoGroups}
	if b.Level != nil {
		o.Level = b.Level.Level
	}
	if len(b.LevelOfGroup) > 0 {
		o.LevelOfGroup = make(map[string]identity.Level, len(b.LevelOfGroup))
		for name, l := range b.LevelOfGroup {
			o.LevelOfGroup[name] = l.Level
		}
	}
	if o.Domain != "" {
		d, err := identity.ParseDomain(o.Domain)
		if err != nil {
			return nil, err
		}
		o.Domain = d
	}
	list := make([]identity.ImportUser, len(b.Accounts))
	for i, r := range b.Accounts {
		list[i] = r.User()
	}
	out, err := a.id.ImportUsers(ctx, who(ctx).actor, o, list)
	if err != nil {
		return nil, err
	}
	return &importOut{out}, nil
}
