package nve

import (
	"cmp"
	"errors"
	"time"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/tag"
)

var errTooManyVNs = errors.New("no route distinguisher number is left: at most 32767 VNs")

// Memory is what a Store kept.
type Memory struct {
	Numbers   map[evpn.VNI]uint16        // RD number of a VN's responses; the fabric's is one more
	TESs      map[evpn.RouterID]struct{} // those that were there
	Sequences map[VMKey]uint32           // highest request sequence decided
	Mobility  map[StationKey]Mobility

	Acceptances map[VMKey]map[BindingKey]Acceptance // of credentials
	Holdings    map[VMKey]Holding
	Tags        map[tag.Key]tag.Tag       // of VNs on segments
	Told        map[VMKey]ByStation[Told] // the local tags that VMs were told
	Draining    map[evpn.VNI]struct{}     // VNs that take nobody new
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
	if m.Acceptances == nil {
		m.Acceptances = map[VMKey]map[BindingKey]Acceptance{}
	}
	if m.Draining == nil {
		m.Draining = map[evpn.VNI]struct{}{}
	}
	if m.Holdings == nil {
		m.Holdings = map[VMKey]Holding{}
	}
	if m.Tags == nil {
		m.Tags = map[tag.Key]tag.Tag{}
	}
	if m.Told == nil {
		m.Told = map[VMKey]ByStation[Told]{}
	}
}

// numbers hands out RD numbers: that of a VN's responses, its fabric routes have the next one. A VN's stays the same for as long as the store does, so that
// routes that peers still hold from before a restart are replaced, not doubled.
type numbers struct {
	memory *Memory
	store  Store
	used   map[uint16]struct{}
	next   uint16
}

func newNumbers(m *Memory, s Store) *numbers {
	n := &numbers{memory: m, store: s, used: make(map[uint16]struct{}, len(m.Numbers)), next: 1}
	for _, number := range m.Numbers {
		n.used[number] = struct{}{}
	}
	return n
}

// of is the VN's number.
func (n *numbers) of(vni evpn.VNI) (uint16, error) {
	if number, ok := n.memory.Numbers[vni]; ok {
		return number, nil
	}
	for ; n.next < evpn.DryRunRD-1; n.next += 2 {
		if _, used := n.used[n.next]; used {
			continue
		}
		number := n.next
		n.next += 2
		n.memory.Numbers[vni] = number
		if n.store != nil {
			n.store.PutNumber(vni, number)
		}
		return number, nil
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
	for _, k := range keysOf(e.memory.Holdings, compareVMKeys) {
		if _, awaited := e.unready[k.TES]; !awaited && e.records[k] == nil {
			e.keep(k, nil)
		}
	}
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
