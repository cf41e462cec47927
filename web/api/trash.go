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

// Trashed is something that was deleted and can be restored.
type Trashed struct {
	ID      string    `json:"id"`
	Path    string    `json:"path" doc:"where it was, as a client sees it"`
	Folder  bool      `json:"folder"`
	Bytes   int64     `json:"bytes" doc:"of all that is in it"`
	Entries int64     `json:"entries" doc:"it and all that is in it"`
	At      time.Time `json:"deleted_at"`
	By      string    `json:"deleted_by" doc:"empty: nobody knows"`
	Until   time.Time `json:"until" doc:"when it goes for ever; earlier where the quota is used up"`
}

// OldVersion is an old content of a file.
type OldVersion struct {
	ID         string    `json:"id"`
	Bytes      int64     `json:"bytes"`
	ModifiedAt time.Time `json:"modified_at" doc:"the time of that content"`
	ReplacedAt time.Time `json:"replaced_at"`
	ReplacedBy string    `json:"replaced_by"`
}

func (a *API) registerTrash() {
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/trash", "list-trash", "List what was deleted and one may restore, the last first", a.listTrash)
	handle(a, identity.LevelLoggedIn, http.MethodDelete, "/trash", "empty-trash", "Remove all of that for ever", a.emptyTrash)
	handle(a, identity.LevelLoggedIn, http.MethodPost, "/trash/{id}/restore", "restore-trash", "Bring something that was deleted back", a.restoreTrash)
	handle(a, identity.LevelLoggedIn, http.MethodDelete, "/trash/{id}", "purge-trash", "Remove something that was deleted for ever", a.purgeTrash)
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/versions", "list-versions", "List the old versions of a file, the last first", a.listVersions)
	handle(a, identity.LevelLoggedIn, http.MethodPost, "/versions/restore", "restore-version", "Make an old version of a file its content again", a.restoreVersion)
}

// tree is the caller's view of the files. The command line on the server's own machine is nobody
// there.
func (a *API) tree(ctx context.Context) (*files.Tree, error) {
	f, err := a.files()
	if err != nil {
		return nil, err
	}
	ses := who(ctx).session
	if ses == nil {
		return nil, hidden()
	}
	return f.View(ses), nil
}

func (a *API) listTrash(ctx context.Context, _ *struct{}) (*struct{ Body []Trashed }, error) {
	tree, err := a.tree(ctx)
	if err != nil {
		return nil, err
	}
	list, err := tree.Trash(ctx)
	if err != nil {
		return nil, fileProblem(err, "")
	}
	return listed(list, func(t files.Trashed) Trashed {
		return Trashed{ID: t.ID, Path: t.Path, Folder: t.Dir, Bytes: t.Size, Entries: t.Entries, At: t.At.UTC(), By: t.By, Until: t.Until.UTC()}
	}), nil
}

func (a *API) emptyTrash(ctx context.Context, _ *struct{}) (*nothing, error) {
	tree, err := a.tree(ctx)
	if err != nil {
		return nil, err
	}
	return nil, fileProblem(tree.EmptyTrash(ctx), "")
}

func (a *API) restoreTrash(ctx context.Context, in *struct {
	ID   string `path:"id"`
	Body struct {
		To string `json:"to,omitempty" doc:"a path as a client sees it; empty: where it was"`
	}
}) (*nothing, error) {
	tree, err := a.tree(ctx)
	if err != nil {
		return nil, err
	}
	return nil, fileProblem(tree.RestoreTrash(ctx, in.ID, in.Body.To), in.ID)
}

func (a *API) purgeTrash(ctx context.Context, in *struct {
	ID string `path:"id"`
}) (*nothing, error) {
	tree, err := a.tree(ctx)
	if err != nil {
		return nil, err
	}
	return nil, fileProblem(tree.EmptyTrash(ctx, in.ID), in.ID)
}

func (a *API) listVersions(ctx context.Context, in *struct {
	Path string `query:"path" required:"true" doc:"of the file, as a client sees it"`
}) (*struct{ Body []OldVersion }, error) {
	tree, err := a.tree(ctx)
	if err != nil {
		return nil, err
	}
	list, err := tree.Versions(ctx, in.Path)
	if err != nil {
		return nil, fileProblem(err, in.Path)
	}
	return listed(list, func(v files.Version) OldVersion {
		return OldVersion{ID: v.ID, Bytes: v.Size, ModifiedAt: v.ModTime.UTC(), ReplacedAt: v.At.UTC(), ReplacedBy: v.By}
	}), nil
}

func (a *API) restoreVersion(ctx context.Context, in *struct {
	Body struct {
		Path string `json:"path" doc:"of the file, as a client sees it"`
		ID   string `json:"id" doc:"as list-versions names it"`
	}
}) (*nothing, error) {
	tree, err := a.tree(ctx)
	if err != nil {
		return nil, err
	}
	return nil, fileProblem(tree.RestoreVersion(ctx, in.Body.Path, in.Body.ID), in.Body.Path)
}

// fileProblem gives the errors of the file tree an answer; what it does not know stays as it is. nil
// stays nil.
func fileProblem(err error, what string) error {
	for _, row := range []struct {
		err    error
		status int
		code   string
	}{
		{fs.ErrExist, http.StatusConflict, codeExists},
		{fs.ErrPermission, http.StatusForbidden, codeRefused},
		{files.ErrBusy, http.StatusLocked, codeBusy},
		{files.ErrLocked, http.StatusLocked, codeBusy},
		{files.ErrName, http.StatusUnprocessableEntity, codeInvalid},
		{files.ErrIsDir, http.StatusUnprocessableEntity, codeInvalid},
		{files.ErrNotDir, http.StatusUnprocessableEntity, codeInvalid},
		{files.ErrNotEmpty, http.StatusConflict, codeExists},
		{files.ErrOffset, http.StatusConflict, codeInvalid},
		{files.ErrNoLock, http.StatusConflict, codeInvalid},
		{files.ErrLocks, http.StatusInsufficientStorage, codeQuota},
		{files.ErrUnsupported, http.StatusNotImplemented, codeUnsupported},
		{files.ErrQuota, http.StatusInsufficientStorage, codeQuota},
		{files.ErrNoSpace, http.StatusInsufficientStorage, codeQuota},
	} {
		if errors.Is(err, row.err) {
			return newProblem(row.status, row.code, err.Error(), "")
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return notFound("entry", what, "")
	}
	return err
}
