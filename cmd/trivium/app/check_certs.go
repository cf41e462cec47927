package app

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"trivium/doctor"
	"trivium/internal/certs"
)

// How long before the end of a certificate it is warned of, and called failed.
const (
	certSoon = 14 * 24 * time.Hour
	certNow  = 3 * 24 * time.Hour
)

// certificates looks at what a client gets for each of the names.
func (p *patient) certificates(context.Context) []doctor.Result {
	src, err := p.certs()
	if err != nil {
		return one(failed("certificate", "there is no certificate", err.Error(), "trivium cert list"))
	}
	if src == nil {
		return one(skipped("certificate", "certificates", "none has been made yet; the first start makes one"))
	}
	var list []doctor.Result
	for _, d := range append([]string{p.cfg.Domain}, p.cfg.Domains...) {
		list = append(list, certificate(src, d, time.Now()))
	}
	return list
}

func certificate(src *certs.Source, domain string, now time.Time) doctor.Result {
	id := "certificate." + domain
	i := src.For(domain)
	until := i.Until.Format("2 Jan 2006")
	left := i.Until.Sub(now)
	days := count(int(left/(24*time.Hour)), "day")
	renew := "trivium cert import main --cert FILE --key FILE"
	order, ordered := src.AutomaticFor(domain)
	ordered = ordered && !order.Instead
	if ordered {
		renew = "trivium cert show " + domain
	}
	if ordered && order.Trouble != "" {
		if r, ok := notOrdered(id, domain, i, order, src.Covers(domain) == nil, left, days, renew); ok {
			return r
		}
	}
	switch {
	case src.Covers(domain) != nil:
		return failed(id, "the certificate is not for "+domain, "clients refuse it there: it is for "+cmp.Or(strings.Join(i.Names, ", "), "no name"), renew)
	case left <= 0:
		return failed(id, "the certificate of "+domain+" has expired on "+until, "clients refuse it", renew)
	case now.Before(i.From):
		return failed(id, "the certificate of "+domain+" is not valid yet", "it begins on "+i.From.Format("2 Jan 2006")+"; the clock of this machine may be wrong", "")
	case left < certNow:
		return failed(id, "the certificate of "+domain+" expires in "+days, "after that clients refuse it", renew)
	case left < certSoon:
		return warning(id, "the certificate of "+domain+" expires in "+days, "after that clients refuse it", renew)
	case ordered && i.SelfSigned:
		return warning(id, "the certificate of "+domain+" is on its way from "+order.Authority, "until it is there a self-signed one serves, which browsers warn of", renew)
	case i.SelfSigned:
		return selfSigned(id, domain, i)
	case i.ChainError != "":
		return warning(id, "the certificate of "+domain+" is not trusted by this machine", i.ChainError+". Where the authority is one of your own, that is right; else the file lacks the certificates between", "the file of tls.cert begins with the server's certificate, and those that lead to the authority follow")
	}
	return good(id, domain+" until "+until+", covers web, ftp, xmpp")
}

// notOrdered says what the authority refuses a certificate for. While the old one holds for long that is
// nothing yet: it is tried again.
func notOrdered(id, domain string, i certs.Described, order certs.Automatic, covered bool, left time.Duration, days, fix string) (doctor.Result, bool) {
	switch {
	case !covered:
		return failed(id, "there is no certificate for "+domain+" (ACME: "+order.Trouble+")", order.Advice, fix), true
	case i.SelfSigned:
		return failed(id, "there is no certificate for "+domain+" but a self-signed one (ACME: "+order.Trouble+")", order.Advice, fix), true
	case left <= 0:
		return failed(id, "certificate for "+domain+" has expired (ACME: "+order.Trouble+")", order.Advice, fix), true
	case left < certNow:
		return failed(id, "certificate for "+domain+" expires in "+days+" (ACME: "+order.Trouble+")", order.Advice, fix), true
	case left < certSoon:
		return warning(id, "certificate for "+domain+" expires in "+days+" (ACME: "+order.Trouble+")", order.Advice, fix), true
	}
	return doctor.Result{}, false
}

// selfSigned says what does not work with a certificate that nobody vouches for.
func selfSigned(id, domain string, i certs.Described) doctor.Result {
	title := "the certificate of " + domain + " is self-signed"
	if domain == "localhost" {
		return good(id, title+", which is right for this machine alone")
	}
	return warning(id, title, "browsers show a warning, phones refuse chat without asking, and passkeys do not work until somebody trusts it by hand",
		fmt.Sprintf("get one from an authority such as Let's Encrypt, then: trivium cert import main --cert FILE --key FILE. Until then compare its fingerprint: %s", i.Fingerprint))
}
