// Package guard ends every BGP session from outside in a small session engine of its own, and passes routes between the peers and the engine of the edge, which
// may be restarted, killed or replaced without any peer noticing. OpenBGPD's session engine is the model.
//
//	                       ┌────────────────────────────── guard ──────────────────────────────┐
//	            TCP        │           exchange, of one outer session                          │
//	peer A ◄──────────────►│ machine   filter ──► Adj-RIB-In ──► queue ──────────► link writer  │─────────────┐
//	   MD5, GTSM, rate     │ (RFC 4271)                └───────► queue, behind ──┐              │  the link   ▼
//	                       │           packer ◄── queue ◄── distributor ◄────────│─ link reader │◄──────── engine
//	                       │ ─────────────────────────────────────────────────── │ ───────────  │
//	peer B ◄──────────────►│ machine   …                                         └► machine     │◄────────► GoBGP, the table for people:
//	                       └───────────────────────────────────────────────────────────────────┘ 127/8      neighbour 127.64.3.9 stands for A
//
// What comes in: wire.Filter reads each UPDATE strictly (RFC 7606); what is left goes into the peer's Adj-RIB-In and, as soon as the link takes it, to the
// engine (package link). A peer is not read while 4096 of its routes wait for the engine. GoBGP is told the same when the link is quiet, and after 10 s in any
// case: nobody waits for it. With Engine.OnDemand that is so from link.Show to link.Hide; a session with it begins with everything, at once, and End-of-RIB. Each queue holds of a route only the newest state, so one change waits for nothing, and a reader that is slow costs no more than
// the table does.
//
// What goes out: the distributor has what the engine announces in one table, and hands each route to the peers that have asked for one of its route targets
// (RFC 4684), or for everything. ORIGIN, AS_PATH and LOCAL_PREF are the packer's (wire.Packer). For which route targets peers are asked is configured.
// UPDATEs of GoBGP are dropped.
//
// When the engine goes, or says nothing for 10 s, its peers' sessions stay, and what it has announced. When one comes, it is told each peer's whole table and
// End-of-RIB; what it announces is compared with what stands, only differences go out, and what it has not announced again when it says that it is whole, or
// after RenewTime, is withdrawn. Without an engine for EngineTime sessions are closed (CEASE 8), and begin again when there is one.
//
// When a peer goes, the engine is told why, and its inner session with GoBGP is closed with the same NOTIFICATION, or one that tells why.
//
//	GoBGP ── NOTIFICATION 1, 2, 3, 7, or CEASE 1, 2, 4, 9 ──► the peer's session is closed with it: an operator's wish, or about what the peer said
//	GoBGP ── any other, hold timer, connection lost ────────► the session and the engine stay, and GoBGP is called again
//
// A dynamic peer is waited for, and dialled while it is called (Guard.Call): sessions that both sides come to want while they run.
//
// Each inner session comes from an address of its own (Engine.Network), which a hash of the real one chooses; AddressCapability in its OPEN tells the real
// one (gobgp.Names reads it). The inner link may be signed (Engine.Password), so that no other process plays a peer.
//
// One loop a peer (peer.run) owns machines, tables and queues. The machine is a table (fsm.go); testdata/machine.txt lists it, pair by pair. A connection
// has a reader, which waits until its loop has done with what it read, and a writer for what the socket does not take at once.
//
// The package knows no GoBGP. It never lets in a peer without the protection that is configured for it: an option that the kernel refuses is an error.
//
// Sections: RFC 4271 §6, §8 (BGP-4), RFC 2385 (MD5), RFC 2918 (route refresh), RFC 4486, RFC 9003 (CEASE), RFC 4724 (End-of-RIB; helper only), RFC 5082
// (GTSM), RFC 6286 (identifiers), RFC 6396 (MRT), RFC 7606 (errors), RFC 9687 (send hold timer).
package guard
