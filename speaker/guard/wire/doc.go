// Package wire reads and writes BGP-4 messages as octets, strictly, and decides what of an outside peer's UPDATE an embedded GoBGP v3 may see.
//
//	peer ──octets──> ReadMessage ──> ParseOpen, ParseNotification, ParseRouteRefresh      the session engine's own business
//	                           └──> Filter.Update ──> Verdict ─┬─ Forward: octets for GoBGP
//	                                                           ├─ Update: for the Table of what the peer sent
//	                                                           └─ Refusals, Reset: for counters, the log, a NOTIFICATION
//	GoBGP ──octets──> ParseUpdate ──> Update ──> Table.Apply ──> []Change ──> Pack ──octets──> peer
//
// Filter is the reason for the package. Whatever comes, what it forwards is parsed by GoBGP without an error and without a panic, and means what the peer
// said: RFC 7606 decides of each malformed attribute (Decision), route types that GoBGP does not know are left out alone (RFC 7606 §5.4), and extended
// communities that it would refuse or change travel past it in an attribute of our own (AttributeHidden).
//
// Nothing here opens a socket, keeps a clock or logs. A *Error knows the NOTIFICATION that RFC 4271 §6 wants, and the offending octets. Values that
// were parsed point into the octets that they were parsed from, as their comments say.
//
// Extended messages (RFC 8654) and add-path (RFC 7911) are recognised in an OPEN, and never offered: GoBGP v3 has not the former, and we have no use
// for the latter.
package wire
