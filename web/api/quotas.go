package api

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"time"

	"trivium/files"
	"trivium/identity"
)

// Quota is what a tree of files holds and may hold. Limits of -1 are none.
type Quota struct {
	Tree       string     `json:"tree" doc:"its name in the store, by which it is counted again"`
	Path       string     `json:"path" doc:"as rules of policy name it"`
	Domain     string     `json:"domain"`
	User       *string    `json:"user" doc:"whose home it is; null: nobody's"`
	Bytes      int64      `json:"bytes" doc:"held; unfinished uploads, trash and versions included"`
	Files      int64      `json:"files" doc:"the same in files, folders and links"`
	LimitBytes int64      `json:"limit_bytes" doc:"-1: none"`
	LimitFiles int64      `json:"limit_files" doc:"-1: none"`
	SoftBytes  int64      `json:"soft_bytes" doc:"beyond it the grace begins; -1: none"`
	SoftFiles  int64      `json:"soft_files" doc:"as soft_bytes"`
	SoftSince  *time.Time `json:"soft_since" doc:"when a soft limit was passed; null: it is not"`
	GraceEnds  *time.Time `json:"grace_ends" doc:"when uploads are refused; null: the grace has not begun"`
	CountedAt  *time.Time `json:"counted_at" doc:"when its files were last counted one by one; null: never"`
	Current    bool       `json:"current" doc:"false: the numbers are old, the tree is counted at its next use"`
}

func quotaOf(u files.TreeUsage) Quota {
	q := Quota{Tree: u.Key, Path: u.Path, Domain: u.Domain, Bytes: u.Bytes, Files: u.Files,
		LimitBytes: u.LimitBytes, LimitFiles: u.LimitFiles, SoftBytes: u.SoftBytes, SoftFiles: u.SoftFiles,
		SoftSince: moment(u.SoftSince), GraceEnds: moment(u.GraceEnds), CountedAt: moment(u.CountedAt), Current: u.Counted}
	if u.User != "" {
		q.User = &u.User
	}
	return q
}

func (a *API) registerQuotas() {
	handle(a, identity.LevelAdmin, http.MethodGet, "/quotas", "list-quotas", "List what every tree of files holds and may hold", a.listQuotas)
	handle(a, identity.LevelAdmin, http.MethodPost, "/quotas/recount", "recount", "Count the files of a tree one by one, and take what is found for the truth", a.recount)
	handle(a, identity.LevelStaff, http.MethodGet, "/users/{name}/quota", "show-quota", "What an account's home holds and may hold", a.showQuota)
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/me/quota", "my-quota", "What one's own home holds and may hold", a.myQuota)
}

type quotaOut struct{ Body Quota }

// files answers ErrUnsupported where the process has no file tree.
func (a *API) files() (*files.Service, error) {
	if a.o.Files == nil {
		return nil, errors.ErrUnsupported
	}
	return a.o.Files, nil
}

func (a *API) listQuotas(ctx context.Context, _ *struct{}) (*struct{ Body []Quota }, error) {
	f, err := a.files()
	if err != nil {
		return nil, err
	}
	list, err := f.Usages(ctx)
	if err != nil {
		return nil, err
	}
	return listed(list, quotaOf), nil
}

func (a *API) recount(ctx context.Context, in *struct {
	Body struct {
		Tree string `json:"tree" doc:"as list-quotas names it"`
	}
}) (*quotaOut, error) {
	f, err := a.files()
	if err != nil {
		return nil, err
	}
	_, _, err = f.Recount(ctx, in.Body.Tree)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, notFound("tree", in.Body.Tree, "")
	}
	if err != nil {
		return nil, err
	}
	u, err := f.TreeUsage(ctx, in.Body.Tree)
	return &quotaOut{quotaOf(u)}, err
}

func (a *API) showQuota(ctx context.Context, in *Named) (*quotaOut, error) {
	acc, err := a.account(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return a.homeQuota(ctx, acc)
}

func (a *API) myQuota(ctx context.Context, _ *struct{}) (*quotaOut, error) {
	acc, err := a.own(ctx)
	if err != nil {
		return nil, err
	}
	return a.homeQuota(ctx, acc)
}

func (a *API) homeQuota(ctx context.Context, acc identity.Account) (*quotaOut, error) {
	f, err := a.files()
	if err != nil {
		return nil, err
	}
	u, err := f.HomeUsage(ctx, acc.Domain, string(acc.Login))
	return &quotaOut{quotaOf(u)}, err
}
