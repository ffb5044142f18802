package tes

import "github.com/tns-project/tns/evpn"

// Stats counts what has happened since the agent was made.
type Stats struct {
	Requests    [evpn.Terminate + 1]uint64       // announced, by operation
	Responses   [evpn.UnsupportedType + 1]uint64 // complete answers, by reason; 0 is success
	NoAnswers   uint64                           // response times that passed without an answer
	Retries     uint64                           // requests that repeat one
	Restores    uint64                           // routes that someone else had removed from the speaker's table
	Beacons     uint64
	Resends     uint64 // times that all routes were sent again
	DryRuns     uint64
	StoreErrors uint64
	TagsFailed  uint64 // local tags that could not be applied
	Ignored     uint64 // routes of peers that are no response to us
}

func (s *Stats) answered(r evpn.Reason) {
	if int(r) >= len(s.Responses) {
		r = evpn.OtherReason
	}
	s.Responses[r]++
}
