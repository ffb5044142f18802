package nve

import (
	"cmp"
	"errors"
	"time"

	"github.com/tns-project/tns/evpn"
)

var errTooManyVNs = errors.New("no route distinguisher number is left: at most 32767 VNs")

// Memory is what a Store kept.
type Memory struct {
	Numbers   map[evpn.VNI]uint16        // RD number of a VN's responses; the fabric's is one more
	TESs      map[evpn.RouterID]struct{} // those that were there
	Sequences map[VMKey]uint32           // highest request sequence decided
	Mobility  map[StationKey]Mobility
}

// VMKey names a record: a VM at a TES.
type VMKey struct {
	VM  evpn.VMID
	TES evpn.RouterID
}

// StationKey names a (VN, MAC).
type StationKey struct {
	VNI evpn.VNI
	MAC evpn.MAC
}

// Mobility is the sequence memory of a (VN, MAC) (SPEC §4).
type Mobility struct {
	Seen   uint32    // the highest sequence seen, ours included
	Other  bool      // another edge's route was seen
	Gone   time.Time // when the last route went; zero while one stands
	Own    uint32    // the sequence that we advertise or advertised last
	Active bool      // we advertised it when this was written
}

func (m *Memory) init() {
	if m.Numbers == nil {
		m.Numbers = map[evpn.VNI]uint16{}
	}
	if m.TESs == nil {
		m.TESs = map[evpn.RouterID]struct{}{}
	}
	if m.Sequences == nil {
		m.Sequences = map[VMKey]uint32{}
	}
	if m.Mobility == nil {
		m.Mobility = map[StationKey]Mobility{}
	}
}

// number is the RD number of a VN's responses; its fabric routes have the next one. It stays the same for as long as the store does, so that
// routes that peers still hold from before a restart are replaced, not doubled.
func (m *Memory) number(vni evpn.VNI, s Store) (uint16, error) {
	if n, ok := m.Numbers[vni]; ok {
		return n, nil
	}
	used := make(map[uint16]bool, len(m.Numbers))
	for _, n := range m.Numbers {
		used[n] = true
	}
	for n := uint16(1); n < evpn.DryRunRD-1; n += 2 {
		if !used[n] {
			m.Numbers[vni] = n
			if s != nil {
				s.PutNumber(vni, n)
			}
			return n, nil
		}
	}
	return 0, errTooManyVNs
}

// rememberSequence keeps the record's newest sequence on disk.
func (e *Edge) rememberSequence(r *record) {
	e.memory.Sequences[r.key] = r.sequence
	if e.Store != nil {
		e.Store.PutSequence(r.key.VM, r.key.TES, r.sequence)
	}
}

func (e *Edge) forgetSequence(k VMKey) {
	if _, ok := e.memory.Sequences[k]; !ok || !e.completed {
		return // before the end of the start, VMs of before are still awaited
	}
	delete(e.memory.Sequences, k)
	if e.Store != nil {
		e.Store.DropSequence(k.VM, k.TES)
	}
}

func (e *Edge) forgetTES(id evpn.RouterID) {
	if _, ok := e.memory.TESs[id]; !ok {
		return
	}
	delete(e.memory.TESs, id)
	if e.Store != nil {
		e.Store.DropTES(id)
	}
}

// forgetAbsent drops what is remembered of TESs and VMs that did not come back after a restart.
func (e *Edge) forgetAbsent() {
	for _, k := range keysOf(e.memory.Sequences, compareVMKeys) {
		if e.records[k] == nil {
			e.forgetSequence(k)
		}
	}
	for _, id := range keysOf(e.memory.TESs, cmp.Compare) {
		if e.tess[id] == nil {
			e.forgetTES(id)
		}
	}
}
