// Package strength estimates how many guesses a password stands up to, by the model of zxcvbn
// (D. Wheeler, USENIX Security 2016): the password is cut into pieces that somebody who guesses would
// try early (common passwords, words, names, repeats, sequences, rows of the keyboard, years and
// dates) and what lies between, in the way that is cheapest to guess.
//
// Done: dictionaries with exchanged letters and backwards, upper case, the person's own words. Not
// done: keyboards other than QWERTY and QWERTZ, languages other than English.
//
// The lists of passwords, words and names are those of zxcvbn (MIT licence, Dropbox Inc. and Nathan
// Button), shortened: one entry to a line, the commonest first.
package strength
