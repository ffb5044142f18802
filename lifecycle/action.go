package lifecycle

// Action is what the owner of an association does; each is idempotent and without arguments, because the owner knows the association's
// addresses, VN and port. Those that answer later come first in an arrow; the new state is taken when they have succeeded.
type Action uint8

const (
	Authorize       Action = 1 + iota // check the VM and the TES; answers later
	Reserve                           // VN membership, tag, policy: held; answers later
	Forward                           // local FDB entries; answers later
	Advertise                         // fabric routes of the new set
	AdvertiseAbove                    // all fabric routes of the MACs again, highest seen + 1
	StopForwarding                    // local FDB entries go
	StopAdvertising                   // fabric routes go
	ReleaseOld                        // what the set before had and the new one has not
	Release                           // everything held
	RefreshLifetime                   // start the lifetime of the new state and marks anew
	StopLifetime                      // no lifetime runs
	Forget                            // the record ends
	Accept                            // answer SUCCESS
	Notify                            // answer with status 1: the NVE did it on its own
	numActions
)

var actionNames = [numActions]string{
	Authorize:       "authorize",
	Reserve:         "reserve",
	Forward:         "forward",
	Advertise:       "advertise",
	AdvertiseAbove:  "advertise above",
	StopForwarding:  "stop forwarding",
	StopAdvertising: "stop advertising",
	ReleaseOld:      "release old",
	Release:         "release",
	RefreshLifetime: "refresh lifetime",
	StopLifetime:    "stop lifetime",
	Forget:          "forget",
	Accept:          "accept",
	Notify:          "notify",
}

// String is the action in words.
func (a Action) String() string { return name(actionNames[:], a, "action") }

// AnswersLater reports whether the action may fail, and does so after a while: the state is taken when it has succeeded.
func (a Action) AnswersLater() bool { return a == Authorize || a == Reserve || a == Forward }
