package files

import (
	"path"
	"slices"
	"strings"

	"trivium/identity"
)

// Resources lists the trees that rules of the policy can be about. The level of a further mount is asked
// beside the policy's.
func (s *Service) Resources() []identity.Known {
	known := func(at, text string) identity.Known {
		return identity.Known{Resource: identity.Resource("file:" + path.Join(at, "**")), Group: identity.GroupFiles, Text: text}
	}
	out := []identity.Known{known("/home", "homes, each its own person's"), known("/groups", "folders of groups, for their members"),
		known("/pub", "what all see")}
	for _, m := range slices.SortedFunc(slices.Values(s.o.Mounts), func(a, b Mount) int { return strings.Compare(a.Path, b.Path) }) {
		k, level := known(m.Path, "a further tree"), m.Level
		k.Own, k.Raises = &level, true
		out = append(out, k)
	}
	return out
}
