// Package gobgp is package speaker with an embedded GoBGP v3. No type of GoBGP leaves it.
//
// What goes out: Announce writes NLRI and path attributes as octets (attributes.go) and gives them to GoBGP's table, which sends them to every peer.
// What comes in: one watch reports sessions, Adj-RIB-In and End-of-RIB in order (watch.go); its callback decodes a path into an evpn.Route (decode.go),
// puts an Event into the queue and returns.
//
// Routes of peers never get into our own table: a global import policy rejects them (policy.go), and the watch reads Adj-RIB-In before it. So no route of
// a peer is passed on to another, and GoBGP's own MAC mobility, which would change or refuse our routes, sees nothing but ours (mobility.go).
//
// A Mirror is a GoBGP that routes nothing: the table for people of the daemons, whose routes go over a link (speaker/guarded). Its peers are clients of a
// route server whose import is rejected, so that Adj-RIB-In is all that is kept of what they say, and they are told nothing; what is announced is filled into
// the global table when there is time (mirror.go). Both are so while somebody asks, who waits the first time; it is empty else (demand.go). What people write there goes back to who announces (inject.go).
//
// The gRPC API is there for the stock gobgp command. It reads; with Config.APIWrite it also adds and deletes paths (api.go). What someone else deletes of
// ours is signalled by OwnChanges and put back by Restore (own.go).
//
// A main package that uses passwords says `//go:debug multipathtcp=0`: Go's listeners are Multipath TCP by default, for which Linux has no TCP MD5
// signatures (RFC 2385), and GoBGP then accepts a peer without one. New refuses a password without it.
//
// Sections: RFC 4271 (BGP), RFC 7432 §7 (routes), RFC 4724 (End-of-RIB; helper only), RFC 4684 (route target constraint), RFC 4456 (ORIGINATOR_ID).
package gobgp
