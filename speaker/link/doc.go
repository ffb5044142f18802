// Package link is the short way between a guard (package speaker/guard) and the engine behind it: one stream on which the guard tells what each peer said,
// and the engine what it announces.
//
//	guard  ── Up, Routes…, Down, of each peer ──────────────────────────────────► engine
//	guard  ◄──── Routes…, Whole, of the engine's own; Resend; Show, Hide ──────── engine
//	       ◄── Alive ──►
//
// A BGP speaker that is embedded in the engine as the table for people is told the same by BGP, later, and only from Show to Hide, while somebody asks it: the
// guard's sessions with it begin and end so. End-of-RIB on one of them says that it has been told all that its peer had said when the session began. An engine
// that comes has said Hide. What counts goes here, and neither side waits for that table.
//
// The guard begins with Up of every session that stands, then the routes that the peer has sent so far; a session that begins later begins with Up, too. The
// engine begins with everything that it announces; Whole says that this was all, and from then on what an engine before has announced, and this one has
// not, is withdrawn. The guard hands the engine's routes to each peer that has asked for one of their route targets (RFC 4684), or has asked for nothing.
//
// Routes are BGP UPDATEs (RFC 4271 §4.3) of EVPN, End-of-RIB too, with AS numbers of four octets. Those of the guard are as its filter leaves them; those of
// the engine have no attributes that depend on the peer: no ORIGIN, no AS_PATH, no LOCAL_PREF. The guard adds them.
//
// Nothing here opens a socket, keeps a clock or logs.
package link
