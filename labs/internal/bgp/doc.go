// Package bgp is a BGP speaker by hand, for what no speaker by a library would say: it lives in a namespace of a lab,
// keeps one iBGP session up, and announces EVPN routes with whatever extended communities it is given, octet by octet.
//
// It shares no code with the daemons: what it says is written here from RFC 4271, RFC 4760 and RFC 7432, so that a
// mistake on their side cannot hide.
package bgp
