package nve

import (
	"time"

	"github.com/tns-project/tns/lifecycle"
)

// lifetimeOf is how long the record lasts from its last refresh; 0 means that no lifetime runs. An outranked one does not age while its request stands and
// the beacon lives: without those it is Orphaned, or its TES never sent a beacon.
func (e *Edge) lifetimeOf(r *record) time.Duration {
	if e.ours(r) {
		return 0
	}
	a := r.Association
	a.Outranked = a.Outranked && r.tes.beacon != nil
	d, _ := e.config.Lifetimes.Of(a)
	return d
}

// freshest is when the record was last refreshed, by a request or by its TES's beacon.
func (e *Edge) freshest(r *record) time.Time {
	t := r.tes
	if t.beacon == nil || r.Orphaned || r.State.Emigrating() || !r.alive() || len(r.offers) == 0 || r.perVM() || r.refreshed.After(t.beacon.at) {
		return r.refreshed
	}
	return t.beacon.at
}

// perVM reports whether the beacon leaves the VM out (`keepalive: per-vm` on any of its VNs).
func (r *record) perVM() bool {
	for _, b := range r.bindings {
		if b.vn.PerVMKeepAlive {
			return true
		}
	}
	return false
}

// aged reports whether the record's lifetime is over.
func (e *Edge) aged(r *record) bool {
	d := e.lifetimeOf(r)
	return d > 0 && e.paused.IsZero() && !e.freshest(r).Add(d).After(e.now)
}

// armLifetime sets the record's ageing. Beacons do not arm it anew: what they refreshed is seen when it is due.
func (e *Edge) armLifetime(r *record) {
	e.timers.stop(r.lifetime)
	r.lifetime = nil
	d := e.lifetimeOf(r)
	if d == 0 || !e.paused.IsZero() {
		return
	}
	left := e.freshest(r).Add(d).Sub(e.now)
	r.lifetime = e.timers.after(e.now, max(left, 0), func() {
		r.lifetime = nil
		e.own(r, lifecycle.AgedOut)
	})
}

// pauseLifetimes stops the clock of all lifetimes when no signalling session is left (SPEC §3, ageing).
func (e *Edge) pauseLifetimes() {
	for _, p := range e.peers {
		if p.up {
			return
		}
	}
	if e.paused.IsZero() {
		e.paused = e.now
	}
}

// resumeLifetimes goes on with them, moved by the pause.
func (e *Edge) resumeLifetimes() {
	if e.paused.IsZero() {
		return
	}
	since := e.paused
	e.paused = time.Time{}
	for _, r := range e.records {
		if r.refreshed.Before(since) {
			r.refreshed = r.refreshed.Add(e.now.Sub(since))
		} else {
			r.refreshed = e.now
		}
	}
	for _, k := range keysOf(e.records, compareVMKeys) {
		e.armLifetime(e.records[k])
	}
}
