// Package nve is the network virtualization edge: routes in, forwarding and routes out.
//
// One loop owns everything. Its inputs are plain values: what the TESs' speaker reports (requests, beacons, sessions), what the
// fabric's speaker reports (other edges' routes), what the kernel has done, what a check has answered, and the time. Its outputs are
// calls that do not block: announce a response or a fabric route, set or unset a forwarding entry, remember something on disk.
//
// The loop's time is when what it reads came in (run.go): a burst that waits in the queue makes the edge late, not its TESs. So the assembly time is over when all is
// read that arrived within it.
//
// A request travels through it like this:
//
//	speaker.Event → identify (who may speak) → request route → assemble (all routes of one sequence) → classify (lifecycle.Event)
//	→ lifecycle.Next (the figure) → procedure: the arrow's actions, in order, some of which answer later → commit → response
//
// What is forwarded and advertised belongs to the (VN, MAC), not to a record (type station): one function decides, from the active record
// and the other edges' routes, what the kernel should hold. So the end of a record that is not active changes nothing. A MAC and an IP have
// a holder and, while a procedure is taking them over, a claimant (type place): a procedure that fails leaves them to whoever is right by then.
//
// The tests tell stories (testdata/*.txtar): lines of what happens, each followed by all that the edge does then.
//
// The package never touches a socket, a netlink message or a GoBGP type. It implements §3.2, §3.3 and figure 5 of the source document on
// the NVE's side, RFC 7432 §7, §11 and §15, and RFC 8365 §5 for the routes towards other edges.
package nve
