package tes

import (
	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/speaker"
)

// input is what the loop takes in: a plain value, so that it can be recorded and played again.
type input interface{ isInput() }

// asked is an operation of the VM manager; the number finds the caller.
type asked struct {
	Number uint64
	Operation
}

// left says that the caller with that number waits no more. Its wish stands.
type left struct{ Number uint64 }

// heard is what the speaker reports.
type heard struct{ speaker.Event }

// found is the content of the speaker's own table.
type found struct {
	Keys    []evpn.RouteKey
	Suspect bool // someone else has changed it: what is there under a key of ours may not be ours
}

// resync asks that everything be announced and sent again.
type resync struct{}

// applied is what became of a tag that was to be applied.
type applied struct {
	VM  evpn.VMID
	VN  string
	MAC evpn.MAC
	Tag evpn.LocalTag
	Err error
}

// tick says that time has passed.
type tick struct{}

func (asked) isInput()   {}
func (left) isInput()    {}
func (heard) isInput()   {}
func (found) isInput()   {}
func (resync) isInput()  {}
func (applied) isInput() {}
func (tick) isInput()    {}
