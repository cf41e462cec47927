package identity

import (
	"context"
	"crypto/sha1" //nolint:gosec // RFC 5802 names it
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// ForeignHash is what another server kept of a password.
type ForeignHash struct {
	Kind   string // such as sha512crypt
	Cost   string // of a try, such as rounds=5000
	Weak   bool   // a guess costs next to nothing
	Memory int    // KiB that a try takes
	Decoy  string // a hash of the same kind and cost that is nobody's

	Matches func(password string) bool
}

// ForeignHashes reads such a hash; package crypt3 does. The error says why it cannot be used, such
// as what it would cost, and repeats nothing of the text.
type ForeignHashes func(text string) (ForeignHash, error)

// heavyMemory is from where on a try takes much memory, in KiB; few of these run at once.
const (
	heavyMemory = 32 << 10
	heavyWidth  = 2
)

// Bounds of SCRAM keys that come from elsewhere. Fewer iterations (RFC 5802 section 5.1 has 4096) or a
// shorter salt are checked where a plain password comes, but not kept as those of a record.
const (
	maxForeignIterations = 1_000_000
	minForeignIterations = 4096
	maxForeignSalt       = 256 // bytes
	minForeignSalt       = 8
	scramKind            = "scram"
)

// importedKeys are SCRAM keys of another server.
type importedKeys struct {
	hash       SCRAMHash
	salt       []byte
	iterations int
	keys       scramKeys
}

// readKeys reads SCRAM keys in the form of RFC 5803:
// SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey, each but the number in base64. ok is false for
// what has not that form at all.
func readKeys(text string) (k importedKeys, ok bool, err error) {
	parts := strings.Split(text, "$")
	for _, h := range []SCRAMHash{SCRAMSHA1, SCRAMSHA256} {
		if strings.EqualFold(parts[0], "SCRAM-"+string(h)) {
			k.hash = h
		}
	}
	if k.hash == "" {
		return k, false, nil
	}
	if len(parts) != 3 {
		return k, true, errDamagedKeys
	}
	n, salt, _ := strings.Cut(parts[1], ":")
	stored, server, _ := strings.Cut(parts[2], ":")
	if k.iterations, err = strconv.Atoi(n); err != nil || k.iterations < 1 {
		return k, true, errDamagedKeys
	}
	if k.iterations > maxForeignIterations {
		return k, true, faultf(ErrInvalid, "SCRAM keys with %d iterations, at most %d", k.iterations, maxForeignIterations)
	}
	newHash, _, _ := k.hash.newHash()
	for _, f := range []struct {
		to   *[]byte
		text string
	}{{&k.salt, salt}, {&k.keys.Stored, stored}, {&k.keys.Server, server}} {
		if *f.to, err = base64.StdEncoding.DecodeString(f.text); err != nil {
			return k, true, errDamagedKeys
		}
	}
	size := newHash().Size()
	if len(k.salt) == 0 || len(k.salt) > maxForeignSalt || len(k.keys.Stored) != size || len(k.keys.Server) != size {
		return k, true, errDamagedKeys
	}
	return k, true, nil
}

var errDamagedKeys = faultf(ErrInvalid, "SCRAM keys that are damaged")

// String is the form that readKeys reads.
func (k importedKeys) String() string {
	b := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-%s$%d:%s$%s:%s", k.hash, k.iterations, b(k.salt), b(k.keys.Stored), b(k.keys.Server))
}

// readForeign reads what an import brings or a record keeps.
func (p *passwords) readForeign(text string) (ForeignHash, error) {
	k, ok, err := readKeys(text)
	if err != nil {
		return ForeignHash{}, err
	}
	if !ok {
		if p.foreign == nil {
			return ForeignHash{}, faultf(ErrInvalid, "hashes of other servers are not known here")
		}
		return p.foreign(text)
	}
	newHash, _, _ := k.hash.newHash()
	decoy := k
	decoy.salt, decoy.keys = make([]byte, saltBytes), scramKeys{make([]byte, newHash().Size()), make([]byte, newHash().Size())}
	return ForeignHash{Kind: scramKind + "-" + strings.ToLower(string(k.hash)), Cost: "iterations=" + strconv.Itoa(k.iterations), Decoy: decoy.String(),
		Matches: func(password string) bool {
			text, ok := preparePassword(password)
			return ok && subtle.ConstantTimeCompare(deriveKeys(newHash, text, k.salt, k.iterations).Stored, k.keys.Stored) == 1
		}}, nil
}

// adopted makes the record of an account out of what another server kept of its password. SCRAM keys
// stay such where the account has no salt that tokens hang on; of several hashes the best is kept.
// native says that SCRAM works at once.
func (p *passwords) adopted(id UserID, old Record, hashes []string) (r Record, f ForeignHash, native bool, err error) {
	rec := passwordRecord{Kind: recordForeign}
	if len(old.Sealed) > 0 {
		was, err := p.open(id, old)
		if err != nil {
			return Record{}, f, false, err
		}
		rec.Salt, rec.Iterations = was.Salt, was.Iterations
	}
	best := ""
	if best, f, err = p.best(hashes); err != nil {
		return Record{}, f, false, err
	}
	if k, ok, _ := readKeys(best); ok && rec.Salt == nil && !p.argon && k.iterations >= minForeignIterations && len(k.salt) >= minForeignSalt {
		rec = k.record()
		for _, text := range hashes { // keys of both hashes, where they share what a record has once
			if other, ok, err := readKeys(text); ok && err == nil && other.iterations == k.iterations && slices.Equal(other.salt, k.salt) {
				other.into(&rec)
			}
		}
		r, err = p.close(id, rec)
		f.Decoy = "" // it costs what our own do
		return r, f, rec.SHA256 != nil || p.sha1, err
	}
	if rec.Salt == nil {
		rec.Salt, rec.Iterations = newSalt(), p.iterations
	}
	rec.Foreign = best
	r, err = p.close(id, rec)
	return r, f, false, err
}

// best chooses among hashes of one password: SCRAM-SHA-256, then SCRAM-SHA-1, then what is not weak.
func (p *passwords) best(hashes []string) (text string, best ForeignHash, err error) {
	err = faultf(ErrInvalid, "there is no hash")
	rank := 0
	for _, h := range hashes {
		f, fault := p.readForeign(h)
		if fault != nil {
			if rank == 0 {
				err = fault
			}
			continue
		}
		n := 2
		switch {
		case f.Kind == scramKind+"-sha-256":
			n = 4
		case f.Kind == scramKind+"-sha-1":
			n = 3
		case f.Weak:
			n = 1
		}
		if n > rank {
			text, best, rank, err = h, f, n, nil
		}
	}
	return text, best, err
}

func (k importedKeys) record() passwordRecord {
	r := passwordRecord{Kind: recordSCRAM, Salt: k.salt, Iterations: k.iterations}
	k.into(&r)
	return r
}

func (k importedKeys) into(r *passwordRecord) {
	if k.hash == SCRAMSHA256 {
		r.SHA256 = &k.keys
	} else {
		r.SHA1 = &k.keys
	}
}

// outdated reports whether a record is one that a good log-in replaces: it is another server's, or
// has SCRAM keys for old clients alone.
func (p *passwords) outdated(r passwordRecord) bool {
	return r.Kind == recordForeign || r.Kind == recordSCRAM && r.SHA256 == nil
}

// heavily is for a try that takes much memory: few run at once, and who waits holds no place at the gate.
func (p *passwords) heavily(ctx context.Context, from netip.Prefix, r passwordRecord) (leave func(), err error) {
	if r.Kind != recordForeign {
		return func() {}, nil
	}
	if f, err := p.readForeign(r.Foreign); err != nil || f.Memory < heavyMemory {
		return func() {}, nil
	}
	return p.heavy.enter(ctx, from, false)
}

// matchesForeign tries a password as it was sent, as other servers hash it without preparation.
func (p *passwords) matchesForeign(r passwordRecord, password Secret) bool {
	f, err := p.readForeign(r.Foreign)
	if err != nil {
		return false // made by a program that knew it, which this one does not
	}
	p.hashes.Add(1)
	text := password.Reveal()
	return len(text) <= maxPasswordBytes && f.Matches(text)
}

// deriveKeys is RFC 5802 section 3.
func deriveKeys(h func() hash.Hash, text string, salt []byte, iterations int) *scramKeys {
	return (&passwords{}).scramKeys(h, text, salt, iterations)
}

// upgradeRecord replaces what another server made of the password of c by a record of our own, when
// the password has just been shown to be right. Sessions go on, as the password stays what it is, and
// so do the keys of tokens, as the salt stays. Where it fails the log-in is good all the same, and
// the next one tries again.
func (s *Service) upgradeRecord(ctx context.Context, from netip.Prefix, c *claim) {
	was, err := s.passwords.open(c.acc.ID, c.acc.Password)
	if err != nil || !s.passwords.outdated(was) {
		return
	}
	now, err := s.passwords.record(ctx, from, c.acc.ID, c.acc.Password, c.login.Secret)
	if err == nil {
		err = s.replaceRecord(ctx, c, was, now)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("the hash of another server was not replaced", "user", string(c.acc.ID), "err", err)
	}
}

// errReplaced says that somebody else was first.
var errReplaced = errors.New("the record is another one by now")

func (s *Service) replaceRecord(ctx context.Context, c *claim, was passwordRecord, now Record) error {
	by := Actor{User: s.display(c.acc.Login, c.acc.Domain), Level: c.acc.Level, Via: string(c.ses.protocol), Remote: addrText(c.ses.Remote())}
	var fresh Account
	err := s.edit(ctx, by, func(e *edit) error {
		a, err := e.AccountByID(ctx, c.acc.ID)
		if err != nil {
			return err
		}
		if !slices.Equal(a.Password.Sealed, c.acc.Password.Sealed) {
			return errReplaced
		}
		if err := e.PutPassword(ctx, a.ID, now); err != nil {
			return err
		}
		if err := e.touch(ctx, a.ID); err != nil { // so that no other node goes on with the old record
			return err
		}
		if f, err := s.passwords.readForeign(was.Foreign); err == nil && was.Kind == recordForeign {
			if err := s.decoys.change(ctx, e, map[string]int64{f.Decoy: -1}, 0); err != nil {
				return err
			}
		}
		before, after := was.describe(s.passwords), "scram-sha-256"
		if s.opts.Argon2id {
			after = string(recordArgon)
		}
		e.note("password.upgrade", by.User, fields{"hash": before}, fields{"hash": after})
		fresh, err = e.AccountByID(ctx, a.ID)
		return err
	})
	if errors.Is(err, errReplaced) {
		return nil
	}
	if err != nil {
		return err
	}
	c.acc = &fresh
	return s.decoys.load(ctx, s.store)
}

// describe is the kind of a record for the audit log.
func (r passwordRecord) describe(p *passwords) string {
	switch {
	case r.Kind == recordForeign:
		f, err := p.readForeign(r.Foreign)
		if err != nil {
			return "unknown"
		}
		return f.Kind
	case r.Kind == recordSCRAM && r.SHA256 == nil:
		return "scram-sha-1"
	}
	return string(r.Kind)
}

// matchesSCRAM tries a password with the keys that there are.
func (p *passwords) matchesSCRAM(r passwordRecord, text string) bool {
	h, keys := sha256.New, r.SHA256
	if keys == nil {
		h, keys = sha1.New, r.SHA1
	}
	if keys == nil {
		return false
	}
	k := p.scramKeys(h, text, r.Salt, r.Iterations)
	return subtle.ConstantTimeCompare(k.Stored, keys.Stored) == 1
}
