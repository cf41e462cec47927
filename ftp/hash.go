package ftp

import (
	"context"
	"encoding/hex"
	"fmt"
	"runtime"
	"strings"
	"time"

	"trivium/files"
)

// firstHash is the algorithm of HASH until OPTS HASH says otherwise.
const firstHash = files.SHA256

// algorithms are in the order of FEAT.
var algorithms = []files.Algorithm{files.SHA1, files.SHA256, files.SHA512, files.MD5, files.CRC32}

// parseAlgorithm reads the name, in any case.
func parseAlgorithm(name string) (files.Algorithm, bool) {
	for _, a := range algorithms {
		if strings.EqualFold(name, string(a)) {
			return a, true
		}
	}
	return "", false
}

// hashPatience is how long a checksum waits for its turn; how many are computed at once is bound
// by hashTurns.
const hashPatience = 20 * time.Second

// hashTurns is how many checksums are computed at once for all sessions together: the others'
// transfers need the disk and the processor too.
func hashTurns() int { return max(2, runtime.GOMAXPROCS(0)) }

// busyHashing is the answer where no turn came: try again (draft-bryan-ftpext-hash-03 section 3.5).
var busyHashing = answer{450, "The server is busy with other checksums; try again later."}

// hashFeature lists the algorithms, the chosen one starred (draft-bryan-ftpext-hash-03 section 3.2).
func (s *session) hashFeature() string {
	var all []string
	for _, a := range algorithms {
		name := string(a)
		if a == s.params.hash {
			name += "*"
		}
		all = append(all, name)
	}
	return "HASH " + strings.Join(all, ";")
}

// optsHash is OPTS HASH: which algorithm it is, and which it is to be.
func (s *session) optsHash(name string) {
	if name != "" {
		a, ok := parseAlgorithm(name)
		if !ok {
			s.reply(501, "Unknown algorithm; "+string(s.params.hash)+" stays.")
			return
		}
		s.params.hash = a
	}
	s.reply(200, string(s.params.hash))
}

// hash is HASH (draft-bryan-ftpext-hash-03): of a whole file, or of what RANG names.
func (s *session) hash(arg string) {
	info, p, tree, ok := s.hashed(arg, 553)
	if !ok {
		return
	}
	from, to := int64(0), info.Size-1
	if g := s.given.rang; g != nil {
		if from, to, ok = g.clipped(info.Size); !ok {
			s.reply(551, "The file ends before that range.")
			return
		}
	}
	a, shown := s.params.hash, printable(arg)
	s.checksum("HASH", tree, p, a, from, to+1, func(sum string) answer {
		// The end is part of the range; an empty file has none and says 0-0.
		return answer{213, fmt.Sprintf("%s %d-%d %s %s", a, from, max(to, 0), sum, shown)}
	})
}

// hashed finds the file of a checksum; where there is none, or it is a folder, it has answered.
func (s *session) hashed(arg string, folder int) (files.Info, string, *files.Tree, bool) {
	p, tree, ok := s.pathFor(arg, s.verb, "HASH")
	if !ok {
		return files.Info{}, "", nil, false
	}
	info, err := tree.Stat(s.ctx, p)
	switch {
	case err != nil:
		s.fail(err)
	case info.Dir:
		s.reply(folder, "It is a folder.")
	case info.Part:
		s.reply(550, absent)
	default:
		return info, p, tree, true
	}
	return files.Info{}, "", nil, false
}

// checksum computes beside the reader and answers by good, which gets the sum in lower-case hex.
func (s *session) checksum(verb string, tree *files.Tree, p string, a files.Algorithm, from, to int64, good func(sum string) answer) {
	turns, wait := s.srv.hashing, s.srv.hashWait
	s.background(verb+" "+printable(p), func(ctx context.Context) answer {
		select {
		case turns <- struct{}{}:
		case <-ctx.Done():
			return failed
		case <-time.After(wait):
			return busyHashing
		}
		defer func() { <-turns }()
		sum, err := tree.Sum(ctx, p, a, from, to)
		if err != nil {
			return s.outcome(err, answer{})
		}
		return good(hex.EncodeToString(sum))
	})
}

// hashing is an X verb: `XSHA256 name`, `XSHA256 "name" first end`, where the end is the first
// byte that no longer counts, as ProFTPD and Serv-U have it.
func hashing(verb string, a files.Algorithm) func(*session, string) {
	return func(s *session, arg string) {
		name, numbers, ok := parseHashed(arg)
		if !ok {
			s.reply(501, verb+` "<file>" [<first byte> <end>]`)
			return
		}
		// A file whose name only looks as if numbers stood behind it is meant.
		if numbers != nil && !strings.HasPrefix(arg, `"`) {
			if p, err := files.Clean(s.params.cwd, arg); err == nil {
				if _, err := s.bound(s.verb, "HASH").Stat(s.ctx, p); err == nil {
					name, numbers = arg, nil
				}
			}
		}
		info, p, tree, ok := s.hashed(name, 550)
		if !ok {
			return
		}
		from, to := int64(0), info.Size
		if numbers != nil {
			from, to = numbers[0], numbers[1]
			if from > to || to > info.Size {
				s.reply(501, fmt.Sprintf("The file has %d bytes: 0 <= first byte <= end <= %d.", info.Size, info.Size))
				return
			}
		}
		s.checksum(verb, tree, p, a, from, to, func(sum string) answer { return answer{250, strings.ToUpper(sum)} })
	}
}

// parseHashed reads a file name, quoted or not, and perhaps two offsets behind it.
func parseHashed(arg string) (name string, numbers []int64, ok bool) {
	if rest, quoted := strings.CutPrefix(arg, `"`); quoted {
		name, rest, ok = unquoteName(rest)
		if !ok || name == "" || rest != "" && rest[0] != ' ' {
			return "", nil, false
		}
		fields := strings.Fields(rest)
		if len(fields) == 0 {
			return name, nil, true
		}
		numbers, ok = parsePair(fields)
		return name, numbers, ok
	}
	if i := strings.LastIndexByte(arg, ' '); i > 0 {
		if j := strings.LastIndexByte(arg[:i], ' '); j > 0 {
			if numbers, ok = parsePair([]string{arg[j+1 : i], arg[i+1:]}); ok {
				return arg[:j], numbers, true
			}
		}
	}
	return arg, nil, arg != ""
}

func parsePair(fields []string) ([]int64, bool) {
	if len(fields) != 2 {
		return nil, false
	}
	a, ok1 := parseOffset(fields[0])
	b, ok2 := parseOffset(fields[1])
	return []int64{a, b}, ok1 && ok2
}

// md5 is MD5 (draft-twine-ftpmd5-00 section 3.1).
func (s *session) md5(arg string) {
	name, quoted := strings.CutPrefix(arg, `"`)
	if quoted {
		var rest string
		var ok bool
		if name, rest, ok = unquoteName(name); !ok || rest != "" {
			s.reply(501, `MD5 "<file>"`)
			return
		}
	}
	info, p, tree, ok := s.hashed(name, 504)
	if !ok {
		return
	}
	shown := printable(arg)
	s.checksum("MD5", tree, p, files.MD5, 0, info.Size, func(sum string) answer {
		return answer{251, shown + " " + strings.ToUpper(sum)}
	})
}
