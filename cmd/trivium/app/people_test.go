package app

import (
	"strings"
	"testing"
	"time"

	"trivium/config"
	"trivium/identity"
)

// Each kind of notice has its words in each language, with whom it is about and what.
func TestNoticesHaveWords(t *testing.T) {
	cfg := &config.Config{Domain: "example.org", Web: config.Web{PublicURL: "https://example.org"}}
	tell, err := newTeller(cfg, &status{cfg: cfg}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[identity.NoticeKind][]string{
		identity.NoticeDevice: {"alice", "Firefox"}, identity.NoticePassword: {"alice"}, identity.NoticeEmail: {"alice"}, identity.NoticeReset: {"alice", "CODE"},
		identity.NoticeInvited: {"CODE"}, identity.NoticeFactor: {"alice", "phone", "Firefox", "192.0.2.1"}, identity.NoticeClone: {"alice", "phone", "192.0.2.1"},
	}
	for _, lang := range noticeLanguages {
		for kind, parts := range kinds {
			for _, removed := range []bool{false, true} {
				n := identity.Notice{Kind: kind, Login: "alice", Domain: "example.org", Profile: identity.Profile{Lang: lang.String()}, At: time.Now(),
					Client: "Firefox\nEvil: 1", Remote: "192.0.2.1", By: "admin1", What: "phone", Removed: removed, Code: identity.NewSecret("CODE"), Until: time.Now()}
				subject, body, err := tell.words(n)
				if err != nil {
					t.Errorf("%s in %s: %v", kind, lang, err)
					continue
				}
				if subject == "" || strings.Contains(subject, "\n") || strings.Contains(body, "\nEvil") {
					t.Errorf("%s in %s: subject %q, body %q", kind, lang, subject, body)
				}
				for _, p := range parts {
					if !strings.Contains(body, p) {
						t.Errorf("%s in %s: no %q in %s", kind, lang, p, body)
					}
				}
			}
		}
	}
}
