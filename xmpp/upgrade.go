package xmpp

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"slices"
	"strconv"

	xstream "mellium.im/xmpp/stream"

	"trivium/identity"
)

const (
	nsUpgrade      = "urn:xmpp:sasl:upgrade:0"
	nsSCRAMUpgrade = "urn:xmpp:scram-upgrade:0"
)

// maxUpgrades is how many tasks one log-in asks for at most.
const maxUpgrades = 4

// upgrade is a task by which a client lets its account have keys that it lacks (XEP-0480).
type upgrade struct {
	task string
	hash identity.SCRAMHash
}

// upgrades are the tasks for the keys that the policy keeps. Which an account needs is not told
// before the log-in.
func (s *Server) upgrades() []upgrade {
	if s.noSCRAM {
		return nil
	}
	list := []upgrade{{"UPGR-" + mechSHA256, identity.SCRAMSHA256}}
	if s.config.SCRAMSHA1 {
		list = append(list, upgrade{"UPGR-" + mechSHA1, identity.SCRAMSHA1})
	}
	return list
}

// upgradeFeature offers them (XEP-0480 section 2.1).
func (n *negotiation) upgradeFeature(b []byte) []byte {
	for _, u := range n.srv.upgrades() {
		b = append(append(append(b, "<upgrade xmlns='"+nsUpgrade+"'>"...), u.task...), "</upgrade>"...)
	}
	return b
}

// tasks does those upgrades that the client asked for and its account lacks (XEP-0480 sections 2.2,
// 2.3 and 3). out is the additional data of the mechanism, which goes out with the first of them; what
// comes back is left for the success. An error is a log-in that has failed after all.
func (n *negotiation) tasks(ctx context.Context, q *request2, out []byte) ([]byte, error) {
	for _, u := range n.srv.upgrades() {
		if !slices.Contains(q.upgrades, u.task) {
			continue
		}
		salt, iterations, err := n.srv.identity.MissingSCRAM(ctx, n.c.ses, u.hash)
		switch {
		case errors.Is(err, identity.ErrNotFound):
			continue
		case err != nil:
			n.c.log.Error("no upgrade of keys", slog.Any("", n.c.ses), "task", u.task, "error", err)
			continue
		}
		if err := n.upgrade(ctx, u, salt, iterations, out); err != nil {
			return nil, err
		}
		out = nil
	}
	return out, nil
}

// upgrade is one task.
func (n *negotiation) upgrade(ctx context.Context, u upgrade, salt []byte, iterations int, out []byte) error {
	b := append(make([]byte, 0, 256), "<continue xmlns='"+nsSASL2+"'>"...)
	if out != nil {
		b = append(base64.StdEncoding.AppendEncode(append(b, "<additional-data>"...), out), "</additional-data>"...)
	}
	b = append(append(append(b, "<tasks><task>"...), u.task...), "</task></tasks></continue>"...)
	if err := n.write(b); err != nil {
		return &connError{err}
	}
	el, err := n.reply(sasl2)
	if err != nil {
		return err
	}
	if el.Name.Local != "next" {
		return &fault{xstream.PolicyViolation, "the next task was due"}
	}
	if task, _ := el.Attr("task"); task != u.task {
		return &saslError{cond: saslMalformedRequest, text: "That task was not asked for."}
	}
	b = append(b[:0], "<task-data xmlns='"+nsSASL2+"'><salt xmlns='"+nsSCRAMUpgrade+"' iterations='"...)
	b = append(strconv.AppendInt(b, int64(iterations), 10), "'>"...)
	b = append(base64.StdEncoding.AppendEncode(b, salt), "</salt></task-data>"...)
	if err := n.write(b); err != nil {
		return &connError{err}
	}
	if el, err = n.reply(sasl2); err != nil {
		return err
	}
	if el.Name.Local != "task-data" {
		return &fault{xstream.PolicyViolation, "the data of the task were due"}
	}
	hash, ok := el.Only(nsSCRAMUpgrade, "hash")
	if !ok {
		return &saslError{cond: saslMalformedRequest}
	}
	salted, _, err := saslData(hash)
	if err != nil {
		return err
	}
	switch err := n.srv.identity.AddSCRAM(ctx, n.c.ses, u.hash, salted); {
	case errors.Is(err, identity.ErrInvalid):
		return &saslError{cond: saslMalformedRequest}
	case errors.Is(err, identity.ErrNotFound): // somebody else was first, or the password is another one by now
	case err != nil:
		n.c.log.Error("no upgrade of keys", slog.Any("", n.c.ses), "task", u.task, "error", err)
	}
	return nil
}
