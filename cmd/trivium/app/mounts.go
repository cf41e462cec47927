package app

import (
	"fmt"

	"go.uber.org/fx"

	"trivium/config"
	"trivium/files"
	"trivium/files/local"
)

// system reports whether files are those of the users of the system.
func system(cfg *config.Config) bool { return cfg.Files.Ownership == "system" }

// mounts opens the folders of [[mount]]. One that is not there ends the start: a disk that is not
// mounted would else be taken for an empty folder.
func mounts(lc fx.Lifecycle, cfg *config.Config) ([]files.Mount, error) {
	var out []files.Mount
	for _, m := range cfg.Mount {
		store, err := local.OpenTree(m.Root, files.MountKey(m.Path), local.Options{ReadOnly: m.ReadOnly, System: system(cfg)})
		if err != nil {
			return nil, fmt.Errorf("mount %s: the folder %s cannot be opened: make it, or take the mount out of the configuration: %w", m.Path, m.Root, err)
		}
		closeWith(lc, store)
		out = append(out, files.Mount{
			Path: m.Path, Backend: store, Owner: m.Owner, Group: m.Group, Mode: m.TopMode(), Mask: m.Mask(), ReadOnly: m.ReadOnly,
			QuotaBytes: int64(m.Quota), QuotaFiles: int64(m.QuotaFiles), Level: level(m.Level), Groups: m.Groups, Anonymous: m.Anonymous,
		})
	}
	return out, nil
}
