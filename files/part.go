package files

import (
	"crypto/sha256"
	"encoding/hex"
)

// partKey names the part of the session's account and a canonical path. Anonymous sessions share no
// account, so each has its own parts, and leaves none.
func (v *view) partKey(canon string) string {
	owner := string(v.c.UserID)
	if v.c.Anonymous() {
		owner = "session " + v.who.ID()
	}
	sum := sha256.Sum256([]byte(owner + "\x00" + canon))
	return hex.EncodeToString(sum[:16])
}

func pathLock(key, rel string) string  { return "path:" + key + rel }
func partLock(key, part string) string { return "part:" + key + "/" + part }
func fileLock(n Node) string           { return "file:" + n.Unique }
