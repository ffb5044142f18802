// Package bgp joins the parts of a BGP speaker, as both daemons have it: the guard (speaker/guard), which speaks with the peers; the engine's end of the link
// to it (speaker/guarded), through which routes go both ways; and GoBGP (speaker/gobgp), the table for people, which the guard and the engine fill behind.
//
//	peers ◄──► guard ◄── link ──► guarded ◄──► the role
//	             │                   │
//	             └──► inner ──► GoBGP ◄── Changed     gobgp global rib, neighbor … adj-in
//
// In tesd all run in one process (New), in nved the guard in its own (NewGuard, NewEngine).
package bgp
