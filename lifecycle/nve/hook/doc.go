// Package hook tells middleboxes of VMs that come and go (§3.3.6), over HTTP: each notice of the edge is one POST of a JSON object, signed with HMAC-SHA-256.
//
// A notice waits in the queue of each hook that wants its event, on disk too, until the hook answers 2xx, or the retries are used up. Notices of one VM go
// one after another, in the order in which they happened; those of different VMs overtake each other. A full queue loses its oldest notice, and counts it. Nothing here
// delays the edge: Tell only puts into queues.
//
// A notice may arrive twice (its ID tells): when the answer was lost, or when the engine ended between the answer and the disk.
package hook
