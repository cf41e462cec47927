package importer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"trivium/identity"
)

// maxJSON bounds one user of a dump in bytes.
const maxJSON = 4 << 20

// sftpgoUser is what is taken of a user.
type sftpgoUser struct {
	Status      int                 `json:"status"`
	Username    string              `json:"username"`
	Email       string              `json:"email"`
	Description string              `json:"description"`
	Expiration  int64               `json:"expiration_date"` // ms; 0: never
	Password    string              `json:"password"`
	PublicKeys  []string            `json:"public_keys"`
	HomeDir     string              `json:"home_dir"`
	UID         int64               `json:"uid"`
	GID         int64               `json:"gid"`
	QuotaSize   int64               `json:"quota_size"`
	QuotaFiles  int64               `json:"quota_files"`
	Permissions map[string][]string `json:"permissions"`
	Upload      int64               `json:"upload_bandwidth"` // KB/s
	Download    int64               `json:"download_bandwidth"`
	Groups      []struct {
		Name string `json:"name"`
	} `json:"groups"`
	Folders []struct {
		Name        string `json:"name"`
		VirtualPath string `json:"virtual_path"`
	} `json:"virtual_folders"`
	Filters struct {
		AllowedIP       []string `json:"allowed_ip"`
		DeniedIP        []string `json:"denied_ip"`
		DeniedProtocols []string `json:"denied_protocols"`
		TOTP            struct {
			Enabled bool `json:"enabled"`
		} `json:"totp_config"`
	} `json:"filters"`
	Filesystem struct {
		Provider int `json:"provider"`
	} `json:"filesystem"`
}

// readSFTPGo reads the users of a dump, one at a time; all else of it is passed over.
func readSFTPGo(in io.Reader, each func(Record) error) error {
	b := newBounded(in, maxJSON)
	d := json.NewDecoder(b)
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("%w: no JSON object", errFormat)
	}
	users := false
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return badJSON(err)
		}
		b.reset()
		if t == "users" {
			users = true
			err = sftpgoUsers(d, b, each)
		} else {
			err = skipJSON(d, b)
		}
		if err != nil {
			return err
		}
	}
	if !users {
		return fmt.Errorf("%w: there is no list of users", errFormat)
	}
	return nil
}

func badJSON(err error) error {
	if errors.Is(err, errTooLarge) {
		return err
	}
	return fmt.Errorf("%w: the JSON is damaged", errFormat)
}

// skipJSON passes over one value without keeping it.
func skipJSON(d *json.Decoder, b *bounded) error {
	for depth := 0; ; {
		t, err := d.Token()
		if err != nil {
			return badJSON(err)
		}
		b.reset()
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

func sftpgoUsers(d *json.Decoder, b *bounded, each func(Record) error) error {
	t, err := d.Token()
	if err != nil {
		return badJSON(err)
	}
	if t == nil {
		return nil // null
	}
	if t != json.Delim('[') {
		return fmt.Errorf("%w: users is no list", errFormat)
	}
	for d.More() {
		var u sftpgoUser
		if err := d.Decode(&u); err != nil {
			return badJSON(err)
		}
		b.reset()
		if err := each(u.record()); err != nil {
			return err
		}
	}
	_, err = d.Token()
	if err != nil {
		return badJSON(err)
	}
	return nil
}

func (u *sftpgoUser) record() Record {
	r := Record{Login: u.Username, Email: u.Email, About: u.Description, Disabled: u.Status == 0, Home: u.HomeDir}
	id := func(n int64) *uint32 { // 0: none
		if n <= 0 || n > 1<<32-1 {
			return nil
		}
		v := uint32(n)
		return &v
	}
	r.UID, r.GID = id(u.UID), id(u.GID)
	if u.Password != "" {
		r.Hashes = []string{u.Password}
	}
	if u.Expiration > 0 {
		t := time.UnixMilli(u.Expiration).UTC()
		r.ExpiresAt = &t
	}
	limit := func(n, unit int64) *int64 {
		if n <= 0 || n > (1<<62)/unit {
			return nil
		}
		n *= unit
		return &n
	}
	r.QuotaBytes, r.QuotaFiles = limit(u.QuotaSize, 1), limit(u.QuotaFiles, 1)
	r.UploadRate, r.DownloadRate = limit(u.Upload, 1000), limit(u.Download, 1000)
	for _, g := range u.Groups {
		r.Groups = append(r.Groups, RecordGroup{Name: g.Name})
	}
	u.limits(&r)
	return r
}

// limits takes over what of its rights has a meaning here, and says what has none.
func (u *sftpgoUser) limits(r *Record) {
	denied := func(name string) bool {
		return slices.ContainsFunc(u.Filters.DeniedProtocols, func(p string) bool { return strings.EqualFold(p, name) })
	}
	if denied("FTP") || denied("HTTP") && denied("DAV") {
		if !denied("FTP") {
			r.Protocols = append(r.Protocols, identity.RoadFTP)
		}
		if !denied("HTTP") || !denied("DAV") {
			r.Protocols = append(r.Protocols, identity.RoadWeb)
		}
		if len(r.Protocols) == 0 {
			r.Disabled = true
			r.warn("it may log in by SSH alone, which there is not here, so the account is disabled")
		}
	}
	if p, ok := u.Permissions["/"]; ok && !slices.Contains(p, "*") {
		r.warn("it may only %s: not taken over, set the mode of its home", clip(strings.Join(p, ", ")))
	}
	if len(u.Permissions) > 1 {
		r.warn("it has permissions of its own for some folders: not taken over, set their modes")
	}
	for _, f := range u.Folders {
		r.warn("it has the folder %q at %q: not taken over, see extra mounts and groups", clip(f.Name), clip(f.VirtualPath))
	}
	if len(u.Filters.AllowedIP)+len(u.Filters.DeniedIP) > 0 {
		r.warn("it may come from some addresses only, which is not taken over: see classes")
	}
	if len(u.PublicKeys) > 0 {
		r.warn("its SSH keys have no use here")
	}
	if u.Filters.TOTP.Enabled {
		r.warn("its second factor is encrypted by SFTPGo and cannot be taken over")
	}
	if u.Filesystem.Provider != 0 {
		r.warn("its files lie in the cloud or encrypted, and not in its home folder")
	}
}
