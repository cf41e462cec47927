package backup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"filippo.io/age"
)

// Format is the version of the form of archives that this program writes, and the highest that it reads.
const Format = 1

// Names of members.
const (
	headName     = "trivium-backup.json"
	sumsName     = "SHA256SUMS"
	manifestName = "manifest.json"
	databaseName = "database.sqlite"
	dataPrefix   = "data/"
	configPrefix = "config/"
	filesPrefix  = "files/"
)

// Bounds of what is read of an archive.
const (
	maxHead   = 1 << 20 // bytes of head or manifest
	maxSmall  = 8 << 20 // bytes of a member below data/ and config/
	maxPath   = 4096    // bytes
	maxName   = 255     // bytes of one name in it
	maxLinks  = 1 << 20
	maxWindow = 64 << 20 // bytes of memory that a zstd frame may ask for
)

// Errors of reading. Each comes with a sentence that says which member it is about.
var (
	ErrNotBackup = errors.New("this is no backup of Trivium")
	ErrTruncated = errors.New("the archive ends too early: it was cut off, or not copied to its end, or a length in it is damaged")
	ErrDamaged   = errors.New("the archive is damaged")
	ErrMissing   = errors.New("the archive lacks something that its list names")
	ErrNewer     = errors.New("the archive was made by a newer program. Use that version of Trivium, or a later one")
	ErrUnsafe    = errors.New("the archive has a member that no backup has; nothing of it is used")
	ErrEncrypted = errors.New("the archive is encrypted, and none of the keys opens it. Name the file of the key with --identity")
)

// Head begins an archive.
type Head struct {
	Format  int       `json:"format"`
	Version string    `json:"version"` // of the program
	Domain  string    `json:"domain"`
	Began   time.Time `json:"began_at"`
	Engine  string    `json:"engine"` // of the database that was copied: sqlite or postgres
}

// Manifest ends an archive.
type Manifest struct {
	Head
	Ended    time.Time        `json:"ended_at"`
	Members  int64            `json:"members"` // those that SHA256SUMS names
	Files    int64            `json:"files"`   // of people
	Folders  int64            `json:"folders"`
	Links    int64            `json:"links"`
	Bytes    int64            `json:"bytes"`     // of all members
	Database int64            `json:"database"`  // bytes
	Rows     map[string]int64 `json:"rows"`      // by table
	Versions map[string]int64 `json:"versions"`  // of the tables, by module
	Without  []string         `json:"without"`   // what is not in it, in sentences
	Unsteady []string         `json:"unsteady"`  // files that another program changed while they were read, the first hundred
	Sums     string           `json:"sums_hash"` // SHA-256 of SHA256SUMS in hex
}

// Progress is how far something is.
type Progress struct {
	Stage string `json:"stage"` // database, files or verify
	Done  int64  `json:"done"`  // bytes
	Total int64  `json:"total"` // bytes; 0: not known
	Files int64  `json:"files"`
}

// checkName refuses names that lead elsewhere, or nowhere.
func checkName(name string) error {
	clean := strings.TrimSuffix(name, "/")
	bad := clean == "" || len(name) > maxPath || strings.ContainsRune(name, 0) || path.IsAbs(clean) || path.Clean(clean) != clean
	for part := range strings.SplitSeq(clean, "/") {
		bad = bad || part == "" || part == "." || part == ".." || len(part) > maxName
	}
	if bad {
		return fmt.Errorf("%w: the name %q", ErrUnsafe, shorten(name))
	}
	return nil
}

// shorten keeps a name from filling a message.
func shorten(name string) string {
	const most = 120
	if len(name) > most {
		return name[:most] + "…"
	}
	return name
}

// sumLine is the line of a member as sha256sum(1) writes it.
func sumLine(hash []byte, name string) string {
	mark := ""
	if strings.ContainsAny(name, "\\\n\r") {
		mark = `\`
		name = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(name)
	}
	return fmt.Sprintf("%s%x  %s\n", mark, hash, name)
}

// nameOfLine is the name in such a line.
func nameOfLine(line string) string {
	escaped := strings.HasPrefix(line, `\`)
	_, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
	if escaped {
		name = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r").Replace(name)
	}
	return name
}

// ParseRecipient reads a key to encrypt to: age1….
func ParseRecipient(text string) (age.Recipient, error) {
	list, err := age.ParseRecipients(strings.NewReader(text))
	if err != nil || len(list) != 1 {
		return nil, errors.New("is no public key of age. Make a pair with age-keygen -o backup.key; it prints the public one, age1…")
	}
	return list[0], nil
}

// ReadIdentities reads the keys of a file that age-keygen(1) has made.
func ReadIdentities(r io.Reader) ([]age.Identity, error) {
	return age.ParseIdentities(io.LimitReader(r, maxHead))
}

// regular reports whether a mode is that of a file with content.
func regular(m fs.FileMode) bool { return m.Type() == 0 }
