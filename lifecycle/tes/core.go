package tes

import (
	"bytes"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/evpn"
	"github.com/tns-project/tns/lifecycle/history"
	"github.com/tns-project/tns/lifecycle/tes/store"
	"github.com/tns-project/tns/speaker"
)

// repairTime is the pause after which something that failed on this machine (disk, own table) is tried again.
const repairTime = time.Second

// core is the agent's state and what it does with an input. It has no clock and no goroutine: time comes with each input, and wake says
// when the next tick is due. Not safe for concurrent use.
type core struct {
	cfg     Config
	speaker Speaker
	store   Store
	log     *history.Log
	logger  *logrus.Entry
	reply   func(number uint64, r Result, err error)
	post    func(input) // from another goroutine, to be handled

	vms       map[evpn.VMID]*vm
	order     []*vm                // the same, by VMID
	sequences map[evpn.VMID]uint32 // last announced, of VMs that are gone too
	numbers   map[string]uint16    // of a VN's RD
	rebuilt   map[evpn.RouterID]bool
	holders   map[evpn.MAC][]holder
	names     map[string]evpn.VNName
	responses responses
	peers     map[netip.Addr]*peer
	beacons   map[evpn.RouterID]*beacon
	trials    map[evpn.VMID]*trial
	tried     map[evpn.VMID]uint32 // sequence of the last dry run
	repairAt  time.Time
	stats     Stats
	stale     bool // the published snapshot is older than the state
}

// holder is the VM that announces a MAC in a VN; there is one at a time.
type holder struct {
	vn string
	vm evpn.VMID
}

// vm is a VM with what need not survive a restart.
type vm struct {
	store.VM
	wish     uint64 // counts wishes, to tell whose wish a request carries
	asked    uint64 // the wish that the current request carries
	waiters  []*waiter
	askedAt  time.Time // of the current request
	silent   bool      // the current request was not answered in time
	attempts int       // how often in a row the NVE was silent or refused for a reason that passes
	jumped   bool      // the last FAIL 12 was followed at once
	given    *tagging  // what the applier has and the disk did not take; nil: nothing

	answerBy time.Time // the current request is to be answered
	repeatAt time.Time // a silent NVE is asked again
	againAt  time.Time // a refused wish is asked again
	keepAt   time.Time // the lifetime is to be refreshed (keepalive: per-vm)
	mendAt   time.Time // what failed here is tried again

	view *VM // as published; nil when it has changed
}

func newCore(c Config, sp Speaker, st Store, log *history.Log, logger *logrus.Entry) *core {
	image := st.Load()
	k := &core{
		cfg:       c.withDefaults(),
		speaker:   sp,
		store:     st,
		log:       log,
		logger:    logger,
		reply:     func(uint64, Result, error) {},
		post:      func(input) {},
		vms:       map[evpn.VMID]*vm{},
		sequences: maps.Clone(image.Sequences),
		numbers:   maps.Clone(image.Numbers),
		rebuilt:   maps.Clone(image.Rebuilt),
		holders:   map[evpn.MAC][]holder{},
		names:     map[string]evpn.VNName{},
		responses: responses{},
		peers:     map[netip.Addr]*peer{},
		beacons:   map[evpn.RouterID]*beacon{},
		trials:    map[evpn.VMID]*trial{},
		tried:     map[evpn.VMID]uint32{},
	}
	for _, n := range k.cfg.NVEs {
		k.beacons[n.ID] = &beacon{}
	}
	for _, kept := range image.VMs {
		v := &vm{VM: kept}
		k.add(v)
		k.hold(v.ID, nil, v.Standing)
	}
	return k
}

// start announces what is stored, as it was, and the beacons.
func (c *core) start(now time.Time) {
	for _, v := range c.sorted() {
		c.announce(now, v, v.Standing)
		if v.Wish.Phase == store.Again {
			v.againAt = now.Add(c.pause(v))
		}
	}
	c.applyAll(now)
	c.beat(now)
	for _, v := range c.sorted() {
		c.settle(now, v)
	}
	c.stale = true
}

// handle takes one input in.
func (c *core) handle(now time.Time, in input) {
	switch in := in.(type) {
	case asked:
		c.operate(now, in.Number, in.Operation)
	case left:
		c.leave(in.Number)
	case heard:
		c.hear(now, in.Event)
	case found:
		c.restore(now, in)
	case applied:
		c.tagApplied(now, in)
		c.stale = true
	case resync:
		c.applyAll(now)
		c.announceAll(now)
		c.resend(netip.Addr{})
	case tick:
		c.tick(now)
	}
}

// hear takes in what the speaker reports.
func (c *core) hear(now time.Time, e speaker.Event) {
	switch e.Kind {
	case speaker.SessionUp:
		c.sessionUp(now, e)
	case speaker.SessionDown:
		c.sessionDown(now, e)
	case speaker.EndOfRIB:
		c.endOfRIB(now, e)
	case speaker.Announced:
		c.hearRoute(now, e)
	case speaker.Withdrawn:
		c.forgetRoute(now, e.Peer, e.Key)
	case speaker.Refused:
		c.stats.Ignored++
		c.forgetRoute(now, e.Peer, e.Key)
	}
	c.stale = true
}

// tick does what is due.
func (c *core) tick(now time.Time) {
	if due(c.repairAt, now) {
		c.repairAt = time.Time{}
		c.announceAll(now)
	}
	c.beat(now)
	for _, v := range c.sorted() {
		if due(v.wake(), now) {
			c.expireWaiters(now, v)
			v.mendAt = time.Time{}
			c.settle(now, v)
		}
	}
	for _, t := range c.trials {
		if due(t.until, now) {
			c.endTrial(now, t, answer{})
		}
	}
}

// wake is when the next tick is due; the beacon sees to it that there always is one.
func (c *core) wake() time.Time {
	next := c.repairAt
	for _, b := range c.beacons {
		next = earlier(next, b.nextAt)
	}
	for _, v := range c.order {
		next = earlier(next, v.wake())
	}
	for _, t := range c.trials {
		next = earlier(next, t.until)
	}
	return next
}

// wake is when something is due for the VM; zero: never. What fails here waits for mendAt, what is to be asked for the outstanding answer.
func (v *vm) wake() time.Time {
	var next time.Time
	for _, w := range v.waiters {
		next = earlier(next, w.until)
	}
	switch {
	case !v.mendAt.IsZero():
		return earlier(next, v.mendAt)
	case v.outstanding():
		return earlier(next, v.answerBy)
	}
	for _, at := range []time.Time{v.answerBy, v.repeatAt, v.againAt, v.keepAt} {
		next = earlier(next, at)
	}
	return next
}

// sorted lists the VMs by VMID, so that what is done for all comes in one order. The list is the caller's: VMs may go meanwhile.
func (c *core) sorted() []*vm { return slices.Clone(c.order) }

// add makes a VM known.
func (c *core) add(v *vm) {
	if c.vms[v.ID] != nil {
		return
	}
	at, _ := c.find(v.ID)
	c.vms[v.ID], c.order = v, slices.Insert(c.order, at, v)
}

// remove forgets a VM.
func (c *core) remove(v *vm) {
	if at, known := c.find(v.ID); known {
		c.order = slices.Delete(c.order, at, at+1)
		delete(c.vms, v.ID)
	}
}

func (c *core) find(id evpn.VMID) (at int, known bool) {
	return slices.BinarySearchFunc(c.order, id, func(v *vm, id evpn.VMID) int { return bytes.Compare(v.ID[:], id[:]) })
}

// due reports whether a time is set and reached.
func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

// earlier is the earlier of two times, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
