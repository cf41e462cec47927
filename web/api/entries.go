package api

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"

	"trivium/files"
	"trivium/identity"
)

// FileEntry is a file or folder.
type FileEntry struct {
	Path       string     `json:"path" doc:"as a client sees it"`
	Kind       string     `json:"kind" enum:"file,folder,link,part" doc:"part: one's own unfinished upload"`
	Sort       string     `json:"sort" doc:"folder, picture, audio, video, document or archive, by the end of the name; empty: none of these"`
	Type       string     `json:"type" doc:"media type by the end of the name; empty: unknown"`
	Bytes      int64      `json:"bytes" doc:"of a file; 0 of a folder"`
	ModifiedAt time.Time  `json:"modified_at"`
	CreatedAt  *time.Time `json:"created_at" doc:"null: unknown"`
	Owner      string     `json:"owner"`
	Group      string     `json:"group"`
	UID        uint32     `json:"uid"`
	GID        uint32     `json:"gid"`
	Mode       string     `json:"mode" doc:"such as 0640"`
	Target     string     `json:"target" doc:"of a link"`
}

// EntryUse is a session that has something open.
type EntryUse struct {
	Session    string            `json:"session" doc:"its id"`
	User       *string           `json:"user" doc:"null: nobody in particular"`
	Protocol   identity.Protocol `json:"protocol"`
	RemoteAddr string            `json:"remote_addr"`
	Path       string            `json:"path" doc:"what is open: the entry, or something in the folder"`
	Write      bool              `json:"write" doc:"it is being uploaded; false: it is read"`
	Since      time.Time         `json:"since"`
}

// EntryLock is a lock that holds for an entry.
type EntryLock struct {
	Path   string `json:"path" doc:"what was locked: the entry, or a folder above it"`
	Own    bool   `json:"own" doc:"one's own account holds it"`
	Owner  string `json:"owner" doc:"what the client that locked it says of itself"`
	Shared bool   `json:"shared"`
	Left   int64  `json:"left" doc:"seconds until it ends, if it is not taken again"`
}

// Properties is all there is to know of an entry.
type Properties struct {
	FileEntry
	Canonical     string      `json:"canonical" doc:"the path as rules of policy name it"`
	Links         int         `json:"links" doc:"names for the same content"`
	Uses          []EntryUse  `json:"uses" doc:"who has it open now: one's own sessions; for staff everybody's"`
	Locks         []EntryLock `json:"locks"`
	Versions      int         `json:"versions" doc:"old versions of a file"`
	VersionsBytes int64       `json:"versions_bytes"`
	Shares        []Share     `json:"shares" doc:"links that open it, or a folder above it: one's own; for administrators everybody's"`
	Tree          string      `json:"tree" doc:"what it counts to, such as /home/alice; empty: nothing"`
	TreeBytes     int64       `json:"tree_bytes" doc:"what lies there"`
	TreeFiles     int64       `json:"tree_files"`
	LimitBytes    int64       `json:"limit_bytes" doc:"-1: none"`
	LimitFiles    int64       `json:"limit_files" doc:"-1: none"`
}

// Checksum is that of a whole file.
type Checksum struct {
	Path      string          `json:"path"`
	Algorithm files.Algorithm `json:"algorithm"`
	Sum       string          `json:"sum" doc:"in hexadecimal"`
}

// FoundEntries is the answer to a search.
type FoundEntries struct {
	Entries  []FileEntry `json:"entries"`
	Complete bool        `json:"complete" doc:"false: there was too much to look at, or more was found than is told"`
}

// EntryPath names an entry.
type EntryPath struct {
	Path string `query:"path" required:"true" doc:"as a client sees it, such as /photos/2026"`
}

func (a *API) registerEntries() {
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/files/properties", "show-properties", "What a file or folder is, who has it open, and what hangs on it", a.showProperties)
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/files/checksum", "compute-checksum", "Compute the checksum of a file of up to 32 GiB; it ends when the caller leaves", a.checksum)
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/files/search", "search-files", "Find files and folders below a folder", a.searchFiles)
}

func entryOf(i files.Info) FileEntry {
	e := FileEntry{Path: i.Path, Kind: "file", Sort: string(files.KindOf(i)), Bytes: i.Size, ModifiedAt: i.ModTime.UTC(), CreatedAt: moment(i.Created), Owner: i.Owner, Group: i.Group,
		UID: i.UID, GID: i.GID, Mode: modeText(i.Mode), Target: i.Target}
	switch {
	case i.Dir:
		e.Kind, e.Bytes = "folder", 0
	case i.Link:
		e.Kind = "link"
	case i.Part:
		e.Kind = "part"
	}
	if e.Kind == "file" {
		e.Type = files.TypeOf(i.Name)
	}
	return e
}

// modeText is a mode in octal digits, with the bits for setuid, setgid and sticky before those of permission.
func modeText(m fs.FileMode) string {
	bits := m.Perm()
	for _, b := range []struct{ mode, bit fs.FileMode }{{fs.ModeSetuid, 0o4000}, {fs.ModeSetgid, 0o2000}, {fs.ModeSticky, 0o1000}} {
		if m&b.mode != 0 {
			bits |= b.bit
		}
	}
	const digits = "01234567"
	return string([]byte{digits[bits>>9&7], digits[bits>>6&7], digits[bits>>3&7], digits[bits&7]})
}

func (a *API) showProperties(ctx context.Context, in *EntryPath) (*struct{ Body Properties }, error) {
	tree, err := a.tree(ctx)
	if err != nil {
		return nil, err
	}
	i, err := tree.Lstat(ctx, in.Path)
	if errors.Is(err, fs.ErrNotExist) {
		i, err = tree.Stat(ctx, in.Path) // it may be one's own unfinished upload
	}
	if err != nil {
		return nil, fileProblem(err, in.Path)
	}
	p := Properties{FileEntry: entryOf(i), Canonical: tree.CanonicalOf(i), Links: i.Links, Tree: tree.Counted(i), Uses: []EntryUse{}, Locks: []EntryLock{}, Shares: []Share{}, LimitBytes: -1, LimitFiles: -1}
	if p.Tree != "" {
		q, err := tree.Quota(ctx, i.Path)
		if err != nil {
			return nil, fileProblem(err, in.Path)
		}
		p.TreeBytes, p.TreeFiles, p.LimitBytes, p.LimitFiles = q.Bytes, q.Files, q.LimitBytes, q.LimitFiles
	}
	if i.Part || p.Tree == "" {
		return &struct{ Body Properties }{p}, nil
	}
	for _, l := range tree.LocksOf(i) {
		p.Locks = append(p.Locks, EntryLock{l.Path, l.Own, l.Owner, l.Shared, int64(l.Left / time.Second)})
	}
	if p.Kind == "file" && tree.Access(i).Read && tree.KeepsVersions() {
		list, err := tree.Versions(ctx, i.Path)
		if err != nil {
			return nil, fileProblem(err, in.Path)
		}
		for _, v := range list {
			p.Versions++
			p.VersionsBytes += v.Size
		}
	}
	if !i.Link {
		if p.Uses, err = a.usesOf(ctx, tree, i.Path); err != nil {
			return nil, err
		}
	}
	if p.Shares, err = a.sharesOf(ctx, p.Canonical); err != nil {
		return nil, err
	}
	return &struct{ Body Properties }{p}, nil
}

// usesOf are the sessions that have an entry open, of those that the caller may see.
func (a *API) usesOf(ctx context.Context, tree *files.Tree, path string) ([]EntryUse, error) {
	list, err := tree.Uses(ctx, path)
	if err != nil {
		return nil, fileProblem(err, path)
	}
	slices.SortFunc(list, func(a, b files.Use) int { return a.Since.Compare(b.Since) })
	c, out := who(ctx), []EntryUse{}
	for _, u := range list {
		ses, ok := a.id.Registry.Get(u.Session)
		if !ok {
			continue
		}
		i := ses.Info()
		if c.allows(identity.LevelStaff) || i.Owner != "" && i.Owner == c.owner {
			out = append(out, EntryUse{i.ID, i.User, i.Protocol, i.RemoteAddr, u.Path, u.Write, u.Since.UTC()})
		}
	}
	return out, nil
}

// sharesOf are the links that open an entry, of those that the caller may see.
func (a *API) sharesOf(ctx context.Context, canon string) ([]Share, error) {
	f, err := a.files()
	if err != nil {
		return nil, err
	}
	c, out := who(ctx), []Share{}
	owner := c.owner
	if c.allows(identity.LevelAdmin) {
		owner = ""
	}
	list, err := f.Shares(ctx, owner)
	if err != nil {
		return nil, fileProblem(err, "")
	}
	for _, x := range list {
		if x.Canonical == canon || strings.HasPrefix(canon, x.Canonical+"/") && !x.Drop {
			out = append(out, a.share(ctx, c, x))
		}
	}
	return out, nil
}

func (a *API) checksum(ctx context.Context, in *struct {
	EntryPath
	Algorithm files.Algorithm `query:"algorithm" enum:"SHA-256,SHA-512,SHA-1,MD5,CRC32" default:"SHA-256"`
}) (*struct{ Body Checksum }, error) {
	tree, err := a.tree(ctx)
	if err != nil {
		return nil, err
	}
	sum, err := tree.SumWhole(ctx, in.Path, in.Algorithm)
	switch {
	case errors.Is(err, files.ErrSumLarge):
		return nil, newProblem(http.StatusRequestEntityTooLarge, codeInvalid, files.ErrSumLarge.Error(), "")
	case errors.Is(err, files.ErrSumBusy):
		return nil, newProblem(http.StatusTooManyRequests, codeBusy, files.ErrSumBusy.Error(), "")
	case errors.Is(err, files.ErrSumSlow):
		return nil, newProblem(http.StatusServiceUnavailable, codeBusy, files.ErrSumSlow.Error(), "")
	case err != nil:
		return nil, fileProblem(err, in.Path)
	}
	return &struct{ Body Checksum }{Checksum{in.Path, in.Algorithm, hex.EncodeToString(sum)}}, nil
}

func (a *API) searchFiles(ctx context.Context, in *struct {
	Path   string     `query:"path" doc:"of the folder, as a client sees it; absent: the top"`
	Query  string     `query:"q" maxLength:"255" doc:"part of the name, whatever its case"`
	Kind   files.Kind `query:"kind" enum:"folder,picture,audio,video,document,archive"`
	After  time.Time  `query:"after" doc:"changed then or later"`
	Before time.Time  `query:"before" doc:"changed earlier"`
	Least  int64      `query:"least" minimum:"0" doc:"bytes of a file; folders are left out"`
	Most   int64      `query:"most" minimum:"0" doc:"as least; 0: no bound"`
}) (*struct{ Body FoundEntries }, error) {
	tree, err := a.tree(ctx)
	if err != nil {
		return nil, err
	}
	q := files.Query{Name: strings.TrimSpace(in.Query), Kind: in.Kind, After: in.After, Before: in.Before, Least: in.Least, Most: in.Most}
	if !q.Asks() {
		return nil, newProblem(http.StatusUnprocessableEntity, codeInvalid, "Say what is searched: q, kind, after, before, least or most.", "")
	}
	if in.Path == "" {
		in.Path = "/"
	}
	found, err := tree.Search(ctx, in.Path, q)
	if err != nil {
		return nil, fileProblem(err, in.Path)
	}
	out := FoundEntries{Entries: make([]FileEntry, 0, len(found.List)), Complete: found.All}
	for _, i := range found.List {
		out.Entries = append(out.Entries, entryOf(i))
	}
	return &struct{ Body FoundEntries }{out}, nil
}
