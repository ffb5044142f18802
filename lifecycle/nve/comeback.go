package nve

import (
	"net/netip"

	"github.com/tns-project/tns/evpn"
)

// A server asks at the start before any TES does. It takes nothing that it did not have and that a VM, which was here before, may come back to until the start is over.

// comebacks are the VMs that held something before the start, by what they held.
type comebacks struct {
	at map[StationKey][]VMKey
	in map[evpn.VNI][]VMKey
}

// mayComeBack reports whether a MAC or IP that a server asks for, and did not have, may be a VM's that comes back. The server asks again. Of IPs nothing is remembered:
// each VM of the VN may have it, so that a server that had anything is not kept waiting for one.
func (e *Edge) mayComeBack(r *record, k StationKey, ip netip.Addr) (may bool) {
	had := e.memory.Holdings[r.key]
	if _, before := had.Get(k); before || e.completed {
		return false
	}
	if e.comebacks == nil {
		e.comebacks = e.findComebacks()
	}
	if e.comebacks.at[k], may = e.anyAwaited(e.comebacks.at[k], r.key.VM); may {
		return true
	}
	if ip.IsValid() && len(had) == 0 {
		e.comebacks.in[k.VNI], may = e.anyAwaited(e.comebacks.in[k.VNI], r.key.VM)
	}
	return may
}

func (e *Edge) findComebacks() *comebacks {
	c := &comebacks{map[StationKey][]VMKey{}, map[evpn.VNI][]VMKey{}}
	for vm, h := range e.memory.Holdings {
		if !e.awaited(vm) {
			continue
		}
		for i, one := range h { // in order
			c.at[one.StationKey] = append(c.at[one.StationKey], vm)
			if i == 0 || one.VNI != h[i-1].VNI {
				c.in[one.VNI] = append(c.in[one.VNI], vm)
			}
		}
	}
	return c
}

// awaited reports whether a VM held something before the start, and nothing was decided of it since.
func (e *Edge) awaited(vm VMKey) bool {
	r := e.records[vm]
	return vm.TES != e.config.ID && len(e.memory.Holdings[vm]) > 0 && (r == nil || !r.decided)
}

// anyAwaited reports whether one of the VMs is awaited, but for that of one identity. What is left is without those at the end that are not: each is looked at once.
func (e *Edge) anyAwaited(vms []VMKey, but evpn.VMID) (left []VMKey, is bool) {
	for i := len(vms) - 1; i >= 0; i-- {
		switch vm := vms[i]; {
		case e.awaited(vm) && vm.VM != but:
			return vms, true
		case i == len(vms)-1 && vm.VM != but:
			vms = vms[:i]
		}
	}
	return vms, false
}
