package crypt3_test

import (
	"errors"
	"strings"
	"testing"

	"trivium/identity/crypt3"
)

// real are hashes as the programs named make them; each is of the password beside it.
var real = []struct{ by, kind, hash, password string }{
	{"mkpasswd 5.5.17", "descrypt", "L4Eio3AiM.UYQ", "correct horse"},
	{"mkpasswd 5.5.17", "md5crypt", "$1$9d1YrDOV$9vH/RVE/MY9wO5tEDJ4dT1", "correct horse"},
	{"mkpasswd 5.5.17", "sha256crypt", "$5$/pPyFZumo0msRsXV$5kNRt7n4Yl2BtQcj4mBG8LeXGnuI/0jdYazF64xdKiC", "correct horse"},
	{"mkpasswd 5.5.17", "sha512crypt", "$6$FdHRmCbAXJzOISbl$R3XxUuCuHdzIhggv6UyF81E.3mKiWjZXHsScNyfwSnwDknRXPvee2LG58wlNx8vpC2eB0fv0oR3STU5Tq6V3X0", "correct horse"},
	{"mkpasswd 5.5.17", "sha512crypt", "$6$rounds=20000$qr8aFhJkTzvud1Ho$sB9N9Wq4U9wLXX9BYfkKaevREPcm1tvIar63OLWEQeGDLu6URjGGxuSPKZ/v/N10cuUnH.GoOF2sy242/u44o1", "correct horse"},
	{"mkpasswd 5.5.17", "sha512crypt", "$6$Jg70Y9W3jx7ZpaX8$/Ci8D21nGmD/KAPYDwZzRHJQ3bokdJGsP91SfB5FRcrPHr8BGXqHz8XZGFz25pi2DB7cs/7k2Dmp3w5BMcLcs1", "Größe 名"},
	{"mkpasswd 5.5.17", "bcrypt", "$2b$05$HAg/i8Ctxjn4vChVxLyg9OSNCRUyYRYXOIBZ2gyDUbx4y7qo5lPGm", "correct horse"},
	{"mkpasswd 5.5.17", "bcrypt", "$2a$05$qeAGB8DbFfJXE45aLyVviOzOXNWJDy6GoKEpcyqTggyHguI.tZ/mC", "correct horse"},
	{"mkpasswd 5.5.17", "scrypt", "$7$CU..../....2cXi4QeqbRimYXmVh0qe/0$JHg4moRYAH4jXdmroQYFaO8v2Nbm.Dzzh5FPyb1Cg97", "correct horse"},
	{"mkpasswd 5.5.17", "yescrypt", "$y$j9T$VsaMycLr3e70RVHkgi5ml1$ZswhNvBNHX4CNZGKt/6SJRsMXtZ0FTRxZg02d3sOO8.", "correct horse"},
	{"mkpasswd 5.5.17", "yescrypt", "$y$j9T$ePEl5d8GaMQNgisTi7PCk.$qECcGoPZ0GE6UvH5X./NapkPWYsgN7uEd8xKOLKmoLA", "Größe 名"},
	{"htpasswd 2.4", "md5crypt", "$apr1$VruLNhwk$DONZM55RNuAwL0TvogxU.0", "correct horse"},
	{"htpasswd 2.4", "bcrypt", "$2y$05$vJwlTeBqO7lTl663WlWIdeDt4jFfGizUNVH3j.nKX2r/w8EA6Y0J.", "correct horse"},
	{"htpasswd 2.4", "sha-digest", "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=", "correct horse"},
	{"htpasswd 2.4", "descrypt", "mDxPcIp1Pi/gc", "correct horse"},
	{"pure-pw 1.0.50", "argon2id", "$argon2id$v=19$m=8192,t=255,p=1$8pLTFZuuMgC3KeBtXet3yg$Absfsq9abuH7YUwMdgYV4r39Dfgxgd3kQXZ2TXLliFI", "correct horse"},
	// From the tests of SFTPGo, whose passwords they name.
	{"SFTPGo", "pbkdf2-sha1", "$pbkdf2-sha1$150000$DveVjgYUD05R$X6ydQZdyMeOvpgND2nqGR/0GGic=", "password"},
	{"SFTPGo", "pbkdf2-sha256", "$pbkdf2-sha256$150000$E86a9YMX3zC7$R5J62hsSq+pYw00hLLPKBbcGXmq7fj5+/M0IFoYtZbo=", "password"},
	{"SFTPGo", "pbkdf2-sha512", "$pbkdf2-sha512$150000$dsu7T5R3IaVQ$1hFXPO1ntRBcoWkSLKw+s4sAP09Xtu4Ya7CyxFq64jM9zdUg8eRJVr3NcR2vQgb0W9HHvZaILHsL4Q/Vr6arCg==", "password"},
	{"SFTPGo", "pbkdf2-sha256", "$pbkdf2-b64salt-sha256$100000$E86a9YMX3zC7$wRJhfMbzJqKgHnBOgm5BSn86EK2ZJJyNdvfZpZKbBy4=", ""},
}

func TestRealHashes(t *testing.T) {
	t.Parallel()
	for _, tt := range real {
		if tt.password == "" {
			continue
		}
		t.Run(tt.by+" "+tt.hash[:min(len(tt.hash), 12)], func(t *testing.T) {
			t.Parallel()
			h, err := crypt3.Parse(tt.hash)
			if err != nil {
				t.Fatal(err)
			}
			if h.Kind != tt.kind {
				t.Errorf("kind %q, want %q", h.Kind, tt.kind)
			}
			if !h.Matches(tt.password) {
				t.Error("does not match the password")
			}
			wrong := []string{"Correct horse", "", "X" + tt.password}
			if h.Memory > 0 {
				wrong = wrong[:1] // it takes long
			}
			for _, w := range wrong {
				if h.Matches(w) {
					t.Errorf("matches %q", w)
				}
			}
		})
	}
}

// TestDecoys: a decoy is of the same kind and cost, so that whoever measures sees no difference.
func TestDecoys(t *testing.T) {
	t.Parallel()
	for _, tt := range real {
		h, err := crypt3.Parse(tt.hash)
		if err != nil {
			t.Errorf("%s: %v", tt.hash, err)
			continue
		}
		d, err := crypt3.Parse(h.Decoy)
		if err != nil {
			t.Errorf("the decoy %q of %s: %v", h.Decoy, h.Kind, err)
			continue
		}
		if d.Kind != h.Kind || d.Cost != h.Cost || d.Memory != h.Memory {
			t.Errorf("decoy %s %s %d of %s %s %d", d.Kind, d.Cost, d.Memory, h.Kind, h.Cost, h.Memory)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, hash string
		want       error
	}{
		{"nothing", "", crypt3.ErrUnknown},
		{"a word", "secret", crypt3.ErrUnknown},
		{"locked", "!", crypt3.ErrUnknown},
		{"two characters of salt missing", "4Eio3AiM.UYQ", crypt3.ErrUnknown},
		{"GOST", "$gy$j9T$6uImGwhOVTnI576DXAFm00$B3auAfQv2Z27MvHwzBoFXoYOYWhPfijdM74vXJUJP11", crypt3.ErrUnknown},
		{"NT", "$3$$cfc43211ba8dc470832267827cac1407", crypt3.ErrUnknown},
		{"longer than any", "$6$" + strings.Repeat("a", 600), crypt3.ErrUnknown},
		{"bcrypt that runs for days", "$2b$31$HAg/i8Ctxjn4vChVxLyg9OSNCRUyYRYXOIBZ2gyDUbx4y7qo5lPGm", crypt3.ErrCost},
		{"bcrypt with a sign", "$2b$+5$HAg/i8Ctxjn4vChVxLyg9OSNCRUyYRYXOIBZ2gyDUbx4y7qo5lPGm", nil},
		{"rounds of years", "$6$rounds=999999999$qr8aFhJkTzvud1Ho$" + strings.Repeat(".", 86), crypt3.ErrCost},
		{"rounds beyond numbers", "$6$rounds=99999999999999999999$qr8aFhJkTzvud1Ho$" + strings.Repeat(".", 86), crypt3.ErrDamaged},
		{"a terabyte", "$argon2id$v=19$m=1073741824,t=1,p=1$8pLTFZuuMgC3KeBtXet3yg$Absfsq9abuH7YUwMdgYV4r39Dfgxgd3kQXZ2TXLliFI", crypt3.ErrCost},
		{"passes without end", "$argon2id$v=19$m=8192,t=4294967295,p=1$8pLTFZuuMgC3KeBtXet3yg$Absfsq9abuH7YUwMdgYV4r39Dfgxgd3kQXZ2TXLliFI", crypt3.ErrCost},
		{"lanes without end", "$argon2id$v=19$m=8192,t=1,p=4000000000$8pLTFZuuMgC3KeBtXet3yg$Absfsq9abuH7YUwMdgYV4r39Dfgxgd3kQXZ2TXLliFI", crypt3.ErrCost},
		{"no passes", "$argon2id$v=19$m=8192,t=0,p=1$8pLTFZuuMgC3KeBtXet3yg$Absfsq9abuH7YUwMdgYV4r39Dfgxgd3kQXZ2TXLliFI", crypt3.ErrDamaged},
		{"another version", "$argon2id$v=16$m=8192,t=1,p=1$8pLTFZuuMgC3KeBtXet3yg$Absfsq9abuH7YUwMdgYV4r39Dfgxgd3kQXZ2TXLliFI", crypt3.ErrUnknown},
		{"a key of no length", "$argon2id$v=19$m=8192,t=1,p=1$8pLTFZuuMgC3KeBtXet3yg$", crypt3.ErrDamaged},
		{"scrypt of a terabyte", "$7$zU..../....salt$" + strings.Repeat(".", 43), crypt3.ErrCost},
		{"yescrypt of a terabyte", "$y$jzT$" + strings.Repeat(".", 22) + "$" + strings.Repeat(".", 43), crypt3.ErrCost},
		{"yescrypt of another flavour", "$y$.7T$" + strings.Repeat(".", 22) + "$" + strings.Repeat(".", 43), crypt3.ErrUnknown},
		{"iterations without end", "$pbkdf2-sha256$4000000000$E86a9YMX3zC7$R5J62hsSq+pYw00hLLPKBbcGXmq7fj5+/M0IFoYtZbo=", crypt3.ErrCost},
		{"a key of no bytes matches everybody", "$pbkdf2-sha256$1$E86a9YMX3zC7$", crypt3.ErrDamaged},
		{"a digest of no bytes", "{SSHA}", crypt3.ErrDamaged},
	} {
		h, err := crypt3.Parse(tt.hash)
		if tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if err != nil && h.Matches("") {
			t.Errorf("%s: refused, and matches", tt.name)
		}
		if err != nil && len(tt.hash) > 20 && strings.Contains(err.Error(), tt.hash[len(tt.hash)-20:]) {
			t.Errorf("%s: the error repeats the hash: %v", tt.name, err)
		}
	}
}

func TestLongPasswords(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1024)
	for _, tt := range real {
		if h, err := crypt3.Parse(tt.hash); err == nil && h.Kind != "argon2id" && h.Matches(long) {
			t.Errorf("%s matches", tt.hash)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, tt := range real {
		f.Add(tt.hash)
	}
	for _, s := range []string{"", "$", "$6$", "$2b$05$", "$argon2id$v=19$m=,t=,p=$$", "{crypt}$1$a$", "$7$", "$y$j9T$$", "{SHA}", "$pbkdf2$1$$"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := crypt3.Parse(text)
		if err != nil {
			return
		}
		if h.Kind == "" || h.Memory > 128<<10 {
			t.Errorf("%q: %+v", text, h)
		}
		d, err := crypt3.Parse(h.Decoy)
		if err != nil || d.Kind != h.Kind || d.Cost != h.Cost {
			t.Errorf("%q: the decoy %q: %+v, %v", text, h.Decoy, d, err)
		}
	})
}
