package web

import (
	"trivium/files"
	"trivium/web/text"
)

// quota is the bar of used space.
type quota struct {
	files.Quota
	Percent int   // of the limit that is nearer: bytes or files
	Grace   stamp // when the soft limit becomes the limit; zero: it is not passed
	Ended   bool  // it has
	Held    int64 // of it, in trash and old versions
	words   *text.Language
}

// Limited reports whether there is a bar to show.
func (q quota) Limited() bool { return q.LimitBytes > 0 || q.LimitFiles > 0 }

// Words says what is used, of how much.
func (q quota) Words() string {
	if q.LimitBytes <= 0 {
		return q.words.T("quota.used", q.words.Bytes(q.Bytes))
	}
	return q.words.T("quota.used_of", q.words.Bytes(q.Bytes), q.words.Bytes(q.LimitBytes), percent(q.Bytes, q.LimitBytes))
}

// FileWords says how many files and folders there are.
func (q quota) FileWords() string {
	if q.LimitFiles <= 0 {
		return q.words.T("quota.entries", q.Files)
	}
	return q.words.T("quota.entries_of", q.words.Number(q.Files), q.LimitFiles, percent(q.Files, q.LimitFiles))
}

// SoftWords is the soft limit that is passed.
func (q quota) SoftWords() string {
	if q.SoftBytes >= 0 && q.Bytes > q.SoftBytes {
		return q.words.Bytes(q.SoftBytes)
	}
	return q.words.T("quota.entries", q.SoftFiles)
}

// quota is the quota of the tree in which p lies; nil where there is none to show.
func (s *Server) quota(v *visit, at *page, p string) *quota {
	if v.creds.Anonymous() {
		return nil
	}
	held, err := s.opt.Files.View(v.browser.Session).Quota(v.ctx(), p)
	if err != nil || held.Free < 0 && held.LimitBytes < 0 && held.Bytes == 0 {
		return nil // only mounts
	}
	q := &quota{Quota: held, words: v.words, Percent: max(percent(held.Bytes, held.LimitBytes), percent(held.Files, held.LimitFiles))}
	if !held.GraceEnds.IsZero() {
		q.Grace, q.Ended = at.Stamp(held.GraceEnds), !s.now().Before(held.GraceEnds)
	}
	if q.Held, err = s.opt.Files.View(v.browser.Session).Held(v.ctx(), p); err != nil {
		q.Held = 0 // it is only shown
	}
	return q
}

// percent is at most 100; 0 where there is no limit.
func percent(n, limit int64) int {
	if limit <= 0 {
		return 0
	}
	return int(min(100, float64(n)/float64(limit)*100))
}
