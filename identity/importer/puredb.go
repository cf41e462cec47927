package importer

import (
	"fmt"
	"io"
	"strings"
)

// readPureDB reads the text that pure-pw keeps beside its puredb: login, hash, uid, gid, gecos, home,
// upload and download rate (bytes a second), two ratios, connections, quota in files, quota in bytes,
// four lists of addresses, and times of day.
func readPureDB(in io.Reader, each func(Record) error) error {
	right := 0
	err := lines(in, func(n int, line string) error {
		f := strings.Split(line, ":")
		r := Record{Line: n, Login: f[0]}
		if len(f) < 6 {
			r.Login = clip(r.Login)
			r.Fault = fmt.Sprintf("the line has %d fields and not the 18 of Pure-FTPd", len(f))
			return each(r)
		}
		right++
		for len(f) < 18 {
			f = append(f, "")
		}
		r.setHash(f[1])
		var err error
		if r.UID, err = number(f[2]); err == nil {
			r.GID, err = number(f[3])
		}
		if err != nil {
			r.Fault = err.Error()
			return each(r)
		}
		r.Display = f[4]
		r.Home = strings.TrimSuffix(f[5], "/./") // which says that there is no way out
		for _, l := range []struct {
			to   **int64
			text string
		}{{&r.UploadRate, f[6]}, {&r.DownloadRate, f[7]}, {&r.QuotaFiles, f[11]}, {&r.QuotaBytes, f[12]}} {
			if *l.to, err = amount(l.text, 1); err != nil {
				r.warn("left out: %v", err)
			}
		}
		if strings.Join(f[13:17], "") != "" {
			r.warn("it may come from some addresses only, which is not taken over: see classes")
		}
		if f[8] != "" || f[9] != "" {
			r.warn("it has a ratio of uploads to downloads, which there is not here")
		}
		if f[17] != "" {
			r.warn("it may come at some times of day only, which there is not here")
		}
		return each(r)
	}, func(n int) error { return tooLong(n, each) })
	if err == nil && right == 0 {
		return fmt.Errorf("%w: no line is one of Pure-FTPd", errFormat)
	}
	return err
}
