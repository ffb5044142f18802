// Package tes is the hypervisor's half of TES-to-NVE signalling: what the VM manager wants of its VMs is announced to the NVEs as request
// routes, their response routes are read, and what is wanted and what is acknowledged are brought together (§3.3 on the hypervisor's
// side, SPEC §3 "TES").
//
// One loop owns all state. Everything that comes in is a plain value: an Operation, a speaker.Event, a change of the speaker's own table,
// the time. Everything that goes out is a call on a small interface declared here: Speaker, Store, TagApplier.
//
//	Operation ─ check ─► wish ─┐                          ┌─► Store, then Speaker
//	                           ├─► settle(VM): what next? ┤
//	response routes ─► answer ─┘                          └─► Result, history, Snapshot
//
// BGP carries state, not messages, so nothing here waits for a message. After every input the VMs it touches are settled: the answer that
// stands to the current request is read, taken over if it is news, and whatever is due then is asked. Skipped, merged and repeated updates
// all end in the same state.
//
// What is announced is on disk first. A request that cannot be stored is not made. A TES that stops withdraws nothing, and one that starts
// announces all that it had announced before it opens a session.
//
// The package never touches a socket, a file or a GoBGP type.
package tes
