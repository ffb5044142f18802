package lifecycle

// State is a state of figure 5. Emigrating is told apart by the state before it.
type State uint8

const (
	Null State = iota
	PreAssociated
	Associated
	Suspended
	EmigratingPreAssociated
	EmigratingAssociated
	EmigratingSuspended
	Terminated
	numStates
)

// Event is what happens to an association.
type Event uint8

const (
	PreAssociateSame Event = iota
	PreAssociateChanged
	AssociateSame
	AssociateChanged
	Suspend
	Resume
	Emigrate
	Terminate
	KeepAlive
	AgedOut
	Outranked  // a better route of another edge, or the same VM associated at another TES of this edge
	NewerSeen  // Emigrating: another edge's newer route for the MAC is there
	Reinstated // the outranking route went away without a TERMINATE here
	numEvents
)

// Action is what the owner of an association does; each is idempotent and without arguments.
type Action uint8

const (
	Authorize       Action = 1 + iota // answers later
	Reserve                           // VN membership, tag, policy: held; answers later
	Forward                           // local FDB entries; answers later
	Advertise                         // fabric routes of the new set
	AdvertiseAbove                    // all fabric routes of the MACs again, highest seen + 1
	StopForwarding                    // local FDB entries go
	StopAdvertising                   // fabric routes go
	ReleaseOld                        // what the set before had and the new one has not
	Release                           // everything held
	RefreshLifetime
	StopLifetime
	Forget // the record ends
	Accept // answer SUCCESS
	Notify // answer with status 1: the NVE did it on its own
)

// Refusal is why an arrow is not there.
type Refusal uint8

const (
	Allowed Refusal = iota
	WrongState
	UnknownVM
)

// Arrow is one cell of the table.
type Arrow struct {
	To      State
	Actions []Action
	Refusal Refusal
}

// Next is the arrow from a state for an event; every pair has one.
func Next(from State, e Event) Arrow { return Arrow{} }
