package app

import (
	"context"
	"net/netip"

	"go.uber.org/fx"

	"trivium/config"
	"trivium/internal/geoip"
)

// locator says where addresses are, nil where nobody has a file that tells.
func locator(lc fx.Lifecycle, cfg *config.Config) (func(netip.Addr) string, error) {
	if cfg.Identity.GeoIP == "" {
		return nil, nil
	}
	f, err := geoip.Open(cfg.Identity.GeoIP)
	if err != nil {
		return nil, err
	}
	// Nothing is located once this runs: what was made after it has stopped before it.
	lc.Append(fx.Hook{OnStop: func(context.Context) error { return f.Close() }})
	return f.Locate, nil
}
