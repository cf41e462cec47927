package identity

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
)

// NameKind is a kind of subject alternative name (RFC 5280 section 4.2.1.6).
type NameKind string

// The kinds. NameProfileEmail is no kind of its own: an e-mail address that means the account in whose
// profile it stands.
const (
	NameXMPP         NameKind = "xmpp"          // id-on-xmppAddr (RFC 6120 section 13.7.1.4)
	NameEmail        NameKind = "email"         // rfc822Name, which is the address of an account here
	NameProfileEmail NameKind = "profile-email" // rfc822Name, as it stands in the profile of one account alone
	NameURI          NameKind = "uri"
	NameDNS          NameKind = "dns"
)

// CertificateName says which names in certificates of a trusted authority mean which account.
type CertificateName struct {
	Kind NameKind
	// Before and After stand around the login in a URI or DNS name; "" in the others, whose text is an
	// address.
	Before, After string
}

const loginMark = "{login}"

// ParseCertificateName reads xmpp, email, profile-email, uri:https://example.org/~{login} or
// dns:{login}.people.example.org. The error wraps ErrInvalid.
func ParseCertificateName(text string) (CertificateName, error) {
	kind, pattern, has := strings.Cut(text, ":")
	switch k := NameKind(kind); k {
	case NameXMPP, NameEmail, NameProfileEmail:
		if !has {
			return CertificateName{Kind: k}, nil
		}
	case NameURI, NameDNS:
		before, after, ok := strings.Cut(pattern, loginMark)
		if k == NameDNS {
			before, after = strings.ToLower(before), strings.ToLower(after)
		}
		if ok && before+after != "" && !strings.Contains(after, loginMark) {
			return CertificateName{k, before, after}, nil
		}
	}
	return CertificateName{}, faultf(ErrInvalid, "%q is no rule for names of certificates; it is xmpp, email, profile-email, uri:PATTERN or dns:PATTERN, where PATTERN has {login} once, as in dns:{login}.people.example.org", text)
}

// login is the account that a name means, as a login or an address; false: none.
func (r CertificateName) login(n certName) (string, bool) {
	if r.Kind != n.kind {
		return "", false
	}
	text := n.text
	switch r.Kind {
	case NameXMPP, NameEmail:
		bare, _, _ := strings.Cut(text, "/")
		return bare, strings.Count(bare, "@") == 1
	case NameDNS:
		text = strings.ToLower(text)
	}
	text, ok := strings.CutPrefix(text, r.Before)
	if !ok {
		return "", false
	}
	text, ok = strings.CutSuffix(text, r.After)
	// The login is one label or one segment: nothing of what stands around it.
	return text, ok && text != "" && !strings.ContainsAny(text, "@/.?#%:*")
}

// certName is one name in a certificate.
type certName struct {
	kind NameKind
	text string
}

// namesOf lists the names of a certificate of the kinds that a rule can have, at most maxNames of each.
func namesOf(cert *x509.Certificate) (all []certName) {
	add := func(kind NameKind, list []string) {
		for _, text := range list[:min(len(list), maxNames)] {
			all = append(all, certName{kind, text})
		}
	}
	add(NameXMPP, XMPPAddrs(cert))
	add(NameEmail, cert.EmailAddresses)
	add(NameDNS, cert.DNSNames)
	var uris []string
	for _, u := range cert.URIs {
		uris = append(uris, u.String())
	}
	add(NameURI, uris)
	return all
}

// XMPPAddrs are the addresses of a certificate for chat, as they stand there: otherNames of the type
// id-on-xmppAddr among its subject alternative names (RFC 6120 section 13.7.1.4), 16 at most.
func XMPPAddrs(cert *x509.Certificate) []string {
	i := slices.IndexFunc(cert.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) })
	if i < 0 {
		return nil
	}
	return parseAltNames(cert.Extensions[i].Value)
}

func parseAltNames(der []byte) []string {
	var names asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &names); err != nil || len(rest) > 0 || names.Class != asn1.ClassUniversal || names.Tag != asn1.TagSequence {
		return nil
	}
	var list []string
	for rest := names.Bytes; len(rest) > 0 && len(list) < maxNames; {
		var name asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &name); err != nil {
			return list
		}
		if name.Class != asn1.ClassContextSpecific || name.Tag != 0 || !name.IsCompound {
			continue
		}
		var id asn1.ObjectIdentifier
		var value asn1.RawValue
		after, err := asn1.Unmarshal(name.Bytes, &id)
		if err != nil || !id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 5}) {
			continue
		}
		if after, err = asn1.Unmarshal(after, &value); err != nil || len(after) > 0 || value.Class != asn1.ClassContextSpecific || value.Tag != 0 {
			continue
		}
		var text asn1.RawValue
		if after, err = asn1.Unmarshal(value.Bytes, &text); err != nil || len(after) > 0 || text.Class != asn1.ClassUniversal || text.Tag != asn1.TagUTF8String {
			continue
		}
		list = append(list, string(text.Bytes))
	}
	return list
}
