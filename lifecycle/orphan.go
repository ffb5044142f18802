package lifecycle

// Sign is what tells whether the TES of an association is there.
type Sign uint8

const (
	SessionDown   Sign = iota // closed, reset, NOTIFICATION or hold time
	BeaconOverdue             // the lifetime in the TES's beacon ended
	RequestsGone              // withdrawn without TERMINATE, where that is not one: through a reflector, or with the session
	RequestsBack              // the same requests stand again
	BeaconBack                // the beacon is there again, and the requests stand
	numSigns
)

var signNames = [numSigns]string{
	SessionDown:   "session down",
	BeaconOverdue: "beacon overdue",
	RequestsGone:  "requests gone",
	RequestsBack:  "requests back",
	BeaconBack:    "beacon back",
}

// String is the sign in words.
func (s Sign) String() string { return name(signNames[:], s, "sign") }

// orphans is the machine's second table: the mark that each sign leaves on an association that is alive. Signs change nothing else.
var orphans = [numSigns]bool{
	SessionDown:   true,
	BeaconOverdue: true,
	RequestsGone:  true,
	RequestsBack:  false,
	BeaconBack:    false,
}

// See is the association after a sign. Where the mark changed (the results differ from a), the lifetime starts anew.
func (a Association) See(s Sign) Association {
	a.Orphaned = orphans[s] && a.State.Alive()
	return a
}

// Orphan marks the association: its TES is not there. Null and Terminated are never marked.
func (a Association) Orphan() Association {
	a.Orphaned = a.State.Alive()
	return a
}

// Reappear clears the mark: the TES is there again, and nothing else changed.
func (a Association) Reappear() Association {
	a.Orphaned = false
	return a
}
