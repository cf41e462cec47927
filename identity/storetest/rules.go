package storetest

import (
	"context"
	"testing"

	"trivium/identity"
)

func rules(t *testing.T, s identity.Store) {
	a := newUser("user1", 10000)
	put(t, s, a)
	all := identity.StoredRule{Resource: "web:/tokens", Level: identity.LevelStaff, Note: "why", By: "root1", At: at(1)}
	ofUser := identity.StoredRule{Resource: "web:/tokens", User: a.ID, Level: identity.LevelNobody, At: at(2), Name: "user1", Domain: domain}
	ofGroup := identity.StoredRule{Resource: "ftp:STOR", GID: 20000, Level: identity.LevelUser, At: at(2), Name: "staff", Domain: domain}
	ofClass := identity.StoredRule{Resource: "ftp:STOR", Class: "lan", Level: identity.LevelNone, At: at(3)}
	strangers := identity.StoredRule{Resource: "ftp:STOR", User: identity.RuleAnonymous, Level: identity.LevelNobody, At: at(3)}
	if v, list, err := s.PolicyRules(t.Context()); err != nil || v != 0 || len(list) != 0 {
		t.Fatalf("at first: %d, %v, %v", v, list, err)
	}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		if err := w.PutGroup(ctx, 0, newGroup("staff", 20000)); err != nil {
			return err
		}
		for _, r := range []identity.StoredRule{all, ofUser, ofGroup, ofClass, strangers} {
			if err := w.PutRule(ctx, r); err != nil {
				return err
			}
		}
		return nil
	})
	first := version(t, s)
	if seq, err := s.ChangeSeq(t.Context()); err != nil || first == 0 || seq < first {
		t.Errorf("version %d, sequence %d, %v", first, seq, err)
	}
	listed(t, s, "all", ofClass, ofGroup, strangers, all, ofUser)

	all.Level, all.Note = identity.LevelAdmin, ""
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		if err := w.PutRule(ctx, all); err != nil {
			return err
		}
		is(t, "a rule that there is not", w.RemoveRule(ctx, identity.StoredRule{Resource: "web:/tokens", Class: "lan"}), identity.ErrNotFound)
		return w.RemoveRule(ctx, ofClass)
	})
	second := version(t, s)
	if second <= first {
		t.Errorf("the version fell from %d to %d", first, second)
	}
	listed(t, s, "after a change", ofGroup, strangers, all, ofUser)

	g := newGroup("crew", 20001) // the rules follow a group
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.PutGroup(ctx, 20000, g) })
	ofGroup.GID, ofGroup.Name = 20001, "crew"
	listed(t, s, "after a new gid", ofGroup, strangers, all, ofUser)
	third := version(t, s)
	if third <= second {
		t.Errorf("a new gid left the version at %d", third)
	}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.RemoveGroup(ctx, 20001) })
	listed(t, s, "without the group", strangers, all, ofUser)
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		n, err := w.RemoveRulesOf(ctx, a.ID)
		if n != 1 {
			t.Errorf("%d rules of the user were removed", n)
		}
		return err
	})
	listed(t, s, "without the user's", strangers, all)
	last := version(t, s)
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		n, err := w.RemoveRulesOf(ctx, a.ID)
		if n != 0 {
			t.Errorf("%d rules were removed again", n)
		}
		return err
	})
	if v := version(t, s); v != last || last <= third {
		t.Errorf("versions %d, %d, %d: each change raises it, and nothing else does", third, last, v)
	}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.TouchRules(ctx) })
	if v := version(t, s); v <= last {
		t.Errorf("touching left the version at %d", v)
	}
	was, err := s.ChangeSeq(t.Context())
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.TouchServer(ctx) })
	if now, nerr := s.ChangeSeq(t.Context()); err != nil || nerr != nil || now != was+1 {
		t.Errorf("after a change of the server the sequence is %d, and was %d: %v %v", now, was, err, nerr)
	}
}

func version(t *testing.T, s identity.Store) int64 {
	t.Helper()
	v, err := s.RulesVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func listed(t *testing.T, s identity.Store, what string, want ...identity.StoredRule) {
	t.Helper()
	v, got, err := s.PolicyRules(t.Context())
	if err != nil || v != version(t, s) {
		t.Fatalf("%s: version %d, %v", what, v, err)
	}
	equal(t, what, got, want)
}
