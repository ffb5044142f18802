// Package wire reads and writes BGP-4 messages as octets, strictly, and decides what of an outside peer's UPDATE an embedded GoBGP v3 may see.
//
//	peer ──> ReadMessage ──> ParseOpen, ParseNotification, ParseRouteRefresh: the session engine's own
//	                    └──> Filter.Update ──> Verdict ──> Forward: octets for GoBGP, at once
//	                                              ├──────> Changes ──> Table ──> Pack ──> GoBGP, also one that comes later
//	                                              └──────> Refusals, Reset: for counters, the log, a NOTIFICATION
//	engine ─> ReadMessage ──> ParseUpdate ──> Changes ──> Table ──> Pack ──> peer
//
// Filter is the reason for the package. Whatever comes, what it lets through is parsed by GoBGP without an error and without a panic, and means what the
// peer said. RFC 7606 decides of each malformed attribute (the table in rules.go), route types that GoBGP does not know are left out alone (RFC 7606
// §5.4), and extended communities that it would refuse or change travel past it in an attribute of our own (AttributeHidden), from which
// RestoreCommunities takes them back.
//
// Dissect is for people who look at a recorded UPDATE: it tells whatever can be told, also of one that the Filter refuses.
//
// Nothing here opens a socket, keeps a clock or logs. A *Error knows the NOTIFICATION that RFC 4271 §6 wants, and the offending octets. Values that
// were parsed point into the octets that they were parsed from, unless their comments say that they own theirs.
//
// Extended messages (RFC 8654) and add-path (RFC 7911) are recognised in an OPEN, and never offered: GoBGP v3 has not the former, and we have no use
// for the latter.
package wire
