package web

import (
	"encoding/xml"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"trivium/identity"
)

// Link is an address on this server that programs find by its relation (RFC 6415 section 3).
type Link struct {
	Rel    string
	Scheme string // "https" or "wss"
	Path   string
}

// hostLink is a Link as it is written, in XML and in JSON.
type hostLink struct {
	Rel  string `xml:"rel,attr" json:"rel"`
	Href string `xml:"href,attr" json:"href"`
}

// hostMetaAge is how long a client may keep the document.
const hostMetaAge = "max-age=600"

// getHostMeta answers the document of RFC 6415 section 2.
func (s *Server) getHostMeta(v *visit) error {
	links := s.hostLinks(v.Request())
	if links == nil {
		return errAbsent
	}
	b, err := xml.MarshalIndent(struct {
		XMLName xml.Name   `xml:"http://docs.oasis-open.org/ns/xri/xrd-1.0 XRD"`
		Links   []hostLink `xml:"Link"`
	}{Links: links}, "", "  ")
	if err != nil {
		return err
	}
	forAll(v.Response().Header())
	return v.Blob(http.StatusOK, "application/xrd+xml; charset=utf-8", append([]byte(xml.Header), b...))
}

// getHostMetaJSON answers it in the form of RFC 6415 appendix A.
func (s *Server) getHostMetaJSON(v *visit) error {
	links := s.hostLinks(v.Request())
	if links == nil {
		return errAbsent
	}
	forAll(v.Response().Header())
	return v.JSON(http.StatusOK, struct {
		Links []hostLink `json:"links"`
	}{links})
}

// forAll lets pages of every site read an answer (XEP-0156 section 3): it is the same for everybody.
func forAll(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Cache-Control", hostMetaAge)
}

// hostLinks are the links of the host that is asked for; nil where it is no domain of ours, and where
// there is no TLS, without which none may be followed (XEP-0156 section 2.2).
func (s *Server) hostLinks(r *http.Request) []hostLink {
	name, port := r.Host, ""
	if host, p, err := net.SplitHostPort(r.Host); err == nil {
		name, port = host, p
	}
	domain, err := identity.ParseDomain(name)
	if err != nil || !s.ours(domain) {
		return nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) {
		return nil
	}
	var at string
	switch public, err := url.Parse(s.opt.Config.PublicURL); {
	case err == nil && public.Scheme == "https" && public.Host != "":
		at = public.Host
	case s.secure(r) && port != "":
		at = net.JoinHostPort(name, port)
	case s.secure(r):
		at = name
	case s.opt.TLS != nil && len(s.opt.Config.TLSListen) > 0:
		at = strings.TrimPrefix(strings.TrimSuffix(s.httpsBase(r), string(s.below)), "https://")
	default:
		return nil
	}
	var links []hostLink
	for _, l := range s.opt.Links {
		links = append(links, hostLink{l.Rel, (&url.URL{Scheme: l.Scheme, Host: at, Path: s.below.add(l.Path)}).String()})
	}
	return links
}

// ours reports whether accounts have their addresses in a domain.
func (s *Server) ours(domain string) bool {
	for _, d := range append([]string{s.opt.Domain}, s.opt.Domains...) {
		if own, err := identity.ParseDomain(d); err == nil && own == domain {
			return true
		}
	}
	return false
}
