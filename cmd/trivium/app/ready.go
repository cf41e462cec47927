package app

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"trivium/config"
)

// Bound is a listener that is open.
type Bound struct {
	Name string `json:"name"` // ftp, ftps, web, https, xmpp, xmpps
	Addr string `json:"addr"`
	TLS  string `json:"tls"`
}

// ready is the line on stdout that scripts wait for.
type ready struct {
	Event     string  `json:"event"`
	Listeners []Bound `json:"listeners"`
	Setup     string  `json:"setup,omitempty"`
	TookMS    int64   `json:"took_ms"`
}

func printReady(w io.Writer, bound []Bound, setup string, took time.Duration) error {
	return json.NewEncoder(w).Encode(ready{"ready", bound, setup, took.Milliseconds()})
}

// printBanner is the ready line for a person.
func printBanner(w io.Writer, cfg *config.Config, version string, bound []Bound, setup string) {
	var b strings.Builder
	fmt.Fprintf(&b, "\n  Trivium %s — FTP, web and XMPP, one account\n\n", version)
	if setup != "" {
		fmt.Fprintf(&b, "  No administrator yet. Open this link to create one (valid until used):\n      %s\n\n", setup)
	}
	for _, l := range bound {
		switch l.Name {
		case "web":
			fmt.Fprintf(&b, "  Web     http://%s\n", hostPort(cfg.Domain, l.Addr))
		case "https":
			fmt.Fprintf(&b, "  Web     https://%s\n", hostPort(cfg.Domain, l.Addr))
		case "ftp":
			fmt.Fprintf(&b, "  FTP     ftp://%-24s explicit TLS %s, passive %s\n", hostPort(cfg.Domain, l.Addr), cfg.FTP.TLS, cfg.FTP.PassivePorts)
		case "ftps":
			fmt.Fprintf(&b, "  FTP     ftps://%-23s implicit TLS\n", hostPort(cfg.Domain, l.Addr))
		case "xmpp":
			fmt.Fprintf(&b, "  XMPP    %-30s address user@%s, STARTTLS %s\n", hostPort(cfg.Domain, l.Addr), cfg.Domain, cfg.XMPP.TLS)
		case "xmpps":
			fmt.Fprintf(&b, "  XMPP    %-30s direct TLS\n", hostPort(cfg.Domain, l.Addr))
		}
	}
	file := cfg.File
	if file == "" {
		file = "none (defaults)"
	}
	fmt.Fprintf(&b, "  Data    %s      Config  %s      Log  %s\n", cfg.DataDir, file, cfg.Log.Level)
	b.WriteString("  Press Ctrl-C to stop.\n\n")
	_, _ = io.WriteString(w, b.String())
}

// hostPort shows the domain in the place of an address that a person would not type.
func hostPort(domain, addr string) string {
	i := strings.LastIndexByte(addr, ':')
	if i < 0 {
		return addr
	}
	switch host := addr[:i]; host {
	case "127.0.0.1", "[::1]", "0.0.0.0", "[::]", "":
		return domain + addr[i:]
	}
	return addr
}
