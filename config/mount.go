package config

import (
	"fmt"
	"path/filepath"
	"strings"
)

// validateMounts finds mounts that meet one another, or what belongs to the server.
func (l *loader) validateMounts() {
	rows := l.rows["mount"]
	type standing struct {
		at   given
		path string
		root string
	}
	var before []standing
	for i, fields := range rows {
		m := l.cfg.Mount[i]
		at, named := fields["path"]
		g, rooted := fields["root"]
		if !named {
			continue
		}
		if !rooted && !l.bad["mount.root"] {
			l.fault(at, -1, fmt.Sprintf("mount %s has no root", m.Path), "say which folder it shows: root = \"/srv/media\"")
		}
		if groups, ok := fields["groups"]; ok && len(m.Groups) > 0 && m.Anonymous {
			l.fault(groups, -1, fmt.Sprintf("mount %s: anonymous sessions are in no group; take groups or anonymous away", m.Path), "")
		}
		root := ""
		if rooted {
			if root = resolved(m.Root); !l.goodRoot(g, m, root) {
				root = ""
			}
		}
		for _, b := range before {
			switch {
			case within(b.path, m.Path) || within(m.Path, b.path):
				l.fault(at, -1, fmt.Sprintf("mount %s meets mount %s (%s)", m.Path, b.path, place(b.at)), "")
			case root != "" && b.root != "" && (within(b.root, root) || within(root, b.root)):
				l.fault(g, -1, fmt.Sprintf("mount %s shows files of mount %s (%s) too: %s", m.Path, b.path, place(b.at), m.Root), "")
			default:
				continue
			}
			break
		}
		before = append(before, standing{at, m.Path, root})
	}
}

// goodRoot keeps the server's own folders, and all of the machine, out of a mount.
func (l *loader) goodRoot(g given, m Mount, root string) bool {
	if root == "/" {
		l.fault(g, -1, fmt.Sprintf("mount %s: root is all of this machine", m.Path), "")
		return false
	}
	if !l.ok("data_dir", "files.root") {
		return true
	}
	own := []struct{ key, path string }{{"data_dir", l.cfg.DataDir}}
	if l.cfg.Files.Root != "" {
		own = append(own, struct{ key, path string }{"files.root", l.cfg.FilesRoot()})
	}
	for _, o := range own {
		path := resolved(o.path)
		switch {
		case within(path, root):
			l.fault(g, -1, fmt.Sprintf("mount %s: root lies in %s %s", m.Path, o.key, o.path), "")
			return false
		case within(root, path):
			l.fault(g, -1, fmt.Sprintf("mount %s: root holds %s %s", m.Path, o.key, o.path), "")
			return false
		}
	}
	return true
}

// resolved follows the links of a path, as far as there is something.
func resolved(path string) string {
	path = filepath.Clean(path)
	for rest := ""; ; {
		if to, err := filepath.EvalSymlinks(path); err == nil {
			return filepath.Join(to, rest)
		}
		up := filepath.Dir(path)
		if up == path {
			return filepath.Join(path, rest)
		}
		path, rest = up, filepath.Join(filepath.Base(path), rest)
	}
}

// within reports whether p is base or below it; both are clean.
func within(base, p string) bool {
	return p == base || strings.HasPrefix(p, strings.TrimSuffix(base, "/")+"/")
}
