package register_test

import (
	"testing"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/register"
	. "trivium/xmpp/xmpptest"
)

func invite(t *testing.T, s *Site, n identity.NewInvite) string {
	t.Helper()
	_, code, err := s.Identity.Invite(t.Context(), Actor(), n)
	Must(t, err)
	return code.Reveal()
}

func preauth(c *Client, token string) string {
	c.Send("<iq type='set' id='p' to='" + Host + "'><preauth xmlns='urn:xmpp:pars:0' token='" + token + "'/></iq>")
	return c.Expect("</iq>")
}

func TestInvited(t *testing.T) {
	s := Start(t, Options{Modules: func(_ *sqldb.DB, svc *identity.Service) []xmpp.Module {
		return []xmpp.Module{register.New(register.Options{Accounts: svc, Invites: svc})}
	}})
	code := invite(t, s, identity.NewInvite{})
	c, features := stranger(s)
	Has(t, "features", features, "<register xmlns='urn:xmpp:ibr-token:0'/>", "<register xmlns='http://jabber.org/features/iq-register'/>")
	Has(t, "without", form{"dave", Password}.send(c), "<not-allowed", "by invitation")
	Has(t, "a wrong one", preauth(c, "nonsense"), "<item-not-found")
	Has(t, "a reset", preauth(c, invite(t, s, identity.NewInvite{User: "alice"})), "<item-not-found")
	c.Send("<iq type='set' id='p' to='" + Host + "'><preauth xmlns='urn:xmpp:pars:0' token='" + code + "'/></iq>")
	c.Expect("<iq type='result' id='p'")
	Has(t, "taken", form{"alice", Password}.send(c), "<conflict")
	Has(t, "short", form{"dave", "short"}.send(c), "<not-acceptable")
	c.Send("<iq type='set' id='r'>" + query("<username>dave</username><password>"+Password+"</password>") + "</iq>")
	c.Expect("<iq type='result' id='r'/>")
	if a, err := s.Identity.User(t.Context(), "dave"); err != nil || a.State != identity.UserActive {
		t.Errorf("%+v, %v", a, err)
	}
	Has(t, "again on the stream", form{"eve", Password}.send(c), "<not-allowed")
	second, _ := stranger(s)
	Has(t, "again", preauth(second, code), "<item-not-found", "invalid or expired")
}
