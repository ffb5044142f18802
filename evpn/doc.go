// Package evpn is EVPN in this project's words: the values, keys and routes that a BGP speaker hands up and takes down, the octets of the
// communities that carry a VM's life, and the choice among several routes to one MAC.
//
// A TES turns a [Request] into communities ([Request.Communities], and [Request.Mirror] for people) and puts them on a type 2 [Route]; the NVE
// reads them with [DecodeRequest], and answers with a [Response] the same way. A [Beacon] on a type 3 route keeps all VMs of a TES alive. On
// the fabric the routes are plain RFC 7432 and RFC 8365.
//
// Reading never depends on the order of communities, and never panics; what is malformed comes back as a [*FormatError] beside whatever could
// be read, so that it can be answered. Small values are checked where they are made from what a person wrote (ParseMAC, ParseRouterID, …),
// while UnmarshalText takes back everything that MarshalText wrote, so that recorded routes of any peer can be read again.
//
// The package opens no socket, starts no goroutine, keeps no state, does not log, and imports the standard library only. "SPEC" is the
// project's contract, "§" alone a section of the TES-NVE signalling draft.
package evpn
