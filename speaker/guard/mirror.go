package guard

import (
	"errors"
	"time"

	"github.com/tns-project/tns/speaker/guard/wire"
)

// GoBGP is a mirror for people: it is told what the engine was told, behind, so that under load nothing waits for it.
const (
	mirrorAgain = 250 * time.Millisecond // between two looks while the link is busy
	mirrorMost  = 500                    // what has waited for so many MirrorTimes, 10 s, goes while the link is busy, too, but of all peers together
	mirrorPace  = 2000                   // routes a second at most

	mirrorBehind = 1 << 16 // so many routes more than there are may be due to it: those that came and went
)

// overtaken has GoBGP begin anew where it is so far behind that this is less than what is due to it.
func (p *peer) overtaken() {
	if p.inner.state == Established && p.routes != nil && p.routes.toMirror.len() > p.routes.in.Len(wire.EVPN)+mirrorBehind {
		notice := wire.Notification{Code: wire.Cease, Subcode: wire.CeaseOutOfResources}
		p.fire(p.inner, SendHoldExpires, cause{notice: notice, err: errors.New("it is too far behind")})
	}
}

// mirrors reports whether it is the mirror's turn, and sees to it that the loop asks again when it may be.
func (p *peer) mirrors() bool {
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
