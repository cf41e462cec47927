package app

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"trivium/doctor"
	"trivium/identity"
)

// maintenance says whether people are kept out.
func (p *patient) maintenance(context.Context) []doctor.Result {
	const id = "maintenance"
	if p.identity == nil {
		return one(skipped(id, "maintenance", "there is no account store"))
	}
	m := p.identity.Maintenance()
	if !m.On {
		return one(good(id, "no maintenance: the server is open"))
	}
	since := m.Since.Format("2006-01-02 15:04 MST")
	title := fmt.Sprintf("the server is in maintenance since %s", since)
	if m.Message != "" {
		title = fmt.Sprintf("the server is in maintenance since %s: %s", since, m.Message)
	}
	return one(warning(id, title, "only administrators can log in", "trivium maintenance off"))
}

// administrators says whether somebody can help when one of them is away.
func (p *patient) administrators(ctx context.Context) []doctor.Result {
	const id = "accounts.administrators"
	all, _, err := p.countAdministrators(ctx)
	switch {
	case err != nil:
		return one(failed(id, "the accounts cannot be read", err.Error(), "trivium doctor storage"))
	case all == 0:
		return one(warning("accounts.none", "there is no administrator", "nobody can change anything on the pages", "open the link of: trivium setup-link"))
	case all == 1:
		return one(warning(id, "there is only one administrator", "when that password is lost, only the command line of this machine helps", "trivium user add NAME --level admin"))
	}
	return one(good(id, count(all, "administrator")))
}

// factors says how many of them a stolen password is enough for.
func (p *patient) factors(ctx context.Context) []doctor.Result {
	const id = "accounts.factors"
	all, without, err := p.countAdministrators(ctx)
	switch {
	case err != nil:
		return one(failed(id, "the accounts cannot be read", err.Error(), "trivium doctor storage"))
	case all == 0:
		return one(skipped(id, "second factors", "there is no administrator"))
	case without > 0:
		title := fmt.Sprintf("%d of %s have no second factor", without, count(all, "administrator"))
		if without == 1 {
			title = fmt.Sprintf("%d of %s has no second factor", without, count(all, "administrator"))
		}
		return one(warning(id, title, "a stolen or guessed password is enough to own this server",
			`they add one at /security; identity.second_factor = "admin" asks for it`))
	}
	return one(good(id, "all administrators have a second factor"))
}

// countAdministrators counts the active accounts of administrators, and those without a second factor.
func (p *patient) countAdministrators(ctx context.Context) (all, without int, err error) {
	no := false
	for _, l := range identity.Levels() {
		if !l.Holdable() || !l.Allows(identity.LevelAdmin) {
			continue
		}
		n, err := p.identity.CountUsers(ctx, identity.UserFilter{Level: &l, State: identity.UserActive})
		if err != nil {
			return 0, 0, err
		}
		m, err := p.identity.CountUsers(ctx, identity.UserFilter{Level: &l, State: identity.UserActive, Factor: &no})
		if err != nil {
			return 0, 0, err
		}
		all, without = all+n, without+m
	}
	return all, without, nil
}

// clock asks the kernel whether something keeps it right (adjtimex(2)).
func (p *patient) clock(context.Context) []doctor.Result {
	const id = "system.clock"
	if p.cfg.Dev {
		return one(skipped(id, "clock", "this is a development server (--dev)"))
	}
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return one(skipped(id, "clock", "the kernel does not say: "+err.Error()))
	}
	if state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0 {
		return one(warning(id, "the clock is not synchronised", "one-time codes, tokens and certificates fail when it is wrong by a minute", "run a time service, such as systemd-timesyncd or chrony; in a container it is the host's to do"))
	}
	return one(good(id, fmt.Sprintf("the clock is synchronised (within %s)", (time.Duration(t.Esterror)*time.Microsecond).Round(time.Millisecond))))
}

// spareFiles are those of database, log, listeners and what is being read at the moment.
const spareFiles = 500

// openFiles compares what the system allows with what the limits do.
func (p *patient) openFiles(context.Context) []doctor.Result {
	const id = "system.files"
	if p.cfg.Dev {
		return one(skipped(id, "open files", "this is a development server (--dev)"))
	}
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return one(skipped(id, "open files", err.Error()))
	}
	title := fmt.Sprintf("%d open files allowed", l.Cur)
	sessions := p.limits().Sessions
	if sessions == 0 {
		return one(skipped(id, title, "limits.sessions is 0: there is no number to compare it with"))
	}
	if need := uint64(sessions) + spareFiles; need > l.Cur { //nolint:gosec // not negative
		return one(warning(id, title, fmt.Sprintf("limits.sessions allows %d sessions: beyond the files nobody can connect, and nothing can be written", sessions),
			fmt.Sprintf("LimitNOFILE=%d in the unit file (ulimit -n), or a lower limits.sessions", need)))
	}
	return one(good(id, title+fmt.Sprintf(", for %d sessions", sessions)))
}

// auditChain follows the log from its beginning.
func (p *patient) auditChain(ctx context.Context) []doctor.Result {
	const id = "audit.chain"
	proof, err := p.identity.VerifyAudit(ctx)
	switch {
	case ctx.Err() != nil:
		return one(skipped(id, "audit log", "it is long, and the check was not done in time: trivium audit verify"))
	case err != nil:
		return one(failed(id, "the audit log cannot be read", err.Error(), "trivium doctor storage"))
	case len(proof.Faults) > 0:
		return one(failed(id, fmt.Sprintf("the audit log was changed: %s", count(len(proof.Faults), "fault")), proof.Faults[0].Text, "trivium audit verify says where; compare with a backup"))
	}
	return one(good(id, fmt.Sprintf("the audit log is whole (%s)", count(int(proof.Rows), "row"))))
}
