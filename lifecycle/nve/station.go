package nve

import (
	"net/netip"
	"time"

	"github.com/tns-project/tns/dataplane"
)

// station is a (VN, MAC): who is active for it here, what the fabric is told, and what other edges say. FDB entries and fabric routes belong to it, not to a
// record: settle (forwarding.go) is the one place that decides what the kernel holds, tellFabric (advertise.go) what other edges hear.
type station struct {
	key StationKey
	vn  *vn

	place             // whose frames are forwarded here
	records []*record // that hold it
	owner   *record   // whose fabric routes stand: active, or Emigrating from here

	advertised []netip.Addr // the IPs of our routes; the invalid one is the route without IP
	own        uint32       // the sequence that we advertise or advertised last
	restored   bool         // own is from before a restart, and was advertised then
	standing   bool         // and other edges have it still
	immigrated time.Time    // when an Immigration made our routes; zero: none did, or it has broken a tie

	remotes []*remote
	best    *remote // of the other edges' routes, the one that wins

	seen  uint32    // the highest sequence seen, ours included
	other bool      // another edge had it
	gone  time.Time // when the last route went

	entry     forwarded // what was asked of the kernel; the zero value is nothing
	broken    bool      // the kernel refused to keep it
	policy    enforced  // what was asked of the kernel; the zero value is nothing
	policed   bool      // the kernel has it in force
	neighbors []netip.Addr

	policyWritten dataplane.Generation // the last that was asked for

	moves     []time.Time // unsignalled ones, in the window
	duplicate bool        // more than that: neither advertised nor processed (RFC 7432 §15.1)
	recovery  *timer
	forget    *timer
}

// station finds or makes the station of a key. Whoever makes it settles it.
func (e *Edge) station(k StationKey) *station {
	st := e.stations[k]
	if st == nil {
		v := e.vns[k.VNI]
		st = &station{key: k, vn: v}
		e.stations[k] = st
		v.stations[k.MAC] = st
	}
	return st
}

// recall makes the stations of which something is remembered from before a restart.
func (e *Edge) recall() {
	for _, k := range keysOf(e.memory.Mobility, compareStations) {
		m := e.memory.Mobility[k]
		if e.vns[k.VNI] == nil || !m.Gone.IsZero() && e.now.Sub(m.Gone) >= e.config.Memory {
			e.forgetMobility(k)
			continue
		}
		if m.Gone.IsZero() || m.Gone.After(e.now) { // a route stood when we stopped, or the clock was wrong
			m.Gone = e.now
		}
		st := e.station(k)
		st.seen, st.other, st.gone, st.own, st.restored = m.Seen, m.Other, m.Gone, m.Own, m.Active
		st.standing = m.Active && e.config.Standing
		e.timers.stop(st.forget)
		st.forget = nil
		e.forgetLater(st)
	}
}

// fallen ends what stood from before a restart and was not advertised again: other edges' routes count from now on, whatever they are.
func (e *Edge) fallen() {
	for _, k := range keysOf(e.stations, compareStations) {
		if st := e.stations[k]; st.standing {
			st.standing = false
			e.rankBest(st)
			e.settle(st)
		}
	}
}

// remember keeps the sequence on disk.
func (e *Edge) remember(st *station) {
	m := Mobility{Seen: st.seen, Other: st.other, Gone: st.gone, Own: st.own, Active: len(st.advertised) > 0}
	if e.memory.Mobility[st.key] == m {
		return
	}
	e.memory.Mobility[st.key] = m
	if e.Store != nil {
		e.Store.PutMobility(st.key.VNI, st.key.MAC, m)
	}
}

func (e *Edge) forgetMobility(k StationKey) {
	if _, ok := e.memory.Mobility[k]; !ok {
		return
	}
	delete(e.memory.Mobility, k)
	if e.Store != nil {
		e.Store.DropMobility(k.VNI, k.MAC)
	}
}

// remembered reports whether another edge's route stands or is remembered (SPEC §4).
func (e *Edge) remembered(st *station) bool {
	return st.other && (len(st.remotes) > 0 || st.gone.IsZero() || e.now.Sub(st.gone) < e.config.Memory)
}

// idle reports whether nothing is said about the station by anyone.
func (st *station) idle() bool {
	return len(st.records) == 0 && len(st.remotes) == 0 && len(st.advertised) == 0 && !st.duplicate && st.free()
}

// forgetLater drops a station that nobody speaks of, once its memory is over: at once where there is nothing to remember.
func (e *Edge) forgetLater(st *station) {
	if st.forget != nil || !st.idle() {
		return
	}
	if st.gone.IsZero() {
		st.gone = e.now
	}
	left := st.gone.Add(e.config.Memory).Sub(e.now)
	if st.seen == 0 && !st.other && !st.restored {
		left = 0
	}
	st.forget = e.timers.after(e.now, max(left, 0), func() {
		st.forget = nil
		switch {
		case !st.idle():
		case (st.seen > 0 || st.other) && e.now.Sub(st.gone) < e.config.Memory:
			e.forgetLater(st)
		default:
			e.timers.stop(st.recovery)
			delete(e.stations, st.key)
			delete(st.vn.stations, st.key.MAC)
			e.forgetMobility(st.key)
		}
	})
}
