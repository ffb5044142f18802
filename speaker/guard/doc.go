// Package guard ends every BGP session from outside in a small session engine of its own, and passes routes between the peers and a BGP speaker behind
// it, the engine, which may be restarted, killed or replaced without any peer noticing. OpenBGPD's session engine is the model.
//
//	                       ┌──────────────────────── guard ────────────────────────┐
//	            TCP        │           exchange, of one outer session              │     TCP on 127/8        engine
//	peer A ◄──────────────►│ machine   Adj-RIB-In  ──► queue ──►           machine │◄─────────────────────► neighbour 127.64.3.9
//	   MD5, GTSM, rate     │ (RFC 4271)      ◄── queue ◄──  Adj-RIB-Out    (inner) │   AS, router-id, hold time, families of A
//	                       │ ───────────────────────────────────────────────────── │
//	peer B ◄──────────────►│ machine   …                                           │◄─────────────────────► neighbour 127.64.8.1
//	                       └───────────────────────────────────────────────────────┘
//
// What comes in: wire.Filter reads each UPDATE strictly (RFC 7606); what is left goes into the peer's Adj-RIB-In and, as soon as the engine's socket takes
// it, to the engine. What goes out: the engine's UPDATEs go into the peer's Adj-RIB-Out and to the peer. Each queue holds of a route only the newest state,
// so one change waits for nothing, and a reader that is slow costs no more than the table does. A peer is not read while 4096 routes wait for the engine.
//
// When the engine goes, its peers' sessions stay. When one comes, it is told each peer's whole table and End-of-RIB; what it announces is compared with what
// the peer was sent, only differences go out, and what it has not announced again is withdrawn: at its End-of-RIB, or, if it does not know by then what to
// announce, once Guard.Renewed was called and nothing is on its way any more, and after RenewTime in any case (renewal.go).
// Without an engine for EngineTime sessions are closed (CEASE 8), and begin again when there is one.
//
// When a peer goes, its inner session is closed with the same NOTIFICATION, or one that tells why.
//
//	engine ── NOTIFICATION 1, 2, 3, 7, or CEASE 1, 2, 4, 9 ──► the peer's session is closed with it: an operator's wish, or about what the peer said
//	engine ── any other, hold timer, connection lost ────────► the session stays, the next engine is awaited
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
