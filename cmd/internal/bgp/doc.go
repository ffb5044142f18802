// Package bgp joins the two halves of a BGP speaker, as both daemons have it: the guard (speaker/guard), which speaks with the peers, and GoBGP
// (speaker/gobgp), the engine, which speaks with the guard alone. Here both run in one process.
package bgp
