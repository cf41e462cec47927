package announce_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/announce"
	. "trivium/xmpp/xmpptest"
)

func start(t *testing.T) *Site {
	return Start(t, Options{Modules: func(_ *sqldb.DB, svc *identity.Service) []xmpp.Module {
		a := announce.New(svc, svc.Registry)
		svc.OnAnnounce(a.Begin)
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); a.Run(ctx) }()
		t.Cleanup(func() { stop(); <-done })
		return []xmpp.Module{a}
	}})
}

func tell(t *testing.T, s *Site, n identity.NewAnnouncement) identity.Announcement {
	t.Helper()
	a, err := s.Identity.Announce(t.Context(), Actor(), n)
	Must(t, err)
	return a
}

func TestAnnouncementReachesEachAccountOnce(t *testing.T) {
	s := start(t)
	alice, bob := s.Online("alice", "a"), s.Online("bob", "b")
	a := tell(t, s, identity.NewAnnouncement{Text: "Down <at> 9\nfor an hour", Texts: map[string]string{"de": "Pause & Ruhe"}, Audience: identity.Audience{Kind: identity.AudienceAll}})
	for _, c := range []*Client{alice, bob} {
		Has(t, "who is there", c.Expect("</message>"), "<message type='headline' from='example.org'", "<body>Down &lt;at&gt; 9", "for an hour</body>", "xml:lang='de'>Pause &amp; Ruhe</body>")
	}
	second := s.Online("alice", "second")
	second.Settle()
	bob.Send("<presence><priority>-1</priority></presence><presence><priority>5</priority></presence>")
	for name, c := range map[string]*Client{"a second client": second, "one who changes presence": bob} {
		lacks(t, name, c.Settle(), "headline")
	}
	s.Add("carol")
	carol := s.Login("carol", "c")
	carol.Send("<presence><priority>-1</priority></presence>")
	lacks(t, "a client that gets no messages", carol.Settle(), "headline")
	carol.Send("<presence/>")
	Has(t, "who comes later", carol.Expect("</message>"), "Down &lt;at&gt; 9")
	Must(t, s.Identity.EndAnnouncement(t.Context(), Actor(), a.ID))
	s.Add("dave")
	dave := s.Online("dave", "d")
	lacks(t, "who comes after its end", dave.Settle(), "headline")
}

func TestAnnouncementForSome(t *testing.T) {
	s := start(t)
	level := identity.LevelStaff
	_, err := s.Identity.SetUser(t.Context(), Actor(), "bob", identity.UserChange{Level: &level})
	Must(t, err)
	alice, bob := s.Online("alice", "a"), s.Online("bob", "b")
	tell(t, s, identity.NewAnnouncement{Text: "For staff", Audience: identity.Audience{Kind: identity.AudienceLevel, Level: identity.LevelStaff}})
	bob.Expect("For staff")
	tell(t, s, identity.NewAnnouncement{Text: "For the pages", Audience: identity.Audience{Kind: identity.AudienceAll}, Places: []identity.Place{identity.PlaceWeb}})
	_, err = s.Identity.PreviewAnnouncement(t.Context(), identity.Actor{User: "bob", Level: identity.LevelAdmin}, identity.NewAnnouncement{Text: "A look", Audience: identity.Audience{Kind: identity.AudienceAll}})
	Must(t, err)
	bob.Expect("A look")
	tell(t, s, identity.NewAnnouncement{Text: "Who is here", Audience: identity.Audience{Kind: identity.AudienceOnline}, Until: time.Now().Add(time.Hour)})
	got := alice.Expect("Who is here")
	lacks(t, "alice", got, "For staff")
	lacks(t, "alice", got, "For the pages")
	lacks(t, "alice", got, "A look")
	s.Add("carol")
	lacks(t, "who was not here", s.Online("carol", "c").Settle(), "Who is here")
}

func lacks(t *testing.T, who, text, part string) {
	t.Helper()
	if strings.Contains(text, part) {
		t.Errorf("%s got %q: %s", who, part, text)
	}
}
