package importer

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"trivium/identity"
)

// columns say what a column of a table sets. Several names may mean the same.
func columns() map[string]func(r *Record, text string) error {
	text := func(to func(*Record) *string) func(*Record, string) error {
		return func(r *Record, s string) error { *to(r) = s; return nil }
	}
	id := func(to func(*Record) **uint32) func(*Record, string) (err error) {
		return func(r *Record, s string) (err error) { *to(r), err = number(s); return err }
	}
	limit := func(to func(*Record) **int64) func(*Record, string) error {
		return func(r *Record, s string) (err error) {
			if *to(r), err = amount(s, 1); err != nil {
				r.warn("left out: %v", err)
			}
			return nil
		}
	}
	c := map[string]func(*Record, string) error{
		"login": text(func(r *Record) *string { return &r.Login }), "password": text(func(r *Record) *string { return &r.Password }),
		"group": text(func(r *Record) *string { return &r.Group }), "email": text(func(r *Record) *string { return &r.Email }),
		"display": text(func(r *Record) *string { return &r.Display }), "phone": text(func(r *Record) *string { return &r.Phone }),
		"about": text(func(r *Record) *string { return &r.About }), "lang": text(func(r *Record) *string { return &r.Lang }),
		"time_zone": text(func(r *Record) *string { return &r.TimeZone }), "home": text(func(r *Record) *string { return &r.Home }),
		"uid": id(func(r *Record) **uint32 { return &r.UID }), "gid": id(func(r *Record) **uint32 { return &r.GID }),
		"quota_bytes": limit(func(r *Record) **int64 { return &r.QuotaBytes }), "quota_files": limit(func(r *Record) **int64 { return &r.QuotaFiles }),
		"upload_rate": limit(func(r *Record) **int64 { return &r.UploadRate }), "download_rate": limit(func(r *Record) **int64 { return &r.DownloadRate }),
		"hash": func(r *Record, s string) error {
			if s != "" {
				r.Hashes = append(r.Hashes, s)
			}
			return nil
		},
		"groups": func(r *Record, s string) error {
			for _, name := range strings.FieldsFunc(s, isSeparator) {
				r.Groups = append(r.Groups, RecordGroup{Name: name})
			}
			return nil
		},
		"protocols": func(r *Record, s string) error {
			for _, name := range strings.FieldsFunc(strings.ToLower(s), isSeparator) {
				r.Protocols = append(r.Protocols, identity.Road(name))
			}
			return nil
		},
		"level": setLevel, "state": setState, "expires_at": setExpiry,
	}
	for name, same := range map[string]string{"user": "login", "username": "login", "name": "display", "display_name": "display", "full_name": "display",
		"e-mail": "email", "mail": "email", "password_hash": "hash", "quota": "quota_bytes", "expires": "expires_at"} {
		c[name] = c[same]
	}
	return c
}

func isSeparator(r rune) bool { return r == ' ' || r == ';' || r == ',' || r == '|' }

func setLevel(r *Record, s string) error {
	if s == "" {
		return nil
	}
	l, err := identity.ParseLevel(s)
	n := int(l)
	r.Level = &n
	return err
}

func setState(r *Record, s string) error {
	switch strings.ToLower(s) {
	case "", "active", "enabled":
	case "disabled", "locked":
		r.Disabled = true
	default:
		return fmt.Errorf("%q is not a state; it is active or disabled", clip(s))
	}
	return nil
}

func setExpiry(r *Record, s string) error {
	if s == "" || s == "never" {
		return nil
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, s); err == nil {
			t = t.UTC()
			r.ExpiresAt = &t
			return nil
		}
	}
	return fmt.Errorf("%q is not a time; write it as 2030-01-31 or 2030-01-31T00:00:00Z", clip(s))
}

// readCSV reads a table with a header (RFC 4180), with commas, semicolons or tabs between.
func readCSV(in io.Reader, each func(Record) error) error {
	b := newBounded(in, maxLine)
	head, err := io.ReadAll(io.LimitReader(b, 4096))
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(head), "\n")
	d := csv.NewReader(io.MultiReader(strings.NewReader(strings.TrimPrefix(string(head), "\ufeff")), b))
	for _, c := range ";\t" {
		if strings.ContainsRune(first, c) && !strings.ContainsRune(first, ',') {
			d.Comma = c
		}
	}
	names, err := d.Read()
	if err != nil {
		return fmt.Errorf("%w: there is no header", errFormat)
	}
	known := columns()
	set := make([]func(*Record, string) error, len(names))
	login := false
	for i, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		if set[i] = known[name]; set[i] == nil {
			return fmt.Errorf("%w: %q is not a column; there are login, password, hash, uid, gid, group, groups, level, state, email, display, phone, about, lang, time_zone, protocols, expires_at, quota_bytes, quota_files, upload_rate, download_rate, home", errFormat, clip(name))
		}
		login = login || name == "login" || name == "user" || name == "username"
	}
	if !login {
		return fmt.Errorf("%w: no column is named login", errFormat)
	}
	d.FieldsPerRecord = -1
	for {
		b.reset()
		row, err := d.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errFormat, err)
		}
		line, _ := d.FieldPos(0)
		if err := each(csvRecord(line, row, set)); err != nil {
			return err
		}
	}
}

func csvRecord(line int, row []string, set []func(*Record, string) error) Record {
	r := Record{Line: line}
	for i, text := range row {
		if i >= len(set) {
			r.Fault = "the row has " + strconv.Itoa(len(row)) + " fields, and the header " + strconv.Itoa(len(set))
			break
		}
		if err := set[i](&r, text); err != nil {
			r.Fault = err.Error()
		}
	}
	if r.Login == "" && r.Fault == "" {
		r.Fault = "there is no login"
	}
	return r
}
