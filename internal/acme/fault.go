package acme

import (
	"errors"
	"strings"
	"unicode"

	"github.com/mholt/acmez/v3/acme"
)

// fault is why an order failed.
type fault struct {
	Code   string `json:"code"`
	Detail string `json:"detail"` // what the authority said, or the network
}

func (f *fault) Error() string {
	text := words(f.Code).trouble
	if f.Detail != "" {
		text += ": " + f.Detail
	}
	return text
}

// maxDetail bounds what is kept of an authority's words.
const maxDetail = 500

// faultOf reads why an order failed out of an error.
func faultOf(err error) *fault {
	var f *fault
	if errors.As(err, &f) {
		return f
	}
	p, ok := problemOf(err)
	if !ok {
		return &fault{"unreachable", clean(err.Error())}
	}
	detail := p.Detail
	for _, sub := range p.Subproblems { // RFC 8555 section 6.7.1
		detail += "; " + sub.Detail
	}
	return &fault{codeOf(p.Type), clean(detail)}
}

// problemOf is the problem document in an error (RFC 8555 section 6.7).
func problemOf(err error) (acme.Problem, bool) {
	var p acme.Problem
	if errors.As(err, &p) {
		return p, true
	}
	var at *acme.Problem
	if errors.As(err, &at) && at != nil {
		return *at, true
	}
	return p, false
}

func codeOf(kind string) string {
	switch kind {
	case acme.ProblemTypeDNS:
		return "dns"
	case acme.ProblemTypeConnection:
		return "connection"
	case acme.ProblemTypeTLS:
		return "tls"
	case acme.ProblemTypeUnauthorized, acme.ProblemTypeIncorrectResponse:
		return "elsewhere"
	case acme.ProblemTypeCAA:
		return "caa"
	case acme.ProblemTypeRejectedIdentifier, acme.ProblemTypeUnsupportedIdentifier:
		return "name"
	case acme.ProblemTypeRateLimited:
		return "limit"
	case acme.ProblemTypeExternalAccountRequired, acme.ProblemTypeUserActionRequired, acme.ProblemTypeAccountDoesNotExist:
		return "account"
	case acme.ProblemTypeInvalidContact, acme.ProblemTypeUnsupportedContact:
		return "contact"
	case acme.ProblemTypeServerInternal:
		return "authority"
	}
	return "refused"
}

// said are the words for a fault: what it is, and what to do.
type said struct{ trouble, advice string }

// words are those for a code. Each is one sentence or a half of one, which stands behind a colon.
func words(code string) said {
	switch code {
	case "dns":
		return said{"the DNS name does not resolve", "Let an A or AAAA record of the name lead to this server."}
	case "connection":
		return said{"the authority cannot reach this server under the name", "Let port 80 or 443 of the name lead to this server, through firewall and router."}
	case "tls":
		return said{"the authority gets no right answer by TLS under the name", "Let port 443 of the name lead to this server, and let no proxy between end TLS; or let port 80 lead here."}
	case "elsewhere":
		return said{"another server answers under the name", "Let the records of the name lead to this server alone, IPv6 too, and let a proxy in front pass /.well-known/acme-challenge/ on."}
	case "caa":
		return said{"the CAA records of the name forbid this authority", "Name the authority in a CAA record of the name, or remove those that are there."}
	case "name":
		return said{"the authority issues nothing for the name", "Look whether the name is right, or bring a certificate of another authority."}
	case "limit":
		return said{"the authority has issued or refused too much lately", "Wait; it is tried again by itself. For tries there are directories for testing, in tls.acme_directory."}
	case "account":
		return said{"the authority wants an account that was made there first", "Set tls.acme_eab_kid and tls.acme_eab_hmac_key to what the authority shows you, or take an authority that needs no account, such as Let's Encrypt."}
	case "binding":
		return said{"the authority does not accept the key that the account is to be bound to", "Copy tls.acme_eab_kid and tls.acme_eab_hmac_key anew from the page of the authority; some keys are good once."}
	case "contact":
		return said{"the authority refuses the mail address of the account", "Set tls.acme_email to one that mails can be sent to."}
	case "authority":
		return said{"the authority has a fault of its own", "Wait; it is tried again by itself."}
	case "unreachable":
		return said{"the authority cannot be reached", "Look whether this machine can open connections to the address of tls.acme_directory, and knows its certificate; tls.acme_ca names one of your own."}
	case "challenge":
		return said{"the authority offers no proof that this server can give", "Let port 80 or 443 of the name lead to this server: it proves by HTTP-01 and by TLS-ALPN-01."}
	case "unusable":
		return said{"the authority sent a certificate that cannot be used", "Look at the detail, and at the clock of this machine."}
	case "disk":
		return said{"the certificate cannot be kept", "Let the server write to the folder tls/acme of the data directory."}
	}
	return said{"the authority refuses the order", "Look at the detail, which is what the authority said."}
}

// clean makes what came from outside one short line.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsPrint(r) && r != ' ' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "") + "…"
	}
	return text
}
