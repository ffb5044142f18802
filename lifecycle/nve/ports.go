package nve

import (
	"github.com/tns-project/tns/dataplane"
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/tag"
)

// Announcer sends routes to the peers of one plane. Its methods do not wait for the peers.
type Announcer interface {
	Announce(evpn.Route) error
	Withdraw(evpn.RouteKey) error
}

// Forwarder makes the kernel hold what is asked for and reports by generation (dataplane.Reconciler).
type Forwarder interface {
	Set(dataplane.Entry) dataplane.Generation
	Unset(dataplane.Key) dataplane.Generation
	// Hold has what is asked for wait until Release, so that it is done in one.
	Hold()
	Release()
	// Complete says that everything that should be there has been asked for.
	Complete()
}

// Authorizer decides whether a TES may have what it asks for, when the edge itself has nothing against it. It calls answer once, at once or later, from any
// goroutine.
type Authorizer interface {
	Authorize(q Question, answer func(Verdict))
}

// Question is what an Authorizer is asked: may this VM at this TES have these bindings?
type Question struct {
	VM       evpn.VMID
	TES      evpn.RouterID
	Op       evpn.Op
	Bindings []QuestionBinding
}

// QuestionBinding is one (VN, MAC, IP) of a question with what the request said about it.
type QuestionBinding struct {
	Key     evpn.RouteKey // the request's NLRI
	VN      string
	VNI     evpn.VNI
	Request evpn.Request
}

// Verdict is the answer: the routes that are refused, each with its reason; empty means yes.
type Verdict map[evpn.RouteKey]evpn.Reason

// refuse adds a route that is refused.
func (v *Verdict) refuse(k evpn.RouteKey, why evpn.Reason) {
	if *v == nil {
		*v = Verdict{}
	}
	(*v)[k] = why
}

// Store remembers across restarts what saves the edge from guessing. Nothing in it is needed to come up. Put does not block; what could not be written is
// reported by the store itself.
type Store interface {
	Load() (Memory, error)
	PutNumber(evpn.VNI, uint16)
	PutTES(evpn.RouterID)
	DropTES(evpn.RouterID)
	PutSequence(evpn.VMID, evpn.RouterID, uint32)
	DropSequence(evpn.VMID, evpn.RouterID)
	PutMobility(evpn.VNI, evpn.MAC, Mobility)
	DropMobility(evpn.VNI, evpn.MAC)
	PutAcceptance(VMKey, BindingKey, Acceptance)
	DropAcceptance(VMKey, BindingKey)
	PutHolding(VMKey, Holding) // an empty one is forgotten
	PutTag(tag.Key, *tag.Tag)  // nil is forgotten, as with the next
	PutTold(VMKey, StationKey, *Told)
	PutDraining(evpn.VNI, bool)
}
