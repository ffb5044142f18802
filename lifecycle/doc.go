// Package lifecycle is the association state machine of an NVE: what becomes of one VM's association with one hypervisor when a request
// arrives, a lifetime ends or another edge claims its addresses.
//
// The machine is figure 5 of the source document written as one keyed table (table.go). An event and a state lead to an [Arrow]: the
// state after it and the actions to carry out, in order, or the reason why the request is refused. The owner of the association looks the
// arrow up with [Next], carries the actions out, and takes the new state when those that answer later have succeeded; if one fails, it
// stays where it was. A dry run looks the same arrow up and carries nothing out.
//
// The path of a request: [Classify] makes it an event, [Association.Ask] finds the arrow (also for an NVE that lost its records, see
// [Rebuild]), the owner acts, [Association.Move] takes the state and the marks over, and [Lifetimes.Of] tells how long the result lives.
//
// The package does nothing itself: it has no socket, clock, lock or log, and imports the standard library only. Choices that need facts
// (are the parameters the same, is there a better route) are made by the owner and arrive as different events, so the table has no
// conditions and can be printed, drawn and walked. README.md is written from it.
//
// It implements §3.2, §3.3 and figure 5 (§3.4.3). Where the document leaves something open, the text beside the table says what holds.
package lifecycle
