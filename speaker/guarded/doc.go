// Package guarded is the engine's end of a link to a guard (package speaker/link): the half of a speaker.Speaker through which routes go.
//
//	guard ──► link.Reader ──► link.Decoder ──► speaker.Queue ──► the role's loop        (in.go)
//	guard ◄── socket ◄── at rest at once, in a flood gathered ◄── Announce, Withdraw    (out.go)
//
// What is announced is remembered, and told anew to each guard that comes, and so is Whole. A link that is lost ends the sessions for the role; the guard
// that comes next tells them again, in a new epoch each. The link is dialled until Run ends.
//
// Sessions, GoBGP and people are not its business: package cmd/internal/bgp joins them.
package guarded
