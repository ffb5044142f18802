package tes

import (
	"hash/crc32"
	"time"

	"github.com/tns-project/tns/evpn"
)

// passes reports whether a refusal for that reason may go by itself, so that the wish is asked again (SPEC §3 "TES"). The others are for
// the VM manager to decide.
func passes(r evpn.Reason) bool {
	switch r {
	case evpn.NonSufficientResources, evpn.PolicySourceNotReachable, evpn.TooBusy, evpn.StaleSequence,
		evpn.Quota, evpn.AgedOut, evpn.Draining, evpn.IncompleteSet:
		return true
	default:
		return false
	}
}

// firstPause is the pause before the first repeat; each further one is twice as long, up to Config.RetryMax.
const firstPause = time.Second

// pause is how long to wait before the next repeat, and counts it. Up to a quarter is added by VMID, so that the VMs of a hypervisor do not
// come all at once.
func (c *core) pause(v *vm) time.Duration {
	d := min(firstPause<<min(v.attempts, 16), c.cfg.RetryMax)
	spread := crc32.ChecksumIEEE(append(v.ID[:], byte(v.attempts)))
	v.attempts++
	return min(d+d/4*time.Duration(spread%256)/256, c.cfg.RetryMax)
}

// pauseAfter is the pause before a wish is asked again that was refused for a reason. Nothing tells that draining has ended but a new session with the NVE,
// which then asks at once; in between it is asked seldom.
func (c *core) pauseAfter(v *vm, why evpn.Reason) time.Duration {
	if why == evpn.Draining {
		return c.cfg.RetryMax
	}
	return c.pause(v)
}

// holding is the operation that keeps a state as it is.
func holding(s evpn.State) evpn.Op {
	switch s {
	case evpn.StatePreAssociated:
		return evpn.PreAssociate
	case evpn.StateSuspended:
		return evpn.Suspend
	case evpn.StateEmigrating:
		return evpn.Emigrate
	default:
		return evpn.Associate
	}
}

// leadsTo is the state after an operation that succeeds.
func leadsTo(o evpn.Op) evpn.State {
	switch o {
	case evpn.PreAssociate:
		return evpn.StatePreAssociated
	case evpn.Associate, evpn.Resume:
		return evpn.StateAssociated
	case evpn.Suspend:
		return evpn.StateSuspended
	case evpn.Emigrate:
		return evpn.StateEmigrating
	default:
		return evpn.StateTerminated
	}
}
