package store

import (
	"net/netip"
	"slices"

	"github.com/tns-project/tns/evpn"
)

// VM is all that the TES keeps of one VM. Its slices are never changed in place: a changed VM has new ones.
type VM struct {
	ID       evpn.VMID
	NVE      evpn.RouterID
	Wish     Wish
	Request  Request
	Standing []Route // announced now: the current request's routes, then those left over from the set before
	Acked    Acked
	Answer   Answer
	Tags     []Tag // by VN and MAC
}

// Wish is what the VM manager wants last.
type Wish struct {
	Op          evpn.Op
	Immigration bool
	Bindings    []Binding // nil: those that are kept
	Phase       Phase
	Anew        bool // the association aged out: associate first if Op does not do so itself
}

// Phase is how far a wish is.
type Phase uint8

const (
	Waiting Phase = iota // an earlier request is outstanding
	Asked                // a request for it stands and is not answered
	Again                // refused for a reason that passes; it is asked again
	Done                 // acknowledged
	Refused              // it is for the VM manager to decide
)

func (p Phase) String() string {
	switch p {
	case Waiting:
		return "waiting"
	case Asked:
		return "asked"
	case Again:
		return "again"
	case Done:
		return "done"
	default:
		return "refused"
	}
}

// Purpose is why the current request was made.
type Purpose uint8

const (
	ForWish      Purpose = iota // it carries the wish
	ForTruth                    // it states the acknowledged state again, after a refusal that kept it (SPEC §3)
	ForStep                     // it associates anew, on the way to the wish
	ForKeepAlive                // it refreshes the lifetime (§3.3.8)
)

// Request is the OP of the current request (SPEC §2).
type Request struct {
	Op       evpn.Op
	Base     evpn.State
	Flags    evpn.Flags
	Sequence uint32
	Purpose  Purpose
}

// Answer is the NVE's newest complete answer to the current request.
type Answer struct {
	Answered bool
	Status   evpn.Status
	Reason   evpn.Reason
	State    evpn.State
	Lifetime uint16 // granted, seconds; 0 = not told

	// Told is why the wish was refused, whatever was asked since.
	Told evpn.Reason
}

// Acked is what the NVE acknowledged last.
type Acked struct {
	State    evpn.State
	Op       evpn.Op
	Sequence uint32
	Bindings []Binding
}

// Live reports whether there is an association at the NVE.
func (a Acked) Live() bool { return a.State != evpn.StateNull && a.State != evpn.StateTerminated }

// Binding is one (VN, MAC, IP or none) of a VM with what belongs to it.
type Binding struct {
	VN         string
	VNI        evpn.VNI // 0: announced by name
	MAC        evpn.MAC
	IP         netip.Addr // invalid: the MAC alone
	Policy     *evpn.Policy
	Credential *evpn.Credential
	Expiry     *uint32 // of the credential, Unix seconds
}

// Route is one announced request route, whole: a TES that starts announces it just as it was.
type Route struct {
	Binding
	Op           evpn.Op
	Base         evpn.State
	Flags        evpn.Flags
	Sequence     uint32
	Index, Count uint8
	Echo         *evpn.Echo
}

// Tag is the local tag of a MAC of the VM in a VN (§3.3.9).
type Tag struct {
	VN  string
	MAC evpn.MAC
	evpn.LocalTag
	Echo    *evpn.Echo // what the TES answered to its last change
	Applied bool       // the switch uses it
}

// Current lists the routes of the current request.
func (v *VM) Current() []Route {
	n := slices.IndexFunc(v.Standing, func(r Route) bool { return r.Sequence != v.Request.Sequence })
	if n < 0 {
		return v.Standing
	}
	return v.Standing[:n]
}

// LeftOver lists the routes of the set before that the current one has not.
func (v *VM) LeftOver() []Route { return v.Standing[len(v.Current()):] }
