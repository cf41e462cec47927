// Package series keeps what a server measures of itself: a few numbers every ten seconds, in memory that
// is bounded, as points of 10 s for 15 minutes, of a minute for a day and of five minutes for a week. A
// file carries them over a restart.
package series
