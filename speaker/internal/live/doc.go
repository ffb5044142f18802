// Package live is what tests of real speakers share: addresses on loopback, patience, a record of what a speaker's peers said, FRR, and a network namespace
// for those who need one of their own.
package live
