package nve

import (
	"github.com/tns-project/tns/lifecycle"
)

// why says how a request went.
type why uint8

const (
	lostSession    why = iota // its session is down
	withdrew                  // through a reflector, which may have lost it itself
	withdrewDirect            // by the TES itself, over a session that stays up
	replaced                  // another VM's request has its NLRI now, or one that cannot be read
)

var becauseOf = [...]string{
	lostSession:    "its TES's session is down",
	withdrew:       "its requests vanished without TERMINATE",
	withdrewDirect: "its requests vanished without TERMINATE",
	replaced:       "another request has its NLRI at this TES",
}

// leaveRecord takes a request out of its record. As long as other routes of the VM stand, nothing changes until a complete newer set applies; what another VM
// replaced is Orphaned at once (SPEC §3).
func (e *Edge) leaveRecord(o *offer, w why) {
	r := e.records[o.vm]
	if r == nil || r.offers.get(o.route.RouteKey) != o {
		e.unsay(o)
		return
	}
	r.offers.drop(o.route.RouteKey)
	if r.alive() && r.bindings.get(o.route.RouteKey) != nil {
		e.keepSaid(r, o)
	} else {
		e.unsay(o)
	}
	r.left = w
	if w == replaced {
		e.orphan(r, becauseOf[w])
	}
	e.presence(r)
	e.dropIfEmpty(r)
}

// presence marks a record whose TES does not speak for it (SPEC §3, "Orphaned" and "Withdraw"). It is level-driven: while a procedure runs it waits.
func (e *Edge) presence(r *record) {
	if r.procedure != nil {
		return
	}
	if e.abandoned(r) {
		e.endServer(r)
		return
	}
	if !r.alive() {
		e.unkeepAll(r)
		return
	}
	switch {
	case len(r.offers) == 0:
		e.orphan(r, becauseOf[r.left])
		if r.left == withdrewDirect && r.gone == nil {
			r.gone = e.timers.after(e.now, e.config.Withdraw, func() {
				r.gone = nil
				e.own(r, lifecycle.Terminate)
			})
		}
	case r.tes.overdue():
		e.orphan(r, "its TES's beacon is overdue")
	}
}

// orphan marks a record whose TES does not speak for it any more: forwarding goes on.
func (e *Edge) orphan(r *record, because string) {
	if !r.alive() || r.Orphaned {
		return
	}
	e.stats.orphaned++
	e.enter(r, r.Orphan(), "orphaned: "+because)
}

// reappear takes the mark away, unless the TES's beacon is overdue; nothing else changes.
func (e *Edge) reappear(r *record) {
	if r.Orphaned && !r.tes.overdue() {
		e.enter(r, r.Reappear(), "its TES is back")
	}
}
