package identity_test

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // RFC 5802 names it
	"crypto/sha256"
	"crypto/subtle"
	"hash"
	"slices"
	"testing"

	"trivium/identity"
)

// scramClient is the client's side of RFC 5802 section 3.
type scramClient struct{ stored, server, client []byte }

func newSCRAMClient(t *testing.T, h func() hash.Hash, password string, salt []byte, iterations int) scramClient {
	t.Helper()
	salted, err := pbkdf2.Key(h, password, salt, iterations, h().Size())
	if err != nil {
		t.Fatal(err)
	}
	c := scramClient{client: mac(h, salted, "Client Key"), server: mac(h, salted, "Server Key")}
	sum := h()
	sum.Write(c.client)
	c.stored = sum.Sum(nil)
	return c
}

func mac(h func() hash.Hash, key []byte, text string) []byte {
	m := hmac.New(h, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

const authMessage = "n=alice,r=abc,r=abcdef,s=…,i=4096,c=biws,r=abcdef"

func (c scramClient) proof(h func() hash.Hash) []byte {
	signature := mac(h, c.stored, authMessage)
	subtle.XORBytes(signature, signature, c.client)
	return signature
}

func TestSCRAM(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) { o.SCRAMSHA1 = true })
	alice := h.person("alice", nil)
	h.person("off", func(u *identity.User) { u.State = identity.UserDisabled })
	const appPassword = "app password"
	salt, iterations, err := h.SCRAMParameters(t.Context(), alice.ID)
	if err != nil {
		t.Fatal(err)
	}
	app := newSCRAMClient(t, sha256.New, appPassword, salt, iterations)
	text := h.tokens.add(alice, identity.Grant{Roads: []identity.Road{identity.RoadXMPP}})
	grant, err := h.tokens.VerifyToken(t.Context(), identity.NewSecret(text), "")
	if err != nil {
		t.Fatal(err)
	}
	h.tokens.keys = map[identity.UserID][]identity.TokenKey{alice.ID: {
		{Grant: identity.Grant{TokenID: "other"}, StoredKey: make([]byte, 32), ServerKey: make([]byte, 32)},
		{Grant: grant, StoredKey: app.stored, ServerKey: app.server},
	}}
	for _, tt := range []struct {
		what, name, password string
		hash                 identity.SCRAMHash
		token                bool
		want                 error
	}{
		{"password", "alice", testPassword, identity.SCRAMSHA256, false, nil},
		{"password, SHA-1", "alice", testPassword, identity.SCRAMSHA1, false, nil},
		{"app password", "alice", appPassword, identity.SCRAMSHA256, true, nil},
		{"app password, SHA-1", "alice", appPassword, identity.SCRAMSHA1, false, identity.ErrCredentials},
		{"wrong", "alice", "wrong", identity.SCRAMSHA256, false, identity.ErrCredentials},
		{"unknown", "nobody", testPassword, identity.SCRAMSHA256, false, identity.ErrCredentials},
		{"unknown, app password", "nobody", appPassword, identity.SCRAMSHA256, false, identity.ErrCredentials},
		{"disabled", "off", testPassword, identity.SCRAMSHA256, false, identity.ErrDisabled},
	} {
		t.Run(tt.what, func(t *testing.T) {
			sum := sha256.New
			if tt.hash == identity.SCRAMSHA1 {
				sum = sha1.New
			}
			ses, _ := h.open(identity.ProtocolXMPP, home)
			defer ses.Close()
			x, err := h.BeginSCRAM(t.Context(), ses, identity.Login{Name: tt.name, Domain: "example.org"}, tt.hash)
			if err != nil {
				t.Fatal(err)
			}
			client := newSCRAMClient(t, sum, tt.password, x.Salt, x.Iterations)
			c, signature, err := x.Finish(t.Context(), []byte(authMessage), client.proof(sum))
			wantErr(t, "Finish", err, tt.want)
			_, _, again := x.Finish(t.Context(), []byte(authMessage), client.proof(sum))
			wantErr(t, "a second Finish", again, identity.ErrInvalid)
			_, in := ses.Credentials()
			if in != (tt.want == nil) {
				t.Fatalf("credentials: %v", in)
			}
			if tt.want != nil {
				if signature != nil {
					t.Error("a signature for a wrong proof")
				}
				return
			}
			if !hmac.Equal(signature, mac(sum, client.server, authMessage)) {
				t.Error("the server's signature is not by the key that matched")
			}
			if tt.token != (c.Grant != nil) || tt.token && c.Grant.TokenID != grant.TokenID {
				t.Errorf("grant %+v, by token: %v", c.Grant, tt.token)
			}
		})
	}
}

func TestSCRAMSaltsOfUnknownNames(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	alice := h.person("alice", nil)
	begin := func(name string) *identity.SCRAM {
		ses, _ := h.open(identity.ProtocolXMPP, home)
		defer ses.Close()
		x, err := h.BeginSCRAM(t.Context(), ses, identity.Login{Name: name}, identity.SCRAMSHA256)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	known, a, b := begin("alice"), begin("nobody"), begin("somebody")
	if len(a.Salt) != len(known.Salt) || a.Iterations != known.Iterations {
		t.Errorf("an unknown name shows by its salt: %d bytes and %d rounds, known %d and %d",
			len(a.Salt), a.Iterations, len(known.Salt), known.Iterations)
	}
	if slices.Equal(a.Salt, b.Salt) {
		t.Error("two unknown names have one salt")
	}
	h.start()
	for _, spelling := range []string{"nobody", "NOBODY", "nobody@example.org"} {
		if !slices.Equal(begin(spelling).Salt, a.Salt) {
			t.Errorf("the salt of %s is another after a restart", spelling)
		}
	}
	real, rounds, err := h.SCRAMParameters(t.Context(), alice.ID)
	if err != nil || !slices.Equal(real, known.Salt) || rounds != known.Iterations {
		t.Errorf("SCRAMParameters %v: not what a client is told", err)
	}
}

// TestSaltOutlivesPasswords: app passwords hang on the salt.
func TestSaltOutlivesPasswords(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	u := h.person("alice", nil)
	h.write(func(ctx context.Context, w identity.StoreWriter) error {
		return w.PutPassword(ctx, u.ID, identity.Record{})
	})
	salt, _, err := h.SCRAMParameters(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, password := range []string{"first", "", "second"} {
		acc, err := h.store.AccountByID(t.Context(), u.ID)
		if err != nil {
			t.Fatal(err)
		}
		r, err := h.SealPassword(t.Context(), u.ID, acc.Password, identity.NewSecret(password))
		if err != nil {
			t.Fatal(err)
		}
		h.write(func(ctx context.Context, w identity.StoreWriter) error { return w.PutPassword(ctx, u.ID, r) })
		now, _, err := h.SCRAMParameters(t.Context(), u.ID)
		if err != nil || !slices.Equal(now, salt) {
			t.Errorf("after password %q the salt is another: %v", password, err)
		}
	}
	ses, _ := h.open(identity.ProtocolFTP, home)
	_, err = h.login(ses, "alice", "second")
	wantErr(t, "the last password", err, nil)

	argon := newHouse(t, func(o *identity.Options) { o.Argon2id = true })
	bob := argon.person("bob", nil)
	_, _, err = argon.SCRAMParameters(t.Context(), bob.ID)
	wantErr(t, "argon2id", err, identity.ErrNotFound)
}

func TestSealedRecords(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	alice, bob := h.person("alice", nil), h.person("bob", nil)
	acc, err := h.store.AccountByID(t.Context(), alice.ID)
	if err != nil {
		t.Fatal(err)
	}
	h.write(func(ctx context.Context, w identity.StoreWriter) error {
		return w.PutPassword(ctx, bob.ID, acc.Password)
	})
	ses, _ := h.open(identity.ProtocolFTP, home)
	if _, err := h.login(ses, "bob", testPassword); err == nil {
		t.Error("alice's record opens bob's account")
	}
	h.opts.SealKey = append(make([]byte, 31), 1)
	h.start()
	ses, _ = h.open(identity.ProtocolFTP, home)
	if _, err := h.login(ses, "alice", testPassword); err == nil {
		t.Error("a record opens under another seal key")
	}
	for _, tt := range []struct {
		what, password string
		want           error
	}{
		{"control character", "a\nb", identity.ErrInvalid}, {"too long", string(make([]byte, 2000)), identity.ErrInvalid},
		{"not UTF-8", "a\xff", identity.ErrInvalid}, {"a token", tokenPrefix + "x", identity.ErrInvalid},
		{"younger than SASLprep's tables", "pass🦊word", nil}, {"compatibility form", "ﬁsh and ½ chip", nil},
	} {
		r, err := h.SealPassword(t.Context(), alice.ID, identity.Record{}, identity.NewSecret(tt.password))
		wantErr(t, tt.what, err, tt.want)
		if tt.want == nil {
			h.write(func(ctx context.Context, w identity.StoreWriter) error { return w.PutPassword(ctx, alice.ID, r) })
			ses, _ := h.open(identity.ProtocolFTP, home)
			_, err := h.login(ses, "alice", tt.password)
			wantErr(t, tt.what, err, nil)
		}
	}
}
