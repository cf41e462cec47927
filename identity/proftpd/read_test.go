package proftpd_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/identity/proftpd"
)

func options() proftpd.Options {
	return proftpd.Options{Maps: map[string]string{"/srv/ftp": "/pub", "/srv/ftp/teams": "/groups"},
		ClassOf: func(a []string) string {
			if slices.Equal(a, []string{"192.0.2.0/24"}) {
				return "lan"
			}
			return ""
		}}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		rules      []string
		skipped    string // a word of each skipped line, joined
	}{
		{"deny all", "<Limit SITE_CHMOD>\n DenyAll\n</Limit>", []string{"ftp:SITE CHMOD = nobody"}, ""},
		{"allow all says nothing", "<Limit STOR>\nAllowAll\n</Limit>", nil, ""},
		{"one user alone", "<Limit STOR>\nAllowUser bob\nDenyAll\n</Limit>", []string{"ftp:STOR for user:bob = loggedin", "ftp:STOR = nobody"}, ""},
		{"deny comes first", "<Limit STOR>\nOrder deny,allow\nAllowUser bob\nDenyAll\n</Limit>", []string{"ftp:STOR for user:bob = nobody", "ftp:STOR = nobody"}, ""},
		{"deny first, and nobody else", "<Limit STOR>\nOrder deny,allow\nAllowUser bob\n</Limit>", []string{"ftp:STOR for user:bob = loggedin", "ftp:STOR = nobody"}, ""},
		{"all but one", "<Limit WRITE>\nDenyUser !root1\n</Limit>", []string{"ftp:WRITE for user:root1 = loggedin", "ftp:WRITE = nobody"}, ""},
		{"a folder is the exception", "<Limit WRITE>\nDenyAll\n</Limit>\n<Directory /srv/ftp/incoming>\n<Limit STOR>\nAllowAll\n</Limit>\n</Directory>",
			[]string{"ftp:WRITE:/** = nobody", "ftp:STOR:/pub/incoming/** = loggedin", "ftp:WRITE:/pub/incoming/** = nobody"}, ""},
		{"what is in a folder", "<Directory /srv/ftp/*>\n<Limit DELE XMKD>\nDenyAll\n</Limit>\n</Directory>", []string{"ftp:DELE:/pub/*/** = nobody", "ftp:MKD:/pub/*/** = nobody"}, ""},
		{"homes", "<Directory ~/public>\n<Limit READ>\nDenyGroup guests\n</Limit>\n</Directory>", []string{"ftp:READ:/home/*/public/** for group:guests = nobody"}, ""},
		{"the longest map", "<Directory /srv/ftp/teams/a>\n<Limit ALL>\nDenyAll\n</Limit>\n</Directory>", []string{"ftp:ALL:/groups/a/** = nobody"}, ""},
		{"logging in by class", "<Global>\n<Limit LOGIN>\nAllowClass vpn\nAllow from 192.0.2.0/24\nDenyAll\n</Limit>\n</Global>",
			[]string{"login:ftp for class:vpn = user", "login:ftp for class:lan = user", "login:ftp = nobody"}, ""},
		{"the raw command further up goes before the group", "<Limit STOR>\nDenyAll\n</Limit>\n<Directory /srv/ftp/in>\n<Limit WRITE>\nAllowAll\n</Limit>\n</Directory>",
			[]string{"ftp:STOR:/** = nobody", "ftp:WRITE:/pub/in/** = loggedin", "ftp:STOR:/pub/in/** = nobody"}, ""},
		{"anonymous", "<Anonymous ~ftp>\n<Limit WRITE>\nDenyAll\n</Limit>\n<Directory incoming>\n<Limit STOR>\nAllowAll\n</Limit>\n</Directory>\n</Anonymous>",
			[]string{"ftp:WRITE:/pub/** for user:anonymous = nobody", "ftp:STOR:/pub/incoming/** for user:anonymous = anonymous", "ftp:WRITE:/pub/incoming/** for user:anonymous = nobody"}, ""},
		{"a group of two", "<Limit DELE>\nAllowGroup editors,chiefs\nDenyAll\n</Limit>", nil, "otherwise"},
		{"either of two groups", "<Limit DELE>\nAllowGroup OR editors,chiefs\nDenyAll\n</Limit>", []string{"ftp:DELE for group:editors = loggedin", "ftp:DELE for group:chiefs = loggedin", "ftp:DELE = nobody"}, ""},
		{"the class before the user", "<Limit DELE>\nAllowClass lan\nDenyUser bob\n</Limit>", nil, "otherwise"},
		{"addresses of no class", "<Limit LOGIN>\nDeny from 10.0.0.0/8\n</Limit>", nil, "taken [[class]]"},
		{"a pattern of names", "<Limit STOR>\nDenyUser regex ^b\n</Limit>", nil, "taken patterns"},
		{"a folder that is nowhere", "<Directory /opt/x>\n<Limit STOR>\nDenyAll\n</Limit>\n</Directory>", nil, "--map"},
		{"half a segment", "<Directory /srv/ftp/a*b>\n<Limit STOR>\nDenyAll\n</Limit>\n</Directory>", nil, "segment"},
		{"what is not read", "<IfUser bob>\n<Limit STOR>\nDenyAll\n</Limit>\n</IfUser>\n<Class lan>\nFrom 10.0.0.0/8\n</Class>", nil, "not [[class]]"},
		{"not closed", "<Limit STOR>\nDenyAll\n", []string{"ftp:STOR = nobody"}, "closed"},
		{"half is not taken", "<Limit STOR>\nDenyAll\n</Limit>\n<Directory /srv/ftp/in>\n<Limit STOR>\nAllowFilter x\n</Limit>\n<Limit DELE>\nDenyAll\n</Limit>\n</Directory>", []string{"ftp:STOR:/** = nobody", "ftp:DELE:/pub/in/** = nobody"}, "taken known"},
		{"what hangs together with it", "<Limit WRITE>\nAllowFilter x\n</Limit>\n<Directory /srv/ftp/in>\n<Limit STOR RETR>\nDenyAll\n</Limit>\n</Directory>", []string{"ftp:RETR:/pub/in/** = nobody"}, "taken known hangs"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := proftpd.Read(tt.text, options())
			if err != nil {
				t.Fatal(err)
			}
			var rules []string
			for _, r := range got.Rules {
				rules = append(rules, fmt.Sprintf("%s = %s", r.Pattern, r.Level))
			}
			slices.Sort(rules)
			slices.Sort(tt.rules)
			if !slices.Equal(rules, tt.rules) {
				t.Errorf("rules %q\nwant  %q\nskipped %+v", rules, tt.rules, got.Skipped)
			}
			want := strings.Fields(tt.skipped)
			if len(got.Skipped) != len(want) {
				t.Fatalf("skipped %+v, want words on %q", got.Skipped, want)
			}
			for i, s := range got.Skipped {
				if !strings.Contains(s.Why, want[i]) || s.Line == 0 {
					t.Errorf("skipped %+v, want a word on %q", s, want[i])
				}
			}
		})
	}
	if _, err := proftpd.Read(strings.Repeat("#", 2<<20), options()); err == nil {
		t.Error("a file of 2 MB is read")
	}
}

// FuzzRead shows that whatever is read, each rule that comes out is one, and nothing runs away.
func FuzzRead(f *testing.F) {
	f.Add("<Limit STOR>\nAllowUser a,!b\nDenyGroup AND x y\nDenyAll\n</Limit>")
	f.Add("<Directory ~/a/*>\n<Limit ALL LOGIN SITE_CHMOD>\nOrder deny,allow\nAllow from 192.0.2.0/24\n</Limit>\n</Directory>")
	f.Add("<Anonymous /srv/ftp>\n<Directory *>\n<Limit WRITE READ>\nDenyAll\n</Limit>\n</Directory>\n</Anonymous>\n</x>\n<Limit")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := proftpd.Read(text, options())
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, r := range got.Rules {
			if _, err := identity.ParseRule(r.Pattern, r.Level.String()); err != nil {
				t.Errorf("%q is no rule: %v", r.Pattern, err)
			}
			if seen[r.Pattern] || r.Line < 1 {
				t.Errorf("%+v comes twice, or from nowhere", r)
			}
			seen[r.Pattern] = true
		}
	})
}
