package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"trivium/doctor"
)

// https says whether passwords go over the network in the clear.
func (p *patient) https(context.Context) []doctor.Result {
	const id = "web.https"
	w := p.cfg.Web
	switch {
	case len(w.Listen)+len(w.TLSListen) == 0:
		return one(skipped(id, "https", "the web pages are off"))
	case len(w.TLSListen) > 0 && w.Plain == "redirect":
		return one(good(id, "https, and plain http leads there"))
	case len(w.TLSListen) > 0 && len(w.Listen) > 0:
		return one(warning(id, "https, and the pages over plain http too", "who types the address without https:// logs in in the clear", `set web.plain = "redirect"`))
	case len(w.TLSListen) > 0:
		return one(good(id, "https"))
	case onlyLoopback(w.Listen):
		return one(good(id, "plain http, on this machine alone"))
	case strings.HasPrefix(w.PublicURL, "https://"):
		return one(good(id, "plain http behind a proxy that serves https"))
	}
	return one(failed(id, "the pages are served without https", "passwords cross the network in the clear, and passkeys do not work", `set web.tls_listen = ":443"`))
}

// proxies says whether the addresses of clients are theirs.
func (p *patient) proxies(context.Context) []doctor.Result {
	const id = "web.proxy"
	w := p.cfg.Web
	trusted := len(w.TrustedProxies)+len(w.ProxyFrom) > 0
	switch behind := len(w.TLSListen) == 0 && strings.HasPrefix(w.PublicURL, "https://"); {
	case behind && !trusted:
		return one(warning(id, "a proxy is in front and its headers are not believed", "every client has the address of the proxy: one who guesses passwords gets everybody banned", "set web.trusted_proxies to the proxy's address"))
	case !trusted:
		return one(skipped(id, "proxy headers", "no proxy is configured"))
	case len(w.ProxyFrom) > 0:
		return one(good(id, "clients are named by PROXY headers"))
	}
	for _, from := range w.TrustedProxies {
		if from.Bits() == 0 {
			return one(failed(id, "web.trusted_proxies has "+from.String(), "everybody can say that they come from anywhere: bans and classes are worth nothing", "name the proxy's own address alone"))
		}
	}
	return one(good(id, "proxy headers count from the proxies alone"))
}

// askWeb bounds one request to the own pages.
const askWeb = 8 * time.Second

// publicURL asks for the pages as people do, with the methods that resumable uploads need.
func (p *patient) publicURL(ctx context.Context) []doctor.Result {
	const id = "web.public"
	if !p.live {
		return one(skipped(id, "the public address", "the server is not running"))
	}
	base := p.status.baseURL()
	client, done, err := p.ownClient(base)
	if err != nil {
		return one(skipped(id, "the public address", err.Error()))
	}
	defer done()
	var list []doctor.Result
	res, err := askOwn(ctx, client, http.MethodGet, base+"/healthz")
	switch {
	case err != nil:
		why := "no browser on this machine reaches it; behind a NAT that may be so for this machine alone"
		var wrong *tls.CertificateVerificationError
		if errors.As(err, &wrong) {
			why = "the certificate there is not for this name, or nobody vouches for it: " + wrong.Err.Error()
		}
		return one(warning(id, base+" does not answer", why, "look at name, port forwarding and proxy; web.public_url says which address is meant"))
	case res.StatusCode != http.StatusOK || res.Header.Get("X-Request-Id") == "":
		return one(failed(id, base+" leads to something else", "another server answers there ("+res.Status+")", "set web.public_url to the address of these pages"))
	}
	list = append(list, good(id, base+" leads here"))
	for _, m := range []struct{ method, path string }{{http.MethodHead, "/healthz"}, {http.MethodPatch, "/files/"}} {
		mid := id + "." + strings.ToLower(m.method)
		res, err := askOwn(ctx, client, m.method, base+m.path)
		switch {
		case err != nil:
			list = append(list, warning(mid, m.method+" does not reach the server", err.Error(), "let the proxy pass it on"))
		case res.Header.Get("X-Request-Id") == "":
			list = append(list, warning(mid, m.method+" does not reach the server", "something in front answered "+res.Status+": uploads cannot be resumed", "let the proxy pass HEAD and PATCH on"))
		default:
			list = append(list, good(mid, m.method+" reaches the server"))
		}
	}
	return list
}

// ownClient asks nobody but the host of the own address, and believes the own certificate.
func (p *patient) ownClient(base string) (*http.Client, func(), error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return nil, nil, errors.New("it is not known")
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if src, err := p.certs(); err == nil && src != nil {
		roots.AddCert(src.Leaf())
	}
	t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, Proxy: nil,
		DialContext: (&net.Dialer{Timeout: askWeb / 2}).DialContext}
	c := &http.Client{Transport: t, Timeout: askWeb, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, t.CloseIdleConnections, nil
}

func askOwn(ctx context.Context, c *http.Client, method, at string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, at, http.NoBody)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "trivium-doctor")
	res, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	return res, res.Body.Close()
}
