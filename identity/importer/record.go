package importer

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"trivium/identity"
)

// Record is an account as another server tells it, and the wire form of an import over the API. What
// is absent it does not say. It holds secrets and prints as its login.
type Record struct {
	Login    string        `json:"login" maxLength:"4096" doc:"may be login@domain"`
	UID      *uint32       `json:"uid,omitempty"`
	GID      *uint32       `json:"gid,omitempty"`
	Group    string        `json:"group,omitempty" doc:"the primary one; absent: one of its own"`
	Groups   []RecordGroup `json:"groups,omitempty" doc:"further ones"`
	Level    *int          `json:"level,omitempty"`
	Hashes   []string      `json:"hashes,omitempty" doc:"of one password: crypt(5), htpasswd, SFTPGo, passlib, RFC 5803" writeOnly:"true"`
	Password string        `json:"password,omitempty" doc:"where it is known" writeOnly:"true"`

	Email    string `json:"email,omitempty"`
	Display  string `json:"display,omitempty"`
	Phone    string `json:"phone,omitempty"`
	About    string `json:"about,omitempty"`
	Lang     string `json:"lang,omitempty"`
	TimeZone string `json:"time_zone,omitempty"`

	Protocols    []identity.Road `json:"protocols,omitempty" doc:"absent: all"`
	Disabled     bool            `json:"disabled,omitempty"`
	ExpiresAt    *time.Time      `json:"expires_at,omitempty"`
	QuotaBytes   *int64          `json:"quota_bytes,omitempty" doc:"-1: no limit"`
	QuotaFiles   *int64          `json:"quota_files,omitempty" doc:"-1: no limit"`
	UploadRate   *int64          `json:"upload_rate,omitempty" doc:"bytes a second; -1: no limit"`
	DownloadRate *int64          `json:"download_rate,omitempty" doc:"bytes a second; -1: no limit"`

	// What is not sent.
	Line     int      `json:"-"` // where it stands; 0 where the format has no lines
	Home     string   `json:"-"` // where its files lie on the other server
	Warnings []string `json:"-"` // what has no meaning here
	Fault    string   `json:"-"` // why it cannot be an account at all; "" for nothing
}

// RecordGroup is a group of a record.
type RecordGroup struct {
	Name string  `json:"name" maxLength:"4096"`
	GID  *uint32 `json:"gid,omitempty"`
}

// Format prints the login alone.
func (r Record) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "record %q", r.Login) }

// LogValue is the login.
func (r Record) LogValue() slog.Value { return slog.StringValue(r.Login) }

// User is the record for identity.
func (r Record) User() identity.ImportUser {
	u := identity.ImportUser{Login: r.Login, UID: r.UID, GID: r.GID, Group: r.Group, Hashes: r.Hashes,
		Profile: identity.Profile{Email: r.Email, Name: r.Display, Phone: r.Phone, About: r.About, Lang: r.Lang, TimeZone: r.TimeZone},
		Roads:   r.Protocols, Disabled: r.Disabled, QuotaBytes: r.QuotaBytes, QuotaFiles: r.QuotaFiles,
		UploadRate: r.UploadRate, DownloadRate: r.DownloadRate}
	for _, g := range r.Groups {
		u.Groups = append(u.Groups, identity.ImportGroup{Name: g.Name, GID: g.GID})
	}
	if r.Level != nil {
		level := identity.LevelNobody // which nobody can hold, where the number is none
		if *r.Level >= 0 && *r.Level <= int(identity.LevelNobody) {
			level = identity.Level(*r.Level)
		}
		u.Level = &level
	}
	if r.Password != "" {
		u.Password = identity.NewSecret(r.Password)
	}
	if r.ExpiresAt != nil {
		u.ExpiresAt = *r.ExpiresAt
	}
	return u
}

func (r *Record) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// Format names what is read.
type Format string

// The formats.
const (
	Passwd   Format = "passwd"
	ProFTPD  Format = "proftpd"
	PureFTPd Format = "pureftpd"
	SFTPGo   Format = "sftpgo"
	Prosody  Format = "prosody"
	XEP0227  Format = "xep0227"
	CSV      Format = "csv"
)

// Formats lists them.
func Formats() []Format { return []Format{Passwd, ProFTPD, PureFTPd, SFTPGo, Prosody, XEP0227, CSV} }

// Input is what a format is read from. Shadow and Group are those of passwd and proftpd, and may be nil.
type Input struct {
	Main, Shadow, Group io.Reader
}

// errFormat is what a person reads who chose the wrong format.
var errFormat = errors.New("the file has not the form that was expected")

// Read reads all records of a format but Prosody, which is a directory (ReadProsody), in their order. An error of
// each ends it. A record that stands there twice has a Fault the second time.
func Read(format Format, in Input, each func(Record) error) error {
	once := newOnce(each)
	switch format {
	case Passwd, ProFTPD:
		return readPasswd(in, once)
	case PureFTPd:
		return readPureDB(in.Main, once)
	case SFTPGo:
		return readSFTPGo(in.Main, once)
	case XEP0227:
		return readXEP0227(in.Main, once)
	case CSV:
		return readCSV(in.Main, once)
	}
	return fmt.Errorf("%q is not a format that is read from a file: %w", format, errors.ErrUnsupported)
}

// newOnce marks logins that come again.
func newOnce(each func(Record) error) func(Record) error {
	seen := map[string]struct{}{}
	return func(r Record) error {
		if r.Fault == "" {
			key := strings.ToLower(r.Login)
			if n, domain, err := identity.ParseAddress(r.Login, ""); err == nil {
				key = string(n) + "@" + domain
			}
			if _, twice := seen[key]; twice {
				r.Fault = "the same login stands there before"
			} else {
				seen[strings.Clone(key)] = struct{}{}
			}
		}
		return each(r)
	}
}
