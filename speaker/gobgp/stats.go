package gobgp

import "sync/atomic"

// Stats counts what a speaker did since New.
type Stats struct {
	Received          uint64 // routes and withdrawals of types 2 and 3 that peers sent
	Skipped           uint64 // routes of other types
	Refused           uint64 // routes that could not be read
	TreatedAsWithdraw uint64 // UPDATEs in which GoBGP found an error and withdrew their routes (RFC 7606 §2)
	Ignored           uint64 // UPDATEs, or attributes of them, that GoBGP dropped for an error
	Unsent            uint64 // UPDATEs that GoBGP could not send
	Announced         uint64 // calls of Announce and Withdraw that GoBGP took
	Withdrawn         uint64
	Restored          uint64 // routes of ours that Restore put back
	Queue             int    // events that wait for their reader, now
}

type counters struct {
	received, skipped, refused, treatedAsWithdraw, ignored, unsent, announced, withdrawn, restored atomic.Uint64
}

// Stats is a snapshot.
func (s *Speaker) Stats() Stats {
	return Stats{
		Received:          s.counters.received.Load(),
		Skipped:           s.counters.skipped.Load(),
		Refused:           s.counters.refused.Load(),
		TreatedAsWithdraw: s.counters.treatedAsWithdraw.Load(),
		Ignored:           s.counters.ignored.Load(),
		Unsent:            s.counters.unsent.Load(),
		Announced:         s.counters.announced.Load(),
		Withdrawn:         s.counters.withdrawn.Load(),
		Restored:          s.counters.restored.Load(),
		Queue:             s.queue.Len(),
	}
}
