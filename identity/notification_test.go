package identity_test

import (
	"strings"
	"testing"

	"trivium/identity"
	"trivium/identity/sqlstore"
	"trivium/internal/sqldb/sqltest"
)

func TestLongNotice(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *testing.T, e sqltest.Engine) {
		store := sqlstore.New(e.Migrated(t, sqlstore.Migrate))
		h := newHouse(t, func(o *identity.Options) { o.Store = store })
		h.store = store
		alice := h.person("alice", nil)
		for _, tt := range []struct{ name, told, want string }{
			{"a character at the bound", strings.Repeat("a", 255) + "ä", strings.Repeat("a", 255)},
			{"one that fits", strings.Repeat("a", 254) + "äb", strings.Repeat("a", 254) + "ä"},
		} {
			h.Tell(alice.ID, identity.Notice{Kind: identity.NoticeQuota, What: tt.told, Client: tt.told})
			h.FlushNotices(t.Context())
			list, err := h.Notifications(t.Context(), alice.ID, 0, 1)
			if err != nil || len(list) != 1 || list[0].About.What != tt.want || list[0].About.Client != tt.want {
				t.Errorf("%s: %+v, %v", tt.name, list, err)
			}
		}
	})
}
