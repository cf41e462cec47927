package strength

import (
	"math"
	"slices"
	"strings"
	"unicode"
)

// maxRunes is how much of a password is looked at: what follows can only make it stronger, and a long
// one must not cost more.
const maxRunes = 64

// maxWord is the longest piece that is looked up in a list, in characters.
const maxWord = 20

// A common word among this many, with no more than this about it, is weak whatever the signs are.
const maxCore, maxTrim = 2000, 4

// Score is what an estimate comes to, as zxcvbn counts.
type Score int

// The scores, and how many guesses they begin with.
const (
	Risky  Score = iota // below 10³: one of the first tries
	Weak                // 10³: falls to guessing over the network
	Fair                // 10⁶: stands up to that where it is slowed down
	Good                // 10⁸: stands up to guessing over the network
	Strong              // 10¹⁰: holds for a while where the store is stolen
)

// String is the score in words.
func (s Score) String() string {
	return [...]string{"very weak", "weak", "fair", "good", "strong"}[min(max(s, Risky), Strong)]
}

// Kind is what a piece of a password is.
type Kind string

// The kinds of pieces.
const (
	Dictionary Kind = "dictionary" // a common password, word or name
	Own        Kind = "own"        // one of the words given with it
	Repeat     Kind = "repeat"
	Sequence   Kind = "sequence"
	Keyboard   Kind = "keyboard"
	Date       Kind = "date"
	Random     Kind = "random" // nothing that is known
)

// Estimate is what a password was found to be.
type Estimate struct {
	Score  Score
	Digits float64 // log10 of the guesses
	Weak   Kind    // the piece that makes most of it guessable; "" where there is none
}

// piece is a part of the password, from i to j inclusive, that takes so many guesses.
type piece struct {
	i, j    int
	guesses float64
	kind    Kind
}

// Estimate looks at a password; own are words that somebody who guesses at this one would try first,
// such as the account's names. Its cost is bounded whatever the length.
func (e *Estimator) Estimate(password string, own ...string) Estimate {
	text := []rune(password)
	if len(text) > maxRunes {
		text = text[:maxRunes]
	}
	if len(text) == 0 {
		return Estimate{}
	}
	pieces := e.pieces(text, own)
	guesses, path := cheapest(text, pieces)
	out := Estimate{Digits: math.Log10(guesses)}
	for _, limit := range []float64{1e3, 1e6, 1e8, 1e10} {
		if guesses >= limit+5 {
			out.Score++
		}
	}
	// A common word with a few digits and signs about it is what rules of other places have taught
	// people, and whoever guesses knows that.
	core := strings.TrimFunc(strings.ToLower(string(text)), func(r rune) bool { return !unicode.IsLetter(r) })
	if rank := e.ranks[core]; rank > 0 && rank <= maxCore && len(text)-len([]rune(core)) <= maxTrim {
		out.Score, out.Weak = min(out.Score, Weak), Dictionary
	}
	longest := 0
	for _, p := range path {
		if n := p.j - p.i + 1; p.kind != Random && n > longest {
			longest, out.Weak = n, p.kind
		}
	}
	return out
}

// pieces finds all that is known in text.
func (e *Estimator) pieces(text []rune, own []string) []piece {
	low := []rune(strings.ToLower(string(text)))
	if len(low) != len(text) {
		low = text // a letter whose small form is longer
	}
	mine := map[string]int{}
	for _, w := range own {
		if w = strings.ToLower(w); len([]rune(w)) > 2 {
			mine[w] = 1
		}
	}
	out := e.entries(text, low, mine)
	out = append(out, e.repeats(text, low, own)...)
	out = append(out, sequences(low)...)
	out = append(out, keyboards(low)...)
	return append(out, dates(low)...)
}

// leet are the characters that stand for letters.
var leet = strings.NewReplacer("4", "a", "@", "a", "8", "b", "(", "c", "3", "e", "6", "g", "1", "i", "!", "i", "|", "i", "0", "o", "9", "g",
	"$", "s", "5", "s", "7", "t", "+", "t", "%", "x", "2", "z")

// entries finds what stands in a list: as it is, backwards, and with exchanged letters.
func (e *Estimator) entries(text, low []rune, mine map[string]int) (out []piece) {
	look := func(word string) (rank int, kind Kind) {
		if mine[word] > 0 {
			return 1, Own
		}
		return e.ranks[word], Dictionary
	}
	for i := range low {
		for j := i + 2; j < min(len(low), i+maxWord); j++ {
			word := string(low[i : j+1])
			factor := capitals(text[i : j+1])
			if rank, kind := look(word); rank > 0 {
				out = append(out, piece{i, j, float64(rank) * factor, kind})
				continue
			}
			back := slices.Clone(low[i : j+1])
			slices.Reverse(back)
			if rank, kind := look(string(back)); rank > 0 {
				out = append(out, piece{i, j, 2 * float64(rank) * factor, kind})
				continue
			}
			for _, plain := range unleet(word) {
				if rank, kind := look(plain); rank > 0 {
					out = append(out, piece{i, j, 2 * float64(rank) * factor * exchanged(word, plain), kind})
					break
				}
			}
		}
	}
	return out
}

// unleet is word with letters for what stands for them; 1 stands for two.
func unleet(word string) []string {
	if !strings.ContainsAny(word, "4@8(361!|09$57+%2") {
		return nil
	}
	plain := leet.Replace(word)
	out := []string{plain}
	if strings.ContainsAny(word, "1!|") {
		out = append(out, leet.Replace(strings.NewReplacer("1", "l", "!", "l", "|", "l").Replace(word)))
	}
	return out
}

// exchanged is how many ways there are to exchange as many letters.
func exchanged(word, plain string) float64 {
	n, a, b := 0, []rune(word), []rune(plain)
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			n++
		}
	}
	return ways(n, len(a)-n)
}

// capitals is how many ways there are to write as many letters large; the usual ways are few.
func capitals(text []rune) float64 {
	large, small := 0, 0
	for _, r := range text {
		switch {
		case strings.ToLower(string(r)) != string(r):
			large++
		case strings.ToUpper(string(r)) != string(r):
			small++
		}
	}
	first := strings.ToLower(string(text[0])) != string(text[0])
	last := strings.ToLower(string(text[len(text)-1])) != string(text[len(text)-1])
	switch {
	case large == 0:
		return 1
	case small == 0, large == 1 && (first || last):
		return 2
	}
	return ways(large, small)
}

// ways is the number of choices of up to the smaller of a and b out of both.
func ways(a, b int) float64 {
	if a == 0 || b == 0 {
		return 2
	}
	sum, choice := 0.0, 1.0
	for k := 1; k <= min(a, b); k++ {
		choice = choice * float64(a+b-k+1) / float64(k)
		sum += choice
	}
	return sum
}

// cheapest cuts text into pieces, known ones and others between them, so that they take the fewest
// guesses: the product of all, the orders that they can stand in, and the tries with fewer pieces
// before.
func cheapest(text []rune, pieces []piece) (float64, []piece) {
	const (
		perRune   = 10    // guesses of a character that is nothing known
		fewer     = 10000 // guesses that a further piece costs beside its own
		maxPieces = 16
	)
	type state struct {
		product, total float64
		last           piece
		before         int // pieces that come before; -1: no such state
	}
	n := len(text)
	best := make([][maxPieces + 1]state, n)
	for k := range best {
		for l := range best[k] {
			best[k][l].before = -1
		}
	}
	ending := make([][]piece, n)
	for _, p := range pieces {
		ending[p.j] = append(ending[p.j], p)
	}
	factorial := [maxPieces + 1]float64{1}
	for l := 1; l <= maxPieces; l++ {
		factorial[l] = factorial[l-1] * float64(l)
	}
	try := func(k int, p piece) {
		least := 1.0
		if p.j-p.i+1 < n { // a part is not tried alone
			if least = 50; p.i == p.j {
				least = 11
			}
		}
		guesses := max(p.guesses, least)
		update := func(product float64, l int) {
			total := factorial[l]*product + math.Pow(fewer, float64(l-1))
			for m := 1; m <= l; m++ { // one with fewer pieces and fewer guesses is better
				if s := &best[k][m]; s.before >= 0 && s.total <= total {
					return
				}
			}
			best[k][l] = state{product, total, p, l - 1}
		}
		if p.i == 0 {
			update(guesses, 1)
			return
		}
		for l := 1; l < maxPieces; l++ {
			s := &best[p.i-1][l]
			if s.before < 0 || p.kind == Random && s.last.kind == Random {
				continue
			}
			update(s.product*guesses, l+1)
		}
	}
	for k := range n {
		for _, p := range ending[k] {
			try(k, p)
		}
		for i := range k + 1 {
			try(k, piece{i, k, math.Pow(perRune, float64(k-i+1)), Random})
		}
	}
	at := 0
	for l := range best[n-1] {
		s := &best[n-1][l]
		if s.before >= 0 && (at == 0 || s.total < best[n-1][at].total) {
			at = l
		}
	}
	total := best[n-1][at].total
	var path []piece
	for k, l := n-1, at; k >= 0 && l > 0; l-- {
		p := best[k][l].last
		path = append(path, p)
		k = p.i - 1
	}
	slices.Reverse(path)
	return total, path
}
