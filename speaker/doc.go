// Package speaker is the interface of a BGP speaker for EVPN, in the types of package evpn.
//
// A Speaker announces and withdraws routes and reports what its peers say as Events. Each session of a peer has an epoch, so that a withdrawn route and
// a lost session stay two different things: Withdrawn names a route on a session that stands, SessionDown makes all routes of the peer's epochs so far
// stale. Whoever keeps routes marks them with the epoch in which they were announced, and at EndOfRIB sweeps those of older epochs.
//
// A reader may be slow: events wait in a Queue, merged per peer and route, and never hold up BGP.
//
// The daemons' is joined in cmd/internal/bgp of a guard (speaker/guard), the engine's end of the link to it (speaker/guarded, in the words of speaker/link) and
// the table for people (speaker/gobgp, Mirror). Package speaker/gobgp is also an implementation by itself, with an embedded GoBGP, and package
// speaker/speakertest one in memory for tests.
package speaker
