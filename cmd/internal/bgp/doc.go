// Package bgp joins the two halves of a BGP speaker, as both daemons have it: the guard (speaker/guard), which speaks with the peers, and GoBGP
// (speaker/gobgp), the engine, which speaks with the guard alone. In tesd both run in one process (New), in nved each in its own (NewGuard, NewEngine).
package bgp
