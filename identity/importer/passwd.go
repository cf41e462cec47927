package importer

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// readPasswd reads passwd(5), with the hashes of shadow(5) and the names of group(5) where there are
// such. AuthUserFile and AuthGroupFile of ProFTPD have the same form.
func readPasswd(in Input, each func(Record) error) error {
	shadow, err := readShadow(in)
	if err != nil {
		return err
	}
	groups, err := readGroups(in)
	if err != nil {
		return err
	}
	right := 0
	err = lines(in.Main, func(n int, line string) error {
		f := strings.Split(line, ":")
		r := Record{Line: n, Login: f[0]}
		if strings.HasPrefix(line, "+") || strings.HasPrefix(line, "-") {
			return nil // NIS
		}
		if len(f) != 7 {
			r.Login = clip(r.Login)
			r.Fault = fmt.Sprintf("the line has %d fields and not the 7 of passwd", len(f))
			return each(r)
		}
		right++
		hash := f[1]
		if hash == "x" || hash == "*NP*" {
			hash = ""
		}
		if s, ok := shadow[r.Login]; ok {
			hash, r.ExpiresAt = s.hash, s.expires
		}
		r.setHash(hash)
		if r.UID, err = number(f[2]); err == nil {
			r.GID, err = number(f[3])
		}
		if err != nil || r.UID == nil {
			r.Fault = "the uid or gid is not a number"
			return each(r)
		}
		r.Home = f[5]
		r.gecos(f[4])
		if strings.HasSuffix(f[6], "/nologin") {
			r.warn("its shell is %s", f[6])
		}
		groups.into(&r)
		return each(r)
	}, func(n int) error { return tooLong(n, each) })
	if err == nil && right == 0 {
		return fmt.Errorf("%w: no line has the seven fields of passwd", errFormat)
	}
	return err
}

// setHash takes the second field of passwd or shadow. What begins with ! or * is locked; what follows
// the ! is the hash that was locked away.
func (r *Record) setHash(hash string) {
	if locked, ok := strings.CutPrefix(hash, "!"); ok && len(strings.TrimLeft(locked, "!*")) > 1 {
		r.Disabled = true
		r.warn("its password is locked, so the account is disabled")
		hash = strings.TrimLeft(locked, "!")
	}
	if hash == "" || strings.Trim(hash, "!*x") == "" {
		return
	}
	r.Hashes = []string{hash}
}

// gecos is the comment: name, room, phone at work, phone at home, other.
func (r *Record) gecos(text string) {
	f := strings.Split(text, ",")
	r.Display = strings.ReplaceAll(f[0], "&", r.Login)
	if len(f) > 2 {
		r.Phone = f[2]
	}
	if len(f) > 3 && r.Phone == "" {
		r.Phone = f[3]
	}
}

type shadowed struct {
	hash    string
	expires *time.Time
}

// readShadow reads by login.
func readShadow(in Input) (map[string]shadowed, error) {
	out := map[string]shadowed{}
	if in.Shadow == nil {
		return out, nil
	}
	err := lines(in.Shadow, func(n int, line string) error {
		f := strings.Split(line, ":")
		if len(f) < 2 {
			return fmt.Errorf("%w: line %d of shadow", errFormat, n)
		}
		s := shadowed{hash: f[1]}
		if len(f) > 7 && f[7] != "" {
			if days, err := strconv.ParseInt(f[7], 10, 32); err == nil && days >= 0 {
				t := time.Unix(0, 0).UTC().AddDate(0, 0, int(days))
				s.expires = &t
			}
		}
		out[f[0]] = s
		return nil
	}, func(n int) error { return fmt.Errorf("%w: line %d of shadow is too long", errFormat, n) })
	return out, err
}

// groupFile is group(5).
type groupFile struct {
	names   map[uint32]string
	members map[string][]RecordGroup
}

func readGroups(in Input) (*groupFile, error) {
	g := &groupFile{names: map[uint32]string{}, members: map[string][]RecordGroup{}}
	if in.Group == nil {
		return g, nil
	}
	// Groups have longer lines than users.
	b := newBounded(in.Group, maxGroups)
	return g, lines(b, func(n int, line string) error {
		f := strings.Split(line, ":")
		if len(f) < 3 {
			return fmt.Errorf("%w: line %d of the groups", errFormat, n)
		}
		gid, err := number(f[2])
		if err != nil || gid == nil {
			return fmt.Errorf("%w: line %d of the groups", errFormat, n)
		}
		if _, twice := g.names[*gid]; !twice {
			g.names[*gid] = f[0]
		}
		if len(f) > 3 {
			for m := range strings.SplitSeq(f[3], ",") {
				if m = strings.TrimSpace(m); m != "" {
					g.members[m] = append(g.members[m], RecordGroup{f[0], gid})
				}
			}
		}
		return nil
	}, func(n int) error { return fmt.Errorf("%w: line %d of the groups is too long", errFormat, n) })
}

// maxGroups bounds a file of groups in bytes.
const maxGroups = 256 << 20

// into gives a record the names of its groups.
func (g *groupFile) into(r *Record) {
	if r.GID != nil {
		r.Group = g.names[*r.GID]
	}
	for _, m := range g.members[r.Login] {
		if m.Name != r.Group {
			r.Groups = append(r.Groups, m)
		}
	}
}

// clip keeps what is shown of a damaged line short, as it may be anything.
func clip(s string) string {
	const most = 64
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "\ufffd")
}
