package guard

import (
	"time"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// GoBGP is a mirror for people: it is told what the engine was told, behind, so that under load nothing waits for it.
const (
	mirrorQuiet = 20 * time.Millisecond  // nothing was sent on the link for that long: it is the mirror's turn
	mirrorAgain = 250 * time.Millisecond // between two looks while the link is busy
	mirrorMost  = 3 * time.Second        // what has waited for that long goes in any case
)

// mirrors reports whether it is the mirror's turn, and sees to it that the loop asks again when it may be.
func (p *peer) mirrors() bool {
	now := p.now()
	waited := time.Duration(now.UnixNano() - p.routes.toMirror.since())
	quiet := mirrorQuiet
	if p.link != nil {
		quiet = p.link.quiet(now)
	}
	if waited >= mirrorMost || waited >= mirrorQuiet && quiet >= mirrorQuiet {
		p.mirroring.stop()
		return true
	}
	if p.mirroring.timer == nil {
		wait := mirrorAgain
		if waited < mirrorQuiet {
			wait = mirrorQuiet
		}
		p.after(&p.mirroring, wait, func() {})
	}
	return false
}

// mirrorUp begins a session with GoBGP, which is told the whole table.
func (p *peer) mirrorUp() {
	x := p.routes
	x.mirror = true
	x.toMirror.clear()
	x.toMirror.now = p.now().UnixNano()
	for c := range x.in.All() {
		if c.Family == wire.EVPN {
			x.toMirror.put(c)
		}
	}
	if x.of(wire.EVPN).ended {
		x.toMirror.mark(wire.EVPN)
	}
}

// mirrorDown ends it.
func (x *exchange) mirrorDown() {
	x.mirror = false
	x.toMirror.clear()
}

// linkUp begins the time of an engine on a link, which is told the whole table, and its end if the peer has said that, or nobody waits for it any more.
func (x *exchange) linkUp(settled bool) {
	x.engine = true
	x.toEngine.clear()
	for c := range x.in.All() {
		if c.Family == wire.EVPN {
			x.toEngine.put(c)
		}
	}
	if x.of(wire.EVPN).ended || settled {
		x.toEngine.mark(wire.EVPN)
	}
}

// fromPeerShort takes what is left of a peer's UPDATE, and is its changes until the next one.
func (x *exchange) fromPeerShort(u *wire.Update) []wire.Change {
	if f := u.EndOfRIB; f != 0 {
		x.of(f).ended = true
		if f == wire.EVPN && x.engine {
			x.toEngine.mark(f)
		}
		if f == wire.EVPN && x.mirror {
			x.toMirror.mark(f)
		}
		return nil
	}
	x.changes = u.AppendChanges(x.changes[:0])
	for _, c := range x.changes {
		different := x.in.Set(c)
		if c.Family != wire.EVPN || !different && c.Withdrawal() {
			continue
		}
		if x.engine {
			x.toEngine.put(c) // also what is said again
		}
		if x.mirror && different {
			x.toMirror.put(c)
		}
	}
	return x.changes
}
