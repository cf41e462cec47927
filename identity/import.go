package identity

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// MaxImport bounds the accounts of one ImportUsers, which is one transaction.
const MaxImport = 500

// Bounds of what one account may bring.
const (
	maxImportGroups = 200
	maxImportHashes = 8
)

// ImportUser is an account as another server tells it. What is nil, zero or empty it does not say.
type ImportUser struct {
	Login     string // may be login@domain
	UID, GID  *uint32
	Group     string // the primary one; "" with a GID: the group of that number, else one of its own
	Groups    []ImportGroup
	Level     *Level
	Hashes    []string // of one and the same password, in the forms that ForeignHashes and RFC 5803 have
	Password  Secret   // where the other server kept it as it is
	Profile   Profile
	Roads     []Road
	Disabled  bool
	ExpiresAt time.Time

	QuotaBytes, QuotaFiles   *int64 // -1: no limit
	UploadRate, DownloadRate *int64 // bytes a second; -1: no limit
}

// ImportGroup is a further group of such an account.
type ImportGroup struct {
	Name string
	GID  *uint32 // the number it has where it must be made
}

// Conflict says what an import does with an account whose login there is already.
type Conflict string

// What it does.
const (
	ConflictSkip   Conflict = "skip"   // leaves it as it is
	ConflictUpdate Conflict = "update" // sets what the import says; a password of its own stays
	ConflictFail   Conflict = "fail"   // ends, and nothing of ImportUsers has happened
)

// ImportOptions are the same for all accounts of an import.
type ImportOptions struct {
	DryRun       bool
	Conflict     Conflict         // "" is ConflictSkip
	UIDs         UIDChoice        // "" is UIDKeep
	MinUID       uint32           // leave out whoever has a lower one
	Level        Level            // of new accounts that say none; 0: the default level
	LevelOfGroup map[string]Level // by name of a group; the highest counts
	Domain       string           // of logins without one; "": the default domain
	MakeGroups   bool             // groups that there are not
}

// UIDChoice says which numbers new accounts get.
type UIDChoice string

// The choices.
const (
	UIDKeep UIDChoice = "keep" // those of the import, and a new one where that is taken, as virtual users share one
	UIDMust UIDChoice = "must" // those of the import; one that is taken is a conflict
	UIDNew  UIDChoice = "new"  // new ones
)

// ImportAction is what became of an account.
type ImportAction string

// The actions.
const (
	ImportAdded   ImportAction = "added"
	ImportUpdated ImportAction = "updated"
	ImportSame    ImportAction = "same" // it is there already, and has all that the import says
	ImportSkipped ImportAction = "skipped"
)

// ImportPassword is what becomes of a password.
type ImportPassword string

// The ways.
const (
	PasswordNone    ImportPassword = "none"    // there is none: it needs a new one, or tokens
	PasswordOwn     ImportPassword = "own"     // the account has one of its own, which stays
	PasswordKept    ImportPassword = "kept"    // checked by the other server's hash until the first good log-in
	PasswordSCRAM   ImportPassword = "scram"   // kept as SCRAM keys, so that chat clients log in at once
	PasswordDerived ImportPassword = "derived" // was there as it is: a record of our own
)

// Imported is the report of one account.
type Imported struct {
	Login      string         `json:"login" doc:"as the import has it"`
	User       string         `json:"user" doc:"as it is here"`
	Action     ImportAction   `json:"action" enum:"added,updated,same,skipped"`
	Reason     string         `json:"reason" doc:"why it was skipped"`
	UID        uint32         `json:"uid"`
	Level      Level          `json:"level"`
	Password   ImportPassword `json:"password" enum:"none,own,kept,scram,derived"`
	Hash       string         `json:"hash" doc:"what the other server kept"`
	NeedsPlain bool           `json:"needs_plain" doc:"SCRAM works after a first log-in that brings the password: by web, FTP or PLAIN"`
	Warnings   []string       `json:"warnings"`
}

func (i *Imported) warn(format string, args ...any) {
	i.Warnings = append(i.Warnings, fmt.Sprintf(format, args...))
}

// incoming is an account on its way through an import.
type incoming struct {
	ImportUser
	login   UserName
	domain  string
	level   Level // 0: none is said
	was     *Account
	id      UserID
	record  Record // zero: the password stays what it is
	decoy   string // of a hash that is kept
	profile Profile
	fault   error // why it is skipped
	out     Imported
}

// errDry undoes what a dry run did.
var errDry = errors.New("a dry run")

// importConflict ends an import by ConflictFail.
type importConflict struct{ Imported }

func (c *importConflict) Error() string {
	return fmt.Sprintf("%q: %s; nothing of this piece was imported", c.Login, c.Reason)
}
func (c *importConflict) Unwrap() error { return ErrExists }

// ImportUsers makes accounts of those that another server had, all of list in one transaction: after a
// crash there are whole accounts, and who imports the same again goes on where it ended. It returns a
// report of each, in order. What is wrong with one account skips that one alone; ConflictFail makes a
// login that is taken the end of all. At most MaxImport accounts.
func (s *Service) ImportUsers(ctx context.Context, by Actor, o ImportOptions, list []ImportUser) ([]Imported, error) {
	switch {
	case len(list) > MaxImport:
		return nil, faultf(ErrInvalid, "at most %d accounts at a time", MaxImport)
	case !by.Level.Allows(changeGroups):
		return nil, faultf(ErrRefused, "importing accounts needs the level %s; yours is %s", changeGroups, by.Level)
	}
	o, err := s.importOptions(by, o)
	if err != nil {
		return nil, err
	}
	all := make([]*incoming, len(list))
	for i, u := range list {
		all[i] = s.incoming(by, o, u)
		if all[i].fault == nil {
			if err := s.preparePasswords(ctx, o, all[i]); err != nil {
				return nil, err
			}
		}
	}
	err = s.edit(ctx, by, func(e *edit) error { return s.importAll(ctx, e, by, o, all) })
	if err != nil && !errors.Is(err, errDry) {
		return nil, err
	}
	if err == nil {
		if err := s.decoys.load(ctx, s.store); err != nil {
			return nil, err
		}
	}
	out := make([]Imported, len(all))
	for i, in := range all {
		out[i] = in.out
	}
	return out, nil
}

func (s *Service) importOptions(by Actor, o ImportOptions) (ImportOptions, error) {
	switch o.Conflict {
	case "":
		o.Conflict = ConflictSkip
	case ConflictSkip, ConflictUpdate, ConflictFail:
	default:
		return o, faultf(ErrInvalid, "%q is not what is done with a login that is taken; it is skip, update or fail", string(o.Conflict))
	}
	switch o.UIDs {
	case "":
		o.UIDs = UIDKeep
	case UIDKeep, UIDMust, UIDNew:
	default:
		return o, faultf(ErrInvalid, "%q is not a choice of uids; it is keep, must or new", string(o.UIDs))
	}
	if o.Domain == "" {
		o.Domain = s.opts.Domain
	}
	if o.Level == LevelNone {
		o.Level = s.opts.DefaultLevel
	}
	levels := []Level{o.Level}
	names := make(map[string]Level, len(o.LevelOfGroup))
	for name, level := range o.LevelOfGroup {
		n, err := ParseUserName(name)
		if err != nil {
			return o, err
		}
		names[string(n)] = level
		levels = append(levels, level)
	}
	o.LevelOfGroup = names
	for _, level := range levels {
		if err := mayGive(by, level); err != nil {
			return o, err
		}
	}
	return o, nil
}

// incoming checks an account as far as that goes without the store.
func (s *Service) incoming(by Actor, o ImportOptions, u ImportUser) *incoming {
	in := &incoming{ImportUser: u, out: Imported{Login: clip(plain(u.Login), maxNameBytes), Action: ImportSkipped, Password: PasswordNone, Warnings: []string{}}}
	in.fault = s.checkIncoming(by, o, in)
	return in
}

func (s *Service) checkIncoming(by Actor, o ImportOptions, in *incoming) (err error) {
	if in.login, in.domain, err = ParseAddress(in.Login, o.Domain); err != nil {
		return err
	}
	in.out.User = s.display(in.login, in.domain)
	switch {
	case !slices.Contains(s.domains, in.domain):
		return faultf(ErrInvalid, "%q is not a domain of this server; set domains in the config, or give the import another one", in.domain)
	case in.login.Reserved():
		return faultf(ErrInvalid, "the name %s is reserved for anonymous log-ins", in.login)
	case in.login.MixesScripts():
		return faultf(ErrInvalid, "the name has letters of two alphabets, and could be taken for another one")
	case in.UID != nil && *in.UID == 0:
		return faultf(ErrInvalid, "uid 0 is the system's administrator, who is nobody here")
	case in.UID != nil && *in.UID < o.MinUID:
		return faultf(ErrInvalid, "uid %d is below %d", *in.UID, o.MinUID)
	case len(in.Groups) > maxImportGroups:
		return faultf(ErrInvalid, "more than %d groups", maxImportGroups)
	case len(in.Hashes) > maxImportHashes:
		return faultf(ErrInvalid, "more than %d hashes", maxImportHashes)
	}
	if in.UID != nil && o.UIDs != UIDNew {
		if err := checkNumber("uid", *in.UID); err != nil {
			return err
		}
	}
	if in.level, err = in.levelBy(o); err != nil {
		return err
	}
	if in.level != LevelNone {
		if err := mayGive(by, in.level); err != nil {
			return err
		}
	}
	if in.Roads, err = checkRoads(in.Roads); err != nil {
		return err
	}
	in.checkLimits()
	in.profile = in.knownProfile()
	return nil
}

// levelBy is the level that the account or one of its groups says; 0: none.
func (in *incoming) levelBy(o ImportOptions) (level Level, err error) {
	if in.Level != nil {
		level = *in.Level
		if !level.Holdable() {
			return 0, faultf(ErrInvalid, "an account cannot hold the level %s", level)
		}
	}
	names := []string{in.Group}
	for _, g := range in.Groups {
		names = append(names, g.Name)
	}
	for _, name := range names {
		if n, err := ParseUserName(name); err == nil {
			level = max(level, o.LevelOfGroup[string(n)])
		}
	}
	return level, nil
}

// checkLimits leaves out what is no limit.
func (in *incoming) checkLimits() {
	for _, f := range []struct {
		what string
		n    **int64
	}{{"quota in bytes", &in.QuotaBytes}, {"quota in files", &in.QuotaFiles}, {"upload rate", &in.UploadRate}, {"download rate", &in.DownloadRate}} {
		if *f.n != nil && **f.n < -1 {
			in.out.warn("the %s %d is none, and was left out", f.what, **f.n)
			*f.n = nil
		}
	}
}

// knownProfile leaves out each field that cannot stand in a profile, with a warning.
func (in *incoming) knownProfile() Profile {
	var out Profile
	for _, f := range []struct {
		to   func(*Profile) *string
		text string
	}{
		{func(p *Profile) *string { return &p.Email }, in.Profile.Email}, {func(p *Profile) *string { return &p.Name }, in.Profile.Name},
		{func(p *Profile) *string { return &p.Phone }, in.Profile.Phone}, {func(p *Profile) *string { return &p.About }, in.Profile.About},
		{func(p *Profile) *string { return &p.Lang }, in.Profile.Lang}, {func(p *Profile) *string { return &p.Formats }, in.Profile.Formats},
		{func(p *Profile) *string { return &p.TimeZone }, in.Profile.TimeZone},
	} {
		var one Profile
		*f.to(&one) = f.text
		one, err := one.checked()
		if err != nil {
			in.out.warn("left out: %v", err)
			continue
		}
		*f.to(&out) = *f.to(&one)
	}
	return out
}

// preparePasswords makes the record before the transaction, as deriving one takes time. The error is
// the store's or the gate's; what is wrong with the account goes into the report.
func (s *Service) preparePasswords(ctx context.Context, o ImportOptions, in *incoming) error {
	var old Record
	in.id = newUserID()
	acc, err := s.store.Account(ctx, in.domain, in.login)
	switch {
	case err == nil:
		in.was, in.id, old = &acc, acc.ID, acc.Password
	case !errors.Is(err, ErrNotFound):
		return unavailable(ctx, err)
	}
	if in.was != nil && len(old.Sealed) > 0 {
		r, err := s.passwords.open(in.id, old)
		if err != nil {
			return s.unreadable(in.id, err)
		}
		switch {
		case r.Kind == recordForeign && slices.Contains(in.Hashes, r.Foreign): // imported before
			in.out.Password, in.out.Hash, in.out.NeedsPlain = PasswordKept, r.describe(s.passwords), !s.opts.Argon2id
			return nil
		case r.Kind != recordSalt && r.Kind != recordForeign:
			in.out.Password = PasswordOwn
			return nil
		}
	}
	switch {
	case len(in.Hashes) > 0:
		r, f, native, err := s.passwords.adopted(in.id, old, in.Hashes)
		if err != nil {
			in.out.warn("the password cannot be kept: %v", err)
			return nil
		}
		in.record = r
		in.out.Hash, in.out.Password, in.out.NeedsPlain, in.decoy = f.Kind, PasswordKept, !s.opts.Argon2id, f.Decoy
		if native {
			in.out.Password, in.out.NeedsPlain = PasswordSCRAM, f.Kind != scramKind+"-sha-256"
		}
		if f.Weak {
			in.out.warn("the hash (%s) is weak: whoever has seen it may know the password; ask for a new one", f.Kind)
		}
	case !in.Password.IsZero():
		if !o.DryRun {
			if in.record, err = s.passwords.record(ctx, netip.Prefix{}, in.id, old, in.Password); errors.Is(err, ErrInvalid) {
				in.out.warn("the password cannot be kept: %v", err)
				return nil
			} else if err != nil {
				return err
			}
		} else if _, ok := preparePassword(in.Password.Reveal()); !ok {
			in.out.warn("the password cannot be kept: it is none that a client can send")
			return nil
		}
		in.out.Hash, in.out.Password = "plain", PasswordDerived
		if s.checkNewPassword(User{Login: in.login, Domain: in.domain, Profile: in.profile}, in.Password) != nil {
			in.out.warn("the password is weaker than a new one may be")
		}
	}
	return nil
}

// importAll is the transaction.
func (s *Service) importAll(ctx context.Context, e *edit, by Actor, o ImportOptions, all []*incoming) error {
	decoys, added := map[string]int64{}, int64(0)
	t := &importing{service: s, edit: e, by: by, o: o, groups: map[string]*Group{}}
	for _, in := range all {
		err := in.fault
		if err == nil {
			err = t.one(ctx, in)
		}
		if err != nil {
			if !ofAccount(err) {
				return err
			}
			in.out.Action, in.out.Reason, in.out.Password, in.out.Hash, in.out.NeedsPlain = ImportSkipped, err.Error(), PasswordNone, "", false
			if o.Conflict == ConflictFail && errors.Is(err, ErrExists) {
				return &importConflict{in.out}
			}
			continue
		}
		if in.out.Action == ImportAdded {
			added++
		}
		if in.decoy != "" && in.out.Action != ImportSame && in.out.Action != ImportSkipped {
			decoys[in.decoy]++
		}
	}
	if o.DryRun {
		return errDry
	}
	return s.decoys.change(ctx, e, decoys, added)
}

// ofAccount reports whether an error says what is wrong with one account, and not with the store.
func ofAccount(err error) bool {
	for _, kind := range []error{ErrInvalid, ErrExists, ErrRefused, ErrNotFound} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
