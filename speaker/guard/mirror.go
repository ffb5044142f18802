package guard

import (
	"errors"
	"time"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// GoBGP is a mirror for people: it is told what the engine was told, behind, so that under load nothing waits for it; with Engine.OnDemand only while somebody
// asks it, and who asks first waits until it was told everything, which then goes at once.
const (
	mirrorAgain = 250 * time.Millisecond // between two looks while the link is busy
	mirrorMost  = 500                    // what has waited for so many MirrorTimes, 10 s, goes while the link is busy, too, but of all peers together
	mirrorPace  = 2000                   // routes a second at most

	mirrorBehind = 1 << 16 // so many routes more than there are may be due to it: those that came and went
)

// show begins or ends the time in which an engine wants GoBGP to be told.
func (g *Guard) show(l *engineLink, on bool) {
	g.linking.Lock()
	defer g.linking.Unlock()
	if g.engine.Load() == l {
		g.shown.Store(on)
		g.notifyAll()
	}
}

// shows reports whether GoBGP is to be told what peers say.
func (g *Guard) shows() bool {
	e := g.config.Engine
	return e.Address.IsValid() && (!e.OnDemand || g.shown.Load())
}

// heedShow sees whether GoBGP is to be told of the session, or not any more.
func (p *peer) heedShow() {
	switch shows := p.guard.shows(); {
	case p.session == nil || shows == p.showing:
	case shows:
		p.showing = true
		p.fire(p.inner, Start, cause{})
	default:
		p.hide(wire.ShutdownNotification(wire.CeaseAdminReset, "nobody asks"))
	}
}

// hide ends the session with GoBGP, which forgets what it was told.
func (p *peer) hide(notice wire.Notification) {
	p.showing = false
	p.fire(p.inner, Stop, cause{notice: notice})
	p.inner.drop() // also what waits in Idle
	p.inner.attempts = 0
}

// overtaken has GoBGP begin anew where it is so far behind that this is less than what is due to it.
func (p *peer) overtaken() {
	if p.inner.state == Established && p.routes != nil && p.routes.toMirror.len() > p.routes.in.Len(wire.EVPN)+mirrorBehind {
		notice := wire.Notification{Code: wire.Cease, Subcode: wire.CeaseOutOfResources}
		p.fire(p.inner, SendHoldExpires, cause{notice: notice, err: errors.New("it is too far behind")})
	}
}

// mirrors reports whether it is the mirror's turn, and sees to it that the loop asks again when it may be.
func (p *peer) mirrors() bool {
	if p.behind > 0 {
		p.mirroring.stop()
		return true
	}
	now := p.now()
	waited := time.Duration(now.UnixNano() - p.routes.toMirror.since())
	turn := p.guard.config.MirrorTime
	quiet := turn
	if p.link != nil {
		quiet = p.link.quiet(now)
	}
	if waited >= turn && quiet >= turn || waited >= mirrorMost*turn && p.guard.mirrorPace.AllowN(now, min(p.routes.toMirror.len(), batch)) {
		p.mirroring.stop()
		return true
	}
	if p.mirroring.timer == nil {
		wait := mirrorAgain
		if waited < turn {
			wait = turn
		}
		p.after(&p.mirroring, wait, func() {})
	}
	return false
}
