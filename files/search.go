package files

import (
	"context"
	"errors"
	"mime"
	"path"
	"strings"
	"time"

	"trivium/identity"
)

// Kind is what sort of file something is, by the end of its name.
type Kind string

// The kinds that a search knows. What is none of them has no kind.
const (
	KindFolder   Kind = "folder"
	KindPicture  Kind = "picture"
	KindAudio    Kind = "audio"
	KindVideo    Kind = "video"
	KindDocument Kind = "document"
	KindArchive  Kind = "archive"
)

// FileKinds lists them.
func FileKinds() []Kind {
	return []Kind{KindPicture, KindAudio, KindVideo, KindDocument, KindArchive, KindFolder}
}

// The ends of names by which a file is of a kind, whatever types the system knows.
const (
	pictureEnds  = " apng avif bmp dng cr2 cr3 gif heic heif ico jfif jpeg jpg jxl nef orf png psd raf raw rw2 svg tif tiff webp xcf "
	audioEnds    = " aac aif aiff alac amr ape flac m4a m4b mid midi mka mp3 oga ogg opus ra wav weba wma "
	videoEnds    = " 3g2 3gp avi flv m2ts m4v mkv mov mp4 mpeg mpg mts ogv vob webm wmv "
	documentEnds = " csv doc docm docx dot dotx epub fodp fods fodt htm html key md mobi numbers odf odg odp ods odt ott pages pdf pot potx pps ppsx ppt pptx ps rst rtf tex tsv txt xhtml xls xlsm xlsx "
	archiveEnds  = " 7z ace ar arj br bz2 cab cpio deb dmg gz iso jar lha lz lz4 lzh lzma rar rpm tar tbz tbz2 tgz txz war xz z zip zst "
)

// KindOf is the kind of an entry; "" where it has none.
func KindOf(i Info) Kind {
	if i.Dir {
		return KindFolder
	}
	ext := path.Ext(i.Name)
	if len(ext) < 2 || len(ext) > 9 || len(ext) == len(i.Name) {
		return ""
	}
	var low [10]byte
	end := append(low[:0], ' ')
	for j := 1; j < len(ext); j++ {
		c := ext[j]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c == ' ' {
			return ""
		}
		end = append(end, c)
	}
	in := func(ends string) bool {
		at := strings.Index(ends, string(end))
		return at >= 0 && ends[at+len(end)] == ' '
	}
	switch {
	case in(pictureEnds):
		return KindPicture
	case in(documentEnds):
		return KindDocument
	case in(archiveEnds):
		return KindArchive
	case in(audioEnds):
		return KindAudio
	case in(videoEnds):
		return KindVideo
	}
	return ""
}

// TypeOf is the media type of a file by the end of its name; "" where nobody knows.
func TypeOf(name string) string { return mime.TypeByExtension(strings.ToLower(path.Ext(name))) }

// Query is what a search wants; all of it must hold. What is zero chooses all.
type Query struct {
	Name   string    // part of the name, whatever its case
	Kind   Kind      // of this kind
	After  time.Time // changed then or later
	Before time.Time // changed earlier
	// Least and Most bound the size, in bytes, of a file; Most 0: no bound. Where either is set there are no folders.
	Least, Most int64
}

// Asks reports whether the query leaves anything out.
func (q Query) Asks() bool { return q != Query{} }

// matcher is a query made ready: what costs least is asked first.
type matcher struct {
	Query
	name string
}

func (m *matcher) fits(i *Info) bool {
	switch {
	case (m.Least > 0 || m.Most > 0) && (i.Dir || i.Size < m.Least || m.Most > 0 && i.Size > m.Most),
		!m.After.IsZero() && i.ModTime.Before(m.After),
		!m.Before.IsZero() && !i.ModTime.Before(m.Before),
		m.Kind != "" && (KindOf(*i) != m.Kind || i.Link):
		return false
	}
	return m.name == "" || strings.Contains(Folded(i.Name), m.name)
}

// Bounds of one search.
const (
	MaxFound    = 500
	MaxSearched = 200_000 // entries that are looked at
	MaxSearch   = 10 * time.Second
)

// Found is the answer to a search. All says that everything was looked at, Many that it ended because there was enough.
type Found struct {
	List []Info
	All  bool
	Many bool
}

var errEnough = errors.New("enough was found or looked at")

// Search lists what below a folder fits, folder by folder, the ones above first. It ends with MaxFound entries, after
// MaxSearched that were looked at, or after MaxSearch, and says so; ctx ends it with an error. Links are not followed.
// A folder further down that may not be read is no answer.
func (t *Tree) Search(ctx context.Context, dir string, q Query) (found Found, err error) {
	m := matcher{Query: q, name: Folded(q.Name)}
	err = t.below(ctx, dir, func(i *Info) error {
		if m.fits(i) {
			found.List = append(found.List, *i)
		}
		if len(found.List) >= MaxFound {
			return errEnough
		}
		return nil
	})
	switch {
	case err == nil:
		found.All = true
	case errors.Is(err, errEnough):
		found.Many, err = len(found.List) >= MaxFound, nil
	}
	return found, err
}

// Measure adds up what lies in a folder as far as the session sees it, within the bounds of a search: files and folders,
// and the bytes of files. all says that everything was looked at.
func (t *Tree) Measure(ctx context.Context, dir string) (bytes, files, folders int64, all bool, err error) {
	err = t.below(ctx, dir, func(i *Info) error {
		if i.Dir {
			folders++
		} else {
			files++
			bytes += i.Size
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return bytes, files, folders, false, nil
	}
	return bytes, files, folders, err == nil, err
}

// below calls fn with each entry below a folder, within the bounds of a search, beyond which it answers errEnough.
func (t *Tree) below(ctx context.Context, dir string, fn func(*Info) error) error {
	limited, cancel := context.WithTimeout(ctx, MaxSearch)
	defer cancel()
	looked := 0
	for queue := []string{dir}; len(queue) > 0; queue = queue[1:] {
		err := t.read(limited, queue[0], func(l *listing) error {
			return l.infos(limited, func(i *Info) error {
				if looked++; looked > MaxSearched {
					return errEnough
				}
				if i.Dir {
					queue = append(queue, i.Path)
				}
				if err := fn(i); err != nil {
					return err
				}
				return limited.Err()
			})
		})
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errEnough), limited.Err() != nil:
			return errEnough
		case errors.Is(err, identity.ErrEnded):
			return err
		case queue[0] == dir:
			return err
		}
	}
	return nil
}
